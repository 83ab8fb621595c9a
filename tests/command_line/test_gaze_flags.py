import pytest

DEFINITIONS = "from hd2s_tf.command_line import gaze_flags"


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ((), None),
        (("--gaze=a.csv,b.csv", "--distance=60"), {"gaze": ["a.csv", "b.csv"], "distance": 60.0}),
        # Given, though it is empty or zero.
        (("--clock=", "--velocity=0"), {"clock": "", "velocity": 0.0}),
    ],
)
def test_only_flags_that_are_given_count(run_program, arguments, expected):
    result = run_program(DEFINITIONS, "print(gaze_flags.given())", *arguments)
    assert (result.returncode, result.stdout.strip()) == (0, str(expected)), result.stderr


def test_every_flag_is_a_setting(run_program):
    body = """
from hd2s_tf.data.gaze.settings import GazeSettings
assert set(gaze_flags.given()) == {flag.name for flag in gaze_flags._FLAGS}
settings = GazeSettings.parse(gaze_flags.given())
print(settings.tables, settings.columns, settings.screen, settings.sigma.unit, settings.detection.velocity)
"""
    values = {
        "gaze": "a.csv", "columns": "x=GX,y=GY", "coordinates": "screen", "time_unit": "ms", "clock": "recording",
        "screen": "1920x1080", "pixels_per_degree": 30, "distance": 60, "screen_width": 50, "fixations": "ivt",
        "velocity": 25, "dispersion": 2, "shortest": 80, "sigma": "1deg", "split_list": "s.csv", "observers": "odd",
    }  # fmt: skip
    result = run_program(DEFINITIONS, body, *(f"--{name}={value}" for name, value in values.items()))
    expected = "('a.csv',) (('x', 'GX'), ('y', 'GY')) (1080, 1920) deg 25.0"
    assert (result.returncode, result.stdout.strip()) == (0, expected), result.stderr
