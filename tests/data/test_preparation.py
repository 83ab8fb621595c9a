import hashlib
import json
import shutil

import numpy as np
import pytest

from hd2s_tf.data import clips, fixations, images, layouts, preparation, preprocessing, records, synthetic
from hd2s_tf.errors import BadInputError


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    synthetic.write_videos(folder, videos=3, frames=20, size=(64, 96))
    return folder


def _prepare(source, output, options=preparation.Options(32, 48), **arguments):
    validation = layouts.ValidationSplit(names=("0003",))
    return preparation.prepare(
        "dhf1k", str(source), str(output), options=options, validation=validation, workers=1, **arguments
    )


@pytest.fixture(scope="module")
def prepared(source, tmp_path_factory):
    output = tmp_path_factory.mktemp("prepared")
    _prepare(source, output)
    return output


def _files(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_description_says_what_is_there(prepared):
    information = json.loads((prepared / "train" / "dataset.json").read_text())
    assert information["counts"] == {"videos": 2, "frames": 40, "frames_without_target": 0}
    assert information["videos"] == ["0001", "0002"]
    shard = information["shards"][0]
    assert hashlib.sha256((prepared / "train" / shard["file"]).read_bytes()).hexdigest() == shard["sha256"]
    assert records.load_dataset(prepared, "validation").videos[0].name == "0003"


def test_frames_maps_and_fixations_are_the_sources(source, prepared):
    stored = records.load_dataset(prepared, "train").videos[1].read(np.array([7]))[0]
    truth = images.read_map(str(source / "annotation" / "0002" / "maps" / "0008.png"))
    point = np.unravel_index(truth.argmax(), truth.shape)
    np.testing.assert_allclose(stored.fixations[0] * truth.shape, np.array(point) + 0.5, atol=1.0)
    assert stored.image[:2] == b"\xff\xd8"


def test_splits_to_evaluate_on_keep_full_size_maps_beside_those_of_clips(source, prepared):
    validation = records.load_dataset(prepared, "validation")
    assert validation.full_size_truth and not records.load_dataset(prepared, "train").full_size_truth
    stored = validation.videos[0].read(np.array([7]))[0]
    annotation = source / "annotation" / "0003"
    truth = images.read_map(str(annotation / "maps" / "0008.png"))
    np.testing.assert_array_equal(stored.decode_largest_map(), truth)
    np.testing.assert_array_equal(stored.decode_map(), preprocessing.resize(truth, (32, 48)))
    fixated = fixations.read_fixation_map(str(annotation / "fixation" / "0008.png"))
    np.testing.assert_array_equal(fixations.to_map(stored.fixations, truth.shape), fixated)
    train = records.load_dataset(prepared, "train").videos[0].read(np.array([7]))[0]
    assert not train.full_size_map and train.decode_largest_map().shape == (32, 48)


def test_full_size_maps_change_neither_clips_nor_other_splits(source, prepared, tmp_path):
    _prepare(source, tmp_path, preparation.Options(32, 48, full_size_splits=()))
    without = records.load_dataset(tmp_path, "validation")
    assert not without.full_size_truth
    assert without.information["options"].keys() == {"height", "width", "jpeg_quality", "validation"}
    for name in ("shard-00000.tfrecord", "shard-00000.index.json"):
        assert (tmp_path / "train" / name).read_bytes() == (prepared / "train" / name).read_bytes()
    kept, lean = (
        next(iter(clips.evaluation_clips(dataset, batch_size=5, size=(32, 48))))
        for dataset in (records.load_dataset(prepared, "validation"), without)
    )
    for name in ("clip", "saliency_map", "fixation_map"):
        np.testing.assert_array_equal(kept[name], lean[name])
    # Prepared again with full-size maps, the split is written anew.
    _prepare(source, tmp_path)
    assert _files(tmp_path) == _files(prepared)


def test_an_interrupted_preparation_ends_like_a_whole_one(source, prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "_SHARD_FRAMES", 20)
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    _prepare(source, whole)
    shutil.copytree(whole, resumed)
    # As after a kill: no description, one shard missing, one half written under its temporary name.
    (resumed / "train" / "dataset.json").unlink()
    first, second = sorted((resumed / "train").glob("*.tfrecord"))
    (resumed / "train" / f"{second.name}.12345678.tmp").write_bytes(second.read_bytes()[:100])
    second.unlink()
    kept = first.stat().st_mtime_ns
    with pytest.raises(BadInputError, match="not finished"):
        records.load_dataset(resumed, "train")
    _prepare(source, resumed)
    assert first.stat().st_mtime_ns == kept
    assert _files(resumed) == _files(whole)


def test_broken_videos_are_named_or_left_out(source, tmp_path):
    folder = tmp_path / "source"
    shutil.copytree(source, folder)
    (folder / "annotation" / "0001" / "maps" / "0004.png").write_bytes(b"broken")
    with pytest.raises(BadInputError, match="0001/maps/0004.png: not an image"):
        _prepare(folder, tmp_path / "out")
    written = _prepare(folder, tmp_path / "out", skip_bad=True)["train"]
    assert written["videos"] == ["0002"]
    assert "0004.png" in written["left_out"][0]


def test_a_truncated_video_is_named(source, tmp_path):
    folder = tmp_path / "source"
    shutil.copytree(source, folder)
    path = folder / "video" / "002.AVI"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadInputError, match="002.AVI"):
        _prepare(folder, tmp_path / "out")


def test_a_truncated_unlabelled_video_is_named(source, tmp_path):
    data = (source / "video" / "002.AVI").read_bytes()
    (tmp_path / "videos").mkdir()
    for name, content in (("good", data), ("half", data[: len(data) // 2]), ("none", b"")):
        (tmp_path / "videos" / f"{name}.avi").write_bytes(content)

    def prepare(**arguments):
        validation, options = layouts.ValidationSplit(fraction=0), preparation.Options(32, 48)
        given = ("ledov", str(tmp_path / "videos"), str(tmp_path / "out"))
        return preparation.prepare(*given, options=options, validation=validation, workers=1, **arguments)["train"]

    with pytest.raises(BadInputError, match="half.avi: truncated or damaged|none.avi: the file is empty"):
        prepare()
    written = prepare(skip_bad=True)
    assert written["videos"] == ["good"]
    assert [line.split(":")[0][-8:] for line in written["left_out"]] == ["half.avi", "none.avi"]
    # A video that was left out once is prepared once it is whole.
    with pytest.raises(BadInputError, match="half.avi|none.avi"):
        prepare()
    for name in ("half", "none"):
        (tmp_path / "videos" / f"{name}.avi").write_bytes(data)
    assert prepare()["videos"] == ["good", "half", "none"]


def test_maps_of_another_aspect_and_black_maps(source, tmp_path):
    folder = tmp_path / "source"
    shutil.copytree(source, folder)
    black, fixations = (folder / "annotation" / "0001" / kind / "0004.png" for kind in ("maps", "fixation"))
    black.write_bytes(images.png(np.zeros((64, 96), np.uint8)))
    with pytest.raises(BadInputError, match="maps/0004.png: all black, but .*fixation/0004.png has fixations"):
        _prepare(folder, tmp_path / "out")
    fixations.write_bytes(black.read_bytes())
    written = _prepare(folder, tmp_path / "out")["train"]
    assert written["counts"]["frames_without_target"] == 1
    loaded = records.load_dataset(tmp_path / "out", "train")
    assert not loaded.videos[0].targets[3]
    assert loaded.videos[0].targets.sum() == 19
    black.write_bytes(images.png(np.ones((96, 96), np.uint8)))
    with pytest.raises(BadInputError, match="0004.png: the map is 96x96, its frame 96x64"):
        _prepare(folder, tmp_path / "out")


def test_fixations_that_are_all_lost_are_named(source, tmp_path):
    folder = tmp_path / "source"
    shutil.copytree(source, folder)
    for path in (folder / "annotation" / "0002" / "fixation").iterdir():
        path.write_bytes(images.png(np.zeros((64, 96), np.uint8)))
    with pytest.raises(BadInputError, match="0002: 20 maps, but not one fixation in the files beside them"):
        _prepare(folder, tmp_path / "out")
    assert _prepare(folder, tmp_path / "out", skip_bad=True)["train"]["videos"] == ["0001"]


@pytest.mark.parametrize("maps", [18, 22])
def test_fewer_or_more_maps_than_frames_are_paired_by_number(source, tmp_path, caplog, maps):
    folder = tmp_path / "source"
    shutil.copytree(source, folder)
    for kind in ("maps", "fixation"):
        annotation = folder / "annotation" / "0001" / kind
        for number in range(19, maps + 1):
            if number > 20:
                shutil.copy(annotation / "0020.png", annotation / f"{number:04d}.png")
        for number in range(maps + 1, 21):
            (annotation / f"{number:04d}.png").unlink()
    _prepare(folder, tmp_path / "out")
    assert f"0001: 20 frames for {maps} maps, paired by number" in caplog.text
    loaded = records.load_dataset(tmp_path / "out", "train").videos[0]
    assert loaded.targets.tolist() == [index < maps for index in range(20)]


@pytest.mark.parametrize(
    "options", [{"height": 8}, {"width": 10000}, {"jpeg_quality": 0}, {"full_size_splits": ("tset",)}]
)
def test_options_that_make_no_sense(source, tmp_path, options):
    with pytest.raises(BadInputError):
        preparation.prepare("dhf1k", str(source), str(tmp_path), options=preparation.Options(**options))
