import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.models import conspicuity, layers
from tests.models.layer_checks import check_layer


@pytest.mark.parametrize(("level", "stride"), [(1, 8), (2, 16), (3, 32), (4, 32)])
def test_decodes_every_level_to_the_clips_size(level, stride):
    features = tf.random.stateless_normal((2, 64 // stride, 96 // stride, 5), seed=(1, level))
    check_layer(lambda: conspicuity.ConspicuityNetwork(level, 0.125), features, shape=(2, 64, 96), mixed="float32")
    conspicuity_map = conspicuity.ConspicuityNetwork(level, 0.125)(features)
    assert 0 <= float(tf.reduce_min(conspicuity_map)) <= float(tf.reduce_max(conspicuity_map)) <= 1


def test_a_depthwise_separable_unit_keeps_its_promises():
    features = tf.random.stateless_normal((2, 5, 6, 3), seed=(1, 2))
    check_layer(lambda: conspicuity.DepthwiseSeparableUnit(4), features, shape=(2, 5, 6, 4))


def test_units_of_a_stage_as_in_the_table():
    network = conspicuity.ConspicuityNetwork(4)
    stages = [[unit.name for unit in units] for units in network.stages()]
    assert stages[0] == ["stage1_unit1", "stage1_unit2", "stage1_unit3"]
    assert [len(names) for names in stages] == [3, 3, 2, 2, 2]
    kinds = [type(unit) for unit in network.units]
    assert kinds.count(layers.ConvolutionUnit) == 5


def test_upsampling_has_half_pixel_centres():
    network = conspicuity.ConspicuityNetwork(1, 0.25)
    upsampled = network.upsampling(tf.constant([0.0, 4.0])[tf.newaxis, tf.newaxis, :, tf.newaxis])
    np.testing.assert_allclose(upsampled[0, 0, :, 0], [0, 1, 3, 4])
