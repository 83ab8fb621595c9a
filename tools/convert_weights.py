"""Converts a published checkpoint into weights of this project.

    python tools/convert_weights.py --checkpoint=HD2S.pt --preset=hd2s --output=hd2s.weights.h5
    python tools/convert_weights.py --checkpoint=S3D_kinetics400.pt --output=s3d.weights.h5
    python tools/convert_weights.py --checkpoint=i3d-kinetics-400.ckpt --clips=prepared/DHF1K:train \\
        --output=s3d_kinetics.weights.h5

`.pt` files need the package torch, `.npz` files do not. A checkpoint of S3D gives the weights of an encoder, for
training to start from. So does one of I3D: an encoder is fitted to its features on clips, whose labels are not used,
and the correlation of both networks' features on clips of other videos is printed (see docs/pretraining.md). Converted
weights keep the licence of the checkpoint's authors.
"""

from absl import flags

from hd2s_tf import command_line

_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "A .pt, .npz or .ckpt file.", required=True)
_PRESET = flags.DEFINE_string("preset", "hd2s", "The model that the checkpoint is of.")
_OUTPUT = flags.DEFINE_string("output", None, "The .weights.h5 file to write.", required=True)
_CLIPS = flags.DEFINE_multi_string("clips", [], "Prepared data for I3D's features, folder:split; may be repeated.")
_CLIP_COUNT = flags.DEFINE_integer("clip_count", 256, "Clips that an encoder is fitted on.", lower_bound=8)
_UPDATES = flags.DEFINE_integer("updates", 1500, "Gradient steps of a narrow encoder.", lower_bound=1)
_PRECISION = flags.DEFINE_enum(
    "precision", "float32", ["float32", "mixed_bfloat16"], "Of the fit; mixed_bfloat16 needs AVX512-BF16 or AMX."
)
_SEED = flags.DEFINE_integer("seed", 0, "Of the choice of clips.")


def main() -> None:
    """Parses the flags and converts."""
    from hd2s_tf.models import i3d_weights, torch_weights
    from hd2s_tf.training import pretraining

    if not _CHECKPOINT.value.endswith(i3d_weights.SUFFIX):
        count = torch_weights.convert(_CHECKPOINT.value, _PRESET.value, _OUTPUT.value)
        print(f"{_OUTPUT.value}: {count} variables")
        return
    options = pretraining.Options(
        clips=_CLIP_COUNT.value, updates=_UPDATES.value, precision=_PRECISION.value, seed=_SEED.value
    )
    found = pretraining.make_encoder(_CHECKPOINT.value, _CLIPS.value, _OUTPUT.value, _PRESET.value, options)
    print(f"{_OUTPUT.value}: an encoder; correlation of its features with I3D's on clips kept out of the fit:")
    for layer, correlation in found.items():
        print(f"{layer:12}{correlation:.4f}")


if __name__ == "__main__":
    command_line.run(main)
