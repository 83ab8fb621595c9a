"""Kinds of video that programs like this one get wrong, written by PyAV and read back as a player shows them."""

import fractions
import os
import struct

import av
import numpy as np
import pytest

from hd2s_tf.data import orientation, video
from hd2s_tf.data.frame_source import open_frames
from hd2s_tf.errors import BadInputError

SIZE, LARGE = (48, 64), (96, 128)


def _picture(number, size=SIZE):
    """Gray of a brightness that tells the frame's number; the left quarter is red above and blue below.

    Larger pictures are noisy, so that they take some space.
    """
    picture = np.full((*size, 3), 20 + 8 * number % 200, np.uint8)
    picture[: size[0] // 2, : size[1] // 4] = (200, 30, 30)
    picture[size[0] // 2 :, : size[1] // 4] = (30, 30, 200)
    if size == LARGE:
        picture += np.random.default_rng(number).integers(0, 20, (*size, 1), np.uint8)
    return picture


def _numbers(frames):
    """The numbers that `_picture` gave frames."""
    return [round((float(frame[:, frame.shape[1] // 2 :].mean()) - 20) / 8) for frame in frames]


def _frame(number, size, pix_fmt, stamp, time_base):
    frame = av.VideoFrame.from_ndarray(_picture(number, size), "rgb24").reformat(format=pix_fmt)
    frame.pts, frame.time_base = stamp, time_base
    return frame


def _write(path, numbers=range(10), *, codec="libx264", pix_fmt="yuv420p", size=SIZE, stamps=None, sound=None, **more):
    """Writes a video at 25 frames a second, or at `stamps` in ms; `more` is set on its codec context."""
    container, options = more.pop("container", {}), more.pop("options", {})
    with av.open(str(path), "w", options=container) as output:
        stream = output.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = *size, pix_fmt
        if path.suffix in (".mp4", ".mov", ".mkv", ".webm"):
            stream.codec_context.time_base = fractions.Fraction(1, 1000)
        for name, value in more.items():
            setattr(stream.codec_context, name, value)
        audio = output.add_stream(sound, rate=48000) if sound else None
        if audio and sound != "flac":
            audio.bit_rate = 64000
        for index, number in enumerate(numbers):
            stamp = stamps[index] if stamps else 40 * index
            output.mux(stream.encode(_frame(number, size, pix_fmt, stamp, fractions.Fraction(1, 1000))))
        output.mux(stream.encode(None))
        if audio:
            _write_tone(output, audio, seconds=len(numbers) / 25)
    return path


def _write_tone(output, stream, seconds):
    tone = np.sin(np.arange(int(48000 * seconds)) / 20).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(tone[np.newaxis], "flt", "mono")
    frame.sample_rate, frame.pts = 48000, 0
    for resampled in av.AudioResampler(format=stream.format, layout=stream.layout, rate=48000).resample(frame):
        output.mux(stream.encode(resampled))
    output.mux(stream.encode(None))


def _with_display_matrix(path, a, b, c, d):
    """Sets the display matrix of an MP4 file's only track."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    data[start : start + 36] = struct.pack(">9i", *(65536 * x for x in (a, b, 0, c, d, 0, 0, 0)), 1 << 30)
    path.write_bytes(data)


def _with_edit_list(path, first, frames):
    """Makes an MP4 file of 25 frames/s show some of its frames only, `first` and those behind it."""
    data = path.read_bytes()
    start = data.index(b"elst") + 4
    edit = struct.pack(">IIIiI", 0, 1, 40 * frames, 40 * first * _media_scale(data) // 1000, 1 << 16)
    path.write_bytes(data[:start] + edit + data[start + len(edit) :])


def _media_scale(data):
    return struct.unpack_from(">I", data, data.index(b"mdhd") + 4 + 12)[0]


@pytest.mark.parametrize(
    "name, settings",
    [
        ("a.mp4", {}),
        ("a.mov", {}),
        ("a.mkv", {}),
        ("a.avi", {}),
        ("a.ts", {}),
        ("a.mpg", {"codec": "mpeg2video"}),
        ("a.webm", {"codec": "libvpx-vp9"}),
        ("a.webm", {"codec": "libvpx"}),
        ("a.mp4", {"codec": "libaom-av1", "options": {"cpu-used": "8"}}),
        ("a.mp4", {"codec": "libx265", "options": {"x265-params": "log-level=none"}}),
        ("a.mp4", {"codec": "libx265", "pix_fmt": "yuv420p10le", "options": {"x265-params": "log-level=none"}}),
        ("a.mkv", {"codec": "ffv1", "pix_fmt": "yuv422p10le"}),
        ("a.mov", {"codec": "prores_ks", "pix_fmt": "yuv422p10le"}),
        ("a.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
        ("a.h264", {}),
        ("a.m2v", {"codec": "mpeg2video"}),
        ("a.ivf", {"codec": "libvpx"}),
        ("a.mjpeg", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
        ("a.y4m", {"codec": "rawvideo"}),
    ],
)
def test_codecs_and_containers(tmp_path, caplog, name, settings):
    path = _write(tmp_path / name, **settings)
    source = open_frames(path)
    assert source.size == SIZE
    frames = list(source)
    assert _numbers(frames) == list(range(10))
    red, blue = frames[0][12, 8].astype(int), frames[0][36, 8].astype(int)
    assert red[0] > red[2] + 100
    assert blue[2] > blue[0] + 100
    assert not caplog.text


@pytest.mark.parametrize("value", range(1, 9))
def test_display_matrices(tmp_path, value):
    path = _write(tmp_path / "a.mp4", range(3))
    turned = orientation.from_exif(value)
    stored = np.array([[1, 0], [0, 1]])
    # Columns of the matrix: where the stored x and y axes point.
    x = np.array([-1 if turned.flips_columns else 1, 0]) if not turned.transposes else None
    if turned.transposes:
        entries = (0, -1 if turned.flips_rows else 1, -1 if turned.flips_columns else 1, 0)
    else:
        entries = (x[0], 0, 0, -1 if turned.flips_rows else 1)
    assert abs(np.array(entries).reshape(2, 2)).sum() == stored.sum()
    _with_display_matrix(path, *(int(entry) for entry in entries))
    source = open_frames(path)
    assert source.size == turned.size(SIZE)
    assert source.rotation == turned.rotation
    for number, frame in enumerate(source):
        np.testing.assert_allclose(frame, turned.apply(_picture(number)), atol=40)


def test_edit_lists(tmp_path, caplog):
    path = _write(tmp_path / "a.mp4", range(20), options={"bf": "0"})
    _with_edit_list(path, first=5, frames=8)
    reading = open_frames(path).read()
    assert _numbers(reading) == list(range(5, 13))
    assert reading.times[0][0] == 0
    assert not caplog.text


@pytest.mark.parametrize("ratio, width", [((2, 1), 128), ((1, 2), 32), ((16, 15), 68), ((1000, 1), 64)])
def test_pixels_that_are_not_square(tmp_path, ratio, width):
    path = _write(tmp_path / "a.mp4", sample_aspect_ratio=fractions.Fraction(*ratio))
    source = open_frames(path)
    assert source.size == (48, width)
    frames = list(source)
    assert all(frame.shape == (48, width, 3) for frame in frames)
    assert _numbers(frames) == list(range(10))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 9])
def test_colours_are_those_of_matrix_and_range(tmp_path, full, matrix):
    """The same picture whatever its luma and chroma mean, as long as the file says it."""
    weights = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}[matrix]
    colours = np.array([[200, 40, 60], [30, 180, 90], [50, 60, 220], [255, 255, 255]], float)
    luma = colours @ (weights[0], 1 - sum(weights), weights[1])
    chroma = [(colours[:, channel] - luma) / (2 - 2 * weight) for channel, weight in ((2, weights[1]), (0, weights[0]))]
    scales = (0, 1, 1) if full else (16, 219 / 255, 224 / 255)
    planes = [scales[0] + luma * scales[1], *(128 + values * scales[2] for values in chroma)]
    frame = av.VideoFrame(64, 64, "yuv444p")
    for plane, values in zip(frame.planes, planes, strict=True):
        plane.update(np.repeat(np.uint8(np.rint(np.clip(values, 0, 255))), 16)[:, np.newaxis].repeat(64, 1).tobytes())
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    with av.open(str(tmp_path / "a.mp4"), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "1", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 2 if full else 1
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    (image,) = open_frames(tmp_path / "a.mp4")
    np.testing.assert_allclose(image[8::16, 32], colours, atol=6)


def test_variable_frame_rates(tmp_path, caplog):
    stamps = [0, 300, 330, 900, 1000, 1800]
    reading = open_frames(_write(tmp_path / "a.mkv", range(6), stamps=stamps)).read()
    assert _numbers(reading) == list(range(6))
    np.testing.assert_allclose([start for start, _ in reading.times], np.array(stamps) / 1000, atol=1e-3)
    assert not caplog.text


@pytest.mark.parametrize(
    "name, settings",
    [
        ("a.mp4", {"stamps": [0, 40, 500, 510, 1510]}),
        ("b.mp4", {"options": {"bf": "2"}}),
        ("c.avi", {"codec": "mpeg4"}),
        ("d.mkv", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    ],
)
def test_frame_times_are_those_of_reading(tmp_path, name, settings):
    path = _write(tmp_path / name, numbers=range(len(settings.get("stamps", range(10)))), **settings)
    reading = open_frames(path).read()
    assert len(list(reading)) == len(reading.times)
    times = video.frame_times(str(path))
    np.testing.assert_allclose(times[:-1], [start for start, _ in reading.times])
    assert times[-1] == sum(reading.times[-1])
    (tmp_path / "e.mp4").write_bytes(b"x" * 100)
    with pytest.raises(BadInputError, match="e.mp4"):
        video.frame_times(str(tmp_path / "e.mp4"))


def test_slides_are_not_cut_off(tmp_path, caplog):
    """A frame that is shown for long at the end is no damage."""
    reading = open_frames(_write(tmp_path / "a.mkv", range(3), stamps=[0, 4000, 9000])).read()
    assert _numbers(reading) == list(range(3))
    assert not caplog.text


def test_frames_come_in_the_order_of_their_timestamps(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mjpeg", rate=25)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuvj420p"
        order = [0, 3, 1, 2, 5, 4, 6, 7]
        packets = []
        for index, number in enumerate(order):
            packets += stream.encode(_frame(number, SIZE, "yuvj420p", index, fractions.Fraction(1, 25)))
        for packet, number in zip(packets, order, strict=True):
            packet.pts, packet.dts = number, packet.pts - 8
            output.mux(packet)
    assert _numbers(open_frames(path)) == list(range(8))


def test_interlaced_video_keeps_its_number_of_frames(tmp_path):
    path = tmp_path / "a.mpg"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg2video", rate=25, options={"flags": "+ildct+ilme", "b": "4M"})
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(12):
            # A bar that moves between the two fields of a frame.
            picture = np.full((64, 64, 3), 20, np.uint8)
            for field in (0, 1):
                picture[field::2, 4 * number + 2 * field : 4 * number + 2 * field + 8] = 220
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).interlaced_frame
    reading = open_frames(path).read()
    frames = np.stack(list(reading)).astype(int)
    assert len(frames) == 12
    np.testing.assert_allclose(np.diff([start for start, _ in reading.times]), 0.04, atol=1e-3)
    # Neighbouring lines no longer differ as fields of different moments do.
    assert np.abs(np.diff(frames[2:-2, 8:-8, :, 0], axis=1)).mean() < 6


def test_transparent_video_is_over_black(tmp_path):
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("png", rate=25)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "rgba"
        picture = np.full((*SIZE, 4), 200, np.uint8)
        picture[:, :32, 3], picture[:, 32:, 3] = 0, 255
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(picture, "rgba")
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    for frame in open_frames(path):
        assert (frame[:, :32] == 0).all()
        assert (frame[:, 32:] == 200).all()


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_transparent_webm(tmp_path, codec):
    path = tmp_path / "a.webm"
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25, options={"auto-alt-ref": "0"})
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuva420p"
        stream.metadata["alpha_mode"] = "1"
        picture = np.full((*SIZE, 4), 200, np.uint8)
        picture[:, :32, 3], picture[:, 32:, 3] = 0, 255
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(picture, "rgba").reformat(format="yuva420p")
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    frames = list(open_frames(path))
    assert len(frames) == 3
    for frame in frames:
        assert frame[:, :28].max() < 20
        np.testing.assert_allclose(frame[:, 36:], 200, atol=8)


def test_a_size_that_changes_is_scaled_to_the_first(tmp_path):
    path = tmp_path / "a.h264"
    parts = [_write(tmp_path / f"{size[0]}.h264", range(4), size=size) for size in (SIZE, (80, 112))]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = list(open_frames(path))
    assert [frame.shape for frame in frames] == [(*SIZE, 3)] * 8
    assert _numbers(frames) == [0, 1, 2, 3] * 2


@pytest.mark.parametrize(
    "name",
    ["a:b.mp4", "file:x.mp4", "with space.mp4", "50%d.mp4", "%03d.mp4", "\U0001f441.mp4", "-a.mp4", "a'b\"c.mp4"],
)
def test_names(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(_write(tmp_path / "a.mp4").read_bytes())
    assert len(list(open_frames(path))) == 10


def test_names_that_are_no_utf8(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.mp4")
    with open(path, "wb") as file:
        file.write(_write(tmp_path / "a.mp4").read_bytes())
    assert len(list(open_frames(path))) == 10


@pytest.mark.parametrize(
    "name, settings",
    [("a.mp4", {"container": {"movflags": "+faststart"}}), ("a.mkv", {}), ("a.mpg", {"codec": "mpeg2video"}),
     ("a.ts", {}), ("a.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}), ("a.avi", {"codec": "mpeg4"})],
)  # fmt: skip
def test_damage_is_told_and_reading_goes_on(tmp_path, caplog, name, settings):
    path = _write(tmp_path / name, range(24), size=LARGE, options={"g": "6"}, **settings)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = np.random.default_rng(1).bytes(400)
    path.write_bytes(data)
    reading = open_frames(path).read()
    numbers = _numbers(reading)
    assert len(numbers) <= 24
    # Behind a place where it cannot tell what comes next, Matroska's reader looks for the next cluster.
    assert 22 <= numbers[-1] <= 24 or name == "a.mkv"
    assert reading.damaged
    assert f"{path}: truncated or damaged at " in caplog.text
    assert reading.damage in caplog.text


@pytest.mark.parametrize(
    "name, settings",
    [("a.mp4", {"container": {"movflags": "+faststart"}}), ("a.mkv", {}),
     ("a.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}), ("a.webm", {"codec": "libvpx-vp9"})],
)  # fmt: skip
def test_a_file_that_is_cut_off_is_told(tmp_path, caplog, name, settings):
    path = _write(tmp_path / name, range(40), size=LARGE, **settings)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 5 // 10])
    assert 0 < len(list(open_frames(path))) < 40
    assert "a." in caplog.text
    assert "truncated or damaged" in caplog.text


def test_what_is_no_video_is_refused_by_name(tmp_path):
    with av.open(str(tmp_path / "sound.mp4"), "w") as output:
        _write_tone(output, output.add_stream("aac", rate=48000), seconds=0.2)
    with av.open(str(tmp_path / "still.avif"), "w") as output:
        stream = output.add_stream("libaom-av1", rate=1, options={"still-picture": "1", "cpu-used": "8"})
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        output.mux(stream.encode(_frame(0, SIZE, "yuv420p", 0, fractions.Fraction(1, 1))))
        output.mux(stream.encode(None))
    path = _write(tmp_path / "unknown.mp4")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zz9z"))
    for name, message in (
        ("sound.mp4", "no video stream"),
        ("still.avif", "a still picture in a container"),
        ("unknown.mp4", "this build of FFmpeg cannot decode its codec, none/zz9z"),
    ):
        with pytest.raises(BadInputError, match=f"{name}: {message}"):
            open_frames(tmp_path / name)


def test_a_header_that_invents_frames_is_not_believed(tmp_path, caplog):
    path = _write(tmp_path / "a.avi", range(10), codec="mjpeg", pix_fmt="yuvj420p")
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"strh") + 8 + 32, 500)
    struct.pack_into("<I", data, data.index(b"avih") + 8 + 16, 500)
    path.write_bytes(data)
    assert len(list(open_frames(path))) == 10
    assert not caplog.text


@pytest.mark.parametrize("size", [(24, 32), (25, 33), (1, 1), (360, 2), (2, 360), (16, 8192), (16384, 1)])
def test_written_videos_can_be_read(tmp_path, size):
    path = tmp_path / "out.mp4"
    with video.VideoWriter(path, size, 25) as writer:
        for value in (20, 200):
            writer.write(np.full((*size, 3), value, np.uint8))
    frames = list(open_frames(path))
    assert len(frames) == 2
    assert frames[0].mean() < 60 < 160 < frames[1].mean()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    # Its index comes first, so that it plays while it loads.
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_written_frames_are_as_long_as_they_were(tmp_path):
    times = [(0.0, 0.3), (0.3, 0.03), (0.33, 0.1), (1.7, 0.5)]
    with video.VideoWriter(tmp_path / "out.mp4", SIZE, 25) as writer:
        for number, time in enumerate(times):
            writer.write(_picture(number), *time)
    reading = open_frames(tmp_path / "out.mp4").read()
    assert _numbers(reading) == list(range(4))
    np.testing.assert_allclose([start for start, _ in reading.times], [start for start, _ in times], atol=1e-3)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.duration / 1e6 == pytest.approx(2.2, abs=0.01)


@pytest.mark.parametrize("name, sound", [("a.mp4", "aac"), ("a.mkv", "libopus"), ("a.ts", "aac"), ("a.mkv", "flac")])
def test_the_sound_is_copied(tmp_path, name, sound):
    source = open_frames(_write(tmp_path / name, range(30), sound=sound))
    reading = source.read()
    with video.VideoWriter(tmp_path / "out.mp4", source.size, source.frame_rate, source.path) as writer:
        for number, frame in enumerate(reading):
            writer.write(frame, *reading.times[number])
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 30
    with av.open(str(tmp_path / "out.mp4")) as container:
        frames = list(container.decode(audio=0))
        assert sum(frame.samples for frame in frames) / 48000 == pytest.approx(1.2, abs=0.1)
        assert frames[5].to_ndarray().astype(float).std() > 0.01


def test_sound_that_mp4_cannot_hold_is_left_out(tmp_path, caplog):
    source = open_frames(_write(tmp_path / "a.avi", range(5), sound="wmav2"))
    with video.VideoWriter(tmp_path / "out.mp4", source.size, source.frame_rate, source.path) as writer:
        for frame in source:
            writer.write(frame)
    assert "a.avi: its sound cannot be copied" in caplog.text
    assert len(list(open_frames(tmp_path / "out.mp4"))) == 5


def test_a_video_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), video.VideoWriter(tmp_path / "out.mp4", (24, 32), 25):
        raise KeyError
    assert not list(tmp_path.iterdir())
    with (
        pytest.raises(OSError, match="out.mp4"),
        video.VideoWriter(tmp_path / "missing" / "out.mp4", (24, 32), 25) as writer,
    ):
        writer.write(np.zeros((24, 32, 3), np.uint8))
