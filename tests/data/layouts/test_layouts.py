import numpy as np
import pytest
import scipy.io

from hd2s_tf.data import images, layouts, synthetic
from hd2s_tf.data.layouts import ValidationSplit
from hd2s_tf.errors import BadInputError


def _png(path, value=0, size=(8, 12)):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(images.png(np.full(size, value, np.uint8)))


def _ucf(folder, videos=("a", "b", "c"), frames=2, split="training"):
    for name in videos:
        for kind in ("images", "maps", "fixation"):
            for frame in range(1, frames + 1):
                _png(folder / split / name / kind / f"{frame:03d}.png", frame)
    return folder


@pytest.fixture(scope="module")
def dhf1k(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dhf1k")
    synthetic.write_videos(folder, videos=3, frames=4, size=(48, 64))
    return folder


def test_dhf1k(dhf1k):
    records, problems = layouts.read_layout("dhf1k", dhf1k, ValidationSplit(fraction=0))
    assert not problems
    assert [record.name for record in records] == ["0001", "0002", "0003"]
    assert {record.split for record in records} == {"train"}
    assert records[0].frames.endswith("video/001.AVI")
    assert [path.rsplit("/", 3)[1:] for path in records[0].labels.map_paths[:2]] == [
        ["0001", "maps", "0001.png"],
        ["0001", "maps", "0002.png"],
    ]
    assert len(list(records[0].open())) == len(records[0].labels.fixation_paths) == 4


def test_dhf1ks_splits_are_by_number(tmp_path):
    synthetic.write_videos(tmp_path, videos=1, frames=2, size=(48, 64))
    for number in (2, 600, 601, 700, 701, 1000, 1001):
        (tmp_path / "video" / f"{number:03d}.AVI").write_bytes((tmp_path / "video" / "001.AVI").read_bytes())
    for number in (2, 600, 601, 700):
        (tmp_path / "annotation" / f"{number:04d}").symlink_to(tmp_path / "annotation" / "0001")
    records, problems = layouts.read_layout("dhf1k", tmp_path, ValidationSplit(names=("0002",)))
    assert not problems
    assert {record.name: record.split for record in records} == {
        "0001": "train", "0600": "train", "0002": "validation", "0601": "test", "0700": "test", "0701": "test",
        "1000": "test",
    }  # fmt: skip
    assert [record.labels is None for record in records] == [False] * 5 + [True] * 2
    # Nothing that is scored chooses the weights.
    chosen = [record.name for record in layouts.read_layout("dhf1k", tmp_path)[0] if record.split == "validation"]
    assert len(chosen) == 1
    assert chosen[0] in ("0001", "0002", "0600")


def test_named_and_chosen_validation_videos(dhf1k, tmp_path):
    records, _ = layouts.read_layout("dhf1k", dhf1k, ValidationSplit(names=("0002",)))
    assert [record.name for record in records if record.split == "validation"] == ["0002"]
    with pytest.raises(BadInputError, match="not among the training videos: 0009"):
        layouts.read_layout("dhf1k", dhf1k, ValidationSplit(names=("0009",)))
    _ucf(tmp_path, [f"v{number:02d}" for number in range(20)], frames=1)
    chosen = [
        [record.name for record in layouts.read_layout("ucf_sports", tmp_path, ValidationSplit(seed=seed))[0]
         if record.split == "validation"]
        for seed in (0, 0, 1)
    ]  # fmt: skip
    assert chosen[0] == chosen[1] != chosen[2]
    assert len(chosen[0]) == 2


@pytest.mark.parametrize("layout", ["ucf_sports", "hollywood2", "stills"])
def test_ucf(tmp_path, layout):
    _ucf(_ucf(tmp_path), ("d",), split="testing")
    records, problems = layouts.read_layout(layout, tmp_path, ValidationSplit(fraction=0))
    assert not problems
    assert [(record.name, record.split) for record in records] == [
        ("a", "train"), ("b", "train"), ("c", "train"), ("d", "test"),
    ]  # fmt: skip
    assert len(records[0].frames) == len(records[0].labels.map_paths) == 2


def test_ledov(tmp_path):
    for path in ("a/one.mp4", "b/two.avi", "three.mp4"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"x")
    records, _ = layouts.read_layout("ledov", tmp_path, ValidationSplit(fraction=0))
    assert [record.name for record in records] == ["one", "three", "two"]
    assert records[0].labels is None
    (tmp_path / "Training.txt").write_text("two\n")
    (tmp_path / "Testing.txt").write_text("one\nmissing\n")
    records, problems = layouts.read_layout("ledov", tmp_path)
    assert [(record.name, record.split) for record in records] == [("two", "train"), ("one", "test")]
    assert "names the video missing" in str(problems[0])


def test_ledovs_lists_with_odd_names_and_without_validation(tmp_path):
    names = ["a.b", "ü x", *(f"v{number}" for number in range(18))]
    for name in names:
        (tmp_path / f"{name}.mp4").write_bytes(b"x")
    (tmp_path / "train.txt").write_text("\n".join([*names[:-1], "v0.mp4"]))
    records, problems = layouts.read_layout("ledov", tmp_path)
    assert not problems
    assert sorted(record.name for record in records) == sorted(names[:-1])
    assert sum(record.split == "validation" for record in records) == 2
    (tmp_path / "test.txt").write_text("v1\nv17\n")
    _, problems = layouts.read_layout("ledov", tmp_path)
    assert [str(problem) for problem in problems] == [f"{tmp_path}/v1.mp4: listed for train and for test"]


def test_links_that_lead_back_and_videos_of_one_name(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for link in ("one", "two"):
        (tmp_path / "a" / "b" / link).symlink_to(tmp_path)
    (tmp_path / "a" / "x.mp4").write_bytes(b"x")
    records, problems = layouts.read_layout("ledov", tmp_path, ValidationSplit(fraction=0))
    assert ([record.name for record in records], problems) == (["x"], [])
    (tmp_path / "a" / "b" / "x.avi").write_bytes(b"x")
    _, problems = layouts.read_layout("ledov", tmp_path)
    assert "x.mp4: another video has the same name" in str(problems[0])


def test_dhf1k_as_extracted_frames_with_matlab_fixations(tmp_path):
    for frame in range(1, 4):
        _png(tmp_path / "video" / "001" / f"{frame:05d}.png", frame)
        _png(tmp_path / "annotation" / "0001" / "maps" / f"{frame:04d}.png", frame)
        matlab = tmp_path / "annotation" / "0001" / "fixation" / "maps" / f"{frame:04d}.mat"
        matlab.parent.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(matlab, {"I": np.eye(8, 12, dtype=np.uint8)})
    records, problems = layouts.read_layout("dhf1k", tmp_path, ValidationSplit(fraction=0))
    assert not problems
    assert [frame[0, 0, 0] for frame in records[0].open()] == [1, 2, 3]
    assert [path[-8:] for path in records[0].labels.fixation_paths] == ["0001.mat", "0002.mat", "0003.mat"]
    (tmp_path / "video" / "001" / "00002.png").unlink()
    _, problems = layouts.read_layout("dhf1k", tmp_path)
    assert "0002.png: maps or frames are missing beside 0002.png (1 such files)" in str(problems[0])


def test_maps_that_do_not_match_are_named(tmp_path):
    _ucf(tmp_path)
    (tmp_path / "training" / "a" / "maps" / "001.png").unlink()
    records, problems = layouts.read_layout("ucf_sports", tmp_path, ValidationSplit(fraction=0))
    assert [record.name for record in records] == ["b", "c"]
    assert "a/images/001.png: maps or frames are missing beside 001.png" in str(problems[0])


def test_a_map_missing_in_the_middle_is_named(dhf1k, tmp_path):
    synthetic.write_videos(tmp_path, videos=1, frames=4, size=(48, 64))
    for kind in ("maps", "fixation"):
        (tmp_path / "annotation" / "0001" / kind / "0002.png").unlink()
    _, problems = layouts.read_layout("dhf1k", tmp_path)
    assert "the next map is number 3, not 2" in str(problems[0])


def test_folders_that_are_no_data_set(tmp_path):
    for layout, message in (("dhf1k", "layout dhf1k has it"), ("ucf_sports", "no videos"), ("x", "no layout 'x'")):
        with pytest.raises(BadInputError, match=message):
            layouts.read_layout(layout, tmp_path)
    with pytest.raises(BadInputError, match="no such folder"):
        layouts.read_layout("dhf1k", tmp_path / "nothing")
