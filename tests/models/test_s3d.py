import pytest
import tensorflow as tf

from hd2s_tf.models import s3d
from tests.models.layer_checks import check_layer


@pytest.mark.parametrize(("frames", "height", "width"), [(8, 32, 64), (16, 64, 32)])
def test_endpoints_have_the_shapes_of_the_table(frames, height, width):
    endpoints = s3d.S3D(0.25)(tf.zeros((1, frames, height, width, 3)))
    assert tuple(endpoints) == s3d.ENDPOINTS
    expected = {
        "endpoint1": (2, 4, 64),
        "endpoint2": (2, 8, 192),
        "endpoint3": (4, 16, 480),
        "endpoint4": (8, 32, 832),
        "endpoint5": (8, 32, 1024),
    }
    for name, (time, space, width_of_paper) in expected.items():
        shape = endpoints[name].shape
        assert shape[:4] == (1, frames // time, height // space, width // space)
        assert abs(shape[4] - width_of_paper / 4) <= 16


def test_stops_at_the_last_endpoint_and_has_no_later_layers():
    encoder = s3d.S3D(0.25, last="endpoint2")
    assert list(encoder(tf.zeros((1, 8, 32, 32, 3)))) == ["endpoint1", "endpoint2"]
    assert list(encoder.blocks) == ["conv_1a", "conv_2b", "conv_2c"]


def test_unknown_endpoint_lists_the_endpoints():
    with pytest.raises(ValueError, match="endpoint1, endpoint2, endpoint3, endpoint4, endpoint5"):
        s3d.S3D(last="mixed_6a")


def test_keeps_its_promises():
    shapes = {"endpoint1": (1, 4, 8, 8, 8), "endpoint2": (1, 4, 4, 4, 24), "endpoint3": (1, 2, 2, 2, 64)}
    clip = tf.random.stateless_normal((1, 8, 32, 32, 3), seed=(1, 2))
    check_layer(lambda: s3d.S3D(0.125, last="endpoint3", recompute=True), clip, shape=shapes)


def test_strides_are_the_published_ones():
    assert s3d.TEMPORAL_STRIDES == {"endpoint1": 2, "endpoint2": 2, "endpoint3": 4, "endpoint4": 8, "endpoint5": 8}
    assert s3d.SIZE_DIVISOR == 32
