"""Videos as FFmpeg (PyAV) decodes and encodes them; nothing else in the package knows it.

Frames are what a player shows: turned and mirrored as the display matrix says, with square pixels, cut by edit lists,
in the colours of their matrix and range, without interlacing, over black where they are transparent.
"""

import contextlib
import dataclasses
import errno
import heapq
import math
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import av
import av.filter
import av.sidedata.sidedata
import av.video.reformatter
import cv2
import numpy as np
from absl import logging
from av.stream import Disposition

from hd2s_tf import files
from hd2s_tf.data import images, orientation
from hd2s_tf.data.orientation import Orientation
from hd2s_tf.errors import BadInputError

# By which videos are told from other files of a data set.
VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".flv", ".h264", ".hevc", ".ivf", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mkv", ".mov"}
    | {".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m"}
)
DEFAULT_FRAME_RATE, _HIGHEST_RATE = Fraction(25), 1000
# Streams that hold pictures but no video: covers, previews, single pictures.
_STILLS = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
_STILL_BRANDS = frozenset({"avif", "heic", "heix", "heim", "heis", "mif1"})
# A frame's colour matrix where it names one; FFmpeg's numbers. The others have no matrix, or none that is known.
_MATRICES = frozenset({1, 4, 5, 6, 7, 9, 10})
_BT601, _BT709, _HD_LINES = 5, 1, 720
_LIMITED_RANGE, _FULL_RANGE = 1, 2
# Pixels that a file claims to be more oblong than this are taken for square.
_MOST_OBLONG = 10
# Frames that wait for one before them whose packet came later.
_WAITING_FRAMES = 4
_MOST_FAILURES = 10_000
# So much may be missing at an end without being a cut, beside the longest time between two frames.
_SECONDS_CUT_OFF = 0.5
_TRANSPARENT = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# Of the filter that makes frames progressive.
_FEWEST_LINES = 4
# What decoders of H.264 in browsers and phones take.
_LONGEST_SIDE, _MOST_PIXELS = 4096, 4096 * 2304
# Without frames that are stored before those they follow, so that any frame may be as long as it likes.
_ENCODER_OPTIONS = {"preset": "veryfast", "crf": "23", "bf": "0"}
_TICK = Fraction(1, 90_000)


class Shown(NamedTuple):
    """A frame and when it is shown: image uint8 RGB [H,W,3]; start and duration in seconds from the first frame on."""

    image: np.ndarray
    start: float
    duration: float


@dataclasses.dataclass(frozen=True)
class VideoInformation:
    """What is known of a video after its first frame.

    Attributes:
      size: (height, width) in pixels of every frame as it is shown.
      frame_rate: mean number of frames a second; 25 where the file does not tell.
      claimed_frames: what its header says of the number of frames, which may be wrong; 0 if it says nothing.
      codec: FFmpeg's name of the codec.
      rotation: degrees clockwise by which stored frames are turned for showing.
    """

    size: tuple[int, int]
    frame_rate: float
    claimed_frames: int
    codec: str
    rotation: int


def probe(path: str) -> VideoInformation:
    """Decodes a video's first frame.

    Raises:
      BadInputError: nothing that can be decoded, no video in it, or a codec that FFmpeg's build lacks.
    """
    with _opened(path) as (container, stream):
        frames = (item for item in _decoded(container, stream) if isinstance(item, av.VideoFrame))
        frame = next(frames, None)
        if frame is None:
            raise BadInputError(f"{path}: not a video that can be decoded: no frame of it can be")
        size = frame.height, _shown_width(frame, stream)
        return VideoInformation(
            _orientation(frame).size(size),
            float(_rate(stream)),
            stream.frames,
            stream.codec_context.codec.canonical_name,
            _orientation(frame).rotation,
        )


def read(path: str, size: tuple[int, int], damaged: list[float]) -> Iterator[Shown]:
    """Decodes a video in the order of its timestamps.

    Args:
      path: local or remote.
      size: (height, width) of the frames, as of `probe`; frames of another size are scaled to it.
      damaged: gets the time in seconds of every frame that is damaged or lost; reading continues after it.

    Raises:
      BadInputError: see `probe`.
    """
    with files.local_copy(path) as local:
        stream, frames = _shown_frames(local, damaged)
        picture, clock = _Picture(stream, size), _Clock(stream)
        for frame in frames:
            yield Shown(picture.of(frame), *clock.next(frame))


def frame_times(path: str) -> np.ndarray:
    """When the frames are shown that `read` yields.

    Returns:
      float64 [frames + 1], seconds from the first frame on: when each one appears, and when the last one ends.

    Raises:
      BadInputError: see `probe`; or not one frame can be decoded.
    """
    with files.local_copy(path) as local:
        stream, frames = _shown_frames(local, [])
        clock = _Clock(stream)
        shown = [clock.next(frame) for frame in frames]
    if not shown:
        raise BadInputError(f"{path}: no frame can be decoded")
    return np.array([start for start, _ in shown] + [sum(shown[-1])])


def _shown_frames(path: str, damaged: list[float]) -> tuple[av.VideoStream, Iterator[av.VideoFrame]]:
    """The stream and its frames in the order in which they are shown; `damaged` as of `read`."""
    frames = _careful(path, damaged)
    stream = next(frames)
    if stream.codec_context.codec.intra_only:
        frames = _in_order(frames)
    return stream, _progressive(frames)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(_readable(stack.enter_context(files.local_copy(path))))
        try:
            container = stack.enter_context(av.open(name))
        except (av.FFmpegError, OSError) as error:
            raise BadInputError(f"{path}: not a video that can be decoded: {error.strerror}") from error
        stream = _video_stream(path, container)
        if stream.codec_context is None:
            raise BadInputError(f"{path}: this build of FFmpeg cannot decode its codec, {_codec_name(name)}")
        yield container, stream


@contextlib.contextmanager
def _readable(local: str) -> Iterator[object]:
    """What PyAV can open: it takes names of files for UTF-8."""
    try:
        local.encode()
    except UnicodeEncodeError:
        with open(local, "rb") as file:
            yield file
    else:
        # Without it, a colon in a name would begin a protocol.
        yield f"file:{local}"


def _video_stream(path: str, container: av.container.InputContainer) -> av.VideoStream:
    if container.metadata.get("major_brand", "").strip() in _STILL_BRANDS:
        raise BadInputError(f"{path}: a still picture in a container, not a video")
    streams = [stream for stream in container.streams.video if not stream.disposition & _STILLS]
    if not streams:
        only = ", only a cover or stills" if container.streams.video else ""
        raise BadInputError(f"{path}: no video stream{only}")
    best = container.streams.best("video")
    return next((stream for stream in streams if stream.index == best.index), streams[0])


def _codec_name(name: object) -> str:
    """What FFmpeg calls a codec that it cannot decode; it tells in its log alone."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as messages, av.open(name):
            pass
    finally:
        av.logging.set_level(level)
    found = re.search(r"Video: (\w+(?: \(\w+)?)", " ".join(message for _, _, message in messages))
    return found[1].replace(" (", "/") if found else "unknown"


def _rate(stream: av.VideoStream) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate
    return rate if rate and 0 < rate <= _HIGHEST_RATE else DEFAULT_FRAME_RATE


def _decoded(
    container: av.container.InputContainer, stream: av.VideoStream, threads: int = 0
) -> Iterator[av.VideoFrame | float]:
    """Frames as the decoder returns them; where it finds one damaged or loses it, the time of that in seconds."""
    decoder = _decoder(stream)
    decoder.thread_count = threads
    decoder.thread_type = "AUTO"
    packets = container.demux(stream)
    time = longest = 0.0
    for _ in range(_MOST_FAILURES):
        try:
            for packet in packets:
                before, time = time, float((packet.pts or packet.dts or 0) * packet.time_base) or time
                longest = max(longest, time - before)
                if packet.is_corrupt:
                    yield time
                for frame in decoder.decode(packet):
                    if frame.is_corrupt:
                        yield time
                    yield frame
            if longest and _written_seconds(container, stream) - time > _SECONDS_CUT_OFF + 2 * longest:
                yield time
            return
        except av.EOFError:
            return
        except (av.FFmpegError, OSError):
            yield time
            packets = container.demux(stream)


def _decoder(stream: av.VideoStream) -> av.VideoCodecContext:
    """The stream's decoder; FFmpeg's own ones pass over the transparency of WebM files."""
    name = _TRANSPARENT.get(stream.codec_context.codec.canonical_name)
    if name is None or "1" not in (stream.metadata.get(key) for key in ("alpha_mode", "ALPHA_MODE")):
        return stream.codec_context
    decoder = av.CodecContext.create(name, "r")
    decoder.extradata = stream.codec_context.extradata
    return decoder


def _written_seconds(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """How long a Matroska file was when it was complete, 0 if unknown: its reader takes a cut for the end."""
    text = stream.metadata.get("DURATION", "") if "matroska" in container.format.name else ""
    written = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", text)
    return (
        sum(float(part) * scale for part, scale in zip(written.groups(), (3600, 60, 1), strict=True)) if written else 0
    )


def _careful(path: str, damaged: list[float]) -> Iterator[av.VideoStream | av.VideoFrame]:
    """The stream, then its frames; a damaged video's by one thread, since several lose frames around the damage."""
    count = 0
    with _opened(path) as (container, stream):
        yield stream
        for frame in _decoded(container, stream):
            if not isinstance(frame, av.VideoFrame):
                break
            count += 1
            yield frame
        else:
            return
    with _opened(path) as (container, stream):
        for frame in _decoded(container, stream, threads=1):
            if not isinstance(frame, av.VideoFrame):
                if frame not in damaged:
                    damaged.append(frame)
            elif count:
                count -= 1
            else:
                yield frame


def _in_order(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Frames by their timestamps, where decoders return them in the order in which they are stored."""
    waiting: list[tuple[int, int, av.VideoFrame]] = []
    for number, frame in enumerate(frames):
        if frame.pts is None:
            yield frame
            continue
        heapq.heappush(waiting, (frame.pts, number, frame))
        if len(waiting) > _WAITING_FRAMES:
            yield heapq.heappop(waiting)[-1]
    while waiting:
        yield heapq.heappop(waiting)[-1]


def _progressive(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Frames whose two fields are of one moment: the missing lines of the other are estimated."""
    graph = kind = None
    for frame in frames:
        its_kind = frame.width, frame.height, frame.format.name
        if graph is not None and its_kind != kind:
            yield from _pulled(graph, None)
            graph = None
        if graph is None and frame.interlaced_frame and min(frame.width, frame.height) >= _FEWEST_LINES:
            graph, kind = _deinterlacer(frame), its_kind
        if graph is None:
            yield frame
        else:
            yield from _pulled(graph, frame)
    if graph is not None:
        yield from _pulled(graph, None)


def _deinterlacer(frame: av.VideoFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 1000)
    )
    graph.link_nodes(source, graph.add("bwdif", "send_frame:auto:interlaced"), graph.add("buffersink"))
    graph.configure()
    return graph


def _pulled(graph: av.filter.Graph, frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
    graph.vpush(frame)
    with contextlib.suppress(av.BlockingIOError, av.EOFError):
        while True:
            yield graph.vpull()


def _orientation(frame: av.VideoFrame) -> Orientation:
    for data in frame.side_data:
        if data.type == av.sidedata.sidedata.Type.DISPLAYMATRIX:
            return orientation.from_display_matrix(bytes(data))
    return Orientation()


def _shown_width(frame: av.VideoFrame, stream: av.VideoStream) -> int:
    """The width of a frame whose pixels are made square; its height stays."""
    ratio = stream.sample_aspect_ratio or 1
    if not 1 / _MOST_OBLONG <= ratio <= _MOST_OBLONG:
        ratio = 1
    return max(1, round(frame.width * ratio))


def _usual_matrix(height: int) -> int:
    """The colour matrix of video of this height that names none."""
    return _BT709 if height >= _HD_LINES else _BT601


class _Picture:
    """Turns a stream's frames into pictures of one size, uint8 RGB [H,W,3]."""

    def __init__(self, stream: av.VideoStream, size: tuple[int, int]) -> None:
        self._stream, self._size = stream, size
        # Of each matrix and range one, since a reformatter remembers them.
        self._reformatters: dict[tuple[int, bool], av.video.reformatter.VideoReformatter] = {}

    def of(self, frame: av.VideoFrame) -> np.ndarray:
        turned = _orientation(frame)
        # Turning back is no other size than turning.
        height, width = turned.size(self._size)
        is_transparent = frame.format.has_palette or any(part.is_alpha for part in frame.format.components)
        matrix = frame.colorspace if frame.colorspace in _MATRICES else _usual_matrix(frame.height)
        is_full = frame.color_range == _FULL_RANGE
        reformatter = self._reformatters.setdefault((matrix, is_full), av.video.reformatter.VideoReformatter())
        image = reformatter.reformat(
            frame,
            width,
            height,
            "rgba" if is_transparent else "rgb24",
            src_colorspace=matrix,
            # RGB has neither matrix nor range; the library only looks at those of its input where they differ.
            dst_colorspace=_BT601,
            interpolation="BICUBIC",
            src_color_range="JPEG" if is_full else "MPEG",
            dst_color_range="MPEG",
        ).to_ndarray()
        return turned.apply(images.over_black(image) if is_transparent else image)


class _Clock:
    """When a stream's frames are shown."""

    def __init__(self, stream: av.VideoStream) -> None:
        self._step = float(1 / _rate(stream))
        self._first: float | None = None
        self._start, self._next = -1.0, 0.0
        self._last: dict[str, int] = {}
        self._faults = {"pts": 0, "dts": 0}

    def next(self, frame: av.VideoFrame) -> tuple[float, float]:
        """Start and duration in seconds; the duration is what the next frame's start makes of it."""
        stamps = {"pts": frame.pts, "dts": frame.dts}
        for kind, stamp in stamps.items():
            if stamp is not None:
                self._faults[kind] += stamp <= self._last.get(kind, stamp - 1)
                self._last[kind] = stamp
        # AVI files have no presentation times, so that some are guessed wrong.
        stamp = frame.pts if self._faults["pts"] <= self._faults["dts"] or frame.dts is None else frame.dts
        duration = float(frame.duration * frame.time_base) if frame.duration else self._step
        start = self._next
        if stamp is not None:
            time = float(stamp * frame.time_base)
            self._first = time if self._first is None else self._first
            if time - self._first > self._start:
                start = time - self._first
        self._start, self._next = start, start + duration
        return start, duration


class VideoWriter:
    """Writes frames as H.264 in MP4, which appears under its name only when closed without an error.

    Sides beyond the limits of common decoders are scaled down, odd ones get another row or column like the last.

    Args:
      path: local or remote.
      size: (height, width) of the frames.
      frame_rate: frames a second, of those that are given without a time.
      sound: a file whose sound is copied beside the frames, where MP4 can hold its codec; None for none.

    Raises:
      OSError: the file cannot be written.
    """

    codec = "h264"

    def __init__(
        self, path: str | os.PathLike, size: tuple[int, int], frame_rate: float, sound: str | None = None
    ) -> None:
        self._path, self._count, self._end = os.fspath(path), 0, 0.0
        self._step = 1 / frame_rate
        self._scaled = _encodable(size)
        self._durations: dict[int, int] = {}
        with contextlib.ExitStack() as stack, self._named_errors():
            self._unfinished = stack.enter_context(files.appearing_whole(self._path))
            self._container = stack.enter_context(
                av.open(self._unfinished, "w", format="mp4", options={"movflags": "+faststart"})
            )
            self._stream = self._container.add_stream(
                "libx264", rate=Fraction(frame_rate).limit_denominator(100_000), options=_ENCODER_OPTIONS
            )
            context = self._stream.codec_context
            context.height, context.width = self._scaled
            context.pix_fmt = "yuv420p"
            context.time_base = _TICK
            self._matrix = _usual_matrix(self._scaled[0])
            context.colorspace, context.color_range = self._matrix, _LIMITED_RANGE
            self._sound = stack.enter_context(_Sound(sound, self._container)) if sound else None
            self._stack = stack.pop_all()

    def write(self, frame: np.ndarray, start: float | None = None, duration: float | None = None) -> None:
        """Appends a frame.

        Args:
          frame: uint8 RGB [H,W,3].
          start: when it is shown, in seconds, later than the one before; None for right after it.
          duration: how long, in seconds, where no other frame follows; None for what the frame rate says.

        Raises:
          OSError: the file cannot be written.
        """
        start = self._end if start is None else start
        self._end = start + (duration or self._step)
        height, width = self._scaled
        if max(frame.shape[0] - height, frame.shape[1] - width) > 0:
            frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        missing = ((0, height - frame.shape[0]), (0, width - frame.shape[1]), (0, 0))
        picture = av.VideoFrame.from_ndarray(np.pad(frame, missing, "edge"), "rgb24").reformat(
            format="yuv420p", src_colorspace=_BT601, dst_colorspace=self._matrix
        )
        picture.pts, picture.time_base = round(start / _TICK), _TICK
        self._durations[picture.pts] = round((duration or self._step) / _TICK)
        with self._named_errors():
            if self._sound:
                self._sound.copy_until(start)
            self._mux(self._stream.encode(picture))
        self._count += 1

    def _mux(self, packets: list["av.Packet"]) -> None:
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts, 0)
            self._container.mux(packet)

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            raise OSError(error.errno, f"cannot be written: {error.strerror or error}", self._path) from error

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, error_type: type | None, *error: object) -> None:
        with self._named_errors():
            try:
                if error_type is None:
                    self._mux(self._stream.encode(None))
                    if self._sound:
                        self._sound.copy_until(self._end)
                    self._container.close()
                    self._check()
            except BaseException as failure:
                self._stack.__exit__(type(failure), failure, failure.__traceback__)
                raise
            self._stack.__exit__(error_type, *error)

    def _check(self) -> None:
        """A full disk does not always show before the file is read."""
        with av.open(self._unfinished) as container:
            written = sum(packet.size > 0 for packet in container.demux(video=0))
        if written != self._count:
            raise OSError(errno.EIO, f"{written} of {self._count} frames are there", self._path)


def _encodable(size: tuple[int, int]) -> tuple[int, int]:
    """The size that a frame is encoded at: within the limits, and even, as colour is stored for every other pixel."""
    height, width = size
    scale = min(1.0, _LONGEST_SIDE / max(size), math.sqrt(_MOST_PIXELS / (height * width)))
    return tuple(max(2, side + side % 2 if scale == 1 else round(side * scale / 2) * 2) for side in size)


class _Sound:
    """Copies the sound of a file into another, up to a time; nothing where there is none that can be copied."""

    def __init__(self, path: str, target: "av.container.OutputContainer") -> None:
        self._path, self._target, self._stream = path, target, None
        self._packets: Iterator[av.Packet] = iter(())
        self._waiting: av.Packet | None = None

    def __enter__(self) -> "_Sound":
        self._stack = contextlib.ExitStack()
        local = self._stack.enter_context(files.local_copy(self._path))
        try:
            source = self._stack.enter_context(av.open(self._stack.enter_context(_readable(local))))
            stream = source.streams.best("audio")
            if stream is not None:
                self._stream = self._target.add_stream_from_template(stream)
                pictures = source.streams.best("video")
                self._first = float((pictures.start_time or 0) * pictures.time_base) if pictures else 0.0
                self._packets = source.demux(stream)
        except (av.FFmpegError, OSError, ValueError, AttributeError) as error:
            logging.warning("%s: its sound cannot be copied: %s", self._path, error)
        return self

    def copy_until(self, end: float) -> None:
        """Copies what sounds before `end`, in seconds from the first frame on."""
        while (packet := self._waiting or self._next()) is not None:
            self._waiting = None
            start = float(packet.dts * packet.time_base) - self._first
            if start >= end:
                self._waiting = packet
                return
            if start >= 0:
                shift = round(self._first / packet.time_base)
                packet.dts -= shift
                packet.pts = packet.dts if packet.pts is None else packet.pts - shift
                packet.stream = self._stream
                self._target.mux(packet)

    def _next(self) -> "av.Packet | None":
        try:
            return next((packet for packet in self._packets if packet.dts is not None), None)
        except av.FFmpegError as error:
            logging.warning("%s: its sound ends where it is damaged: %s", self._path, error.strerror)
            return None

    def __exit__(self, *error: object) -> None:
        self._stack.close()
