import numpy as np
import scipy.io

from hd2s_tf.data import layouts, synthetic
from hd2s_tf.data.layouts import ValidationSplit
from tests.data.layouts.folders import write_png


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


def test_dhf1k_as_extracted_frames_with_matlab_fixations(tmp_path):
    for frame in range(1, 4):
        write_png(tmp_path / "video" / "001" / f"{frame:05d}.png", frame)
        write_png(tmp_path / "annotation" / "0001" / "maps" / f"{frame:04d}.png", frame)
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


def test_a_map_missing_in_the_middle_is_named(dhf1k, tmp_path):
    synthetic.write_videos(tmp_path, videos=1, frames=4, size=(48, 64))
    for kind in ("maps", "fixation"):
        (tmp_path / "annotation" / "0001" / kind / "0002.png").unlink()
    _, problems = layouts.read_layout("dhf1k", tmp_path)
    assert "the next map is number 3, not 2" in str(problems[0])
