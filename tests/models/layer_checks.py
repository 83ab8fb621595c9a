"""What every layer of the package must pass."""

import json
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf


def check_layer(
    create: Callable[[], keras.layers.Layer], *inputs: tf.Tensor, shape: object, mixed: str = "bfloat16"
) -> None:
    """Checks shapes, the round trip config -> JSON -> layer that answers the same, and the type of what it returns.

    Args:
      create: makes the layer.
      *inputs: of its call.
      shape: of what it returns, or a dict of shapes.
      mixed: the type of what it returns under mixed precision.
    """
    layer = create()
    layer(*inputs)
    generator = np.random.default_rng(0)
    for variable in layer.variables:
        if variable.dtype == "float32":
            variable.assign(generator.uniform(0.1, 1.0, variable.shape))
    outputs = layer(*inputs)
    assert tf.nest.map_structure(lambda output: tuple(output.shape), outputs) == shape
    assert {output.dtype for output in tf.nest.flatten(outputs)} == {tf.float32}

    written = json.dumps(keras.saving.serialize_keras_object(layer))
    revived = keras.saving.deserialize_keras_object(json.loads(written))
    assert type(revived) is type(layer)
    assert revived.get_config() == layer.get_config()
    revived(*inputs)
    revived.set_weights(layer.get_weights())
    for first, second in zip(tf.nest.flatten(revived(*inputs)), tf.nest.flatten(outputs), strict=True):
        np.testing.assert_array_equal(first, second)

    outputs = type(layer).from_config({**layer.get_config(), "dtype": "mixed_bfloat16"})(*inputs)
    assert {output.dtype.name for output in tf.nest.flatten(outputs)} == {mixed}
