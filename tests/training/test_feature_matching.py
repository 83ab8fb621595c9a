import keras
import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.models.s3d import ENDPOINTS, S3D
from hd2s_tf.training.feature_matching import FeatureMatching


@pytest.fixture(autouse=True)
def eager():
    """A step at a time: to trace the graphs takes longer than these few steps."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_an_encoder_learns_the_features_of_a_wider_one():
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    clips = [tf.constant(np.float32(generator.uniform(-1, 1, (1, 8, 32, 32, 3)))) for _ in range(2)]
    student, teacher = S3D(0.0625, name="student"), S3D(0.125, name="teacher")
    widths = {name: (student(clips[0])[name].shape[-1], teacher(clips[0])[name].shape[-1]) for name in ENDPOINTS}
    matching = FeatureMatching(student, teacher, clips, updates=4, seed=0)
    assert [tuple(projection.shape) for projection in matching.projections] == list(widths.values())
    before = student.trainable_variables[0].numpy()
    errors = list(matching.updates())
    assert len(errors) == 4
    assert errors[-1] < errors[0]
    assert not np.array_equal(before, student.trainable_variables[0])
