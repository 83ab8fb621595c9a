"""Predicts the saliency of a video, a folder of frames or an image.

    python tools/predict.py --input=video.mp4 --output_dir=out/video
    python tools/predict.py --input=frames/ --output_dir=out/frames --weights=hd2s.weights.h5 --preset=hd2s

Writes one 8-bit PNG a frame (`maps/0001.png`, at the input's size), the video with a heat map over it (`overlay.mp4`)
and `summary.json`.
"""

from absl import flags

from hd2s_tf import command_line
from hd2s_tf.command_line import prediction_flags
from hd2s_tf.command_line.prediction_flags import INPUT, OUTPUT_DIR, OVERLAY, OVERWRITE

# So that --help lists them.
flags.adopt_module_key_flags(prediction_flags)

_WEIGHTS = flags.DEFINE_string(
    "weights", "auto", "A .weights.h5 file, 'auto' for the bundled ones, or 'random' to try a model out."
)
_PRESET = flags.DEFINE_string("preset", None, "Model; default: what the weights name, or hd2s_tiny.")
_DOMAIN = flags.DEFINE_string(
    "domain", None, "Data set that a domain-specific model predicts for; 'help' lists the model's."
)
_SMOOTHING_SIGMA = flags.DEFINE_float(
    "smoothing_sigma",
    None,
    "Gaussian filter of the maps, in pixels at 128x192; default: 5, hd2s_tiny 0.",
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 8, "Windows predicted at a time.", lower_bound=1)
_MAPS = flags.DEFINE_bool("maps", True, "Whether to write maps/.")
_CONSPICUITY = flags.DEFINE_bool("conspicuity", False, "Whether to write the conspicuity maps to conspicuity/.")
_PRECISION = flags.DEFINE_enum(
    "precision", "auto", ["auto", "float32", "bfloat16"], "Precision of the network's arithmetic."
)
_STRIDE = flags.DEFINE_integer("stride", 1, "Predict every n-th frame and interpolate between.", lower_bound=1)
_COMPAT = flags.DEFINE_enum(
    "compat", None, ["published"], "Predict as the published code does, for weights converted from a published file."
)


def main() -> None:
    """Parses the flags and predicts."""
    from hd2s_tf.inference import to_folder

    to_folder.predict_to_folder(
        input_path=INPUT.value,
        output_dir=OUTPUT_DIR.value,
        options=to_folder.Options(
            batch_size=_BATCH_SIZE.value,
            smoothing_sigma=_SMOOTHING_SIGMA.value,
            stride=_STRIDE.value,
            compat=_COMPAT.value,
            maps=_MAPS.value,
            conspicuity=_CONSPICUITY.value,
            overlay=OVERLAY.value,
        ),
        weights=_WEIGHTS.value,
        preset=_PRESET.value,
        domain=_DOMAIN.value,
        precision=_PRECISION.value,
        overwrite=OVERWRITE.value,
    )


if __name__ == "__main__":
    command_line.run(main)
