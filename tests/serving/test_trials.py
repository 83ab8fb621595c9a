"""The inputs of ../shared/trials through the client: as predicted here, or refused before anything is sent."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.config import model_server_config_pb2

from hd2s_tf.data import frame_source, images
from hd2s_tf.errors import BadInputError
from hd2s_tf.inference import to_folder
from hd2s_tf.inference.output import OutputFolder, Parts
from hd2s_tf.inference.predict_fn import ModelPredictFn
from hd2s_tf.inference.predictor import predict_video
from hd2s_tf.serving import signatures
from hd2s_tf.serving.client import ServedModel
from hd2s_tf.serving.server import Server


@pytest.fixture(scope="module")
def trials(shared):
    return shared / "trials"


@pytest.fixture(scope="module")
def served(cold):
    """The small model, asked over gRPC."""
    server = Server([model_server_config_pb2.ModelConfig(name="m", base_path=str(cold))])
    with ServedModel(f"127.0.0.1:{server.port}/m") as model:
        yield model
    server.stop(0)


@pytest.fixture(scope="module")
def predict_fn(exported):
    """The same model here."""
    return ModelPredictFn(exported.model)


def _maps(output):
    return {path.name: path.read_bytes() for path in (output / "maps").iterdir()}


def _map_of(served, data):
    """The finished map that `predict_frames` gives for one encoded picture, float32 [h,w]."""
    inputs = {signatures.FRAMES: np.array([[data]], object), signatures.SKIP: np.zeros(1, np.int32)}
    wanted = {signatures.SALIENCY_MAP: tf.TensorSpec((1, 1, *served.info.frame_size))}
    return served.predict(signatures.PREDICT_FRAMES, wanted, **inputs)[signatures.SALIENCY_MAP][0, 0]


@pytest.mark.parametrize(
    "name, count",
    [
        ("phone.mp4", 20),
        ("rot90.mp4", 25),
        ("trim.mp4", 37),
        ("vfr.webm", 14),
        ("inter.mpg", 25),
        ("fps66.mp4", 27),
        ("av1.mp4", 25),
        ("anim.webp", 20),
        ("width2.png", 1),
        ("wide8192.png", 1),
        ("exif6.jpg", 1),
        ("alpha.png", 1),
        ("jpeg_without_eoi.jpg", 1),
    ],
)
def test_the_client_writes_what_is_predicted_here(trials, predict_fn, served, tmp_path, caplog, name, count):
    output = OutputFolder(str(tmp_path / "here"), False)
    source = frame_source.open_frames(trials / name)
    local = to_folder.predict_source(predict_fn, source, output, parts=Parts(overlay=False))
    remote = to_folder.predict_remotely(str(trials / name), str(tmp_path / "there"), served, overlay=False)
    assert remote["frames"] == len(_maps(tmp_path / "there")) == count
    assert _maps(tmp_path / "there") == _maps(tmp_path / "here")
    decoded = ("height", "width", "codec", "rotation", "duration", "damage")
    assert [remote[key] for key in decoded] == [local[key] for key in decoded]
    assert not caplog.text


@pytest.mark.parametrize(
    "name, message",
    [
        ("mp3cover.mp3", "no video stream"),
        ("jpeg_zeroed.jpg", "not an image that can be decoded: truncated or damaged"),
    ],
)
def test_the_client_refuses_by_name(trials, served, tmp_path, name, message):
    with pytest.raises(BadInputError, match=f"{name}: {message}"):
        to_folder.predict_remotely(str(trials / name), str(tmp_path / "out"), served)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["exif6.jpg", "alpha.png", "width2.png", "wide8192.png"])
def test_a_picture_sent_as_it_is_gets_the_map_of_its_file(trials, predict_fn, served, name):
    frame = images.read_image(str(trials / name))
    (expected,) = predict_video(predict_fn, [frame])
    found = _map_of(served, (trials / name).read_bytes())
    # Frames are resized inside the graph, and JPEG decoded by another library's settings.
    np.testing.assert_allclose(found, expected.network_map, atol=2)


@pytest.mark.parametrize("name", ["jpeg_zeroed.jpg", "jpeg_without_eoi.jpg", "anim.webp", "vfr.webm"])
def test_a_file_sent_as_it_is_that_is_no_whole_picture_is_refused(trials, served, name):
    with pytest.raises(BadInputError, match="INVALID_ARGUMENT"):
        _map_of(served, (trials / name).read_bytes())
