import dataclasses
import json

import pytest

from hd2s_tf.serving.signatures import ModelInfo

INFO = ModelInfo("hd2s_dsl", "w.weights.h5", "1a", ("A", "B"), "a", "bfloat16", 32, (64, 96), 0.0, version=7)


def test_a_description_comes_back():
    read = ModelInfo.from_json(json.dumps(INFO.to_json()), "w.weights.h5", "a")
    assert read == INFO
    # Of whoever uses the model, not of the model.
    assert not {"weights", "domain"} & set(INFO.to_json())
    with_more = {**INFO.to_json(), "tensorflow": "2.17.1"}
    assert ModelInfo.from_json(json.dumps(with_more), "x") == dataclasses.replace(INFO, weights="x", domain=None)


@pytest.mark.parametrize(
    "change",
    [
        {"preset": 3},
        {"domains": "A"},
        {"domains": [1]},
        {"clip_frames": 0},
        {"clip_frames": 10**9},
        {"frame_size": [128]},
        {"frame_size": [128, 192.5]},
        {"smoothing_sigma": -1},
        {"smoothing_sigma": float("nan")},
        {"weights_sha256": 5},
    ],
)
def test_what_is_no_description(change):
    with pytest.raises(ValueError, match="description of a model"):
        ModelInfo.from_json(json.dumps({**INFO.to_json(), **change}), "x")


@pytest.mark.parametrize("text", ["", "[]", "null", "3", "{}", b"\xff"])
def test_what_is_no_object(text):
    with pytest.raises(ValueError):
        ModelInfo.from_json(text, "x")


def test_a_summary_names_the_weights_and_how_they_predict():
    assert INFO.to_summary() == {
        "preset": "hd2s_dsl",
        "weights": "w.weights.h5",
        "weights_sha256": "1a",
        "domain": "a",
        "precision": "bfloat16",
        "smoothing_sigma": 0.0,
    }
