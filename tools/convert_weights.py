"""Converts a published PyTorch checkpoint into weights of this project.

    python tools/convert_weights.py --checkpoint=HD2S.pt --preset=hd2s --output=hd2s.weights.h5
    python tools/convert_weights.py --checkpoint=S3D_kinetics400.pt --output=s3d.weights.h5

`.pt` files need the package torch, `.npz` files do not. A checkpoint of S3D gives the weights of an encoder, for
training to start from. Converted weights keep the licence of the checkpoint's authors.
"""

from absl import flags

from hd2s_tf import command_line

_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "A .pt or .npz file.", required=True)
_PRESET = flags.DEFINE_string("preset", "hd2s", "The model that the checkpoint is of.")
_OUTPUT = flags.DEFINE_string("output", None, "The .weights.h5 file to write.", required=True)


def main() -> None:
    """Parses the flags and converts."""
    from hd2s_tf.models import torch_weights

    count = torch_weights.convert(_CHECKPOINT.value, _PRESET.value, _OUTPUT.value)
    print(f"{_OUTPUT.value}: {count} variables")


if __name__ == "__main__":
    command_line.run(main)
