import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.data import records, synthetic
from hd2s_tf.errors import BadInputError
from hd2s_tf.models import i3d_fit, weight_files
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.i3d_network import I3D
from hd2s_tf.models.i3d_weights import load_checkpoint
from hd2s_tf.models.s3d import ENDPOINTS, LAYERS, S3D
from hd2s_tf.training import pretraining
from tests.models import i3d_checkpoints

SMALL = pretraining.Options(clips=4, kept_out=4, updates=1, frame_size=(32, 32))


@pytest.fixture(autouse=True)
def eager():
    """A step at a time: to trace the graphs takes longer than these few steps."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return i3d_checkpoints.write(tmp_path_factory.mktemp("i3d") / "i3d.ckpt", i3d_checkpoints.variables())


@pytest.fixture(scope="module")
def data():
    return [f"{synthetic.prepared()}:train"]


def test_a_narrow_encoder_is_trained_and_training_starts_from_its_file(tmp_path, checkpoint, data):
    output = tmp_path / "encoder.weights.h5"
    found = pretraining.make_encoder(checkpoint, data, output, "hd2s_tiny", SMALL)
    assert tuple(found) == ENDPOINTS
    assert all(-1 <= value <= 1 for value in found.values())
    model = HD2S.from_preset("hd2s_tiny", weights=None)
    before = model.encoder.blocks["conv_1a"].spatial.convolution.kernel.numpy()
    weight_files.load_encoder(model, output)
    after = model.encoder.blocks["conv_1a"].spatial.convolution.kernel.numpy()
    assert not np.array_equal(before, after)


def test_the_paper_s_encoder_is_fitted_block_by_block(monkeypatch, checkpoint):
    # The first blocks alone: the fit of all of them takes minutes.
    monkeypatch.setattr(i3d_fit, "LAYERS", LAYERS[:7])
    generator = np.random.default_rng(0)
    clips = [tf.constant(np.float32(generator.uniform(-1, 1, (4, 16, 32, 32, 3)))) for _ in range(4)]
    teacher, encoder = (
        I3D(load_checkpoint(checkpoint).units),
        HD2S.from_preset("hd2s", weights=None, levels=(1,)).encoder,
    )
    done = []
    i3d_fit.fit(encoder, teacher, clips[:3], progress=lambda: done.append(1))
    assert len(done) == 3
    theirs, ours = teacher(clips[3]), encoder(clips[3])
    for name in ("endpoint1", "endpoint2"):
        assert np.corrcoef(np.ravel(theirs[name]), np.ravel(ours[name]))[0, 1] > 0.6


def test_correlations_are_those_of_all_values_together(checkpoint):
    teacher, encoder = I3D(load_checkpoint(checkpoint).units), _encoder()
    generator = np.random.default_rng(0)
    clips = [tf.constant(np.float32(generator.uniform(-1, 1, (1, 8, 32, 32, 3)))) for _ in range(2)]
    found = pretraining.correlations(encoder, teacher, clips)
    assert list(found) == [name for name, *_ in LAYERS]
    for name in ("endpoint1", "endpoint5"):
        pairs = [np.concatenate([np.ravel(network(clip)[name]) for clip in clips]) for network in (encoder, teacher)]
        assert found[name] == pytest.approx(np.corrcoef(*pairs)[0, 1], abs=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"preset": "hd2s_huge"}, "no preset 'hd2s_huge'"),
        ({"output": "encoder.h5"}, "ends in .weights.h5"),
        ({"data": []}, "name prepared data"),
        ({"data": ["prepared"]}, "named as folder:split"),
        ({"checkpoint": "nowhere.ckpt"}, "nowhere.ckpt: cannot be read"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_computed(tmp_path, checkpoint, data, change, message):
    arguments = {"checkpoint": checkpoint, "data": data, "output": str(tmp_path / "e.weights.h5"), **change}
    with pytest.raises(BadInputError, match=message):
        pretraining.make_encoder(**arguments, options=SMALL)
    assert not list(tmp_path.iterdir())


def test_whole_videos_are_kept_out_a_tenth_of_each_data_set():
    seen, kept_out = pretraining._divided([_dataset(20), _dataset(2), _dataset(1)], seed=0)
    assert [len(part.videos) for part in seen] == [18, 1, 1]
    assert [len(part.videos) for part in kept_out] == [2, 1]
    assert set(seen[0].videos) | set(kept_out[0].videos) == set(range(20))


def test_one_video_alone_is_refused():
    with pytest.raises(BadInputError, match="two videos at least"):
        pretraining._divided([_dataset(1)], seed=0)


def _encoder(last="endpoint5"):
    encoder = S3D(last=last, name="encoder")
    encoder.create_variables()
    return encoder


def _dataset(count):
    return records.Dataset("folder", {}, tuple(range(count)))
