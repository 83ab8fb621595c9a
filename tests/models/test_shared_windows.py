import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.models import folding
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.shared_windows import SharedWindows, WholeWindows, windows_of

RNG = np.random.default_rng(5)
SIZE = (32, 64)


def _model(**arguments):
    """A narrow model with normalisation statistics other than the initial ones."""
    model = HD2S(0.125, **arguments)
    model.create_variables()
    for variable in model.variables:
        if variable.path.endswith(("moving_variance", "gamma")):
            variable.assign(RNG.uniform(0.8, 1.6, variable.shape))
        elif variable.path.endswith(("moving_mean", "beta")):
            variable.assign(RNG.normal(0, 0.3, variable.shape))
    return model


@pytest.mark.parametrize(
    ("arguments", "folded"),
    [
        ({"levels": (1,)}, False),
        ({}, True),
        ({"levels": (1,), "domains": ("a", "b")}, True),
        ({"levels": (1,), "clip_frames": 32}, True),
        ({"levels": (1,), "clip_frames": 8}, True),
    ],
)
def test_windows_of_a_stream_are_the_windows_one_by_one(arguments, folded):
    model = _model(**arguments)
    if folded:
        model = folding.for_inference(model)
    length, count = model.clip_frames, 7
    windows = windows_of(model)
    assert isinstance(windows, WholeWindows if length == 8 else SharedWindows)
    frames = RNG.uniform(-1, 1, (length - 1 + count, *SIZE, 3)).astype(np.float32)
    domain = np.arange(count, dtype=np.int32) % 2
    clips = np.stack([frames[start : start + length] for start in range(count)])
    expected = model({"clip": clips, "domain": domain}, training=False)
    state = windows.start(tf.constant(frames[: length - 1]))
    found, shapes = [], {tuple(tensor.shape for tensor in state)}
    for first, last in ((0, 1), (1, 3), (3, 7)):
        outputs, state = windows.advance(state, tf.constant(frames[length - 1 :][first:last]), domain[first:last])
        found.append(outputs)
        shapes.add(tuple(tensor.shape for tensor in state))
    for name in ("saliency_map", "conspicuity_maps"):
        values = np.concatenate([outputs[name] for outputs in found])
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-5)
        assert np.ptp(expected[name]) > 1e-3
    # What is kept of the frames before does not grow.
    assert len(shapes) == 1


def test_bfloat16_comes_close():
    model = _model(levels=(1,))
    fast = folding.for_inference(model, "bfloat16")
    frames = RNG.uniform(-1, 1, (16, *SIZE, 3)).astype(np.float32)
    windows = SharedWindows(fast)
    found, _ = windows.advance(windows.start(tf.constant(frames[:15])), tf.constant(frames[15:]), tf.constant([0]))
    expected = model({"clip": frames[np.newaxis]}, training=False)
    assert found["saliency_map"].dtype == tf.float32
    np.testing.assert_allclose(found["saliency_map"], expected["saliency_map"], atol=0.05)
