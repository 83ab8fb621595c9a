import numpy as np
import pytest

from hd2s_tf.errors import BadInputError
from hd2s_tf.inference.loading import load_predict_fn
from hd2s_tf.inference.predict_fn import ModelPredictFn, SavedModelPredictFn
from hd2s_tf.inference.remote import RemotePredictFn
from hd2s_tf.models import weight_files


def test_unknown_presets_and_weights():
    with pytest.raises(BadInputError, match="no preset 'x'"):
        load_predict_fn("random", "x")
    with pytest.raises(BadInputError, match="no such weight file"):
        load_predict_fn("missing.weights.h5")
    with pytest.raises(BadInputError, match="weights of another model"):
        load_predict_fn(weight_files.bundled("hd2s_tiny"), "hd2s")


def test_every_kind_is_found_by_its_name(cold, serve):
    bundled, random = load_predict_fn("auto"), load_predict_fn("random", "hd2s_tiny")
    saved, served = load_predict_fn(cold / "1"), load_predict_fn(f"grpc://127.0.0.1:{serve().port}/m")
    assert [type(found) for found in (bundled, random, saved, served)] == [
        ModelPredictFn,
        ModelPredictFn,
        SavedModelPredictFn,
        RemotePredictFn,
    ]
    assert bundled.info.weights == weight_files.bundled("hd2s_tiny")
    assert bundled.info.weights_sha256 == weight_files.checksum(bundled.info.weights)
    assert (random.info.weights, random.info.weights_sha256) == ("random", None)
    clips = np.random.default_rng(0).integers(0, 256, (1, 16, 128, 192, 3), np.uint8)
    local, remote = saved(clips, conspicuity=True), served(clips, conspicuity=True)
    np.testing.assert_array_equal(local.saliency, remote.saliency)
    np.testing.assert_array_equal(local.conspicuity, remote.conspicuity)
    assert served(clips).conspicuity is None
    assert saved.info.preset == served.info.preset == "hd2s_tiny"


def test_folders_that_are_no_model(cold, tmp_path):
    with pytest.raises(BadInputError, match="not a version of a SavedModel of this project: no model_info.json"):
        load_predict_fn(tmp_path)
    for description in ("", "[]", "{}", '{"preset": "hd2s"}'):
        (tmp_path / "model_info.json").write_text(description)
        with pytest.raises(BadInputError, match="damaged: "):
            load_predict_fn(tmp_path)
    (tmp_path / "model_info.json").write_bytes((cold / "1" / "model_info.json").read_bytes())
    with pytest.raises(BadInputError, match="damaged: "):
        load_predict_fn(tmp_path)
    with pytest.raises(BadInputError, match="not domain-specific"):
        load_predict_fn(cold / "1", domain="A")
