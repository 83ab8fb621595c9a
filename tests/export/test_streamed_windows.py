import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.export.streamed_windows import segment_indices
from hd2s_tf.inference import predictor, remote
from hd2s_tf.inference.remote import RemotePredictFn
from hd2s_tf.inference.windows import window_indices
from hd2s_tf.serving.client import ServedModel


@pytest.mark.parametrize("count, skip", [(1, 0), (5, 0), (16, 15), (20, 3), (31, 0), (47, 15)])
def test_windows_in_the_graph_are_those_of_python(count, skip):
    backwards, forwards = (segment.numpy() for segment in segment_indices(tf.constant(count), tf.constant(skip), 16))
    found = [segment[end - 15 : end + 1] for segment in (backwards, forwards) for end in range(15, len(segment))]
    assert sorted(window[-1] for window in found) == list(range(skip, count))
    assert all((window == window_indices(window[-1], count, 16)).all() for window in found)


def test_a_video_through_the_server_is_the_local_one_bit_for_bit(exported, serve):
    server = serve()
    with ServedModel(f"127.0.0.1:{server.port}/m") as model:
        found = [maps for _, maps in remote.predict_frames(model, exported.frames)]
    np.testing.assert_array_equal(found, exported.maps)
    predict_fn = RemotePredictFn(f"grpc://127.0.0.1:{server.port}/m")
    first = next(predictor.predict_video(predict_fn, exported.frames[:4]))
    assert first.network_map.shape == (128, 192)
    assert predict_fn.info.smoothing_sigma == 5
