import cv2
import numpy as np
import pytest

from hd2s_tf.evaluation import plots
from hd2s_tf.evaluation.protocol import METRICS


def _image(png):
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


def test_a_panel_for_each_metric(monkeypatch):
    rows = [dict.fromkeys(METRICS, value) for value in (0.1, 0.2, np.nan)]
    full = _image(plots.draw_histograms(rows))
    for name in list(METRICS)[1:]:
        monkeypatch.delitem(METRICS, name)
    alone = _image(plots.draw_histograms(rows))
    assert alone.shape[1] == full.shape[1]
    assert alone.shape[0] * 3 == pytest.approx(full.shape[0], abs=2)


def test_videos_by_many_names(monkeypatch):
    for name in list(METRICS)[2:]:
        monkeypatch.delitem(METRICS, name)
    few = {name: dict.fromkeys(METRICS, 0.5) for name in ("a$b", "c$d", "$x_$")}
    many = {f"video {number}": dict.fromkeys(METRICS, number / 40) for number in range(40)}
    undefined = {"a": dict.fromkeys(METRICS, np.nan)}
    for videos in (few, many, undefined):
        assert _image(plots.draw_bars(videos, "videos")).size
