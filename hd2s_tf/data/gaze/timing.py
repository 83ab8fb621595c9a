"""When the frames of a video are shown, by its own timestamps."""

import numpy as np

from hd2s_tf import files
from hd2s_tf.errors import BadInputError


def frame_times(path: str) -> np.ndarray:
    """When each frame of a video appears and when the last one ends.

    Nothing is decoded. Variable frame rates are as they are; the last frame lasts as long as the others usually do.

    Args:
      path: of a video file.

    Returns:
      float64 [frames + 1], ms from the appearance of the first frame.

    Raises:
      BadInputError: not a video, or none of its frames has a time.
    """
    import av

    try:
        with files.local_copy(path) as local, av.open(local) as container:
            stream = container.streams.video[0]
            packets = [packet for packet in container.demux(stream) if packet.size]
            times = np.sort([float(packet.pts * packet.time_base) for packet in packets if packet.pts is not None])
            rate = float(stream.average_rate or 25)
    except (av.FFmpegError, IndexError, OSError) as error:
        raise BadInputError(f"{path}: not a video that can be read: {error}") from error
    if not len(times):
        raise BadInputError(f"{path}: no frame has a time")
    last = float(np.median(np.diff(times))) if len(times) > 1 else 1 / rate
    return 1000 * (np.append(times, times[-1] + last) - times[0])
