import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from hd2s_tf.data.gaze import tables
from hd2s_tf.errors import BadInputError


def _write(tmp_path, text, name="t.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return str(path)


def _read(path, *indices):
    table = tables.open_table(path)
    pieces = list(table.pieces(indices))
    return table, [np.concatenate([piece.numbers(index) for piece in pieces]).tolist() for index in indices]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator, name", [(",", "t.csv"), ("\t", "t.tsv"), (";", "t.csv"), ("\t", "t.txt")])
def test_separators_and_encodings(tmp_path, encoding, separator, name):
    text = separator.join(["x", "größe", "y"]) + "\r\n" + separator.join(["1", "a", "2.5"]) + "\r\n\r\n"
    table, columns = _read(_write(tmp_path, text, name, encoding), 0, 2)
    assert table.headers == ["x", "größe", "y"]
    assert columns == [[1.0], [2.5]]


def test_missing_values_are_nan(tmp_path):
    _, (column,) = _read(_write(tmp_path, "x,y\n1,\n.,\n,\nNaN,\n-,\nNA,\n 7 ,\n"), 0)
    assert column[0] == 1.0
    assert np.isnan(column[1:6]).all()
    assert column[6] == 7.0


@pytest.mark.parametrize("text", ["x;y\n1,5;2\n-3,25;4\n", 'x,y\n"1,5",2\n"-3,25",4\n'])
def test_decimal_commas(tmp_path, text):
    table, columns = _read(_write(tmp_path, text), 0, 1)
    assert columns == [[1.5, -3.25], [2.0, 4.0]]
    assert "decimal commas" in table.notes


@pytest.mark.parametrize("value", ["abc", "1.2.3", "1,234,5", "inf", "12px"])
def test_text_for_a_number_is_named(tmp_path, value):
    path = _write(tmp_path, f'time [ms],x\n1,2\n\n3,"{value}"\n')
    with pytest.raises(BadInputError, match=f"t.csv, line 4, column x: '{value}' is not a number"):
        _read(path, 1)


def test_lines_are_counted_as_they_stand(tmp_path):
    path = _write(tmp_path, 'x,note\n1,"two\nlines"\n2,a\n')
    (piece,) = tables.open_table(path).pieces([0])
    assert piece.lines.tolist() == [3, 4]


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "the file is empty"),
        (b"a,b,c\n1,2,3\n4,5\n", "line 3, column c: the line ends before it"),
        (b"a,b,c\n1,2,\xff\n", "not UTF-8 text"),
        (b'a,b,c\n1,2,"' + b"x" * 200000 + b'"\n', "line 2: field larger"),
    ],
)
def test_files_that_are_no_tables(tmp_path, data, message):
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(BadInputError, match=message):
        _read(str(tmp_path / "t.csv"), 2)


def test_other_kinds_of_files_are_refused(tmp_path):
    (tmp_path / "t.xlsx").write_bytes(b"x")
    for name, message in (("t.xlsx", "not a table"), ("missing.csv", "cannot be read")):
        with pytest.raises(BadInputError, match=message):
            tables.open_table(str(tmp_path / name))


def test_pieces_are_small(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PIECE_ROWS", 10)
    path = _write(tmp_path, "x,y\n" + "".join(f"{number},0\n" for number in range(25)))
    assert [len(piece.lines) for piece in tables.open_table(path).pieces([0])] == [10, 10, 5]
    assert _read(path, 0)[1] == [list(map(float, range(25)))]


def test_parquet(tmp_path):
    columns = {"video": ["a", "b"], "x": [1.5, None], "onset_ms": [10, 20]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    table, (x, onset) = _read(str(tmp_path / "t.parquet"), 1, 2)
    assert table.headers == ["video", "x", "onset_ms"]
    assert (x[0], onset) == (1.5, [10.0, 20.0])
    assert np.isnan(x[1])


def test_parquet_without_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadInputError, match="needs the package pyarrow"):
        tables.open_table(str(tmp_path / "t.parquet"))
