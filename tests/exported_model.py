"""Fixtures: a small exported model, made once for all tests, and servers of it."""

import shutil
import types

import keras
import numpy as np
import pytest
from tensorflow_serving.config import model_server_config_pb2

from hd2s_tf.export import saved_model
from hd2s_tf.inference.predict_fn import ModelPredictFn
from hd2s_tf.inference.predictor import predict_video
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.serving import signatures
from hd2s_tf.serving.server import Server


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A small model, its folder, a clip with what the Keras model answers, and a video with its local maps."""
    keras.utils.set_random_seed(0)
    model = HD2S.from_preset("hd2s_tiny", weights=None, width_multiplier=0.0625, levels=(1,), smoothing_sigma=5.0)
    base = tmp_path_factory.mktemp("exported") / "m"
    saved_model.export(model, str(base), 1)
    generator = np.random.default_rng(0)
    clips = generator.integers(0, 256, (3, 16, 128, 192, 3), np.uint8)
    outputs = model({"clip": clips.astype(np.float32) * (2 / 255) - 1}, training=False)
    frames = list(generator.integers(0, 256, (45, 128, 192, 3), np.uint8))
    maps = [found.network_map for found in predict_video(ModelPredictFn(model), frames)]
    outputs = {name: np.array(values) for name, values in outputs.items()}
    return types.SimpleNamespace(model=model, base=base, clips=clips, outputs=outputs, frames=frames, maps=maps)


@pytest.fixture(scope="session")
def cold(exported, tmp_path_factory):
    """The base path of the same model without its warm-up requests, which are most of the time that loading takes."""
    base = tmp_path_factory.mktemp("cold") / "m"
    shutil.copytree(exported.base, base, ignore=shutil.ignore_patterns(signatures.WARMUP.name))
    return base


@pytest.fixture
def serve(cold):
    """Starts servers of the small model."""
    servers = []

    def start(base=cold, policy=None, labels=None, **arguments):
        config = model_server_config_pb2.ModelConfig(
            name="m", base_path=str(base), model_version_policy=policy, version_labels=labels
        )
        servers.append(Server([config], **arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.stop(0)
