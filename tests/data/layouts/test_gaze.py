"""Tables of gaze and what they are read as, from end to end."""

import fractions
import json

import numpy as np
import pytest

from hd2s_tf.data import frame_source, images, layouts, preparation, records, synthetic
from hd2s_tf.data.gaze import tables
from hd2s_tf.data.gaze.events import Detection
from hd2s_tf.data.gaze.settings import GazeSettings
from hd2s_tf.data.layouts import ValidationSplit
from hd2s_tf.errors import BadInputError

_HEADER = "image,observer,onset_ms,duration_ms,x,y"


def _image(path, size=(100, 200)):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(images.png(np.zeros((*size, 3), np.uint8)))


def _video(path, times, size=(64, 96)):
    """A video whose frames appear at these times in ms."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1000)
        stream.height, stream.width = size
        for time in times:
            frame = av.VideoFrame.from_ndarray(np.full((*size, 3), 90, np.uint8), format="rgb24")
            frame.pts = time
            frame.time_base = fractions.Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _read(folder, **settings):
    layout = layouts.layout_named("gaze", GazeSettings(**settings))
    records, problems = layouts.read_layout(layout, folder, ValidationSplit(fraction=0))
    return {record.name: record for record in records}, problems, layout.report()


def _still(tmp_path, rows, header=_HEADER, names=("a",), **settings):
    for name in names:
        _image(tmp_path / f"{name}.png")
    (tmp_path / "fixations.csv").write_text("\n".join([header, *rows]) + "\n")
    return _read(tmp_path, **settings)


def _points(record, index=0):
    """(x, y) in pixels of the stimulus."""
    points = record.labels.read_fixations(index) * record.labels.size
    return points[:, ::-1].round(2).tolist()


def test_an_image_has_every_fixation(tmp_path):
    records, problems, report = _still(tmp_path, ["a,p1,0,200,50,25", "a,p2,9000,100,150.5,75"])
    assert not problems
    assert _points(records["a"]) == [[50.0, 25.0], [150.5, 75.0]]
    labels = records["a"].labels.read(0, (100, 200))
    assert labels.observers.tolist() == [0, 1]
    # The second one lies in the middle of two pixels, the first one at the corner of four.
    assert np.argwhere(labels.saliency_map == 255).tolist() == [[74, 150], [75, 150]]
    assert report["observers"] == ["p1", "p2"]
    assert report["gaze"]["counts"] == {"rows": 2}
    assert "x and y are stimulus pixels, times ms" in report["gaze"]["understood"][0]


def test_frames_have_the_fixations_that_last_while_they_are_shown(tmp_path):
    # The frame rate changes: shown at 0, 40, 80 and 400 ms, the last one for 40 ms.
    _video(tmp_path / "v.mp4", [0, 40, 80, 400])
    rows = ["v,p,0,40,10,10", "v,p,60,30,20,10", "v,p,300,150,30,10", "v,p,410,5000,40,10", "v,p,445,10,50,10"]
    (tmp_path / "fixations.csv").write_text("\n".join([_HEADER.replace("image", "video"), *rows]))
    records, problems, report = _read(tmp_path)
    assert not problems
    labels = records["v"].labels
    assert labels.frame_names == ("0001", "0002", "0003", "0004")
    xs = [[x for x, _ in _points(records["v"], index)] for index in range(4)]
    assert xs == [[10.0], [20.0], [20.0, 30.0], [30.0, 40.0]]
    assert report["gaze"]["counts"] == {"rows": 5, "fixations cut at the end": 2, "fixations after the end": 1}
    assert labels.read(3).saliency_map.shape == (64, 96)


def test_times_in_frames(tmp_path):
    _video(tmp_path / "v.mp4", [0, 40, 80, 400])
    (tmp_path / "gaze.csv").write_text(
        "video,observer,frame,x,y\n" + "".join(f"v,p,{n},{10 * n},5\n" for n in (1, 2, 3, 4))
    )
    records, problems, report = _read(tmp_path, fixations="raw")
    assert not problems
    assert [_points(records["v"], index) for index in range(4)] == [
        [[10.0, 5.0]],
        [[20.0, 5.0]],
        [[30.0, 5.0]],
        [[40.0, 5.0]],
    ]


def test_samples_become_fixations_or_remain_samples(tmp_path):
    times = np.arange(0, 600, 4)
    xs = np.where(times < 300, 50, 150)
    rows = [f"a,p,{time},{x},25" for time, x in zip(times, xs, strict=True)]
    rows[20] = "a,p,80,,"
    header = "image,observer,time_ms,x,y"
    records, _, report = _still(tmp_path, rows, header)
    assert _points(records["a"]) == [[50.0, 25.0], [150.0, 25.0]]
    assert report["gaze"]["counts"]["rows without coordinates"] == 1
    assert "30 degrees" in report["gaze"]["understood"][-1]
    assert len(_points(_still(tmp_path, rows, header, fixations="idt")[0]["a"])) == 2
    assert len(_points(_still(tmp_path, rows, header, fixations="raw")[0]["a"])) == 149
    fast = Detection(velocity=1e6)
    assert len(_points(_still(tmp_path, rows, header, detection=fast)[0]["a"])) == 1


def test_tobiis_rows_of_one_fixation_and_its_clock(tmp_path):
    _video(tmp_path / "v.mp4", range(0, 1000, 40))
    header = (
        "Recording timestamp [ms]\tParticipant name\tPresented Stimulus name\tEye movement type\t"
        "Gaze event duration [ms]\tEye movement type index\tFixation point X (MCSnorm)\tFixation point Y (MCSnorm)"
    )
    rows = [f"{5000 + 10 * n}\tp\t\tUnclassified\t\t\t\t" for n in range(3)]
    rows += [f"{6000 + 10 * n}\tp\tv\tFixation\t200\t1\t0,25\t0,5" for n in range(20)]
    rows += [f"{6200 + 10 * n}\tp\tv\tSaccade\t30\t1\t\t" for n in range(3)]
    rows += [f"{6230 + 10 * n}\tp\tv\tFixation\t100\t2\t0,75\t0,5" for n in range(10)]
    (tmp_path / "export.tsv").write_text("\n".join([header, *rows]))
    records, problems, report = _read(tmp_path)
    assert not problems
    assert _points(records["v"], 0) == [[24.0, 32.0]]
    assert _points(records["v"], 6) == [[72.0, 32.0]]
    assert report["gaze"]["fixations"] == 2
    assert report["gaze"]["counts"] == {"rows": 36, "rows of no video": 3, "rows that are no fixation": 3}
    assert "decimal commas" in report["gaze"]["understood"][0]


def test_gazepoints_last_row_of_a_fixation_counts_across_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PIECE_ROWS", 4)
    header = "MEDIA_NAME,FPOGX,FPOGY,FPOGS,FPOGD,FPOGID,FPOGV"
    rows = [f"a,0.5,0.5,0.0,{0.1 * n:.1f},1,1" for n in range(1, 7)]
    rows += [f"a,0.25,0.5,0.7,{0.1 * n:.1f},2,1" for n in range(1, 4)] + ["a,0.9,0.9,1.1,0.2,3,0"]
    records, _, report = _still(tmp_path, rows, header)
    assert _points(records["a"]) == [[100.0, 50.0], [50.0, 50.0]]
    assert report["gaze"]["counts"] == {"rows": 10, "rows not valid": 1}
    assert report["observers"] == ["fixations"]


def test_pixels_of_a_screen_with_bars(tmp_path):
    rows = ["a,p,0,100,960,540", "a,p,200,100,1,60.1", "a,p,400,100,960,59"]
    records, _, report = _still(tmp_path, rows, screen=(1080, 1920))
    assert _points(records["a"]) == [[100.0, 50.0], [pytest.approx(0.1), pytest.approx(0.01)]]
    assert report["gaze"]["counts"]["rows beside the stimulus"] == 1


def test_a_table_for_each_observer(tmp_path):
    for name in ("a", "b"):
        _image(tmp_path / "images" / f"{name}.png")
    (tmp_path / "gaze").mkdir()
    for observer in ("anna", "bert"):
        (tmp_path / "gaze" / f"{observer}_fixations.csv").write_text(
            "image,time_s,duration_s,x,y\na,0,0.2,5,5\nb,0,0.3,6,6\n"
        )
    records, problems, report = _read(tmp_path)
    assert not problems
    assert report["observers"] == ["anna", "bert"]
    assert len(_points(records["a"])) == 2
    pattern = str(tmp_path / "gaze" / "a*.csv")
    assert _read(tmp_path, tables=(pattern,))[2]["observers"] == ["anna"]


def test_a_table_for_each_video_of_each_observer(tmp_path):
    for name in ("a", "b"):
        _image(tmp_path / f"{name}.png")
        for observer in ("anna", "bert"):
            (tmp_path / observer).mkdir(exist_ok=True)
            (tmp_path / observer / f"{name}.csv").write_text("time_s,duration_s,x,y\n0,0.2,5,5\n")
    records, problems, report = _read(tmp_path)
    assert not problems
    assert (report["observers"], len(_points(records["a"]))) == (["anna", "bert"], 2)


def test_some_observers(tmp_path):
    rows = [f"a,p{number},0,200,{10 * number},25" for number in range(1, 6)]
    assert [x for x, _ in _points(_still(tmp_path, rows, observers="even")[0]["a"])] == [20.0, 40.0]
    records, _, report = _still(tmp_path, rows, observers="p5,p1")
    assert report["observers"] == ["p1", "p5"]
    assert records["a"].labels.read(0).observers.tolist() == [0, 1]
    with pytest.raises(BadInputError, match="no observer 'p9'"):
        _still(tmp_path, rows, observers="p9")


def test_splits_by_folder_list_and_fraction(tmp_path):
    for name in ("training/a", "validation/b", "testing/deep/c", "d"):
        _image(tmp_path / f"{name}.png")
    (tmp_path / "fixations.csv").write_text("\n".join([_HEADER, *(f"{name},p,0,100,5,5" for name in "abcd")]))
    records, _, _ = _read(tmp_path)
    assert {name: record.split for name, record in records.items()} == {
        "a": "train",
        "b": "validation",
        "c": "test",
        "d": "train",
    }
    splits = tmp_path / "splits.csv"
    splits.write_text("image,split\nd,test\na.png,validation\n")
    records, _, _ = _read(tmp_path, split_list=str(splits))
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
            _read(tmp_path, split_list=str(splits))


@pytest.mark.parametrize(
    "rows, header, message",
    [
        (["a,p,0,100,5"], "image,observer,onset_ms,duration_ms,x", "fixations.csv, line 1: no columns for y among"),
        (["a,p,0,100,5,5", "a,p,0,100,five,5"], _HEADER, "fixations.csv, line 3, column x: 'five' is not a number"),
        (["a,p,0,100,500,25", "a,p,0,200,600,25"], _HEADER,
         "fixations.csv, line 2, columns x and y: 500 and 25 lie beside .*a.png, as do 2 of 2 rows: no stimulus"),
        (["a,p,0,100,0.5,0.5"] + ["a,p,0,200,60,25"] * 9, _HEADER,
         "fixations.csv, line 2, columns x and y: units are mixed: 0.5 and 0.5 among stimulus pixels"),
        (["a,p,0,0.1,60,25"] + ["a,p,0,200,60,25"] * 9, _HEADER,
         "fixations.csv, line 2, column duration_ms: units are wrong or mixed: a fixation of 0.1 ms"),
        (["b,p,0,100,5,5", "a,p,0,100,5,5"], _HEADER,
         "fixations.csv, line 2, column image: no video or image is called 'b'"),
    ],
)  # fmt: skip
def test_bad_tables_are_named_by_file_line_and_column(tmp_path, rows, header, message):
    with pytest.raises(BadInputError, match=message):
        _, problems, _ = _still(tmp_path, rows, header)
        raise BadInputError(str(problems[0]))


def test_other_bad_input(tmp_path):
    _, problems, _ = _still(tmp_path, ["a,p,0,100,5,5"], names=("a", "lonely"))
    assert [str(problem) for problem in problems] == [f"{tmp_path}/lonely.png: no gaze"]
    (tmp_path / "fixations.csv").write_text(_HEADER + "\n")
    with pytest.raises(BadInputError, match="a header and no rows"):
        _read(tmp_path)
    (tmp_path / "fixations.csv").unlink()
    with pytest.raises(BadInputError, match="no table of gaze"):
        _read(tmp_path)
    with pytest.raises(BadInputError, match="no such table"):
        _read(tmp_path, tables=(str(tmp_path / "*.tsv"),))


def test_gaze_after_the_end_has_another_unit_or_clock(tmp_path):
    _video(tmp_path / "v.mp4", range(0, 400, 40))
    (tmp_path / "g.csv").write_text("video,observer,time_ms,duration_ms,x,y\nv,p,5000,100,5,5\nv,p,6000,100,5,5\n")
    _, problems, _ = _read(tmp_path)
    assert "g.csv, line 2, column time_ms: 5000 ms is after the end of" in str(problems[0])
    records, problems, _ = _read(tmp_path, clock="recording")
    assert not problems
    assert len(_points(records["v"])) == 1


def test_what_is_odd_is_counted_and_said(tmp_path, caplog):
    rows = ["a,p,0,100,5,5", "a,p,0,100,5,5", "a,q,0,100,7,7", "a,p,200,0,5,5", "a,p,300,100,,", "a,p,400,100,-3,5"]
    _, problems, report = _still(tmp_path, rows)
    assert not problems
    assert report["gaze"]["counts"] == {
        "rows": 6,
        "duplicate rows": 1,
        "fixations of no duration": 1,
        "rows without coordinates": 1,
        "rows beside the stimulus": 1,
    }
    assert report["gaze"]["observers_with_one_fixation"] == ["p", "q"]


def test_units_of_tables_must_agree(tmp_path):
    _image(tmp_path / "a.png")
    for name, unit in (("p", 1), ("q", 1000)):
        lines = [f"a,{0.3 * n * unit},{0.2 * unit},5,5" for n in range(5)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["image,time,duration,x,y", *lines]))
    with pytest.raises(BadInputError, match="q.csv: units are mixed: its time unit is ms by its values, .*p.csv s"):
        _read(tmp_path)


def test_pieces_do_not_change_the_result(tmp_path, monkeypatch):
    synthetic.write_gaze(tmp_path, videos=2, frames=30, observers=3)
    whole = _read(tmp_path)[0]
    monkeypatch.setattr(tables, "PIECE_ROWS", 7)
    parts = _read(tmp_path)[0]
    assert whole.keys() == parts.keys() == {"clip01", "clip02"}
    assert [record.fingerprint() for record in whole.values()] == [record.fingerprint() for record in parts.values()]


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


def test_records_without_observers_are_as_they_were():
    frame = records.FrameRecord(b"j", b"p", np.array([[0.1, 0.2]], np.float32))
    assert b"observers" not in records.write_frame(frame)
    assert records.parse_frame(records.write_frame(frame)).observers.size == 0
    seen = records.FrameRecord(b"j", b"p", np.zeros((2, 2), np.float32), np.array([3, 1], np.int32))
    assert records.parse_frame(records.write_frame(seen)).observers.tolist() == [3, 1]


def test_settings_of_gaze_belong_to_its_layout(prepared):
    with pytest.raises(BadInputError, match="takes no settings of gaze"):
        layouts.layout_named("dhf1k", GazeSettings())
    json.dumps(GazeSettings(columns=(("x", "X"),)).description())
    assert frame_source.open_frames(str(prepared / "mine" / "videos" / "clip01.mp4")).frame_count == 20
