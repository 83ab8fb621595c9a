"""Every value that the paper publishes, to stand beside ours.

`published.csv` holds tables 1 to 8 of Bellitto et al., "Hierarchical Domain-Adapted Feature Learning for Video Saliency
Prediction", IJCV 2021 (arXiv 2010.01220), as columns table, block (a data set, or source -> target), row (a method or
an arm), metric and value. HD2S, HD2S_DA and HD2S_DSL are three trainings: base, adapted to LEDOV, domain-specific. Of
table 6 it holds AUC-Judd only. The test split of DHF1K in table 1 is the benchmark's, whose ground truth is not public;
tables 3 to 7 are on its validation split (videos 601 to 700), and on the test splits of the other sets.
"""

import csv
import dataclasses
import functools
import importlib.resources

_FILE = "published.csv"
# The blocks of tables 1, 2 and 7 that are about a data set, by its normalised name, and what rows begin with there.
_METHODS = {
    "dhf1k": (("7", "DHF1K", "HD2S, "), ("1", "DHF1K test", "")),
    "hollywood2": (("2", "Hollywood2 test", ""),),
    "ucfsports": (("2", "UCF Sports test", ""),),
}
# Splits that a published row may stand beside, as names end in them.
_SPLITS = ("test", "testing", "validation", "val")


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
      table: its number.
      block: the data set it is about, or the source and the target.
      name: of the method or arm.
      values: by metric.
    """

    table: str
    block: str
    name: str
    values: dict[str, float]


@functools.cache
def load() -> tuple[Row, ...]:
    """All rows, in the paper's order."""
    values: dict[tuple[str, str, str], dict[str, float]] = {}
    text = importlib.resources.files(__package__).joinpath(_FILE).read_text()
    for line in csv.DictReader(text.splitlines()):
        row = values.setdefault((line["table"], line["block"], line["row"]), {})
        row[line["metric"]] = float(line["value"])
    return tuple(Row(*place, row) for place, row in values.items())


def find(table: str, block: str | None = None) -> list[Row]:
    """The rows of a table, or of one of its blocks."""
    return [row for row in load() if row.table == table and block in (None, row.block)]


def find_methods(dataset: str, split: str) -> list[Row]:
    """The rows that may stand beside an evaluation of a data set; none if the paper has none.

    Args:
      dataset: by any spelling of its name, with or without a split at its end: "DHF1K", "Hollywood-2 (test)".
      split: that is scored; a training split has no rows.
    """
    if split not in _SPLITS:
        return []
    name = "".join(letter for letter in dataset.lower() if letter.isalnum())
    ends = [end for end in _SPLITS if name.endswith(end)]
    name = name.removesuffix(max(ends, key=len)) if ends else name
    return [
        dataclasses.replace(row, name=f"{start}{row.name}")
        for table, block, start in _METHODS.get(name, ())
        for row in find(table, block)
    ]
