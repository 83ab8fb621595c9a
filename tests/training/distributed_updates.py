"""Runs updates on the same eight examples under several strategies and writes the resulting weights.

python tests/training/distributed_updates.py devices|multiworker OUTPUT.npz
"""

import os
import sys

import keras
import numpy as np
import tensorflow as tf

from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.normalization import BatchNormalization
from hd2s_tf.training import strategies
from hd2s_tf.training.objectives import Supervised
from hd2s_tf.training.updater import Rule, Updater

EXAMPLES, SIZE = 8, (32, 64)


def examples() -> dict[str, np.ndarray]:
    """Eight clips with ground truth."""
    generator = np.random.default_rng(0)
    return {
        "clip": generator.uniform(-1, 1, (EXAMPLES, 8, *SIZE, 3)).astype(np.float32),
        "domain": np.zeros(EXAMPLES, np.int32),
        "saliency_map": generator.random((EXAMPLES, *SIZE)).astype(np.float32) ** 4,
        "fixation_map": generator.random((EXAMPLES, *SIZE)) > 0.95,
    }


def update(strategy: tf.distribute.Strategy, accumulation: int, frozen: bool, updates: int = 2) -> dict:
    """Weights after updates, by name; batch normalisation in inference mode if `frozen`.

    Where it is not, plain gradient descent is used: it moves weights by as much as gradients differ, while Adam makes a
    whole step of a gradient that is nothing but rounding.
    """
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = HD2S.from_preset(
            "hd2s_tiny", weights=None, width_multiplier=0.0625, levels=(1,), clip_frames=8, momentum=0.9
        )
        for layer in model._flatten_layers():
            if isinstance(layer, BatchNormalization):
                layer.trainable = not frozen
        optimizer = keras.optimizers.Adam(1e-3) if frozen else keras.optimizers.SGD(1e-2)
    rule = Rule(updates, accumulation, weight_decay=1e-3, gradient_clip=1.0, average_momentum=0.9)
    updater = Updater(model, optimizer, Supervised(), strategy, rule)
    batch = EXAMPLES // accumulation

    def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
        size = context.get_per_replica_batch_size(batch)
        dataset = tf.data.Dataset.from_tensor_slices(examples()).repeat()
        # Of each batch this process takes its replicas' part.
        dataset = dataset.batch(batch).map(
            lambda values: {
                name: tf.split(value, context.num_input_pipelines)[context.input_pipeline_id]
                for name, value in values.items()
            }
        )
        return dataset.unbatch().batch(size, drop_remainder=True)

    batches = iter(strategy.distribute_datasets_from_function(pipeline))
    for number in range(updates):
        for _ in range(accumulation):
            updater.accumulate(next(batches), number)
        updater.apply()
    names = [variable.path.split("/", 1)[1] for variable in model.variables]
    weights = {name: variable.numpy() for name, variable in zip(names, model.variables, strict=True)}
    averages = {f"average{number}": average.numpy() for number, average in enumerate(updater.averages)}
    return weights | averages


def _devices() -> dict:
    """One device and two of this process."""
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
    one, mirrored = strategies.create("one"), strategies.create("mirrored")
    return {
        "whole": update(one, accumulation=1, frozen=True),
        "accumulated": update(one, accumulation=2, frozen=True),
        "mirrored": update(mirrored, accumulation=1, frozen=True),
        "trained": update(one, accumulation=1, frozen=False),
        "trained_mirrored": update(mirrored, accumulation=1, frozen=False),
    }


def _multiworker() -> dict:
    strategy = strategies.create("multiworker")
    chief = strategies.is_chief(strategy)
    results = {"multiworker": update(strategy, accumulation=1, frozen=True)}
    return results | {"agreement": {"total": strategies.total(strategy, 3 if chief else 4), "chief": chief}}


if __name__ == "__main__":
    # Optimising the graphs takes longer than running them.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    results = {"devices": _devices, "multiworker": _multiworker}[sys.argv[1]]()
    np.savez(
        sys.argv[2], **{f"{case}/{name}": value for case, named in results.items() for name, value in named.items()}
    )
    # Threads of the strategy may wait for a process that has ended.
    os._exit(0)
