import dataclasses

import numpy as np

from hd2s_tf.evaluation.progress import Progress
from hd2s_tf.evaluation.protocol import METRICS, PROTOCOLS
from hd2s_tf.evaluation.results import Subject, VideoResult

SUBJECT = Subject({"weights": "w"}, "data", "OSIE", "test", (), PROTOCOLS["videos"], full_size=True, stills=False)
ROW = {"frame": "0001", **dict.fromkeys(METRICS, 0.5), "cc": np.nan}


def test_a_finished_video_is_found_again(tmp_path):
    progress = Progress(str(tmp_path / "progress"), SUBJECT)
    assert progress.read("a") is None
    progress.write("a", VideoResult([ROW], without_truth=2))
    read = progress.read("a")
    assert (read.rows[0]["nss"], read.without_truth) == (0.5, 2)
    assert np.isnan(read.rows[0]["cc"])
    progress.remove()
    assert not (tmp_path / "progress").exists()


def test_other_settings_and_videos_with_problems_are_scored_anew(tmp_path):
    progress = Progress(str(tmp_path), SUBJECT)
    progress.write("a", VideoResult([ROW]))
    progress.write("b", VideoResult([ROW], ["broken"]))
    progress.write("c", VideoResult([ROW], missing=1))
    assert progress.read("b") is progress.read("c") is None
    other = dataclasses.replace(SUBJECT, protocol=PROTOCOLS["dhf1k"])
    assert Progress(str(tmp_path), other).read("a") is None
