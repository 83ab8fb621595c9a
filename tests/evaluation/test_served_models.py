"""A SavedModel and a served model are scored as the Keras model that they were exported from."""

import pytest

from hd2s_tf.data import synthetic
from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation import evaluate
from hd2s_tf.inference.predict_fn import ModelPredictFn

pytestmark = pytest.mark.usefixtures("plots_are_not_drawn")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")
    synthetic.write_videos(folder, videos=2, frames=5, size=(48, 64))
    return folder


def test_scores_of_the_same_model_by_every_way(exported, cold, serve, dataset, tmp_path, monkeypatch):
    def scores_of(target):
        output = tmp_path / target.rsplit("/", 1)[-1]
        return evaluate.evaluate(evaluate.Request(target), str(dataset), "train", str(output))

    server = serve()
    saved, served = scores_of(f"{cold}/1"), scores_of(f"grpc://127.0.0.1:{server.port}/m")
    with monkeypatch.context() as patched:
        patched.setattr(evaluate, "load_predict_fn", lambda *_: ModelPredictFn(exported.model))
        keras = scores_of("keras")
    for scores in (saved, served):
        assert scores.subject.predictor["preset"] == keras.subject.predictor["preset"] == "hd2s_tiny"
        assert scores.subject.predictor["smoothing_sigma"] == 5
        assert scores.mean_over_videos == pytest.approx(keras.mean_over_videos, abs=1e-4)
    # One graph, one arithmetic.
    assert saved.mean_over_frames == served.mean_over_frames
    with pytest.raises(BadInputError, match=r"NOT_FOUND: .*Latest\(x\)"):
        scores_of(f"grpc://127.0.0.1:{server.port}/x")
