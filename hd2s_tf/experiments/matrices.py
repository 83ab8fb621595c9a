"""The paper's tables as data: which training each row needs and on which data set it is tested (section 4).

A training is a configuration's recipe with differences; rows that need the same one share it.
"""

import dataclasses

import ml_collections

from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation import published
from hd2s_tf.models.hd2s import LEVELS

GENERALISATION, ADAPTATION, TRANSFER = "generalisation", "adaptation", "transfer"
SINGLE, POOLED, SPECIFIC = "single source", "multi-source", "domain-specific"


@dataclasses.dataclass(frozen=True)
class Training:
    """A model to train.

    Attributes:
      name: of its folder.
      differences: settings and values in place of the recipe's; data is named as in the configuration's domains.
      start: whose weights it starts from.
    """

    name: str
    differences: tuple[tuple[str, object], ...]
    start: "Training | None" = None


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table: an arm, within a group of arms that are compared with each other.

    Attributes:
      domain: the data set it is tested on.
      specific: whether the model must be told the domain.
    """

    group: str
    arm: str
    training: Training
    domain: str
    specific: bool = False


@dataclasses.dataclass(frozen=True)
class Matrix:
    """A table.

    Attributes:
      number: of the paper's table.
      title: of what it compares.
      rows: in order.
    """

    number: str
    title: str
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """As `TABLES` has it."""
        return f"table{self.number}"

    def published_scores(self, row: Row) -> dict[str, float]:
        """The paper's scores of a row by metric; empty where it has none."""
        found = [each.values for each in self._blocks(row.group).get(row.group, ()) if each.name == row.arm]
        return found[0] if found else {}

    def claims(self, group: str, metric: str) -> list[tuple[str, str]]:
        """Which arm scores higher than which, lower first, by the paper's own values; none without values.

        They are those of the group; for data that the paper does not have, what all its groups agree on. What follows
        from two others is left out.
        """
        arms = {row.arm for row in self.rows if row.group == group}
        orders = []
        for rows in self._blocks(group).values():
            values = {row.name: row.values[metric] for row in rows if row.name in arms and metric in row.values}
            orders.append({(low, high) for low in values for high in values if values[low] < values[high]})
        agreed = set.intersection(*orders) if orders else set()
        implied = {(low, high) for low, middle in agreed for other, high in agreed if middle == other}
        return sorted(agreed - implied)

    def _blocks(self, group: str) -> dict[str, list[published.Row]]:
        """The paper's rows for a group; if there are none, those of all groups of the table."""
        blocks: dict[str, list[published.Row]] = {}
        for row in published.find(self.number):
            blocks.setdefault(row.block.removesuffix(" validation"), []).append(row)
        return {group: blocks[group]} if group in blocks else blocks


def base(domain: str) -> Training:
    """The plain model, trained on one data set."""
    return Training(f"base_{domain}", (("data.train", (domain,)),))


def adapted(source: str, target: str) -> Training:
    """The model with domain classifiers, trained on a source and an unlabelled target."""
    differences = (("model.preset", "hd2s_da"), ("data.train", (source,)), ("data.target", (target,)))
    return Training(f"adapted_{source}_{target}", differences)


def specific(domains: tuple[str, ...]) -> Training:
    """The domain-specific model of several data sets."""
    differences = (
        ("model.preset", "hd2s_dsl"),
        ("model.overrides.domains", domains),
        ("data.train", domains),
        ("data.train_domains", domains),
    )
    return Training("specific_" + "_".join(domains), differences)


def _transferred(source: str, target: str) -> Training:
    return Training(f"transferred_{source}_{target}", (("data.train", (target,)),), base(source))


def _pooled(domains: tuple[str, ...]) -> Training:
    return Training("pooled_" + "_".join(domains), (("data.train", domains),))


def _ablated(domain: str, levels: tuple[int, ...], multi_level: bool) -> Training:
    if levels == LEVELS and multi_level:
        return base(domain)
    name = "_".join(map(str, levels)) + ("_multi_level" if multi_level else "")
    differences = (("data.train", (domain,)), ("model.overrides.levels", levels), ("loss.multi_level", multi_level))
    return Training(f"levels_{name}_{domain}", differences)


def _table3(settings: ml_collections.ConfigDict) -> Matrix:
    arms = {"+".join(map(str, LEVELS[:first:-1])): (LEVELS[first + 1 :], False) for first in (2, 1, 0)}
    arms["4+3+2+1"] = (LEVELS, False)
    arms["4+3+2+1, multi-level loss"] = (LEVELS, True)
    rows = tuple(
        Row(domain, arm, _ablated(domain, levels, multi_level), domain)
        for domain in settings.ablated
        for arm, (levels, multi_level) in arms.items()
    )
    return Matrix("3", "Conspicuity networks and the multi-level loss", rows)


def _table4(settings: ml_collections.ConfigDict) -> Matrix:
    arms = {f"level {level}": (level,) for level in LEVELS}
    rows = [
        Row(domain, arm, _ablated(domain, levels, False), domain)
        for domain in settings.ablated
        for arm, levels in arms.items()
    ]
    rows += [Row(domain, "all", base(domain), domain) for domain in settings.ablated]
    rows.sort(key=lambda row: settings.ablated.index(row.group))
    return Matrix("4", "Each conspicuity network alone", tuple(rows))


def _table5(settings: ml_collections.ConfigDict) -> Matrix:
    rows = []
    for source, target in settings.pairs:
        group = f"{source} -> {target}"
        rows += [
            Row(group, GENERALISATION, base(source), target),
            Row(group, ADAPTATION, adapted(source, target), target),
            Row(group, TRANSFER, _transferred(source, target), target),
        ]
    return Matrix("5", "From a source to a target: without, with unlabelled, with labelled target", tuple(rows))


def _table6(settings: ml_collections.ConfigDict) -> Matrix:
    source, target = settings.unseen.source, settings.unseen.target
    rows = []
    for domain in settings.unseen.tested:
        group = f"{source} ({target} unlabelled) -> {domain}"
        rows += [
            Row(group, GENERALISATION, base(source), domain),
            Row(group, ADAPTATION, adapted(source, target), domain),
        ]
    title = "Adapted to one target, tested on data that neither training has seen"
    return Matrix("6", title, tuple(rows))


def _table7(settings: ml_collections.ConfigDict) -> Matrix:
    domains = tuple(settings.specialised)
    rows = []
    for domain in domains:
        rows += [
            Row(domain, SINGLE, base(domain), domain),
            Row(domain, POOLED, _pooled(domains), domain),
            Row(domain, SPECIFIC, specific(domains), domain, specific=True),
        ]
    return Matrix("7", "One data set, all pooled, all with modules of their own", tuple(rows))


TABLES = {"table3": _table3, "table4": _table4, "table5": _table5, "table6": _table6, "table7": _table7}


def make_matrix(name: str, settings: ml_collections.ConfigDict) -> Matrix:
    """Creates a table's matrix.

    Args:
      name: one of `TABLES`.
      settings: a configuration as configs/experiments.py makes it.

    Raises:
      BadInputError: no such table.
    """
    if name not in TABLES:
        raise BadInputError(f"no matrix {name!r}: they are {', '.join(TABLES)}, figures and all")
    return TABLES[name](settings)
