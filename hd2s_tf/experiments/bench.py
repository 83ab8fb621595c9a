"""Trains and tests the arms of the paper's tables and writes the tables."""

import json
import math
from collections.abc import Iterator, Sequence

import keras
import ml_collections
from absl import logging

from hd2s_tf import files
from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation import evaluate
from hd2s_tf.evaluation.protocol import METRICS
from hd2s_tf.evaluation.tables import METRICS_FILE
from hd2s_tf.experiments import figures, matrices, tables
from hd2s_tf.experiments.matrices import Matrix, Row, Training
from hd2s_tf.training import loop, settings

ALL, FIGURES = "all", "figures"
_TESTS = "tests"


def run(
    name: str, config: ml_collections.ConfigDict, data_root: str, workdir: str, seeds: Sequence[int] = (0,)
) -> Iterator[str]:
    """Trains and tests every arm of a table and writes it as CSV and PNG.

    Finished work is not repeated, and an interrupted training resumes. Several processes may share a work directory if
    their seeds differ.

    Args:
      name: of a table (`matrices.TABLES`), "figures" for the paper's figures 5 and 6, or "all".
      config: as configs/experiments.py makes it.
      data_root: folder of the prepared data sets.
      workdir: folder of everything that is made.
      seeds: every arm is trained once with each.

    Returns:
      An iterator that does the work: of each table as text, once it is done, and of each figure's path.

    Raises:
      BadInputError: no such table; settings, data or earlier results that do not fit.
      RunError: a training failed or was asked to stop.
    """
    names = (*matrices.TABLES, FIGURES) if name == ALL else (name,)
    if not seeds:
        raise BadInputError("there are no seeds: one at least is needed")
    wanted = [matrices.make_matrix(each, config) for each in names if each != FIGURES]
    bench = _Bench(config, data_root, workdir)

    def work() -> Iterator[str]:
        for matrix in wanted:
            results = bench.results(matrix, seeds)
            tables.write(workdir, matrix, results)
            figures.draw_table(files.join(workdir, f"{matrix.name}.png"), matrix, results)
            yield tables.format_table(matrix, results)
        if FIGURES in names:
            yield from figures.Figures(config, bench.weights, data_root, workdir).draw(seeds[0])

    return work()


class _Bench:
    """Trains and tests, each model once."""

    def __init__(self, config: ml_collections.ConfigDict, data_root: str, workdir: str) -> None:
        self._config, self._data_root, self._workdir = config, data_root, workdir

    def results(self, matrix: Matrix, seeds: Sequence[int]) -> list[tables.Result]:
        """Each row with its scores for every seed."""
        tests: dict[Row, list[dict]] = {row: [] for row in matrix.rows}
        for seed in seeds:
            for row in matrix.rows:
                tests[row].append(self._test(row, seed))
        return [tables.Result(row, *_scores(tests[row])) for row in matrix.rows]

    def weights(self, training: Training, seed: int) -> str:
        """A training's best weights by its validation, else its last ones; runs the training unless it is finished."""
        folder = self._folder(training, seed)
        config = recipe(self._config, training, seed, self._data_root)
        if training.start:
            config.init.weights = self.weights(training.start, seed)
        last, record = files.join(folder, loop.LAST), files.join(folder, loop.CONFIG)
        if files.exists(record):
            _check_same(record, config)
        # The last weights are written when a training ends, the best ones while it lasts.
        if not files.exists(last):
            logging.info("training %s, seed %d", training.name, seed)
            loop.train(config, folder)
            keras.utils.clear_session()
        return files.join(folder, loop.BEST) if config.data.validation else last

    def _test(self, row: Row, seed: int) -> dict:
        """A row's test as metrics.json holds it; runs the test unless it is finished."""
        folder = files.join(self._folder(row.training, seed), _TESTS, row.domain)
        path = files.join(folder, METRICS_FILE)
        # All arms are tested on the same frames, by the same protocol.
        every, protocol = self._config.test_every, self._config.protocol
        weights = self.weights(row.training, seed)
        if files.exists(path):
            written = json.loads(files.read_bytes(path))
            if (written["protocol"]["every"], written["protocol"].get("name")) == (every, protocol):
                return written
        request = evaluate.Request(
            weights, domain=row.domain if row.specific else None, stride=every, every=every, protocol=protocol
        )
        data_dir, _, split = self._config.domains[row.domain][2].rpartition(":")
        written = evaluate.evaluate(request, files.join(self._data_root, data_dir), split, folder)
        keras.utils.clear_session()
        return written.to_json()

    def _folder(self, training: Training, seed: int) -> str:
        return files.join(self._workdir, f"seed{seed}", training.name)


def _scores(tests: Sequence[dict]) -> tuple[list[dict[str, float]], bool]:
    """The scores of each test by metric, and whether the paper's can stand beside them."""
    scores = []
    for test in tests:
        means = test[test["protocol"]["headline"]]
        scores.append({metric: math.nan if means[metric] is None else means[metric] for metric in METRICS})
    return scores, all(test["comparable"] for test in tests)


def recipe(
    config: ml_collections.ConfigDict, training: Training, seed: int, data_root: str
) -> ml_collections.ConfigDict:
    """The settings of a training, see `hd2s_tf.training.settings`.

    Weights are chosen on the validation split of what is trained on: of its first data set where there are several, as
    the paper takes DHF1K's.

    Raises:
      BadInputError: a data set that the configuration does not know.
    """
    made = config.recipe.copy_and_resolve_references()
    made.seed = seed
    for name, value in training.differences:
        if name in ("data.train", "data.target"):
            unknown = [domain for domain in value if domain not in config.domains]
            if unknown:
                raise BadInputError(f"no data set {unknown[0]!r} among the domains {', '.join(config.domains)}")
            validation = config.domains[value[0]][1]
            if name == "data.train" and validation:
                made.data.validation = (files.join(data_root, validation),)
            value = tuple(files.join(data_root, config.domains[domain][0]) for domain in value)
        made.update_from_flattened_dict({name: value})
    if made.data.train_domains and made.data.validation:
        made.data.validation_domains = made.data.train_domains[:1]
    return made


def _check_same(path: str, config: ml_collections.ConfigDict) -> None:
    """Refuses an earlier training with other settings."""
    # A setting missing from the record is newer than the run, which had today's default.
    there, wanted = settings.paper(), json.loads(config.to_json_best_effort())
    written = json.loads(files.read_bytes(path))
    there.update({name: value for name, value in written.items() if name in there})
    there = json.loads(there.to_json_best_effort())
    different = sorted(name for name in wanted if there[name] != wanted[name])
    if different:
        raise BadInputError(
            f"{path}: trained with other settings of {', '.join(different)}: it needs another work directory"
        )
