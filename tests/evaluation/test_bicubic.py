import numpy as np
import pytest

from hd2s_tf.evaluation.bicubic import resize_bicubic


def test_twice_as_many_pixels_by_hand():
    # The cubic at distances 0.25, 0.75, 1.25 and 1.75, with its parameter -1/2.
    near, half, far, end = 111 / 128, 29 / 128, -9 / 128, -3 / 128
    impulse = np.zeros((1, 7))
    impulse[0, 3] = 1
    expected = [0, 0, end, far, half, near, near, half, far, end, 0, 0]
    assert resize_bicubic(impulse, (1, 14))[0, 1:13] == pytest.approx(expected)


def test_half_as_many_pixels_by_hand():
    # The kernel is twice as wide and half as high: distances 0.25, 0.75, ... again, so each weight is halved.
    near, half, far, end = 111 / 256, 29 / 256, -9 / 256, -3 / 256
    step = np.repeat([[0.0, 1.0]], 6, 1)
    assert resize_bicubic(step, (1, 6))[0] == pytest.approx([0, end + far - 0, end + far + 0, 1, 1, 1], abs=0.2)
    impulse = np.zeros((1, 12))
    impulse[0, 6] = 1
    assert resize_bicubic(impulse, (1, 6))[0] == pytest.approx([0, end, half, near, far, 0])


def test_it_overshoots_and_keeps_the_mean_of_a_constant():
    step = np.repeat(np.repeat([[0.0, 255.0]], 4, 1), 8, 0)
    resized = resize_bicubic(step, (16, 16))
    assert resized.min() < 0 and resized.max() > 255
    assert resize_bicubic(np.full((5, 7), 3.0), (11, 4)) == pytest.approx(np.full((11, 4), 3.0))
    # Beyond its ends a signal is its mirror image, so it stays symmetric.
    assert resized[:, ::-1] == pytest.approx(255 - resized)


def test_a_map_of_the_size_is_left_alone():
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert resize_bicubic(image, (2, 3)) is image


def test_it_is_torchs_antialiased_bicubic_away_from_the_border():
    torch = pytest.importorskip("torch")
    image = np.random.default_rng(0).random((40, 60))
    for size in ((90, 133), (17, 29), (25, 120)):
        theirs = torch.nn.functional.interpolate(
            torch.tensor(image)[None, None], size, mode="bicubic", antialias=True, align_corners=False
        )[0, 0].numpy()
        inside = tuple(slice(side // 4, side - side // 4) for side in size)
        assert resize_bicubic(image, size)[inside] == pytest.approx(theirs[inside], abs=1e-9)
