"""Predicts the saliency of a video, a folder of frames or an image.

    python tools/predict.py --input=video.mp4 --output_dir=out/video
    python tools/predict.py --input=frames/ --output_dir=out/frames --weights=hd2s.weights.h5 --preset=hd2s

Writes one 8-bit PNG a frame (`maps/0001.png`, at the input's size), the video with a heat map over it (`overlay.mp4`)
and `summary.json`.
"""

from absl import flags

from hd2s_tf import command_line
from hd2s_tf.command_line import network_flags, prediction_flags
from hd2s_tf.command_line.prediction_flags import INPUT, OUTPUT_DIR, OVERLAY, OVERWRITE

# So that --help lists them.
flags.adopt_module_key_flags(prediction_flags)

_WEIGHTS = network_flags.define_weights("auto", "'random' to try a model out")
_PRESET = network_flags.define_preset()
_DOMAIN = network_flags.define_domain("; 'help' lists the model's")
_PRECISION = network_flags.define_precision()
_BATCH_SIZE = network_flags.define_batch_size()
_STRIDE = network_flags.define_stride()
_SMOOTHING_SIGMA = network_flags.define_smoothing_sigma()
_MAPS = flags.DEFINE_bool("maps", True, "Whether to write maps/.")
_CONSPICUITY = flags.DEFINE_bool("conspicuity", False, "Whether to write the conspicuity maps to conspicuity/.")
_COMPAT = network_flags.define_compat()


def main() -> None:
    """Parses the flags and predicts."""
    from hd2s_tf.inference.output import Parts
    from hd2s_tf.inference.streams import DEFAULT_BATCH_SIZE
    from hd2s_tf.inference.to_folder import Network, Options, predict_to_folder
    from hd2s_tf.models.hd2s import HD2S

    if _DOMAIN.value == "help":
        domains = HD2S.from_weights(_WEIGHTS.value, _PRESET.value).domains
        print("\n".join(domains) if domains else "this model is not domain-specific")
        return
    summary = predict_to_folder(
        INPUT.value,
        OUTPUT_DIR.value,
        Network(_WEIGHTS.value, _PRESET.value, _DOMAIN.value, _PRECISION.value, _COMPAT.value),
        Options(_BATCH_SIZE.value or DEFAULT_BATCH_SIZE, _SMOOTHING_SIGMA.value, _STRIDE.value),
        Parts(_MAPS.value, _CONSPICUITY.value, OVERLAY.value),
        overwrite=OVERWRITE.value,
    )
    prediction_flags.report(summary)


if __name__ == "__main__":
    command_line.run(main)
