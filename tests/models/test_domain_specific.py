import keras
import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from hd2s_tf.models import domain_specific
from hd2s_tf.training import losses
from tests.models.layer_checks import check_layer


@pytest.mark.parametrize(
    ("create", "inputs", "shape", "mixed"),
    [
        (lambda: domain_specific.GaussianPriors(2), (2, 4, 6, 3), (2, 4, 6, 3 + 16), "bfloat16"),
        (lambda: domain_specific.DomainFusion(2), (2, 4, 6, 3), (2, 4, 6), "float32"),
        (lambda: domain_specific.GaussianSmoothing(2, 4.0), (2, 4, 6), (2, 4, 6), "float32"),
    ],
)
def test_layers_keep_their_promises(create, inputs, shape, mixed):
    values = tf.random.stateless_normal(inputs, seed=(1, 2))
    check_layer(create, values, tf.constant([0, 1]), shape=shape, mixed=mixed)


def test_priors_follow_the_formula():
    layer = domain_specific.GaussianPriors(2)
    layer(tf.zeros((1, 4, 6, 1)), tf.zeros(1, tf.int32))
    layer.gaussians.assign(np.random.default_rng(0).uniform(-1, 1, layer.gaussians.shape))
    maps = layer.maps((4, 6), tf.constant([1])).numpy()
    (mean_y, log_y), (mean_x, log_x) = layer.gaussians.numpy()[1, 7]
    for row, y in enumerate(np.linspace(0, 1, 4)):
        for column, x in enumerate(np.linspace(0, 1, 6)):
            expected = 6 * np.exp(-(((y - mean_y) / np.exp(log_y)) ** 2) / 2)
            expected *= np.exp(-(((x - mean_x) / np.exp(log_x)) ** 2) / 2)
            assert maps[0, row, column, 7] == pytest.approx(expected, rel=1e-4)


def test_priors_start_as_grid_columns_rows_and_the_whole():
    layer = domain_specific.GaussianPriors(1)
    layer(tf.zeros((1, 4, 6, 1)), tf.zeros(1, tf.int32))
    initial = layer.gaussians.numpy()[0]
    np.testing.assert_allclose(initial[0], [[0.25, -1.5], [0.25, -1.5]])
    np.testing.assert_allclose(initial[9], [[0.5, 0], [0.25, -1.5]])
    np.testing.assert_allclose(initial[12], [[0.25, -1.5], [0.5, 0]])
    np.testing.assert_allclose(initial[15], [[0.5, 0], [0.5, 0]])


def test_fusion_weighs_by_domain():
    layer = domain_specific.DomainFusion(2)
    maps = tf.ones((2, 1, 1, 3))
    layer(maps, tf.constant([0, 1]))
    layer.kernel.assign([[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]])
    layer.bias.assign([10.0, 20.0])
    np.testing.assert_allclose(layer(maps, tf.constant([0, 1]))[:, 0, 0], [16, 21])


def test_fusion_of_one_row_ignores_the_domain():
    maps = tf.random.stateless_uniform((3, 2, 2, 4), seed=(1, 2))
    layer = domain_specific.DomainFusion()
    np.testing.assert_array_equal(layer(maps, tf.constant([0, 7, 2])), layer(maps, tf.zeros(3, tf.int32)))


@pytest.mark.parametrize("channels", [1, 4])
def test_fusion_starts_as_the_mean_of_the_maps_stretched(channels):
    maps = np.random.default_rng(0).random((2, 3, 5, channels), np.float32)
    logits = domain_specific.DomainFusion(2)(tf.constant(maps), tf.constant([0, 1]))
    np.testing.assert_allclose(logits, 8 * maps.mean(-1) - 4, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 5.0, 10.0, 30.0])
def test_smoothing_kernel_is_gaussian_and_sums_to_one(sigma):
    layer = domain_specific.GaussianSmoothing(1)
    layer(tf.zeros((1, 8, 8)), tf.zeros(1, tf.int32))
    layer.sigma.assign([sigma])
    kernel = layer.kernel(tf.zeros(1, tf.int32)).numpy()[0]
    assert len(kernel) == 61
    assert kernel.sum() == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(kernel, kernel[::-1])
    assert kernel[31] / kernel[30] == pytest.approx(np.exp(-0.5 / sigma**2), rel=1e-3)


def test_smoothing_equals_a_convolution_with_the_product_kernel_and_zero_padding():
    layer = domain_specific.GaussianSmoothing(1, max_sigma=1.5)
    values = tf.random.stateless_uniform((1, 9, 12), seed=(1, 2))
    smoothed = layer(values, tf.zeros(1, tf.int32))
    kernel = layer.kernel(tf.zeros(1, tf.int32)).numpy()[0]
    assert len(kernel) == 9
    plain = tf.nn.conv2d(values[..., tf.newaxis], np.outer(kernel, kernel)[:, :, None, None], 1, "SAME")
    np.testing.assert_allclose(smoothed, plain[..., 0], rtol=1e-5, atol=1e-6)


def test_smoothing_gradient_in_sigma_agrees_with_finite_differences():
    layer = domain_specific.GaussianSmoothing(2)
    values = tf.random.stateless_uniform((2, 20, 30), seed=(1, 2))
    weights = tf.random.stateless_normal((2, 20, 30), seed=(3, 4))
    domain = tf.constant([0, 1])

    def loss():
        return tf.reduce_sum(layer(values, domain) * weights)

    with tf.GradientTape() as tape:
        value = loss()
    assert np.isfinite(float(value))
    gradient = tf.convert_to_tensor(tape.gradient(value, layer.sigma.value)).numpy()
    start = layer.sigma.numpy()
    for index in range(2):
        step = np.eye(2, dtype=np.float32)[index] * 0.05
        values_around = []
        for sign in (1, -1):
            layer.sigma.assign(start + sign * step)
            values_around.append(float(loss()))
        layer.sigma.assign(start)
        assert gradient[index] == pytest.approx((values_around[0] - values_around[1]) / 0.1, rel=0.02, abs=1e-3)


def test_the_learned_sigma_finds_a_known_blur():
    """Trained on maps blurred with a sigma of 4 pixels, starting from 5.5."""
    generator = np.random.default_rng(0)
    sharp = (generator.random((8, 64, 96)) > 0.995).astype(np.float32)
    blurred = np.stack([scipy.ndimage.gaussian_filter(values, 4.0, mode="constant", truncate=7) for values in sharp])
    smoothing = domain_specific.GaussianSmoothing(1, max_sigma=11.0)
    domain = tf.zeros(len(sharp), tf.int32)
    smoothing(sharp, domain)
    np.testing.assert_allclose(smoothing.sigma.numpy(), [5.5])
    optimizer = keras.optimizers.Adam(0.1)
    for _ in range(80):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(losses.kl_divergence(blurred, smoothing(sharp, domain)))
        optimizer.apply(tape.gradient(loss, [smoothing.sigma.value]), [smoothing.sigma])
    np.testing.assert_allclose(smoothing.sigma.numpy(), [4.0], atol=0.02)
