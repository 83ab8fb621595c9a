"""Parity with the published networks, on stand-ins for their checkpoints."""

import math

import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.errors import BadInputError
from hd2s_tf.models import torch_weights, weight_files
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import PUBLISHED_DOMAINS

MAP_TOLERANCE, LOG_PROB_TOLERANCE, FEATURE_TOLERANCE = 1e-4, 1e-3, 1e-4


@pytest.fixture(scope="module")
def clip(shared):
    pixels = np.load(shared / "parity" / "clip.npz")["clip"]
    return tf.constant(pixels[np.newaxis].astype(np.float32) * 2 / 255 - 1)


def _model(stand_in, preset, checkpoint=None):
    model = HD2S.from_preset(preset, weights=None)
    values = stand_in(checkpoint or preset)
    torch_weights.assign(model, {name.removeprefix("module."): value for name, value in values.items()})
    return model


def _check_maps(outputs, golden, prefix=""):
    np.testing.assert_allclose(outputs["saliency_map"][0], golden[f"{prefix}saliency"], atol=MAP_TOLERANCE, rtol=0)
    for level in range(1, 5):
        ours = outputs["conspicuity_maps"][0, level - 1]
        np.testing.assert_allclose(ours, golden[f"{prefix}conspicuity{level}"], atol=MAP_TOLERANCE, rtol=0)


def _check_features(features, golden, name):
    ours, expected = features[0].numpy(), golden[name]
    # The reference keeps a corner of the large ones and every n-th channel.
    step = math.ceil(ours.shape[-1] / expected.shape[-1])
    ours = ours[:, : expected.shape[1], : expected.shape[2], ::step]
    assert np.abs(ours - expected).max() <= FEATURE_TOLERANCE * np.abs(expected).max()


def test_parity_of_s3d(stand_in, clip, shared):
    model = _model(stand_in, "hd2s", "s3d_kinetics400")
    golden = np.load(shared / "parity" / "golden_s3d_kinetics400.npz")
    endpoints = model.encoder(clip)
    for number in (3, 4, 5):
        _check_features(endpoints[f"endpoint{number}"], golden, f"features{number}")


def test_parity_of_hd2s(stand_in, clip, shared):
    model = _model(stand_in, "hd2s")
    golden = np.load(shared / "parity" / "golden_hd2s.npz")
    _check_maps(model({"clip": clip}), golden)
    endpoints = model.encoder(clip)
    for number in range(1, 6):
        _check_features(endpoints[f"endpoint{number}"], golden, f"features{number}")
        mean = float(tf.reduce_mean(endpoints[f"endpoint{number}"]))
        assert mean == pytest.approx(float(golden[f"features{number}_mean"]), rel=1e-4)


def test_parity_of_hd2s_da(stand_in, clip, shared):
    outputs = _model(stand_in, "hd2s_da")({"clip": clip})
    golden = np.load(shared / "parity" / "golden_hd2s_da.npz")
    _check_maps(outputs, golden)
    for level in range(1, 5):
        ours = outputs["domain_log_probs"][0, level - 1]
        np.testing.assert_allclose(ours, golden[f"domain_log_prob{level}"], atol=LOG_PROB_TOLERANCE, rtol=0)


def test_parity_of_hd2s_dsl(stand_in, clip, shared):
    model = _model(stand_in, "hd2s_dsl")
    golden = np.load(shared / "parity" / "golden_hd2s_dsl.npz")
    outputs = model({"clip": tf.repeat(clip, 3, 0), "domain": tf.range(3)})
    for index, name in enumerate(PUBLISHED_DOMAINS):
        _check_maps({key: value[index : index + 1] for key, value in outputs.items()}, golden, f"{name}/")


@pytest.fixture(scope="module")
def model():
    return HD2S.from_preset("hd2s", weights=None)


def test_names_that_do_not_fit_are_listed(stand_in, model):
    checkpoint = stand_in("hd2s")
    checkpoint["decoder9.weight"] = checkpoint.pop("last_conv.bias")
    checkpoint["conv_t5.conv.weight"] = checkpoint["conv_t5.conv.weight"][:8]
    checkpoint["conv_t4.bn.bias"] = np.full_like(checkpoint["conv_t4.bn.bias"], np.inf)
    with pytest.raises(BadInputError) as caught:
        torch_weights.assign(model, checkpoint)
    message = str(caught.value)
    for part in (
        "has no value for (1): last_conv.bias",
        "does not know (1): decoder9.weight",
        "another shape (1): conv_t5.conv.weight",
        "not finite (1): conv_t4.bn.bias",
    ):
        assert part in message


def test_counters_and_the_classifier_of_s3d_are_ignored(stand_in, model):
    checkpoint = {name.removeprefix("module."): value for name, value in stand_in("s3d_kinetics400").items()}
    assert "fc.0.weight" in checkpoint
    assert any(name.endswith("num_batches_tracked") for name in checkpoint)
    torch_weights.assign(model, checkpoint)


def test_converts_a_file(stand_in, tmp_path):
    values = {f"module.{name}": value for name, value in stand_in("hd2s_dsl", 1).items()}
    np.savez(tmp_path / "checkpoint.npz", **values)
    output = tmp_path / "dsl.weights.h5"
    torch_weights.convert(tmp_path / "checkpoint.npz", "hd2s_dsl", output)
    model = HD2S.from_preset("hd2s_dsl", output)
    np.testing.assert_allclose(
        model.smoothing.sigma, [values[f"module.GL__{name.lower()}.sigma"] for name in PUBLISHED_DOMAINS]
    )
    assert weight_files.settings(output)["preset"] == "hd2s_dsl"


def test_both_kinds_of_files_hold_the_same(tmp_path):
    torch = pytest.importorskip("torch")
    values = {"a.weight": np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32), "n": np.array(3)}
    np.savez(tmp_path / "checkpoint.npz", **values)
    torch.save({name: torch.from_numpy(value) for name, value in values.items()}, tmp_path / "checkpoint.pt")
    for suffix in (".npz", ".pt"):
        loaded = torch_weights.load_checkpoint(tmp_path / f"checkpoint{suffix}")
        assert set(loaded) == set(values)
        for name, value in values.items():
            np.testing.assert_array_equal(loaded[name], value)


@pytest.mark.parametrize("name", ["damaged.npz", "damaged.pt", "pickle.npz"])
def test_files_that_are_no_checkpoints_are_refused(tmp_path, name):
    if name.endswith(".pt"):
        pytest.importorskip("torch")
    path = tmp_path / name
    if name == "pickle.npz":
        np.savez(path, x=np.array([{"a": 1}], object))
    else:
        path.write_bytes(b"PK\x03\x04 not a checkpoint")
    with pytest.raises(BadInputError, match=name):
        torch_weights.load_checkpoint(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInputError, match="none.npz: no such checkpoint"):
        torch_weights.load_checkpoint(tmp_path / "none.npz")
