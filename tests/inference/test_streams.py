import numpy as np

from hd2s_tf.inference.graph import MapGraph
from hd2s_tf.inference.streams import Maps, StateStream, WholeWindowStream
from hd2s_tf.models import folding
from hd2s_tf.models.hd2s import HD2S

RNG = np.random.default_rng(2)


def _numbered(*indices):
    return np.stack([np.full((2, 2, 3), index, np.uint8) for index in indices])


def test_whole_windows_end_one_frame_after_the_other():
    seen = []

    def predict(clips, conspicuity):
        seen.extend(clips[:, :, 0, 0, 0].tolist())
        return Maps(clips[:, -1, :, :, 0], clips[:, np.newaxis, 0, :, :, 0] if conspicuity else None)

    stream = WholeWindowStream(predict, _numbered(0, 1, 2))
    assert stream(_numbered(3, 4)).saliency[:, 0, 0].tolist() == [3, 4]
    assert stream(_numbered(5), conspicuity=True).conspicuity.shape == (1, 1, 2, 2)
    assert seen == [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]]


def test_a_state_gives_the_maps_of_whole_windows_in_batches_of_any_size():
    model = HD2S.from_preset("hd2s_tiny", weights=None, width_multiplier=0.125, levels=(1,))
    graph = MapGraph(folding.for_inference(model))

    def predict(clips, conspicuity):
        saliency_maps, conspicuity_maps = graph.maps(clips, np.zeros(len(clips), np.int32))
        return Maps(saliency_maps.numpy(), conspicuity_maps.numpy() if conspicuity else None)

    context, frames = (RNG.integers(0, 256, (count, 32, 64, 3), np.uint8) for count in (15, 12))
    shared, whole = StateStream(graph, 0, context), WholeWindowStream(predict, context)
    for part in np.split(frames, (1, 5, 12)):
        if len(part):
            found, expected = shared(part, conspicuity=True), whole(part, conspicuity=True)
            for values, others in zip(found, expected, strict=True):
                np.testing.assert_allclose(values, others, rtol=0, atol=1e-5)
    assert shared(frames[:2]).conspicuity is None
