"""From rows to fixations of a stimulus, as tables are read from end to end."""

import numpy as np
import pytest

from hd2s_tf.data.gaze.events import Detection
from tests.data.gaze.recorded import points_of, read, read_still, write_video


def test_times_in_frames(tmp_path):
    write_video(tmp_path / "v.mp4", [0, 40, 80, 400])
    (tmp_path / "gaze.csv").write_text(
        "video,observer,frame,x,y\n" + "".join(f"v,p,{n},{10 * n},5\n" for n in (1, 2, 3, 4))
    )
    records, problems, report = read(tmp_path, fixations="raw")
    assert not problems
    assert [points_of(records["v"], index) for index in range(4)] == [
        [[10.0, 5.0]],
        [[20.0, 5.0]],
        [[30.0, 5.0]],
        [[40.0, 5.0]],
    ]


def test_samples_become_fixations_or_remain_samples(tmp_path):
    times = np.arange(0, 600, 4)
    xs = np.where(times < 300, 50, 150)
    rows = [f"a,p,{time},{x},25" for time, x in zip(times, xs, strict=True)]
    rows[20] = "a,p,80,,"
    header = "image,observer,time_ms,x,y"
    records, _, report = read_still(tmp_path, rows, header)
    assert points_of(records["a"]) == [[50.0, 25.0], [150.0, 25.0]]
    assert report["gaze"]["counts"]["rows without coordinates"] == 1
    assert "30 degrees" in report["gaze"]["understood"][-1]
    assert len(points_of(read_still(tmp_path, rows, header, fixations="idt")[0]["a"])) == 2
    assert len(points_of(read_still(tmp_path, rows, header, fixations="raw")[0]["a"])) == 149
    fast = Detection(velocity=1e6)
    assert len(points_of(read_still(tmp_path, rows, header, detection=fast)[0]["a"])) == 1


def test_pixels_of_a_screen_with_bars(tmp_path):
    rows = ["a,p,0,100,960,540", "a,p,200,100,1,60.1", "a,p,400,100,960,59"]
    records, _, report = read_still(tmp_path, rows, screen=(1080, 1920))
    assert points_of(records["a"]) == [[100.0, 50.0], [pytest.approx(0.1), pytest.approx(0.01)]]
    assert report["gaze"]["counts"]["rows beside the stimulus"] == 1


def test_gaze_after_the_end_has_another_unit_or_clock(tmp_path):
    write_video(tmp_path / "v.mp4", range(0, 400, 40))
    (tmp_path / "g.csv").write_text("video,observer,time_ms,duration_ms,x,y\nv,p,5000,100,5,5\nv,p,6000,100,5,5\n")
    _, problems, _ = read(tmp_path)
    assert "g.csv, line 2, column time_ms: 5000 ms is after the end of" in str(problems[0])
    records, problems, _ = read(tmp_path, clock="recording")
    assert not problems
    assert len(points_of(records["v"])) == 1
