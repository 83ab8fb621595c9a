import pytest

from hd2s_tf.data import layouts
from hd2s_tf.data.layouts import ValidationSplit
from hd2s_tf.errors import BadInputError
from tests.data.layouts.folders import write_ucf


def test_named_and_chosen_validation_videos(dhf1k, tmp_path):
    records, _ = layouts.read_layout("dhf1k", dhf1k, ValidationSplit(names=("0002",)))
    assert [record.name for record in records if record.split == "validation"] == ["0002"]
    with pytest.raises(BadInputError, match="not among the training videos: 0009"):
        layouts.read_layout("dhf1k", dhf1k, ValidationSplit(names=("0009",)))
    write_ucf(tmp_path, [f"v{number:02d}" for number in range(20)], frames=1)
    chosen = [
        [record.name for record in layouts.read_layout("ucf_sports", tmp_path, ValidationSplit(seed=seed))[0]
         if record.split == "validation"]
        for seed in (0, 0, 1)
    ]  # fmt: skip
    assert chosen[0] == chosen[1] != chosen[2]
    assert len(chosen[0]) == 2


def test_folders_that_are_no_data_set(tmp_path):
    for layout, message in (("dhf1k", "layout dhf1k has it"), ("ucf_sports", "no videos"), ("x", "no layout 'x'")):
        with pytest.raises(BadInputError, match=message):
            layouts.read_layout(layout, tmp_path)
    with pytest.raises(BadInputError, match="no such folder"):
        layouts.read_layout("dhf1k", tmp_path / "nothing")
