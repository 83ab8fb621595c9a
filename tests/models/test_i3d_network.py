import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.models import i3d_network, i3d_weights
from tests.models import i3d_checkpoints, make_i3d_golden


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("i3d") / "i3d.ckpt"
    return i3d_weights.load_checkpoint(i3d_checkpoints.write(path, i3d_checkpoints.variables()))


def test_the_network_answers_as_the_published_one(checkpoint):
    features = i3d_network.I3D(checkpoint.units, padding="same")(tf.constant(make_i3d_golden.seeded_clip()))
    golden = np.load(make_i3d_golden.GOLDEN)
    for name in make_i3d_golden.ENDPOINTS:
        np.testing.assert_allclose(
            make_i3d_golden.some(features[name]), golden[name], rtol=1e-3, atol=1e-4, err_msg=name
        )


def test_with_symmetric_padding_it_sees_the_reversed_clip_with_features_where_s3d_has_them(checkpoint):
    # Equal up to the ends of time, and away from the borders of the image, where those of "same" lie a pixel later.
    clip = np.random.default_rng(1).uniform(-1, 1, (1, 16, 48, 48, 3)).astype(np.float32)
    symmetric = i3d_network.I3D(checkpoint.units)(tf.constant(clip))
    same = i3d_network.I3D(checkpoint.units, "same")(tf.constant(np.roll(clip[:, ::-1], (1, 1), (2, 3))))
    ours, theirs = (features["conv_1a"].numpy()[:, :, 2:-2, 2:-2] for features in (symmetric, same))
    np.testing.assert_allclose(ours, theirs[:, ::-1], atol=1e-4)


def test_class_scores_are_the_last_layer_on_the_mean_of_all_positions(checkpoint):
    features = np.random.default_rng(2).uniform(0, 1, (2, 2, 3, 4, 1024)).astype(np.float32)
    kernel, bias = checkpoint.logits
    expected = features.mean((1, 2, 3)) @ kernel + bias
    np.testing.assert_allclose(
        i3d_network.class_scores(tf.constant(features), checkpoint), expected, rtol=1e-3, atol=1e-4
    )


def test_an_unknown_padding_is_refused(checkpoint):
    with pytest.raises(ValueError, match="padding is 'valid': it is one of symmetric, same"):
        i3d_network.I3D(checkpoint.units, padding="valid")
