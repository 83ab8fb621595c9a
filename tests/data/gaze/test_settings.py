import pytest

from hd2s_tf.data.gaze import exports
from hd2s_tf.data.gaze.events import Detection
from hd2s_tf.data.gaze.maps import Sigma
from hd2s_tf.data.gaze.settings import GazeSettings
from hd2s_tf.errors import BadInputError


def test_nothing_given_are_no_settings():
    assert GazeSettings.parse(None) is None
    assert GazeSettings.parse({}) == GazeSettings()


def test_text_becomes_settings():
    values = {
        "gaze": ["a.csv", "b/*.tsv"], "columns": ["x=GX", "y= G Y"], "screen": "1920x1080", "sigma": "1deg",
        "fixations": "idt", "dispersion": 1.5, "screen_width": 48.0, "distance": 57.3, "observers": "odd",
    }  # fmt: skip
    settings = GazeSettings.parse(values)
    assert settings.tables == ("a.csv", "b/*.tsv")
    assert settings.columns == (("x", "GX"), ("y", "G Y"))
    assert settings.screen == (1080, 1920)
    assert settings.sigma == Sigma(1.0, "deg")
    assert settings.detection == Detection(dispersion=1.5)
    assert settings.pixels_per_degree == pytest.approx(40.0, rel=1e-3)
    assert settings.about == exports.SAMPLES


@pytest.mark.parametrize(
    "values, message",
    [
        ({"screen": "1920"}, "the screen is '1920'"),
        ({"screen": "0x5"}, "both must be positive"),
        ({"columns": ["x"]}, "columns has 'x'"),
        ({"sigma": "1deg"}, "how many pixels a degree has"),
        ({"distance": 60.0}, "together, not alone"),
        ({"distance": 60.0, "screen_width": 50.0}, "together, not alone"),
        ({"distance": -60.0, "screen_width": 50.0, "screen": "1920x1080"}, "both must be positive"),
        ({"pixels_per_degree": 0.0}, "pixels_per_degree is 0.0"),
        ({"time_unit": "minutes"}, "time_unit is 'minutes': it is one of ns, us, ms, s, frames"),
        ({"coordinates": "inches"}, "coordinates is 'inches'"),
        ({"clock": "wall"}, "clock is 'wall'"),
        ({"fixations": "some"}, "fixations is 'some'"),
        ({"velocity": 0.0}, "velocity is 0.0"),
    ],
)
def test_settings_that_make_no_sense(values, message):
    with pytest.raises(BadInputError, match=message):
        GazeSettings.parse(values)
