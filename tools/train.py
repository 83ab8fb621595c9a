"""Trains a model as a configuration says, or resumes an interrupted run.

    python tools/train.py --config=configs/smoke.py --workdir=runs/smoke
    python tools/train.py --config=configs/hd2s.py:DHF1K --workdir=runs/dhf1k --strategy=mirrored \\
        --config.init.encoder=s3d.weights.h5

Writes config.json, metrics.jsonl, curves.png, TensorBoard logs, checkpoints and the best and the last weights. On
SIGTERM or Ctrl-C it finishes the update, saves and exits with status 1; a second signal ends it at once.
"""

from absl import flags
from ml_collections import config_flags

from hd2s_tf import command_line

_CONFIG = config_flags.DEFINE_config_file("config", None, "Configuration; any value: --config.x.y=v.", lock_config=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
_STRATEGY = flags.DEFINE_string("strategy", "one", "one, mirrored or multiworker (with TF_CONFIG).")
flags.mark_flag_as_required("config")


def main() -> None:
    """Parses the flags and trains."""
    from hd2s_tf.errors import BadInputError
    from hd2s_tf.training import loop

    try:
        # A file that could not be read only says so when it is used.
        config = _CONFIG.value.lock()
    except OSError as error:
        name = config_flags.get_config_filename(flags.FLAGS["config"])
        raise BadInputError(f"{name}: no configuration can be read there") from error
    loop.train(config, _WORKDIR.value, _STRATEGY.value)


if __name__ == "__main__":
    command_line.run(main)
