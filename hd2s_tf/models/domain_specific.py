"""What a domain-specific model keeps apart for every data set beside normalisation: priors, fusion, smoothing.

The variables of all domains are stacked along their first axis, `[domains, ...]`, and each example picks its row by its
int32 domain. At inference one batch may mix domains; in training all examples of a batch share one, so that batch
statistics are those of one data set.
"""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import layers


def _initial_priors() -> np.ndarray:
    """The 16 initial priors, [16, y/x, mean/log sigma]: a grid of nine, rows, columns and the whole image."""
    quarters = (0.25, 0.5, 0.75)
    narrow, wide = -1.5, 0.0
    grid = [((y, narrow), (x, narrow)) for y in quarters for x in quarters]
    rows = [((0.5, wide), (x, narrow)) for x in quarters]
    columns = [((y, narrow), (0.5, wide)) for y in quarters]
    return np.array([*grid, *rows, *columns, ((0.5, wide), (0.5, wide))], np.float32)


@keras.saving.register_keras_serializable("hd2s")
class GaussianPriors(layers.Layer):
    """Learned Gaussian maps of every domain, concatenated to features (section 3.6).

    Call with features [B,H,W,C] and domain int32 [B]; returns [B,H,W,C+16]. A map is
    6 exp(-((y - mu_y) / s_y)^2 / 2) exp(-((x - mu_x) / s_x)^2 / 2) with y and x from 0 to 1 over the image.
    """

    AMPLITUDE = 6.0

    def __init__(self, domains: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.domains = domains

    def build(self, *_: tuple) -> None:
        # [domains, 16, 2 (y, x), 2 (mean, log sigma)]
        initial = np.tile(_initial_priors(), (self.domains, 1, 1, 1))
        self.gaussians = self.add_weight(
            shape=initial.shape,
            initializer=lambda shape, dtype=None: tf.constant(initial, dtype),
            name="gaussians",
            autocast=False,
            dtype="float32",
        )

    def maps(self, size: tuple[int, int], domain: tf.Tensor) -> tf.Tensor:
        """The prior maps, float32 [B,H,W,16], for a size (height, width) in positions and domains [B]."""
        parameters = tf.gather(tf.convert_to_tensor(self.gaussians), domain)
        profiles = []
        for axis, length in enumerate(size):
            positions = tf.linspace(0.0, 1.0, length)[tf.newaxis, :, tf.newaxis]
            mean, log_sigma = (parameters[:, tf.newaxis, :, axis, index] for index in range(2))
            profiles.append(tf.exp(-0.5 * tf.square((positions - mean) / tf.exp(log_sigma))))
        vertical, horizontal = profiles
        return self.AMPLITUDE * vertical[:, :, tf.newaxis] * horizontal[:, tf.newaxis]

    def call(self, features: tf.Tensor, domain: tf.Tensor) -> tf.Tensor:
        maps = self.maps(features.shape[1:3], domain)
        return tf.concat([features, tf.cast(maps, features.dtype)], -1)

    def get_config(self) -> dict:
        return {**super().get_config(), "domains": self.domains}


@keras.saving.register_keras_serializable("hd2s")
class DomainFusion(layers.Layer):
    """A 1x1 convolution to one channel (section 3.4) with weights of its own for every domain (section 3.6).

    Call with maps [B,H,W,C] and domain int32 [B]; returns logits [B,H,W]. With a single row of weights the domain is
    ignored: that is the plain fusion.

    It starts as the mean of the maps, from 0 to 1, stretched over `RANGE` logits around zero. A random start has
    negative weights and little contrast, which short trainings do not overcome.
    """

    RANGE = 8.0

    def __init__(self, domains: int = 1, **kwargs) -> None:
        super().__init__(autocast=False, **kwargs)
        self.domains = domains

    def build(self, maps_shape: tuple, *_: tuple) -> None:
        channels = maps_shape[-1]
        self.kernel = self.add_weight(
            shape=(self.domains, channels),
            initializer=keras.initializers.Constant(self.RANGE / channels),
            name="kernel",
            autocast=False,
            dtype="float32",
        )
        self.bias = self.add_weight(
            shape=(self.domains,),
            initializer=keras.initializers.Constant(-self.RANGE / 2),
            name="bias",
            autocast=False,
            dtype="float32",
        )

    def call(self, maps: tf.Tensor, domain: tf.Tensor) -> tf.Tensor:
        if self.domains == 1:
            domain = tf.zeros_like(domain)
        kernel = tf.gather(tf.convert_to_tensor(self.kernel), domain)
        bias = tf.gather(tf.convert_to_tensor(self.bias), domain)
        return tf.einsum("bhwc,bc->bhw", tf.cast(maps, tf.float32), kernel) + bias[:, tf.newaxis, tf.newaxis]

    def get_config(self) -> dict:
        return {**super().get_config(), "domains": self.domains}


@keras.saving.register_keras_serializable("hd2s")
class GaussianSmoothing(layers.Layer):
    """Smooths maps by a Gaussian whose sigma, in pixels, is learned for every domain (section 3.6).

    Call with maps float32 [B,H,W] and domain int32 [B]; returns the same shape. The kernel has ceil(6 max_sigma)
    positions a side, one more if that is even, sums to one, and sees zeros outside the map. Since it is the product of
    a vertical and a horizontal one, each is applied as a banded matrix.

    Attributes:
      cuts_off: whether maps are cut off to multiples of 1/255 first, as the published code does it; for inference.
    """

    def __init__(self, domains: int, max_sigma: float = 10.0, **kwargs) -> None:
        super().__init__(autocast=False, **kwargs)
        self.domains = domains
        self.max_sigma = max_sigma
        self.cuts_off = False

    @property
    def radius(self) -> int:
        """Positions on each side of the kernel's centre."""
        return math.ceil(6 * self.max_sigma) // 2

    def build(self, *_: tuple) -> None:
        self.sigma = self.add_weight(
            shape=(self.domains,),
            initializer=keras.initializers.Constant(self.max_sigma / 2),
            name="sigma",
            autocast=False,
            dtype="float32",
        )

    def kernel(self, domain: tf.Tensor) -> tf.Tensor:
        """The one-dimensional kernels of domains [B], float32 [B, 2 radius + 1], each summing to one."""
        sigma = tf.gather(tf.convert_to_tensor(self.sigma), domain)[:, tf.newaxis]
        offsets = tf.range(-self.radius, self.radius + 1, dtype=tf.float32)[tf.newaxis]
        return tf.nn.softmax(-0.5 * tf.square(offsets / sigma))

    def call(self, maps: tf.Tensor, domain: tf.Tensor) -> tf.Tensor:
        if self.cuts_off:
            maps = tf.floor(maps * 255.0) / 255.0
        kernel = self.kernel(domain)
        vertical, horizontal = (self._matrix(kernel, length) for length in maps.shape[1:3])
        return tf.matmul(tf.matmul(vertical, maps), horizontal, transpose_b=True)

    def _matrix(self, kernel: tf.Tensor, length: int) -> tf.Tensor:
        """Matrices [B, length, length] that apply the kernels [B, 2 radius + 1] along an axis."""
        offset = np.arange(length)[np.newaxis] - np.arange(length)[:, np.newaxis]
        inside = np.abs(offset) <= self.radius
        band = tf.gather(kernel, np.where(inside, offset + self.radius, 0), axis=1)
        return band * inside.astype(np.float32)

    def get_config(self) -> dict:
        return {**super().get_config(), "domains": self.domains, "max_sigma": self.max_sigma}
