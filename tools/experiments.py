"""Runs the paper's experiments: trains and tests every arm of a table and sets it beside the paper's values.

    python tools/experiments.py --matrix=table5 --data_root=prepared --workdir=runs/gaze --seeds=0,1
    python tools/experiments.py --config=configs/experiments.py:paper --matrix=all --data_root=prepared \\
        --workdir=runs/paper --config.recipe.init.encoder=s3d.weights.h5

Prints each table and writes it as <workdir>/<table>.csv and .png; "figures" draws the paper's figures 5 and 6 from the
same models. Finished trainings and tests are not repeated, and an interrupted one resumes. Processes with different
seeds may share a work directory; a last call with all seeds then only collects.
"""

from absl import flags
from ml_collections import config_flags

from hd2s_tf import command_line

_CONFIG = config_flags.DEFINE_config_file(
    "config", "configs/experiments.py", "Recipe, data sets and arms; any value: --config.x.y=v.", lock_config=True
)
_MATRIX = flags.DEFINE_string("matrix", None, "table3, table4, table5, table6, table7, figures or all.", required=True)
_DATA_ROOT = flags.DEFINE_string("data_root", "prepared", "Folder of the prepared data sets.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the trainings and tables.", required=True)
_STEPS = flags.DEFINE_integer("steps", None, "Updates of each training, in place of the recipe's.", lower_bound=1)
_SEEDS = flags.DEFINE_list("seeds", ["0"], "Every arm is trained once with each.")


def main() -> None:
    """Parses the flags and runs the experiments."""
    from hd2s_tf.errors import BadInputError
    from hd2s_tf.experiments import bench

    config = _CONFIG.value
    if _STEPS.value:
        config.recipe.optimizer.updates = _STEPS.value
    if not all(seed.isdecimal() for seed in _SEEDS.value):
        raise BadInputError(f"--seeds is {','.join(_SEEDS.value)}: whole numbers, separated by commas")
    seeds = tuple(int(seed) for seed in _SEEDS.value)
    for text in bench.run(_MATRIX.value, config, _DATA_ROOT.value, _WORKDIR.value, seeds):
        print(text, flush=True)


if __name__ == "__main__":
    command_line.run(main)
