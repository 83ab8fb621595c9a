"""The results of a table's arms as text and as CSV, beside the paper's values where they are comparable."""

import csv
import dataclasses
import io
from collections.abc import Sequence

import numpy as np

from hd2s_tf import files
from hd2s_tf.evaluation.protocol import METRICS
from hd2s_tf.evaluation.tables import format_score
from hd2s_tf.experiments.matrices import Matrix, Row


@dataclasses.dataclass(frozen=True)
class Result:
    """A row and what it scored.

    Attributes:
      scores: for each seed, every metric's value.
      comparable: whether the paper's scores can stand beside these.
    """

    row: Row
    scores: list[dict[str, float]]
    comparable: bool = False

    def mean(self, metric: str) -> float:
        """Mean over the seeds."""
        return float(np.mean([scores[metric] for scores in self.scores]))

    def spread(self, metric: str) -> float:
        """Standard deviation over the seeds, of a sample; NaN for one seed."""
        values = [scores[metric] for scores in self.scores]
        return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def by_group(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The results of each group, in order."""
    members: dict[str, list[Result]] = {}
    for result in results:
        members.setdefault(result.row.group, []).append(result)
    return members


def format_table(matrix: Matrix, results: Sequence[Result]) -> str:
    """The table as text: mean +- spread, under it the paper's value if comparable, and which of its orders hold."""
    heads = [metric.title for metric in METRICS.values()]
    lines = [f"{matrix.name}: {matrix.title}"]
    width = max(len(result.row.arm) for result in results) + 4
    for group, members in by_group(results).items():
        lines.append(group.ljust(width) + "".join(head.rjust(16) for head in heads))
        for result in members:
            values = [_format_value(result.mean(metric), result.spread(metric)) for metric in METRICS]
            lines.append(f"  {result.row.arm}".ljust(width) + "".join(value.rjust(16) for value in values))
            published = matrix.published_scores(result.row)
            if published and result.comparable:
                values = [format_score(published.get(metric)) for metric in METRICS]
                lines.append("    paper".ljust(width) + "".join(value.rjust(16) for value in values))
        lines += [f"  {line}" for line in check_orders(matrix, members)]
    return "\n".join(lines)


def check_orders(matrix: Matrix, members: Sequence[Result]) -> list[str]:
    """For each metric a line: which of the orders that the paper finds in a group's arms hold here?

    A difference counts as one only if every seed agrees about it.
    """
    by_arm = {result.row.arm: result for result in members}
    lines = []
    for name, metric in METRICS.items():
        verdicts = []
        for lower, higher in matrix.claims(members[0].row.group, name):
            pairs = zip(by_arm[lower].scores, by_arm[higher].scores, strict=True)
            holds = [second[name] > first[name] for first, second in pairs]
            verdict = "yes" if all(holds) else "no" if not any(holds) else f"in {sum(holds)} of {len(holds)} seeds"
            verdicts.append(f"{higher} above {lower} {verdict}")
        if verdicts:
            lines.append(f"{metric.title} as in the paper: {', '.join(verdicts)}")
    return lines


def write(workdir: str, matrix: Matrix, results: Sequence[Result]) -> None:
    """Writes `<table>.csv`, a line for each row and seed, and the paper's values, if comparable, as seed "paper"."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("group", "arm", "training", "tested_on", "run", *METRICS))
    for result in results:
        row = result.row
        published = matrix.published_scores(row) if result.comparable else {}
        for run, scores in [*enumerate(result.scores), *([("paper", published)] if published else [])]:
            values = (f"{scores[metric]:.4f}" if metric in scores else "" for metric in METRICS)
            writer.writerow((row.group, row.arm, row.training.name, row.domain, run, *values))
    files.write_bytes(files.join(workdir, f"{matrix.name}.csv"), text.getvalue().encode())


def _format_value(mean: float, spread: float) -> str:
    return format_score(mean) if np.isnan(spread) else f"{format_score(mean)} +-{spread:.3f}"
