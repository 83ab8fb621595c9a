"""Scores predictions with the benchmark's metrics.

    python tools/evaluate.py --data_dir=prepared/osie --split=test --output_dir=out/osie
    python tools/evaluate.py --data_dir=/data/DHF1K --split=test --weights=hd2s.weights.h5 --output_dir=out/dhf1k
    python tools/evaluate.py --data_dir=/data/DHF1K --split=test --predictions=their_maps --output_dir=out/theirs
    python tools/evaluate.py --data_dir=prepared/osie --split=test --weights=baseline:centre --output_dir=out/centre
    python tools/evaluate.py --data_dir=prepared/mine --weights=baseline:observers --output_dir=out/observers
    python tools/evaluate.py --data_dir=/data/DHF1K --split=test --submission_dir=out/HD2S --output_dir=out/submission

The data is a folder of tools/prepare_dataset.py, or a data set as it is distributed, which is scored at its full size.
Writes metrics.json, per_video.csv, per_frame.csv.gz and report.html. After an interruption, the same command scores the
missing videos. hd2s_tf/evaluation/protocol.py states every choice. With --submission_dir, the maps of every frame are
written as <submission_dir>/<video>/<frame>.png; where there are videos without ground truth, of those alone.

The baselines are centre, mean_map (of the training split), uniform, observers (half of them predict the others, 5
times; of gaze data, which keeps who looked where) and observers_leave_one_out (all others predict each one).
"""

from absl import flags

from hd2s_tf import command_line
from hd2s_tf.command_line import connection_flags, network_flags

# So that --help lists them.
flags.adopt_module_key_flags(connection_flags)

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Prepared data, or a data set's own folder.", required=True)
_SPLIT = flags.DEFINE_string("split", "test", "train, validation, test (or all).")
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder to write to.", required=True)
_LAYOUT = flags.DEFINE_string("layout", None, "Layout of a data set's own folder; recognised if not given.")
_VIDEOS = flags.DEFINE_list("videos", [], "Names of the videos to score; all if not given.")

_WEIGHTS = network_flags.define_weights(None, "baseline:NAME; default: auto")
_SAVED_MODEL = flags.DEFINE_string("saved_model", None, "A SavedModel of tools/export_saved_model.py.")
_PREDICTIONS = flags.DEFINE_string("predictions", None, "A folder of <video>/<frame>.png.")
_SERVER = flags.DEFINE_string("server", None, "A served model, as host:port/model.")
_PRESET = network_flags.define_preset()
_DOMAIN = network_flags.define_domain()
_PRECISION = network_flags.define_precision()
_BATCH_SIZE = network_flags.define_batch_size()
_STRIDE = network_flags.define_stride()
_SMOOTHING_SIGMA = network_flags.define_smoothing_sigma()
_COMPAT = network_flags.define_compat()

_PROTOCOL = flags.DEFINE_enum(
    "protocol",
    "auto",
    ["auto", "videos", "dhf1k"],
    "How to score: as the DHF1K benchmark does (dhf1k), or by videos; auto: dhf1k where the paper publishes scores.",
)
_EVERY = flags.DEFINE_integer("every", 1, "Score every n-th frame only.", lower_bound=1)
_ROUND = flags.DEFINE_bool("round", True, "Whether predictions are rounded to 8 bits, as the benchmark's files are.")
_SEED = flags.DEFINE_integer("seed", 0, "Of shuffled AUC's draws.")
_ALLOW_MISSING = flags.DEFINE_bool(
    "allow_missing", False, "Leave out frames without a usable prediction and broken videos."
)
_SUBMISSION_DIR = flags.DEFINE_string("submission_dir", None, "Where to write the maps as DHF1K wants them.")


def main() -> None:
    """Parses the flags and evaluates."""
    from hd2s_tf import files
    from hd2s_tf.errors import BadInputError
    from hd2s_tf.evaluation import evaluate, tables
    from hd2s_tf.inference.streams import DEFAULT_BATCH_SIZE
    from hd2s_tf.serving import client
    from hd2s_tf.serving.connection import Connection

    targets = [target for target in (_WEIGHTS.value, _SAVED_MODEL.value, _SERVER.value, _PREDICTIONS.value) if target]
    if len(targets) > 1:
        raise BadInputError("--weights, --saved_model, --server and --predictions exclude each other: give one")
    if _SAVED_MODEL.value and not files.is_folder(_SAVED_MODEL.value):
        raise BadInputError(f"--saved_model is {_SAVED_MODEL.value}: no such folder")
    server = _SERVER.value and client.SCHEME + _SERVER.value.removeprefix(client.SCHEME)
    request = evaluate.Request(
        target=_WEIGHTS.value or _SAVED_MODEL.value or server or "auto",
        preset=_PRESET.value,
        domain=_DOMAIN.value,
        precision=_PRECISION.value,
        predictions_dir=_PREDICTIONS.value,
        allow_missing=_ALLOW_MISSING.value,
        batch_size=_BATCH_SIZE.value or DEFAULT_BATCH_SIZE,
        stride=_STRIDE.value,
        smoothing_sigma=_SMOOTHING_SIGMA.value,
        compat=_COMPAT.value,
        submission_dir=_SUBMISSION_DIR.value,
        connection=Connection(**connection_flags.arguments()),
        protocol=_PROTOCOL.value,
        round_to_8_bits=_ROUND.value,
        seed=_SEED.value,
        every=_EVERY.value,
    )
    evaluation = evaluate.evaluate(
        request,
        _DATA_DIR.value,
        _SPLIT.value,
        _OUTPUT_DIR.value,
        layout=_LAYOUT.value,
        names=tuple(_VIDEOS.value),
    )
    if _SUBMISSION_DIR.value:
        print(f"the submission {_SUBMISSION_DIR.value} is complete")
    if not evaluation.frames:
        print(f"nothing is scored: no video of the split {_SPLIT.value} has ground truth")
        return
    print(tables.format_table(evaluation))
    print(f"report: {files.join(_OUTPUT_DIR.value, evaluate.REPORT)}")


if __name__ == "__main__":
    command_line.run(main)
