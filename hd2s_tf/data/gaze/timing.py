"""When the frames of a video are shown, by its own timestamps."""

import numpy as np

from hd2s_tf.data import frame_source


def frame_times(path: str) -> np.ndarray:
    """When each frame of a video appears and when the last one ends.

    The video is decoded once, so that the times are those of the frames that are read. Variable frame rates are as they
    are; the last frame lasts as long as the others usually do.

    Args:
      path: of a video file.

    Returns:
      float64 [frames + 1], ms from the appearance of the first frame.

    Raises:
      BadInputError: not a video that can be decoded.
    """
    reading = frame_source.open_frames(path).read()
    for _ in reading:
        pass
    starts = np.array([start for start, _ in reading.times])
    last = float(np.median(np.diff(starts))) if len(starts) > 1 else reading.times[-1][1]
    return 1000 * np.append(starts, starts[-1] + last)
