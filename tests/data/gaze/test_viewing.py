import numpy as np
import pytest

from hd2s_tf.data.gaze import exports, viewing
from hd2s_tf.data.gaze.settings import GazeSettings, pixels_per_degree
from hd2s_tf.errors import BadInputError

_SCREEN = (1080, 1920)


def test_letterbox():
    assert viewing.letterbox((540, 960), _SCREEN) == (2.0, (0.0, 0.0))
    # A square on a wide screen has bars beside it, a panorama above and below.
    assert viewing.letterbox((100, 100), _SCREEN) == (10.8, (0.0, 420.0))
    assert viewing.letterbox((100, 400), _SCREEN) == (4.8, (300.0, 0.0))


@pytest.mark.parametrize(
    "coordinates, point, expected",
    [
        (exports.STIMULUS, (25, 75), (0.25, 0.75)),
        (exports.RELATIVE, (0.25, 0.75), (0.25, 0.75)),
        (exports.RELATIVE_UP, (0.75, 0.75), (0.25, 0.75)),
        (exports.SCREEN, (270, 1230), (0.25, 0.75)),
        (exports.CENTRED, (270, 270), (0.25, 0.75)),
        (exports.RELATIVE_SCREEN, (0.25, 1230 / 1920), (0.25, 0.75)),
        (exports.SCREEN, (540, 419), (0.5, -1 / 1080)),
    ],
)
def test_points_on_a_square_of_100_pixels(coordinates, point, expected):
    shares = viewing.shares(np.array([point], float), coordinates, (100, 100), _SCREEN)
    np.testing.assert_allclose(shares, [expected])


def test_without_a_screen_shares_of_it_are_of_the_stimulus():
    assert viewing.shares(np.array([[0.2, 0.3]]), exports.RELATIVE_SCREEN, (100, 100), None).tolist() == [[0.2, 0.3]]
    with pytest.raises(BadInputError, match="size of the screen is not known"):
        viewing.shares(np.array([[0.2, 0.3]]), exports.SCREEN, (100, 100), None)


def test_pixels_of_a_degree():
    # 57.3 cm away, a degree is a centimetre.
    assert pixels_per_degree(1920, 48.0, 57.3) == pytest.approx(40.0, rel=1e-3)
    of_the_screen = GazeSettings(screen=_SCREEN, pixels_per_degree=40.0)
    assert viewing.stimulus_pixels_per_degree(of_the_screen, (540, 960)) == 20.0
    assert viewing.stimulus_pixels_per_degree(GazeSettings(pixels_per_degree=40.0), (540, 960)) == 40.0
    assert viewing.stimulus_pixels_per_degree(GazeSettings(), (540, 960)) == 32.0
