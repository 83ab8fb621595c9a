"""Tables of gaze and what they are read as, from end to end."""

import json

import numpy as np
import pytest

from hd2s_tf.data import frame_source, layouts, preparation, records, synthetic
from hd2s_tf.data.gaze.settings import GazeSettings
from hd2s_tf.errors import BadInputError
from tests.data.gaze.recorded import HEADER, points_of, read, read_still, write_image


def test_some_observers(tmp_path):
    rows = [f"a,p{number},0,200,{10 * number},25" for number in range(1, 6)]
    assert [x for x, _ in points_of(read_still(tmp_path, rows, observers="even")[0]["a"])] == [20.0, 40.0]
    records, _, report = read_still(tmp_path, rows, observers="p5,p1")
    assert report["observers"] == ["p1", "p5"]
    assert records["a"].labels.read(0).observers.tolist() == [0, 1]
    with pytest.raises(BadInputError, match="no observer 'p9'"):
        read_still(tmp_path, rows, observers="p9")


def test_splits_by_folder_list_and_fraction(tmp_path):
    for name in ("training/a", "validation/b", "testing/deep/c", "d"):
        write_image(tmp_path / f"{name}.png")
    (tmp_path / "fixations.csv").write_text("\n".join([HEADER, *(f"{name},p,0,100,5,5" for name in "abcd")]))
    records, _, _ = read(tmp_path)
    assert {name: record.split for name, record in records.items()} == {
        "a": "train",
        "b": "validation",
        "c": "test",
        "d": "train",
    }
    splits = tmp_path / "splits.csv"
    splits.write_text("image,split\nd,test\na.png,validation\n")
    records, _, _ = read(tmp_path, split_list=str(splits))
    assert {name: record.split for name, record in records.items()} == {
        "a": "validation",
        "b": "validation",
        "c": "test",
        "d": "test",
    }
    for text, message in (
        ("image,split\nx,test\n", "line 2, column image: no file is called 'x'"),
        ("image,split\na,dev\n", "line 2, column split: 'dev' is none of"),
        ("image\na\n", "line 1: no columns video and split"),
    ):
        splits.write_text(text)
        with pytest.raises(BadInputError, match=message):
            read(tmp_path, split_list=str(splits))


def test_other_bad_input(tmp_path):
    _, problems, _ = read_still(tmp_path, ["a,p,0,100,5,5"], names=("a", "lonely"))
    assert [str(problem) for problem in problems] == [f"{tmp_path}/lonely.png: no gaze"]
    (tmp_path / "fixations.csv").write_text(HEADER + "\n")
    with pytest.raises(BadInputError, match="a header and no rows"):
        read(tmp_path)
    (tmp_path / "fixations.csv").unlink()
    with pytest.raises(BadInputError, match="no table of gaze"):
        read(tmp_path)
    with pytest.raises(BadInputError, match="no such table"):
        read(tmp_path, tables=(str(tmp_path / "*.tsv"),))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gaze")
    synthetic.write_gaze(folder / "mine", videos=3, frames=20, observers=4)
    options = preparation.Options(48, 64, gaze=GazeSettings())
    preparation.prepare("gaze", str(folder / "mine"), str(folder / "prepared"), options=options, workers=1)
    return folder


def test_prepared_gaze_keeps_who_looked(prepared):
    dataset = records.load_dataset(prepared / "prepared", "train")
    assert dataset.information["observers"] == ["01", "02", "03", "04"]
    assert dataset.information["gaze"]["settings"]["sigma"]["unit"] == "w"
    frame = dataset.videos[0].read(np.array([5]))[0]
    assert 1 <= len(frame.fixations) == len(frame.observers)
    assert set(frame.observers.tolist()) <= {0, 1, 2, 3}
    assert frame.decode_map().max() > 200
    # The disc is what people look at.
    y, x = frame.fixations.mean(0) * (48, 64)
    assert frame.decode_image()[round(y), round(x)].mean() > 200


def test_a_preparation_of_gaze_resumes(prepared):
    shard = next((prepared / "prepared" / "train").glob("*.tfrecord"))
    before = shard.stat().st_mtime_ns
    options = preparation.Options(48, 64, gaze=GazeSettings())
    preparation.prepare("gaze", str(prepared / "mine"), str(prepared / "prepared"), options=options, workers=1)
    assert shard.stat().st_mtime_ns == before


def test_settings_of_gaze_belong_to_its_layout(prepared):
    with pytest.raises(BadInputError, match="takes no settings of gaze"):
        layouts.layout_named("dhf1k", GazeSettings())
    json.dumps(GazeSettings(columns=(("x", "X"),)).description())
    assert frame_source.open_frames(str(prepared / "mine" / "videos" / "clip01.mp4")).frame_count == 20
