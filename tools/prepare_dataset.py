"""Prepares a data set for training: frames, maps and fixations at one size, in shards.

Validation and test splits keep their maps at full size too, so that they are scored at it.

    python tools/prepare_dataset.py --layout=dhf1k --input_dir=DHF1K --output_dir=prepared/DHF1K
    python tools/prepare_dataset.py --layout=stills --input_dir=OSIE --output_dir=prepared/OSIE --split=train
    python tools/prepare_dataset.py --layout=gaze --input_dir=my_videos --output_dir=prepared/mine --screen=1920x1080

Writes `<output_dir>/<split>/` for each split. After an interruption, the same command resumes.
"""

from absl import flags

from hd2s_tf import command_line
from hd2s_tf.command_line import gaze_flags
from hd2s_tf.data import layouts, preparation
from hd2s_tf.data.gaze.settings import GazeSettings

# So that --help lists them.
flags.adopt_module_key_flags(gaze_flags)

_DEFAULTS = preparation.Options()
_LAYOUT = flags.DEFINE_enum("layout", None, sorted(layouts.LAYOUTS), "How the data set lies on disk.", required=True)
_INPUT_DIR = flags.DEFINE_string("input_dir", None, "The data set's folder.", required=True)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder to write to.", required=True)
_SPLIT = flags.DEFINE_enum("split", "all", [*layouts.SPLITS, "all"], "Which split to prepare.")
_NAME = flags.DEFINE_string("name", None, "The data set's name; default: the input folder's.")
_HEIGHT = flags.DEFINE_integer("height", _DEFAULTS.height, "Height of frames and maps in pixels.")
_WIDTH = flags.DEFINE_integer("width", _DEFAULTS.width, "Width of frames and maps in pixels.")
_JPEG_QUALITY = flags.DEFINE_integer("jpeg_quality", _DEFAULTS.jpeg_quality, "Of the stored frames, 1 to 100.")
_VALIDATION_FRACTION = flags.DEFINE_float(
    "validation_fraction",
    layouts.ValidationSplit().fraction,
    "Share of whole training videos that becomes validation where the data set has no such split; 0 for none.",
)
_VALIDATION_VIDEOS = flags.DEFINE_list("validation_videos", [], "These training videos become validation instead.")
_SEED = flags.DEFINE_integer("seed", 0, "Of the choice of validation videos.")
_FULL_SIZE_SPLITS = flags.DEFINE_list(
    "full_size_splits",
    list(_DEFAULTS.full_size_splits),
    "Splits that keep their ground truth at its full size too and are scored at it; empty for none.",
)
_WORKERS = flags.DEFINE_integer("workers", 0, "Processes; 0 for one on each core.", lower_bound=0)
_SKIP_BAD = flags.DEFINE_bool("skip_bad", False, "Leave out broken videos and say which, instead of stopping.")


def main() -> None:
    """Parses the flags and prepares."""
    written = preparation.prepare(
        _LAYOUT.value,
        _INPUT_DIR.value,
        _OUTPUT_DIR.value,
        split=_SPLIT.value,
        options=preparation.Options(
            _HEIGHT.value,
            _WIDTH.value,
            _JPEG_QUALITY.value,
            GazeSettings.parse(gaze_flags.given()),
            _NAME.value,
            tuple(_FULL_SIZE_SPLITS.value),
        ),
        validation=layouts.ValidationSplit(_VALIDATION_FRACTION.value, _SEED.value, tuple(_VALIDATION_VIDEOS.value)),
        workers=_WORKERS.value,
        skip_bad=_SKIP_BAD.value,
    )
    for line in next(iter(written.values())).get("gaze", {}).get("understood", ()):
        print(line)
    for split, information in written.items():
        counts = information["counts"]
        print(
            f"{split}: {counts['videos']} videos, {counts['frames']} frames "
            f"({counts['frames_without_target']} without ground truth), {len(information['left_out'])} videos left out"
        )


if __name__ == "__main__":
    command_line.run(main)
