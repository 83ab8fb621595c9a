import cv2
import numpy as np
import pytest

from hd2s_tf.benchmark import literal_metrics
from hd2s_tf.evaluation import metrics

SALIENCY = np.array([[0, 1], [2, 3]])
FIXATED = np.array([[False, False], [False, True]])


def test_known_answers():
    # Mean 1.5, sample deviation sqrt(5/3).
    assert literal_metrics.nss(SALIENCY, FIXATED) == pytest.approx(1.5 / np.sqrt(5 / 3))
    assert literal_metrics.cc(SALIENCY, 5 - 2 * SALIENCY) == pytest.approx(-1)
    # Shares (0, 1, 2, 3)/6 and (0, 3, 2, 1)/6 have minima (0, 1, 2, 1)/6.
    assert literal_metrics.sim(SALIENCY, np.array([[0, 3], [2, 1]])) == pytest.approx(4 / 6)
    # The fixated pixel is the highest; then the lowest, which every pixel reaches.
    assert literal_metrics.auc_judd(SALIENCY, FIXATED) == pytest.approx(1)
    assert literal_metrics.auc_judd(-SALIENCY, FIXATED) == pytest.approx(0.5)
    # The highest against the lowest; against itself the curve is the diagonal.
    generator = np.random.default_rng(0)
    assert literal_metrics.s_auc(SALIENCY, FIXATED, SALIENCY == 0, generator) == pytest.approx(1)
    assert literal_metrics.s_auc(SALIENCY, FIXATED, FIXATED, generator) == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["sim", "cc"])
def test_two_maps_compare_as_the_fast_way_does(name):
    generator = np.random.default_rng(1)
    for _ in range(5):
        first, second = (np.uint8(255 * cv2.GaussianBlur(generator.random((30, 40)), (0, 0), 2)) for _ in range(2))
        expected = getattr(metrics, name)(first, second)
        assert literal_metrics.METRICS[name](first, second) == pytest.approx(expected, abs=1e-9)
