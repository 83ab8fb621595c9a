import keras
import numpy as np
import tensorflow as tf

from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import CLIP_FRAMES
from hd2s_tf.models.s3d import S3D


def trained_once(recompute):
    """Gradients, and the running statistics after one step, of the same narrow network."""
    keras.utils.set_random_seed(0)
    model = HD2S(width_multiplier=0.0625, levels=(1, 2), recompute=recompute)
    model.create_variables()
    clip = tf.random.stateless_uniform((2, CLIP_FRAMES, 32, 64, 3), (1, 2), -1.0, 1.0)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model({"clip": clip}, training=True)["saliency_map"] ** 2)
        return tape.gradient(loss, [variable.value for variable in model.trainable_variables])

    gradients = [tf.convert_to_tensor(gradient).numpy() for gradient in step()]
    return gradients, [variable.numpy() for variable in model.non_trainable_variables]


def test_recomputing_changes_neither_gradients_nor_running_statistics():
    for kept, recomputed in zip(trained_once(False), trained_once(True), strict=True):
        assert kept
        for first, second in zip(kept, recomputed, strict=True):
            np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-5)


def test_the_setting_survives_a_round_trip():
    assert S3D.from_config(S3D(recompute=True).get_config()).recompute
