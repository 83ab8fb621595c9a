import fractions

import av
import numpy as np
import pytest

from hd2s_tf.data.gaze import timing
from hd2s_tf.errors import BadInputError


@pytest.mark.parametrize("times", [[0, 40, 80, 120], [0, 40, 500, 510, 1510], [7, 47]])
def test_times_are_the_videos_own(tmp_path, times):
    with av.open(str(tmp_path / "v.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=1000)
        stream.height, stream.width = 32, 48
        for number, time in enumerate(times):
            image = np.random.default_rng(number).integers(0, 255, (32, 48, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time, fractions.Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    last = np.median(np.diff(times))
    np.testing.assert_allclose(
        timing.frame_times(str(tmp_path / "v.mp4")), np.append(times, times[-1] + last) - times[0]
    )


def test_a_real_video_at_60_frames_a_second(shared):
    times = timing.frame_times(str(shared / "data" / "hevc" / "videos" / "BQSquare.mp4"))
    assert len(times) == 601
    np.testing.assert_allclose(np.diff(times), 1000 / 60, atol=0.1)


def test_what_is_no_video_is_named(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"x" * 100)
    with pytest.raises(BadInputError, match="v.mp4: not a video"):
        timing.frame_times(str(tmp_path / "v.mp4"))
