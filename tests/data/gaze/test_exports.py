"""Headers as the programs write them."""

import pytest

from hd2s_tf.data.gaze import exports
from hd2s_tf.errors import BadInputError

_CASES = {
    "project": (
        "video,observer,onset_ms,duration_ms,x,y",
        "a table", "fixations", {"video": 0, "observer": 1, "x": 4, "y": 5, "time": 2, "duration": 3}, None, "ms",
    ),
    "tobii samples": (
        "Recording timestamp [ms],Participant name,Presented Stimulus name,Gaze point X [DACS px],"
        "Gaze point Y [DACS px]",
        "Tobii Pro Lab", "samples", {"time": 0, "observer": 1, "video": 2, "x": 3, "y": 4}, exports.SCREEN, "ms",
    ),
    "tobii fixations": (
        "Recording timestamp [μs],Participant name,Presented Media name,Gaze point X (MCSnorm),Gaze point Y (MCSnorm),"
        "Eye movement type,Gaze event duration [ms],Eye movement type index,Fixation point X (MCSnorm),"
        "Fixation point Y (MCSnorm)",
        "Tobii Pro Lab", "fixations",
        {"time": 0, "observer": 1, "video": 2, "kind": 5, "duration": 6, "event": 7, "x": 8, "y": 9},
        exports.RELATIVE, "us",
    ),
    "eyelink fixations": (
        "RECORDING_SESSION_LABEL,VIDEO_NAME,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_START,CURRENT_FIX_END,"
        "CURRENT_FIX_DURATION",
        "EyeLink fixation report", "fixations",
        {"observer": 0, "video": 1, "x": 2, "y": 3, "time": 4, "end": 5, "duration": 6}, exports.SCREEN, "ms",
    ),
    "eyelink samples": (
        "RECORDING_SESSION_LABEL,VIDEO_NAME,TIMESTAMP,RIGHT_GAZE_X,RIGHT_GAZE_Y,RIGHT_IN_BLINK",
        "EyeLink sample report", "samples",
        {"observer": 0, "video": 1, "time": 2, "x": 3, "y": 4, "blink": 5}, exports.SCREEN, "ms",
    ),
    "pupil labs gaze": (
        "section id,recording id,timestamp [ns],gaze detected on surface,gaze position on surface x [normalized],"
        "gaze position on surface y [normalized]",
        "Pupil Labs, mapped to a surface", "samples", {"observer": 1, "time": 2, "valid": 3, "x": 4, "y": 5},
        exports.RELATIVE, "ns",
    ),
    "pupil labs fixations": (
        "section id,recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],"
        "fixation detected on surface,fixation x [normalized],fixation y [normalized]",
        "Pupil Labs, mapped to a surface", "fixations",
        {"observer": 1, "time": 3, "end": 4, "valid": 6, "x": 7, "y": 8}, exports.RELATIVE, "ns",
    ),
    "pupil core fixations": (
        "world_timestamp,world_index,fixation_id,start_timestamp,duration,dispersion,norm_pos_x,norm_pos_y,x_scaled,"
        "y_scaled,on_surf",
        "Pupil Core, mapped to a surface", "fixations",
        {"event": 2, "time": 3, "duration": 4, "x": 6, "y": 7, "valid": 10}, exports.RELATIVE_UP, "s",
    ),
    "pupil core gaze": (
        "world_timestamp,world_index,gaze_timestamp,x_norm,y_norm,x_scaled,y_scaled,on_surf,confidence",
        "Pupil Core, mapped to a surface", "samples", {"time": 2, "x": 3, "y": 4, "valid": 7}, exports.RELATIVE_UP, "s",
    ),
    "gazepoint": (
        "MEDIA_ID,MEDIA_NAME,CNT,TIME(2024/05/01 10:00:00.000),TIMETICK(f=10000000),FPOGX,FPOGY,FPOGS,FPOGD,FPOGID,"
        "FPOGV",
        "Gazepoint", "fixations",
        {"video": 1, "x": 5, "y": 6, "time": 7, "duration": 8, "event": 9, "valid": 10}, exports.RELATIVE_SCREEN, "s",
    ),
    "psychopy": (
        "session_id,event_id,time,duration,average_gaze_x,average_gaze_y,image",
        "PsychoPy", "fixations", {"observer": 0, "end": 2, "duration": 3, "x": 4, "y": 5, "video": 6},
        exports.CENTRED, "s",
    ),
    "pymovements": (
        "subject_id,video,name,onset,offset,duration,location_x,location_y",
        "pymovements", "fixations",
        {"observer": 0, "video": 1, "kind": 2, "time": 3, "end": 4, "duration": 5, "x": 6, "y": 7},
        exports.SCREEN, "ms",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", _CASES)
def test_exports_are_found_by_their_headers(case):
    header, name, about, index, coordinates, unit = _CASES[case]
    columns = exports.find_columns("t.csv", header.split(","), {})
    assert (columns.export.name, columns.export.about) == (name, about)
    assert columns.index == index
    assert columns.coordinates == coordinates
    assert columns.time_units["end" if "time" not in index else "time"] == unit


def test_durations_may_have_another_unit_than_times():
    columns = exports.find_columns("t.csv", _CASES["tobii fixations"][0].split(","), {})
    assert columns.time_units == {"time": "us", "duration": "ms"}
    columns = exports.find_columns("t.csv", _CASES["pupil core fixations"][0].split(","), {})
    assert columns.time_units == {"time": "s", "duration": "ms"}


def test_samples_can_be_asked_for():
    header = [*_CASES["tobii fixations"][0].split(",")]
    columns = exports.find_columns("t.csv", header, {}, exports.SAMPLES)
    assert (columns.index["x"], columns.export.about) == (3, exports.SAMPLES)


def test_columns_of_any_names_can_be_given():
    header = ["Clip", "Wer", "PosX", "PosY", "Zeit", "Dauer"]
    given = {"x": "PosX", "y": "PosY", "time": "Zeit", "duration": "Dauer", "video": "Clip", "observer": "Wer"}
    columns = exports.find_columns("t.csv", header, given)
    assert columns.export.about == exports.FIXATIONS
    assert columns.index == {"video": 0, "observer": 1, "x": 2, "y": 3, "time": 4, "duration": 5}


def test_given_columns_go_before_known_ones():
    header = ["video", "observer", "onset_ms", "duration_ms", "x", "y", "corrected_x"]
    assert exports.find_columns("t.csv", header, {"x": "corrected_x"}).index["x"] == 6


@pytest.mark.parametrize(
    "header, given, message",
    [
        ("video,observer,y,onset_ms", {}, r"t.csv, line 1: no columns for x among video, observer, y, onset_ms"),
        ("a,b", {}, "no columns for x, y, time among a, b"),
        ("x,y,time", {"x": "X"}, "t.csv, line 1: no column 'X' for x among x, y, time"),
        ("x,y,time", {"colour": "x"}, "no role 'colour'"),
    ],
)
def test_columns_that_are_not_there(header, given, message):
    with pytest.raises(BadInputError, match=message):
        exports.find_columns("t.csv", header.split(","), given)


@pytest.mark.parametrize(
    "header, expected",
    [
        ("onset_ms", ("onset", "ms")),
        ("Gaze point X [DACS px]", ("gaze point x", "dacs px")),
        ("TIME(2024/05/01)", ("time", "2024/05/01")),
        ("x_norm", ("x", "norm")),
        ("FPOGS", ("fpogs", "")),
        ("s", ("s", "")),
    ],
)
def test_a_header_is_a_name_and_a_unit(header, expected):
    assert exports.parse_header(header) == expected
