"""Training: clips a second of a whole update, memory, share of the matrix-product rate."""

import tensorflow as tf

from hd2s_tf.benchmark import measure
from hd2s_tf.models.presets import CLIP_FRAMES, FRAME_SIZE
from hd2s_tf.training import settings, setup

# Clips in a batch, as published.
BATCHES = {"hd2s": 8, "hd2s_tiny": 8}
# The model's precision policy, and the type of the matrix products that it is compared with.
PRECISIONS = {"float32": "float32", "mixed_bfloat16": "bfloat16"}
_REPEATS, _WARMUPS = 3, 1
# The backward pass is counted as two forward ones: with respect to the features, and to the weights.
_PASSES = 3


def run() -> dict[str, dict]:
    """Measures every case in a process of its own, together with the matrix products.

    bfloat16 is left out where it is computed in software, and XLA where there is no GPU.
    """
    precisions = PRECISIONS if measure.bfloat16_pays() else list(PRECISIONS)[:1]
    variants = {"": {}, ", recomputed": {"model.overrides.recompute": True}}
    if tf.config.list_physical_devices("GPU"):
        variants[", XLA"] = {"run.jit_compile": True}
    return {
        f"{preset}, {precision}{name}": measure.alone(_one, preset, precision, variant)
        for preset in BATCHES
        for precision in precisions
        for name, variant in variants.items()
    }


def _one(preset: str, precision: str, variant: dict[str, bool]) -> dict:
    config = settings.paper()
    config.model.preset, config.run.precision, config.optimizer.accumulation = preset, precision, 1
    config.update_from_flattened_dict(variant)
    updater = setup.create_updater(config, tf.distribute.get_strategy())
    size = BATCHES[preset]
    batch = {
        "clip": tf.random.uniform((size, CLIP_FRAMES, *FRAME_SIZE, 3), -1.0, 1.0, seed=0),
        "domain": tf.zeros(size, tf.int32),
        "saliency_map": tf.random.uniform((size, *FRAME_SIZE), seed=1),
        "fixation_map": tf.random.uniform((size, *FRAME_SIZE), seed=2) > 0.99,
    }

    def update() -> float:
        updater.accumulate(batch, 0)
        return float(updater.apply())

    shape = tf.TensorSpec((size, CLIP_FRAMES, *FRAME_SIZE, 3))
    forward = tf.function(lambda clip: updater.model({"clip": clip})).get_concrete_function(shape)
    work = _PASSES * measure.gflop(forward)
    speed = measure.speed(update, work, PRECISIONS[precision], _REPEATS, _WARMUPS)
    return {
        "batch": size,
        "clips_a_second": round(size / speed.seconds, 2),
        "gflop_a_clip": round(work / size, 1),
        "gflops": round(work / speed.seconds, 1),
        "matrix_product_gflops": round(speed.matrix_product_gflops, 1),
        "share_of_matrix_products": round(speed.share, 3),
    }
