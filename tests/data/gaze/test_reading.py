"""Tables of gaze, as tables are read from end to end."""

import pytest

from hd2s_tf.data import synthetic
from hd2s_tf.data.gaze import tables
from hd2s_tf.errors import BadInputError
from tests.data.gaze.recorded import HEADER, points_of, read, read_still, write_image, write_video


def test_tobiis_rows_of_one_fixation_and_its_clock(tmp_path):
    write_video(tmp_path / "v.mp4", range(0, 1000, 40))
    header = (
        "Recording timestamp [ms]\tParticipant name\tPresented Stimulus name\tEye movement type\t"
        "Gaze event duration [ms]\tEye movement type index\tFixation point X (MCSnorm)\tFixation point Y (MCSnorm)"
    )
    rows = [f"{5000 + 10 * n}\tp\t\tUnclassified\t\t\t\t" for n in range(3)]
    rows += [f"{6000 + 10 * n}\tp\tv\tFixation\t200\t1\t0,25\t0,5" for n in range(20)]
    rows += [f"{6200 + 10 * n}\tp\tv\tSaccade\t30\t1\t\t" for n in range(3)]
    rows += [f"{6230 + 10 * n}\tp\tv\tFixation\t100\t2\t0,75\t0,5" for n in range(10)]
    (tmp_path / "export.tsv").write_text("\n".join([header, *rows]))
    records, problems, report = read(tmp_path)
    assert not problems
    assert points_of(records["v"], 0) == [[24.0, 32.0]]
    assert points_of(records["v"], 6) == [[72.0, 32.0]]
    assert report["gaze"]["fixations"] == 2
    assert report["gaze"]["counts"] == {"rows": 36, "rows of no video": 3, "rows that are no fixation": 3}
    assert "decimal commas" in report["gaze"]["understood"][0]


def test_gazepoints_last_row_of_a_fixation_counts_across_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PIECE_ROWS", 4)
    header = "MEDIA_NAME,FPOGX,FPOGY,FPOGS,FPOGD,FPOGID,FPOGV"
    rows = [f"a,0.5,0.5,0.0,{0.1 * n:.1f},1,1" for n in range(1, 7)]
    rows += [f"a,0.25,0.5,0.7,{0.1 * n:.1f},2,1" for n in range(1, 4)] + ["a,0.9,0.9,1.1,0.2,3,0"]
    records, _, report = read_still(tmp_path, rows, header)
    assert points_of(records["a"]) == [[100.0, 50.0], [50.0, 50.0]]
    assert report["gaze"]["counts"] == {"rows": 10, "rows not valid": 1}
    assert report["observers"] == ["fixations"]


def test_a_table_for_each_observer(tmp_path):
    for name in ("a", "b"):
        write_image(tmp_path / "images" / f"{name}.png")
    (tmp_path / "gaze").mkdir()
    for observer in ("anna", "bert"):
        (tmp_path / "gaze" / f"{observer}_fixations.csv").write_text(
            "image,time_s,duration_s,x,y\na,0,0.2,5,5\nb,0,0.3,6,6\n"
        )
    records, problems, report = read(tmp_path)
    assert not problems
    assert report["observers"] == ["anna", "bert"]
    assert len(points_of(records["a"])) == 2
    pattern = str(tmp_path / "gaze" / "a*.csv")
    assert read(tmp_path, tables=(pattern,))[2]["observers"] == ["anna"]


def test_a_table_for_each_video_of_each_observer(tmp_path):
    for name in ("a", "b"):
        write_image(tmp_path / f"{name}.png")
        for observer in ("anna", "bert"):
            (tmp_path / observer).mkdir(exist_ok=True)
            (tmp_path / observer / f"{name}.csv").write_text("time_s,duration_s,x,y\n0,0.2,5,5\n")
    records, problems, report = read(tmp_path)
    assert not problems
    assert (report["observers"], len(points_of(records["a"]))) == (["anna", "bert"], 2)


@pytest.mark.parametrize(
    "rows, header, message",
    [
        (["a,p,0,100,5"], "image,observer,onset_ms,duration_ms,x", "fixations.csv, line 1: no columns for y among"),
        (["a,p,0,100,5,5", "a,p,0,100,five,5"], HEADER, "fixations.csv, line 3, column x: 'five' is not a number"),
        (["a,p,0,100,500,25", "a,p,0,200,600,25"], HEADER,
         "fixations.csv, line 2, columns x and y: 500 and 25 lie beside .*a.png, as do 2 of 2 rows: no stimulus"),
        (["a,p,0,100,0.5,0.5"] + ["a,p,0,200,60,25"] * 9, HEADER,
         "fixations.csv, line 2, columns x and y: units are mixed: 0.5 and 0.5 among stimulus pixels"),
        (["a,p,0,0.1,60,25"] + ["a,p,0,200,60,25"] * 9, HEADER,
         "fixations.csv, line 2, column duration_ms: units are wrong or mixed: a fixation of 0.1 ms"),
        (["b,p,0,100,5,5", "a,p,0,100,5,5"], HEADER,
         "fixations.csv, line 2, column image: no video or image is called 'b'"),
    ],
)  # fmt: skip
def test_bad_tables_are_named_by_file_line_and_column(tmp_path, rows, header, message):
    with pytest.raises(BadInputError, match=message):
        _, problems, _ = read_still(tmp_path, rows, header)
        raise BadInputError(str(problems[0]))


def test_what_is_odd_is_counted_and_said(tmp_path, caplog):
    rows = ["a,p,0,100,5,5", "a,p,0,100,5,5", "a,q,0,100,7,7", "a,p,200,0,5,5", "a,p,300,100,,", "a,p,400,100,-3,5"]
    _, problems, report = read_still(tmp_path, rows)
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
    write_image(tmp_path / "a.png")
    for name, unit in (("p", 1), ("q", 1000)):
        lines = [f"a,{0.3 * n * unit},{0.2 * unit},5,5" for n in range(5)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["image,time,duration,x,y", *lines]))
    with pytest.raises(BadInputError, match="q.csv: units are mixed: its time unit is ms by its values, .*p.csv s"):
        read(tmp_path)


def test_pieces_do_not_change_the_result(tmp_path, monkeypatch):
    synthetic.write_gaze(tmp_path, videos=2, frames=30, observers=3)
    whole = read(tmp_path)[0]
    monkeypatch.setattr(tables, "PIECE_ROWS", 7)
    parts = read(tmp_path)[0]
    assert whole.keys() == parts.keys() == {"clip01", "clip02"}
    assert [record.fingerprint() for record in whole.values()] == [record.fingerprint() for record in parts.values()]
