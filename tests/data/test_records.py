import shutil

import numpy as np
import pytest

from hd2s_tf.data import layouts, preparation, records, synthetic
from hd2s_tf.errors import BadInputError, RunError


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    synthetic.write_videos(folder / "source", videos=2, frames=20, size=(64, 96))
    given = {"options": preparation.Options(32, 48), "validation": layouts.ValidationSplit(fraction=0), "workers": 1}
    preparation.prepare("dhf1k", str(folder / "source"), str(folder / "out"), **given)
    return folder / "out"


def test_records_without_observers_are_as_they_were():
    frame = records.FrameRecord(b"j", b"p", np.array([[0.1, 0.2]], np.float32))
    assert b"observers" not in records.write_frame(frame)
    assert records.parse_frame(records.write_frame(frame)).observers.size == 0
    seen = records.FrameRecord(b"j", b"p", np.zeros((2, 2), np.float32), np.array([3, 1], np.int32))
    assert records.parse_frame(records.write_frame(seen)).observers.tolist() == [3, 1]


def test_shards_are_tfrecords(prepared):
    import tensorflow as tf

    path = next((prepared / "train").glob("*.tfrecord"))
    assert sum(1 for _ in tf.data.TFRecordDataset(str(path))) == 40


def test_damaged_shards_are_found(prepared, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(prepared, folder)
    path = next((folder / "train").glob("*.tfrecord"))
    data = bytearray(path.read_bytes())
    loaded = records.load_dataset(folder, "train")
    data[int(loaded.videos[0].offsets[3]) + 40] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(RunError, match="0001, frame 4, fails its checksum"):
        loaded.videos[0].read(np.arange(16))
    assert loaded.videos[0].read(np.array([2]))
    path.write_bytes(bytes(data[:-5]))
    with pytest.raises(BadInputError, match="missing or truncated"):
        records.load_dataset(folder, "train")
