import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.models.i3d_fit import Features, LayerFit
from hd2s_tf.models.i3d_network import I3D
from hd2s_tf.models.i3d_weights import Unit
from hd2s_tf.models.layers import ConvolutionUnit, InceptionBlock, SeparableConvolution


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def _unit(generator, side, channels, filters, rank=None, beta=0.3):
    """A unit of I3D whose cubic kernel is that of `rank` spatial ones, each with a temporal one for every filter.

    The first spatial one sums up all it sees: something like it is among the many of a real layer.
    """
    spatial = generator.normal(size=(side, side, channels, rank or filters)) / side
    spatial[..., 0] = 1.0 / side
    temporal = generator.normal(size=(side, rank or filters, filters))
    kernel = np.einsum("hwcm,tmf->thwcf", spatial, temporal) / np.sqrt(channels * side)
    values = generator.uniform(0.5, 1.5, filters), generator.normal(0, 0.2, filters)
    return Unit(np.float32(kernel), np.float32(values[1]), np.float32(values[0]), np.float32(values[1] + beta))


def _batches(generator, low, shape=(2, 6, 10, 12, 4), count=8):
    batches = [tf.constant(np.float32(generator.uniform(low, 1, shape))) for _ in range(count)]
    return Features(batches, batches)


def _assert_alike(layer, expected, features, tolerance=2e-3):
    for batch in features.student:
        np.testing.assert_allclose(layer(batch), expected(batch), atol=tolerance)


def test_a_cubic_convolution_that_is_separable_is_recovered_also_at_the_ends_of_a_window(generator):
    teacher = I3D({"layer": _unit(generator, 3, 4, 8)})
    layer, features = SeparableConvolution(8, 3), _batches(generator, low=0.2)
    layer(features.student[0])
    LayerFit(teacher, generator).block(layer, "layer", features)
    _assert_alike(layer, lambda batch: teacher.unit("layer", batch), features)


def test_so_is_the_first_one_whose_pixels_may_be_negative(generator):
    teacher = I3D({"layer": _unit(generator, 7, 3, 16, rank=8)})
    layer, features = SeparableConvolution(16, 7, 2), _batches(generator, low=-1, shape=(2, 16, 16, 16, 3))
    layer(features.student[0])
    LayerFit(teacher, generator).block(layer, "layer", features)
    _assert_alike(layer, lambda batch: teacher.unit("layer", batch, stride=2), features)


def test_a_pointwise_convolution_is_recovered_and_its_statistics_are_those_of_the_clips(generator):
    teacher = I3D({"layer": _unit(generator, 1, 4, 8)})
    unit, features = ConvolutionUnit(8, (1, 1, 1)), _batches(generator, low=0.2)
    unit(features.student[0])
    LayerFit(teacher, generator).block(unit, "layer", features)
    _assert_alike(unit, lambda batch: teacher.unit("layer", batch), features)
    responses = np.concatenate([unit.convolution(batch).numpy().reshape(-1, 8) for batch in features.student])
    np.testing.assert_allclose(unit.normalization.moving_mean, responses.mean(0), atol=1e-4)
    np.testing.assert_allclose(unit.normalization.moving_variance, responses.var(0), rtol=1e-3)


def test_an_inception_block_is_recovered(generator):
    widths = [[4], [6, 8], [4, 6], [5]]
    units = {
        "block/branch0": _unit(generator, 1, 4, 4),
        "block/reduction1": _unit(generator, 1, 4, 6, beta=2.0),
        "block/branch1": _unit(generator, 3, 6, 8),
        "block/reduction2": _unit(generator, 1, 4, 4, beta=2.0),
        "block/branch2": _unit(generator, 3, 4, 6),
        "block/branch3": _unit(generator, 1, 4, 5),
    }
    teacher = I3D(units)
    block, features = InceptionBlock(widths), _batches(generator, low=0.2)
    block(features.student[0])
    LayerFit(teacher, generator).block(block, "block", features)
    _assert_alike(block, lambda batch: tf.concat(teacher.branches("block", batch), -1), features)


def test_what_the_layers_before_got_wrong_is_made_good_for(generator):
    # The student's features are the teacher's in another basis.
    teacher = I3D({"layer": _unit(generator, 1, 4, 8)})
    theirs = _batches(generator, low=0.2).teacher
    turn = np.float32(generator.uniform(0, 1, (4, 4)))
    features = Features([batch @ turn for batch in theirs], theirs)
    unit = ConvolutionUnit(8, (1, 1, 1))
    unit(features.student[0])
    LayerFit(teacher, generator).block(unit, "layer", features)
    for student, taught in zip(features.student, features.teacher, strict=True):
        np.testing.assert_allclose(unit(student), teacher.unit("layer", taught), atol=2e-2)


def test_regressions_see_some_batches_where_a_few_have_rows_enough():
    few = Features([tf.zeros((4, 8, 64, 96, 1))] * 64, [tf.zeros((4, 8, 64, 96, 1))] * 64).some()
    assert len(few.student) == len(few.teacher) == 8
    all_of_them = Features([tf.zeros((4, 2, 4, 6, 1))] * 64, [tf.zeros((4, 2, 4, 6, 1))] * 64).some()
    assert len(all_of_them.student) == 64
