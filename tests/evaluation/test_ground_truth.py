import numpy as np
import pytest

from hd2s_tf.data import layouts, preparation, synthetic
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
