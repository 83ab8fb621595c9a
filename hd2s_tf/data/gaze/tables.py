"""Tables on disk, CSV, TSV or Parquet, read in pieces, so that memory does not grow with the number of rows."""

import abc
import contextlib
import csv
import dataclasses
import math
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np

from hd2s_tf import files
from hd2s_tf.errors import BadInputError

TEXT_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
PARQUET_SUFFIX = ".parquet"
SUFFIXES = TEXT_SUFFIXES | {PARQUET_SUFFIX}
PIECE_ROWS = 65536
_DELIMITERS = "\t;,|"
# What programs write for a missing value.
_MISSING = frozenset({"", ".", "-", "na", "n/a", "nan", "none", "null"})
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+\s*")


@dataclasses.dataclass(frozen=True)
class Piece:
    """Successive rows of a table.

    Attributes:
      table: that they come from.
      lines: int64 [N], the line of each row in the file; of a Parquet file the row, from 1.
      columns: the values of each column that was asked for, by its index: text, or what a Parquet file holds.
    """

    table: "Table"
    lines: np.ndarray
    columns: dict[int, list]

    def texts(self, index: int) -> list[str]:
        """A column as text without surrounding spaces, empty where nothing is there."""
        return ["" if value is None else str(value).strip() for value in self.columns[index]]

    def numbers(self, index: int) -> np.ndarray:
        """A column as float64 [N], NaN where the value is missing.

        Raises:
          BadInputError: text that is no number, or an infinite one; the message names file, line and column.
        """
        values = self.columns[index]
        try:
            numbers = np.fromiter(map(float, values), np.float64, len(values))
        except (ValueError, TypeError):
            numbers = np.fromiter(
                (self._number(value, row, index) for row, value in enumerate(values)), np.float64, len(values)
            )
        infinite = np.flatnonzero(np.isinf(numbers))
        if len(infinite):
            raise self._no_number(int(infinite[0]), index)
        return numbers

    def _number(self, value: object, row: int, index: int) -> float:
        if value is None or str(value).strip().lower() in _MISSING:
            return math.nan
        try:
            return float(value)
        except (ValueError, TypeError):
            if not _DECIMAL_COMMA.fullmatch(str(value)):
                raise self._no_number(row, index) from None
        self.table.notes.setdefault("decimal commas", None)
        return float(str(value).replace(",", "."))

    def _no_number(self, row: int, index: int) -> BadInputError:
        value, header = self.columns[index][row], self.table.headers[index].strip()
        return BadInputError(f"{self.table.path}, line {self.lines[row]}, column {header}: {value!r} is not a number")


class Table(abc.ABC):
    """An opened table.

    Attributes:
      path: of the file.
      headers: names of its columns.
      notes: what was found out about the file, in order.
    """

    path: str
    headers: list[str]
    notes: dict[str, None]

    @abc.abstractmethod
    def pieces(self, indices: Sequence[int]) -> Iterator[Piece]:
        """Yields all rows, some columns of them, in pieces of at most `PIECE_ROWS`.

        Raises:
          BadInputError: a row that is too short or cannot be decoded.
        """


def open_table(path: str) -> Table:
    """Opens a table by its suffix.

    Raises:
      BadInputError: not there, empty, or of a kind that cannot be read.
    """
    if files.file_size(path) == 0:
        raise BadInputError(f"{path}: the file is empty")
    suffix = pathlib.PurePath(path).suffix.lower()
    if suffix == PARQUET_SUFFIX:
        return _ParquetTable(path)
    if suffix in TEXT_SUFFIXES:
        return _TextTable(path)
    raise BadInputError(f"{path}: not a table: their names end in {', '.join(sorted(SUFFIXES))}")


class _TextTable(Table):
    """Text with a separator, which the first line tells; UTF-8, or UTF-16 with a byte order mark."""

    def __init__(self, path: str) -> None:
        self.path, self.notes = path, {}
        with files.local_copy(path) as local, pathlib.Path(local).open("rb") as file:
            start = file.read(2)
        self._encoding = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        with self._open() as file:
            first = self._decoded(file.readline, 1)
            self._delimiter = max(_DELIMITERS, key=first.count)
            self.headers = [header.strip() for header in next(csv.reader([first], delimiter=self._delimiter), [])]
        if self._encoding == "utf-16":
            self.notes["UTF-16"] = None
        if self._delimiter != ",":
            self.notes["separated by tabs" if self._delimiter == "\t" else f"separated by {self._delimiter}"] = None

    @contextlib.contextmanager
    def _open(self) -> Iterator[IO[str]]:
        with (
            files.local_copy(self.path) as local,
            pathlib.Path(local).open(encoding=self._encoding, newline="") as file,
        ):
            yield file

    def _decoded(self, read: object, line: int) -> object:
        try:
            return read()
        except UnicodeError:
            raise BadInputError(f"{self.path}, line {line} or after it: not UTF-8 text") from None
        except csv.Error as error:
            raise BadInputError(f"{self.path}, line {line}: {error}") from None

    def pieces(self, indices: Sequence[int]) -> Iterator[Piece]:
        """See `Table`; blank lines are passed over."""
        with self._open() as file:
            reader = csv.reader(file, delimiter=self._delimiter)
            end = object()
            self._decoded(lambda: next(reader, end), 1)
            rows: list[list[str]] = []
            lines: list[int] = []
            needed = max(indices) + 1
            while (row := self._decoded(lambda: next(reader, end), reader.line_num + 1)) is not end:
                if not row:
                    continue
                if len(row) < needed:
                    missing = self.headers[len(row)]
                    raise BadInputError(
                        f"{self.path}, line {reader.line_num}, column {missing}: the line ends before it"
                    )
                rows.append(row)
                lines.append(reader.line_num)
                if len(rows) == PIECE_ROWS:
                    yield self._piece(rows, lines, indices)
                    rows, lines = [], []
            if rows:
                yield self._piece(rows, lines, indices)

    def _piece(self, rows: list[list[str]], lines: list[int], indices: Sequence[int]) -> Piece:
        return Piece(self, np.array(lines), {index: [row[index] for row in rows] for index in indices})


class _ParquetTable(Table):
    def __init__(self, path: str) -> None:
        self.path, self.notes = path, {}
        with self._open() as file:
            self.headers = list(file.schema_arrow.names)

    @contextlib.contextmanager
    def _open(self) -> Iterator[object]:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            raise BadInputError(f"{self.path}: reading it needs the package pyarrow: {error}") from error
        with files.local_copy(self.path) as local:
            try:
                file = parquet.ParquetFile(local)
            except (pyarrow.ArrowException, OSError) as error:
                raise BadInputError(f"{self.path}: not a Parquet file that can be read: {error}") from error
            with file:
                yield file

    def pieces(self, indices: Sequence[int]) -> Iterator[Piece]:
        """See `Table`."""
        names = {index: self.headers[index] for index in indices}
        row = 1
        with self._open() as file:
            for batch in file.iter_batches(PIECE_ROWS, columns=sorted(set(names.values()))):
                columns = {index: batch.column(name).to_pylist() for index, name in names.items()}
                yield Piece(self, np.arange(row, row + batch.num_rows), columns)
                row += batch.num_rows
