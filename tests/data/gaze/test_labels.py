"""Gaze as a frame's ground truth, as tables are read from end to end."""

import numpy as np

from tests.data.gaze.recorded import HEADER, points_of, read, read_still, write_video


def test_an_image_has_every_fixation(tmp_path):
    records, problems, report = read_still(tmp_path, ["a,p1,0,200,50,25", "a,p2,9000,100,150.5,75"])
    assert not problems
    assert points_of(records["a"]) == [[50.0, 25.0], [150.5, 75.0]]
    labels = records["a"].labels.read(0, (100, 200))
    assert labels.observers.tolist() == [0, 1]
    # The second one lies in the middle of two pixels, the first one at the corner of four.
    assert np.argwhere(labels.saliency_map == 255).tolist() == [[74, 150], [75, 150]]
    assert report["observers"] == ["p1", "p2"]
    assert report["gaze"]["counts"] == {"rows": 2}
    assert "x and y are stimulus pixels, times ms" in report["gaze"]["understood"][0]


def test_frames_have_the_fixations_that_last_while_they_are_shown(tmp_path):
    # The frame rate changes: shown at 0, 40, 80 and 400 ms, the last one for 40 ms.
    write_video(tmp_path / "v.mp4", [0, 40, 80, 400])
    rows = ["v,p,0,40,10,10", "v,p,60,30,20,10", "v,p,300,150,30,10", "v,p,410,5000,40,10", "v,p,445,10,50,10"]
    (tmp_path / "fixations.csv").write_text("\n".join([HEADER.replace("image", "video"), *rows]))
    records, problems, report = read(tmp_path)
    assert not problems
    labels = records["v"].labels
    assert labels.frame_names == ("0001", "0002", "0003", "0004")
    xs = [[x for x, _ in points_of(records["v"], index)] for index in range(4)]
    assert xs == [[10.0], [20.0], [20.0, 30.0], [30.0, 40.0]]
    assert report["gaze"]["counts"] == {"rows": 5, "fixations cut at the end": 2, "fixations after the end": 1}
    assert labels.read(3).saliency_map.shape == (64, 96)
