"""Small inputs of kinds that users have reported, from ../shared/trials: right, or refused by one clear line."""

import json
import pathlib
import tarfile

import av
import cv2
import numpy as np
import pytest

from hd2s_tf.data import frame_source, images, layouts, preparation, records
from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation import evaluate
from hd2s_tf.inference import to_folder
from hd2s_tf.inference.output import OutputFolder
from hd2s_tf.inference.predict_fn import FunctionPredictFn
from hd2s_tf.serving.signatures import ModelInfo

INFO = ModelInfo("brightness", clip_frames=4, smoothing_sigma=0.0)


@pytest.fixture(scope="session")
def trials(shared):
    return shared / "trials"


@pytest.fixture
def predict(tmp_path):
    """Predicts a file; returns the summary and the output's folder."""

    def start(path, **arguments):
        predict_fn = FunctionPredictFn(lambda clips: clips[:, -1].mean(-1, dtype=np.float32) / 255, INFO)
        output = tmp_path / "out"
        source = frame_source.open_frames(path)
        return to_folder.predict_source(predict_fn, source, OutputFolder(str(output), True), **arguments), output

    return start


def _maps(output):
    return [images.read_map(str(path)) for path in sorted((output / "maps").iterdir())]


def _overlay(output):
    """The overlay's frames, their times, and how long it lasts, in seconds."""
    with av.open(str(output / "overlay.mp4")) as container:
        frames = list(container.decode(video=0))
        return frames, [frame.time for frame in frames], container.duration / 1e6


@pytest.mark.parametrize(
    "name, count, size, codec",
    [
        ("phone.mp4", 20, (180, 320), "h264"),
        ("rot90.mp4", 25, (320, 180), "h264"),
        ("trim.mp4", 37, (180, 320), "h264"),
        ("vfr.webm", 14, (180, 320), "vp8"),
        ("inter.mpg", 25, (180, 320), "mpeg2video"),
        ("fps66.mp4", 27, (180, 320), "h264"),
        ("av1.mp4", 25, (180, 320), "av1"),
        ("anim.webp", 20, (90, 160), "webp"),
    ],
)
def test_videos(trials, predict, caplog, name, count, size, codec):
    summary, output = predict(trials / name)
    assert (summary["frames"], summary["height"], summary["width"], summary["codec"]) == (count, *size, codec)
    assert summary["rotation"] == (90 if name in ("phone.mp4", "rot90.mp4") else 0)
    maps = _maps(output)
    assert [saliency_map.shape for saliency_map in maps] == [size] * count
    frames, times, seconds = _overlay(output)
    assert [(frame.height, frame.width) for frame in frames] == [size] * count
    shown = frame_source.open_frames(trials / name).read()
    assert len(list(shown)) == count
    np.testing.assert_allclose(times, [start for start, _ in shown.times], atol=2e-3)
    assert seconds == pytest.approx(summary["duration"], abs=0.02)
    assert not caplog.text
    assert summary["damage"] == ""


def test_a_variable_frame_rate_lasts_as_long_as_it_did(trials, predict):
    _, output = predict(trials / "vfr.webm")
    assert _overlay(output)[2] == pytest.approx(3.0, abs=0.01)


def test_a_phones_video_is_upright(trials, shared):
    original = frame_source.open_frames(shared / "clips" / "bigbuckbunny.mp4")
    for shown, frame in zip(frame_source.open_frames(trials / "phone.mp4"), original, strict=False):
        small = cv2.resize(frame, (320, 180), interpolation=cv2.INTER_AREA)
        assert np.abs(shown.astype(int) - small).mean() < 15


def test_a_trimmed_video_prepares(trials, tmp_path, caplog):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "trim.mp4").write_bytes((trials / "trim.mp4").read_bytes())
    options, validation = preparation.Options(32, 48), layouts.ValidationSplit(fraction=0)
    preparation.prepare(
        "ledov", str(tmp_path / "in"), str(tmp_path / "out"), options=options, validation=validation, workers=1
    )
    assert records.load_dataset(tmp_path / "out", "train").videos[0].frame_count == 37
    assert not caplog.text


@pytest.mark.parametrize(
    "name, message",
    [
        ("mp3cover.mp3", "no video stream"),
        ("jpeg_zeroed.jpg", "not an image that can be decoded: truncated or damaged"),
    ],
)
def test_what_is_refused(trials, name, message):
    with pytest.raises(BadInputError, match=f"{name}: {message}"):
        frame_source.open_frames(trials / name)


@pytest.mark.parametrize(
    "name, size",
    [("width2.png", (360, 2)), ("wide8192.png", (16, 8192)), ("exif6.jpg", (320, 180)), ("alpha.png", (180, 320)),
     ("jpeg_without_eoi.jpg", (180, 320))],
)  # fmt: skip
def test_images(trials, predict, name, size):
    summary, output = predict(trials / name)
    assert summary["frames"] == 1
    assert [saliency_map.shape for saliency_map in _maps(output)] == [size]
    assert len(_overlay(output)[0]) == 1


def test_an_image_is_shown_as_its_file_says(trials):
    (exif,) = frame_source.open_frames(trials / "exif6.jpg")
    stored = cv2.imread(str(trials / "exif6.jpg"), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)[..., ::-1]
    np.testing.assert_allclose(exif.astype(int), np.rot90(stored, -1), atol=3)
    (alpha,) = frame_source.open_frames(trials / "alpha.png")
    assert not alpha[:, :160].any()
    assert alpha[:, 160:].any()


def _data_set(trials, tmp_path, name):
    with tarfile.open(trials / f"{name}.tgz") as archive:
        archive.extractall(tmp_path / name, filter="data")
    (folder,) = (tmp_path / name).iterdir()
    return folder


def _scores(folder, output, split="test"):
    request = evaluate.Request(target="baseline:centre")
    scored = evaluate.evaluate(request, str(folder), split, str(output))
    return {name: values for name, values in scored.mean_over_videos.items() if np.isfinite(values)}


@pytest.mark.parametrize("name", ["fix_sparse_mat", "fix_png16"])
def test_fixations_in_other_files_score_the_same(trials, tmp_path, name):
    expected = _scores(_data_set(trials, tmp_path, "fix_png_good"), tmp_path / "expected")
    # The authors of DHF1K call its test videos 601 to 700 validation.
    scores = _scores(_data_set(trials, tmp_path, name), tmp_path / "out", "validation")
    assert scores == pytest.approx(expected)
    assert expected["nss"] != 0


def test_lossy_fixations_are_refused_by_name(trials, tmp_path):
    folder = _data_set(trials, tmp_path, "fix_jpeg")
    with pytest.raises(BadInputError, match=r"fixation/\d+.jpg: fixations in a lossy format"):
        _scores(folder, tmp_path / "out")
    with pytest.raises(BadInputError, match=r"fixation/\d+.jpg: fixations in a lossy format"):
        preparation.prepare("dhf1k", str(folder), str(tmp_path / "prepared"), workers=1)


def test_unpadded_names_are_paired_by_number(trials, tmp_path):
    folder = _data_set(trials, tmp_path, "dhf1k_unpadded")
    options = preparation.Options(90, 160)
    preparation.prepare("dhf1k", str(folder), str(tmp_path / "prepared"), options=options, workers=1)
    for video in records.load_dataset(tmp_path / "prepared", "test").videos:
        assert video.frame_count == 12
        read = video.read(np.arange(12))
        frames = read[0] if isinstance(read, tuple) else read
        for number, frame in enumerate(frames, 1):
            assert round(frame.decode_image().mean() / 20) == number
            width = images.read_map(str(next((folder / "annotation").glob("*/maps/0001.png")))).shape[1]
            peak = frame.decode_map().max(0).argmax() * width / 160
            assert peak == pytest.approx(10 * number + 5, abs=3)


@pytest.mark.parametrize("name", ["phone.mp4", "vfr.webm"])
def test_a_submission_has_a_map_for_every_frame(trials, tmp_path, monkeypatch, name):
    """Whatever a header claims of the number of frames; nothing, in one of them."""
    (tmp_path / "set" / "video").mkdir(parents=True)
    suffix = pathlib.Path(name).suffix
    (tmp_path / "set" / "video" / f"701{suffix}").write_bytes((trials / name).read_bytes())
    predict_fn = FunctionPredictFn(lambda clips: clips[:, -1].mean(-1, dtype=np.float32) / 255, INFO)
    monkeypatch.setattr(evaluate, "load_predict_fn", lambda *arguments: predict_fn)
    request = evaluate.Request(submission_dir=str(tmp_path / "Method"))
    evaluate.evaluate(request, str(tmp_path / "set"), "test", str(tmp_path / "out"))
    count = len(list(frame_source.open_frames(trials / name)))
    names = sorted(path.name for path in (tmp_path / "Method" / "0701").iterdir())
    assert names == [f"{number:04d}.png" for number in range(1, count + 1)]


def test_an_input_in_the_output_folder_is_refused(trials, tmp_path):
    (tmp_path / "maps").mkdir()
    frame = tmp_path / "maps" / "0001.png"
    frame.write_bytes((trials / "width2.png").read_bytes())
    for path in (frame, tmp_path / "maps", tmp_path):
        with pytest.raises(BadInputError, match="the folder to write to is the input or holds it|holds no images"):
            to_folder.predict_to_folder(str(path), str(tmp_path), overwrite=True)
    assert frame.exists()


def test_the_summary_is_json_with_what_was_decoded(trials, predict):
    summary, output = predict(trials / "rot90.mp4")
    written = json.loads((output / "summary.json").read_text())
    assert written == summary
    assert {"frames", "duration", "rotation", "codec", "overlay_codec"} <= set(written)
    assert written["overlay_codec"] == "h264"


def test_an_overlay_that_cannot_be_written_costs_a_warning_only(trials, predict, monkeypatch, caplog):
    from hd2s_tf.inference import overlay

    def fail(self, *arguments):
        raise OSError(28, "no space left on the disk", "overlay.mp4")

    monkeypatch.setattr(overlay.VideoWriter, "write", fail)
    summary, output = predict(trials / "rot90.mp4")
    assert summary["overlay_codec"] is None
    assert len(_maps(output)) == 25
    assert "no space left on the disk" in caplog.text
    assert sorted(path.name for path in output.iterdir()) == ["maps", "summary.json"]
