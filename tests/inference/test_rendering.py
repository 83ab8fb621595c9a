import cv2
import numpy as np

from hd2s_tf.inference import rendering


def test_an_overlay_mixes_frame_and_heat_by_the_saliency():
    generator = np.random.default_rng(0)
    frame = generator.integers(0, 256, (16, 16, 3), np.uint8)
    saliency_map = np.arange(256, dtype=np.uint8).reshape(16, 16)
    heat = cv2.applyColorMap(saliency_map, cv2.COLORMAP_JET)[..., ::-1]
    share = 0.65 * saliency_map[..., np.newaxis] / 255
    expected = (1 - share) * frame + share * heat
    found = rendering.overlay(frame, saliency_map)
    assert found.dtype == np.uint8
    # Shares and both terms are rounded.
    assert np.abs(found - expected).max() <= 2
    assert (found[0, 0] == frame[0, 0]).all()


def test_maps_side_by_side():
    strip = rendering.conspicuity_strip(np.full((2, 3), 9, np.uint8), np.zeros((4, 2, 3), np.uint8))
    assert strip.shape == (2, 15)
    assert (strip[:, :3] == 9).all()
