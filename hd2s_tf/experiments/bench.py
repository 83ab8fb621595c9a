"""Trains and tests what tables need, and writes them: the job of `tools/experiments.py`."""

import json
import math
from collections.abc import Sequence

import keras
import ml_collections
from absl import logging

from hd2s_tf import files
from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation import evaluate
from hd2s_tf.evaluation.protocol import METRICS, Protocol
from hd2s_tf.evaluation.tables import METRICS_FILE
from hd2s_tf.experiments import figures, matrices, tables
from hd2s_tf.experiments.matrices import Matrix, Row, Training
from hd2s_tf.training import loop, settings

ALL, FIGURES = "all", "figures"
_TESTS = "tests"


def run(
    name: str, config: ml_collections.ConfigDict, data_root: str, workdir: str, seeds: Sequence[int] = (0,)
) -> dict[str, list[tables.Result]]:
    """Trains and tests every arm of a table, prints it and writes it as CSV and PNG.

    What is there already, whole, is not done again; an interrupted training goes on. Several processes may share a
    work directory if each has seeds of its own.

    Args:
      name: of a table (`matrices.TABLES`), "figures" for the paper's figures 5 and 6, or "all".
      config: as configs/experiments.py makes it.
      data_root: folder of the prepared data sets.
      workdir: folder of everything that is made.
      seeds: every arm is trained once with each.

    Returns:
      The results of each table by its name.

    Raises:
      BadInputError: no such table; settings, data or earlier results that do not fit.
      RunError: a training failed or was asked to stop.
    """
    names = (*matrices.TABLES, FIGURES) if name == ALL else (name,)
    if not seeds:
        raise BadInputError("--seeds is empty: give one at least")
    wanted = [matrices.matrix(each, config) for each in names if each != FIGURES]
    bench = _Bench(config, data_root, workdir)
    results = {}
    for matrix in wanted:
        results[matrix.name] = bench.results(matrix, seeds)
        tables.write(workdir, matrix, results[matrix.name])
        figures.draw_table(files.join(workdir, f"{matrix.name}.png"), matrix, results[matrix.name])
        print(tables.terminal(matrix, results[matrix.name]))
    if FIGURES in names:
        for path in figures.Figures(config, bench.weights, data_root, workdir).draw(seeds[0]):
            print(path)
    return results


class _Bench:
    """Trains and tests, each thing once."""

    def __init__(self, config: ml_collections.ConfigDict, data_root: str, workdir: str) -> None:
        self._config, self._data_root, self._workdir = config, data_root, workdir

    def results(self, matrix: Matrix, seeds: Sequence[int]) -> list[tables.Result]:
        """Each row with its scores for every seed."""
        scores: dict[Row, list[dict[str, float]]] = {row: [] for row in matrix.rows}
        for seed in seeds:
            for row in matrix.rows:
                scores[row].append(self._scores(row, seed))
        return [tables.Result(row, scores[row]) for row in matrix.rows]

    def weights(self, training: Training, seed: int) -> str:
        """The weight file of a training, which is done if it was not."""
        folder = self._folder(training, seed)
        config = recipe(self._config, training, seed, self._data_root)
        if training.start:
            config.init.weights = self.weights(training.start, seed)
        path, record = files.join(folder, loop.LAST), files.join(folder, loop.CONFIG)
        if files.exists(record):
            _check_same(record, config)
        if not files.exists(path):
            logging.info("training %s, seed %d", training.name, seed)
            loop.train(config, folder)
            keras.utils.clear_session()
        return path

    def _scores(self, row: Row, seed: int) -> dict[str, float]:
        """A row's scores by metric, of a test that is done if it was not."""
        folder = files.join(self._folder(row.training, seed), _TESTS, row.domain)
        path = files.join(folder, METRICS_FILE)
        every = self._config.test_every
        weights = self.weights(row.training, seed)
        written = json.loads(files.read_bytes(path)) if files.exists(path) else None
        if written is None or written["protocol"]["every"] != every:
            request = evaluate.Request(weights, domain=row.domain if row.specific else None, stride=every)
            data_dir, _, split = self._config.domains[row.domain][1].rpartition(":")
            data_dir = files.join(self._data_root, data_dir)
            written = evaluate.evaluate(request, data_dir, split, folder, choices=Protocol(every=every))
            keras.utils.clear_session()
        means = written["mean_over_videos"]
        return {metric: math.nan if means[metric] is None else means[metric] for metric in METRICS}

    def _folder(self, training: Training, seed: int) -> str:
        return files.join(self._workdir, f"seed{seed}", training.name)


def recipe(
    config: ml_collections.ConfigDict, training: Training, seed: int, data_root: str
) -> ml_collections.ConfigDict:
    """The settings of a training, see `hd2s_tf.training.settings`.

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
            value = tuple(files.join(data_root, config.domains[domain][0]) for domain in value)
        made.update_from_flattened_dict({name: value})
    return made


def _check_same(path: str, config: ml_collections.ConfigDict) -> None:
    """Refuses to take a training of other settings for this one."""
    # A setting that the run does not know came later: the run had what is now its default.
    there, wanted = settings.paper(), json.loads(config.to_json_best_effort())
    written = json.loads(files.read_bytes(path))
    there.update({name: value for name, value in written.items() if name in there})
    there = json.loads(there.to_json_best_effort())
    different = sorted(name for name in wanted if there[name] != wanted[name])
    if different:
        raise BadInputError(f"{path}: trained with other settings of {', '.join(different)}: give another --workdir")
