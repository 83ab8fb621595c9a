"""What came out of a table's arms: on the terminal, beside the paper's values, and as CSV."""

import csv
import dataclasses
import io
import itertools
from collections.abc import Sequence

import numpy as np

from hd2s_tf import files
from hd2s_tf.evaluation.protocol import METRICS
from hd2s_tf.evaluation.tables import TITLES, number
from hd2s_tf.experiments.matrices import Matrix, Row

# By these the paper compares its arms.
COMPARED = ("nss", "cc")


@dataclasses.dataclass(frozen=True)
class Result:
    """A row and what it scored.

    Attributes:
      scores: for each seed, every metric's value.
    """

    row: Row
    scores: list[dict[str, float]]

    def mean(self, metric: str) -> float:
        """Mean over the seeds."""
        return float(np.mean([scores[metric] for scores in self.scores]))

    def spread(self, metric: str) -> float:
        """Standard deviation over the seeds, of a sample; NaN for one seed."""
        values = [scores[metric] for scores in self.scores]
        return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def groups(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The results of each group, in order."""
    by_group: dict[str, list[Result]] = {}
    for result in results:
        by_group.setdefault(result.row.group, []).append(result)
    return by_group


def terminal(matrix: Matrix, results: Sequence[Result]) -> str:
    """The table as text: mean +- spread, under it the paper's value where it is known, and which orderings hold."""
    heads = [TITLES[metric] for metric in METRICS]
    lines = [f"{matrix.name}: {matrix.title}"]
    width = max(len(result.row.arm) for result in results) + 4
    for group, members in groups(results).items():
        lines.append(group.ljust(width) + "".join(head.rjust(16) for head in heads))
        for result in members:
            values = [_value(result.mean(metric), result.spread(metric)) for metric in METRICS]
            lines.append(f"  {result.row.arm}".ljust(width) + "".join(value.rjust(16) for value in values))
            published = matrix.published(result.row)
            if published:
                values = [_value(published[metric]) if metric in published else "" for metric in METRICS]
                lines.append("    paper".ljust(width) + "".join(value.rjust(16) for value in values))
        lines += [f"  {line}" for line in orderings(matrix, members)]
    return "\n".join(lines)


def orderings(matrix: Matrix, members: Sequence[Result]) -> list[str]:
    """For each pair of neighbouring arms of a group, a line: does the second score higher, as in the paper?

    A difference counts as one only if every seed agrees about it.
    """
    by_arm = {result.row.arm: result for result in members}
    arms = [arm for arm in matrix.rising if arm in by_arm]
    lines = []
    for worse, better in itertools.pairwise(arms):
        verdicts = []
        for metric in COMPARED:
            pairs = zip(by_arm[worse].scores, by_arm[better].scores, strict=True)
            higher = [second[metric] > first[metric] for first, second in pairs]
            verdict = "yes" if all(higher) else "no" if not any(higher) else f"in {sum(higher)} of {len(higher)} seeds"
            verdicts.append(f"{TITLES[metric]} {verdict}")
        lines.append(f"{better} above {worse}: {', '.join(verdicts)}")
    return lines


def write(workdir: str, matrix: Matrix, results: Sequence[Result]) -> None:
    """Writes `<table>.csv`, a line for each row and seed, and the paper's values as seed "paper"."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("group", "arm", "training", "tested_on", "run", *METRICS))
    for result in results:
        row = result.row
        published = matrix.published(row)
        for run, scores in [*enumerate(result.scores), *([("paper", published)] if published else [])]:
            values = (f"{scores[metric]:.4f}" if metric in scores else "" for metric in METRICS)
            writer.writerow((row.group, row.arm, row.training.name, row.domain, run, *values))
    files.write_bytes(files.join(workdir, f"{matrix.name}.csv"), text.getvalue().encode())


def _value(mean: float, spread: float = float("nan")) -> str:
    return number(mean) if np.isnan(spread) else f"{number(mean)} +-{spread:.3f}"
