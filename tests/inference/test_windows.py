import numpy as np
import pytest

from hd2s_tf.inference.windows import segments, window_indices, windows

T = 16


def _frames(count):
    """Frames whose every pixel is their number."""
    return (np.full((2, 2, 3), index, np.uint8) for index in range(count))


def _seen(count, stride=1):
    return {window.frame: window.clip[:, 0, 0, 0].tolist() for window in windows(_frames(count), T, stride)}


def _mirrored(index, count):
    """An index of an endlessly mirrored video, the slow way."""
    endless = [*range(count), *reversed(range(count))]
    return endless[index % len(endless)]


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 30, 31, 100])
def test_every_frame_has_one_window_and_it_is_the_papers(count):
    seen = _seen(count)
    assert list(seen) == list(range(count))
    for frame, clip in seen.items():
        if frame >= T - 1:
            assert clip == list(range(frame - T + 1, frame + 1))
        else:
            assert clip == [_mirrored(frame + T - 1 - step, count) for step in range(T)]
        assert clip[-1] == frame


def test_a_single_frame_repeats():
    assert _seen(1) == {0: [0] * T}


def test_an_empty_video_has_no_windows():
    assert _seen(0) == {}


@pytest.mark.parametrize("count", [1, 2, 16, 31, 33])
def test_a_stride_keeps_the_last_frame(count):
    seen = _seen(count, stride=5)
    assert list(seen) == sorted({*range(0, count, 5), count - 1})
    every = _seen(count)
    assert all(seen[frame] == every[frame] for frame in seen)


def test_windows_come_as_soon_as_their_frames_are_there():
    read = []

    def frames():
        for index in range(100):
            read.append(index)
            yield np.full((2, 2, 3), index, np.uint8)

    for window in windows(frames(), T):
        assert len(read) <= max(window.frame + T, T)


def test_indices_of_a_window():
    assert window_indices(20, 100, 4).tolist() == [17, 18, 19, 20]
    assert window_indices(1, 100, 4).tolist() == [4, 3, 2, 1]
    assert window_indices(1, 3, 4).tolist() == [1, 2, 2, 1]


@pytest.mark.parametrize("count", range(1, 51))
@pytest.mark.parametrize("batch_size", [1, 4, 8])
def test_segments_hold_the_same_windows(count, batch_size):
    found = {}
    for segment in segments(_frames(count), T, batch_size):
        known = segment.context[:, 0, 0, 0].tolist()
        assert len(known) == T - 1
        for numbers, images in segment.batches:
            assert len(numbers) == len(images) <= batch_size
            assert numbers == sorted(numbers, reverse=segment.backwards)
            assert segment.backwards or (numbers[-1] + 1) % batch_size == 0 or numbers[-1] == count - 1
            for number, image in zip(numbers, images, strict=True):
                known = [*known[1 - T :], image[0, 0, 0]]
                found[number] = known
    assert found == _seen(count)


def test_an_empty_video_has_no_segments():
    assert not list(segments(_frames(0), T, 8))
