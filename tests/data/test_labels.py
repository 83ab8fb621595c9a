import numpy as np
import pytest

from hd2s_tf.data import images
from hd2s_tf.data.labels import LabelFiles
from hd2s_tf.errors import BadInputError


def _labels(tmp_path, saliency_map, fixation_map=None):
    paths = []
    for name, values in (("map", saliency_map), ("fixation", fixation_map)):
        if values is not None:
            (tmp_path / f"{name}.png").write_bytes(images.png(values))
            paths.append((str(tmp_path / f"{name}.png"),))
    return LabelFiles(*paths)


def test_maps_and_fixations_are_read_together(tmp_path):
    labels = _labels(tmp_path, np.full((10, 20), 7, np.uint8), np.uint8(np.eye(10, 20)))
    read = labels.read(0, (40, 80))
    assert (read.saliency_map == 7).all()
    np.testing.assert_array_equal(read.fixations, labels.read_fixations(0))
    assert len(read.fixations) == 10
    assert labels.promises_fixations
    assert labels.frame_names == ("map",)


def test_fixations_may_be_of_another_size_but_not_of_another_aspect(tmp_path):
    saliency_map = np.full((10, 20), 7, np.uint8)
    assert len(_labels(tmp_path, saliency_map, np.uint8(np.eye(30, 60))).read(0).fixations) == 30
    with pytest.raises(BadInputError, match="map.png: the map is 20x10, its map of fixations 20x20: another aspect"):
        _labels(tmp_path, saliency_map, np.uint8(np.eye(20))).read(0)


def test_a_black_map_with_fixations_is_refused(tmp_path):
    black = np.zeros((10, 20), np.uint8)
    with pytest.raises(BadInputError, match="map.png: all black, but .*fixation.png has fixations"):
        _labels(tmp_path, black, np.uint8(np.eye(10, 20))).read(0)
    assert not len(_labels(tmp_path, black, black).read(0).fixations)
    assert not _labels(tmp_path, black).promises_fixations


def test_a_changed_file_changes_the_fingerprint(tmp_path):
    labels = _labels(tmp_path, np.full((10, 20), 7, np.uint8))
    before = labels.fingerprint()
    _labels(tmp_path, np.random.default_rng(0).integers(0, 255, (10, 20), np.uint8))
    assert labels.fingerprint() != before
