"""Exports a model for TensorFlow Serving.

    python tools/export_saved_model.py --output_dir=models/hd2s --version=1
    python tools/export_saved_model.py --output_dir=models/hd2s_clips --version=1 --batching

Writes `<output_dir>/<version>/`; hd2s_tf/export/saved_model.py describes the signatures. The first is for clients that
send videos, the second for many that send clips.
"""

from absl import flags

from hd2s_tf import command_line
from hd2s_tf.command_line import network_flags

_WEIGHTS = network_flags.define_weights("auto", "'random'")
_PRESET = network_flags.define_preset()
_PRECISION = network_flags.define_precision()
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "The model's base path.", required=True)
_VERSION = flags.DEFINE_integer("version", 1, "Version, at least 1.")
_BATCHING = flags.DEFINE_bool("batching", False, "Write batching parameters, and no signature predict_frames.")


def main() -> None:
    """Parses the flags and exports."""
    from hd2s_tf.export import saved_model
    from hd2s_tf.models import weight_files
    from hd2s_tf.models.hd2s import HD2S

    path = weight_files.find(_WEIGHTS.value, _PRESET.value)
    folder = saved_model.export(
        HD2S.from_weights(_WEIGHTS.value, _PRESET.value),
        _OUTPUT_DIR.value,
        _VERSION.value,
        precision=_PRECISION.value,
        batching=_BATCHING.value,
        weights_sha256=weight_files.checksum(path) if path else None,
    )
    print(folder)


if __name__ == "__main__":
    command_line.run(main)
