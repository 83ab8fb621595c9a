"""A trained model made fast for inference: batch normalisation folded into convolutions, weights in bfloat16.

A small model's weights can also become constants of its graphs: oneDNN reorders constants once, variables at every
call, which takes a third of a frame's time where frames come one by one.
"""

import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.layers import ConvolutionUnit

FLOAT32, BFLOAT16 = "float32", "bfloat16"
# "auto": the maps of all machines agree, and folding alone makes the network fast.
AUTO_PRECISION = FLOAT32
# Weights up to this size become constants: TensorFlow holds several copies of each graph's constants. Those of the
# paper's network in bfloat16 (57 MiB) would cost a stream 1.7 GB.
_LARGEST_CONSTANTS = 32 * 2**20


def for_inference(model: HD2S, precision: str = "auto") -> HD2S:
    """Creates a model that answers the same with fewer operations.

    Each convolution followed by a batch normalisation becomes one with a bias: y = g (Wx - m) / sqrt(v + e) + b is
    W'x + b' with W' = W g / sqrt(v + e) and b' = b - m g / sqrt(v + e). The normalisations of single data sets
    and those of the domain classifiers stay.

    Args:
      model: trained, its variables created; it is left as it is.
      precision: of weights and arithmetic, "float32", "bfloat16" or "auto". The maps are always float32.

    Raises:
      ValueError: an unknown precision.
    """
    if precision == "auto":
        precision = AUTO_PRECISION
    if precision not in (FLOAT32, BFLOAT16):
        raise ValueError(f"precision is {precision!r}: float32, bfloat16 or auto")
    fast = HD2S.from_config({**model.get_config(), "folded": True, "dtype": precision})
    values = _folded_values(model)
    for variable in fast.variables:
        value = values.get(_key(variable.path))
        if value is not None:
            variable.assign(tf.cast(value, variable.dtype))
    return fast


def with_constant_weights(model: HD2S, function: Callable) -> Callable:
    """Makes a small model's present weights constants of the graphs that a function is traced into.

    Args:
      model: its weights must not change any more. Those of a large model stay variables, to save memory.
      function: of tensors; calls the model.
    """
    values = [(variable, variable.numpy()) for variable in model.variables]
    if sum(value.nbytes for _, value in values) > _LARGEST_CONSTANTS:
        return function

    @functools.wraps(function)
    def with_constants(*inputs: tf.Tensor) -> object:
        with keras.StatelessScope([(variable, tf.constant(value)) for variable, value in values]):
            return function(*inputs)

    return with_constants


def _folded_values(model: HD2S) -> dict[str, np.ndarray]:
    values = {_key(variable.path): variable.numpy() for variable in model.variables}
    for unit in model._flatten_layers():
        if isinstance(unit, ConvolutionUnit) and not unit.normalization_settings.domains and unit.normalization:
            normalization, kernel = unit.normalization, unit.convolution.kernel
            epsilon = unit.normalization_settings.epsilon
            factor = normalization.gamma.numpy() / np.sqrt(normalization.moving_variance.numpy() + epsilon)
            # A depthwise kernel [h,w,C,1] has the channels before its last axis.
            shape = (-1, 1) if unit.depthwise else (-1,)
            folded = kernel.numpy() * factor.reshape(shape)
            bias = normalization.beta.numpy() - normalization.moving_mean.numpy() * factor
            key = _key(kernel.path)
            values[key] = folded
            values[key.rsplit("/", 1)[0] + "/bias"] = bias
    return values


def _key(path: str) -> str:
    """A variable's path without the model's name, which Keras makes unique."""
    return path.split("/", 1)[1]
