import cv2
import numpy as np

from hd2s_tf import plotting


def test_a_figure_has_the_size_that_was_asked_for():
    figure = plotting.new_figure(3, 2)
    figure.subplots().plot([0, 1], [1, 0])
    image = cv2.imdecode(np.frombuffer(plotting.png_bytes(figure, dpi=50), np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (100, 150, 3)
    assert image.min() < 100
