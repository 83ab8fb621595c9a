import shutil

import numpy as np
import pytest

from hd2s_tf.data import images, layouts, preparation, synthetic
from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation import ground_truth


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "discs"
    synthetic.write_videos(folder, videos=3, frames=4, size=(48, 64))
    return str(folder)


@pytest.fixture(scope="module")
def prepared(raw, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("prepared") / "discs")
    validation = layouts.ValidationSplit(names=("0002",))
    options = preparation.Options(name="Discs")
    preparation.prepare("dhf1k", raw, folder, options=options, validation=validation, workers=1)
    return folder


def test_a_data_set_as_it_is_distributed(raw):
    videos = ground_truth.open_videos(raw, "training")
    assert [video.name for video in videos] == ["0001", "0002", "0003"]
    video = videos[0]
    assert (video.labelled, video.frame_names) == (True, ("0001", "0002", "0003", "0004"))
    truth = video.read_truth(2)
    assert truth.saliency_map.shape == truth.fixation_map.shape == (48, 64)
    assert truth.saliency_map.dtype == np.uint8 and truth.fixation_map.dtype == bool
    # One pixel is fixated, where the map peaks.
    (place,) = np.argwhere(truth.fixation_map)
    assert truth.saliency_map[tuple(place)] > 200
    assert (video.read_points(2)[0] * (48, 64)).astype(int).tolist() == place.tolist()
    assert [frame.shape for frame in video.frames()] == [(48, 64, 3)] * 4
    assert not ground_truth.is_prepared(raw, "training")
    assert ground_truth.dataset_name(raw, "training") == "discs"


def test_prepared_data(prepared):
    (video,) = ground_truth.open_videos(prepared, "validation")
    assert (video.name, len(video.frame_names)) == ("0002", 4)
    assert video.read_truth(0).fixation_map.any()
    assert ground_truth.is_prepared(prepared, "validation")
    assert ground_truth.dataset_name(prepared, "validation") == "Discs"


def test_prepared_ground_truth_is_the_data_sets_own(raw, tmp_path):
    folder = tmp_path / "discs"
    shutil.copytree(raw, folder)
    fixated = np.zeros((48, 64), bool)
    # Pixels beside each other, at the edges too, which merge at 24x32; and a frame without ground truth.
    fixated[0, :5] = fixated[47, 60:] = fixated[20:24, 30] = True
    annotation = folder / "annotation" / "0002"
    (annotation / "fixation" / "0002.png").write_bytes(images.png(np.uint8(255 * fixated)))
    for kind in ("maps", "fixation"):
        (annotation / kind / "0004.png").write_bytes(images.png(np.zeros((48, 64), np.uint8)))
    validation = layouts.ValidationSplit(names=("0002",))
    for splits in (("validation",), ()):
        options = preparation.Options(24, 32, full_size_splits=splits)
        output = str(tmp_path / f"prepared{len(splits)}")
        preparation.prepare("dhf1k", str(folder), output, options=options, validation=validation, workers=1)
    own = ground_truth.open_videos(folder, "train", names=("0002",))[0]
    (full,) = ground_truth.open_videos(tmp_path / "prepared1", "validation")
    assert own.frame_names == full.frame_names
    for index in range(4):
        assert np.array_equal(own.read_truth(index).saliency_map, full.read_truth(index).saliency_map)
        assert np.array_equal(own.read_truth(index).fixation_map, full.read_truth(index).fixation_map)
        assert np.array_equal(own.read_points(index), full.read_points(index))
    assert np.array_equal(full.read_truth(1).fixation_map, fixated)
    assert ground_truth.is_full_size(tmp_path / "prepared1", "validation")
    assert ground_truth.is_full_size(folder, "train")
    # As earlier versions prepared it.
    (small,) = ground_truth.open_videos(tmp_path / "prepared0", "validation")
    assert small.read_truth(1).saliency_map.shape == (24, 32)
    assert small.read_truth(1).fixation_map.sum() < fixated.sum() == len(small.read_points(1))
    assert small.read_truth(3) is None
    assert not ground_truth.is_full_size(tmp_path / "prepared0", "validation")
    assert not ground_truth.has_authors_split(tmp_path / "prepared1", "validation")
    assert ground_truth.has_authors_split(folder, "validation")


def test_frames_by_index(raw):
    video = ground_truth.open_videos(raw, "train")[0]
    frames = list(video.frames())
    read = video.read_frames({1, 3})
    assert sorted(read) == [1, 3]
    assert np.array_equal(read[3], frames[3])
    with pytest.raises(BadInputError, match="no frame 8"):
        video.read_frames({1, 7})


def test_what_is_not_there_is_named(raw, prepared, tmp_path):
    with pytest.raises(BadInputError, match="no videos 0009"):
        ground_truth.open_videos(raw, "train", names=("0001", "0009"))
    with pytest.raises(BadInputError, match="no split 'tset'"):
        ground_truth.open_videos(raw, "tset")
    with pytest.raises(BadInputError, match="no such folder"):
        ground_truth.open_videos(tmp_path / "x", "train")
    assert [video.name for video in ground_truth.open_videos(raw, "train", names=("0002",))] == ["0002"]
