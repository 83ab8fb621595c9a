import pytest

from hd2s_tf.data import layouts
from hd2s_tf.data.layouts import ValidationSplit
from tests.data.layouts.folders import write_ucf


@pytest.mark.parametrize("layout", ["ucf_sports", "hollywood2", "stills"])
def test_ucf(tmp_path, layout):
    write_ucf(write_ucf(tmp_path), ("d",), split="testing")
    records, problems = layouts.read_layout(layout, tmp_path, ValidationSplit(fraction=0))
    assert not problems
    assert [(record.name, record.split) for record in records] == [
        ("a", "train"), ("b", "train"), ("c", "train"), ("d", "test"),
    ]  # fmt: skip
    assert len(records[0].frames) == len(records[0].labels.map_paths) == 2


def test_maps_that_do_not_match_are_named(tmp_path):
    write_ucf(tmp_path)
    (tmp_path / "training" / "a" / "maps" / "001.png").unlink()
    records, problems = layouts.read_layout("ucf_sports", tmp_path, ValidationSplit(fraction=0))
    assert [record.name for record in records] == ["b", "c"]
    assert "a/images/001.png: maps or frames are missing beside 001.png" in str(problems[0])
