"""The run: data, model, updates, validation, checkpoints; one loop for every objective and strategy."""

import json
import time
from collections.abc import Iterator

import keras
import ml_collections
import numpy as np
import tensorflow as tf
import tqdm
from absl import logging

from hd2s_tf import files
from hd2s_tf.errors import RunError
from hd2s_tf.models import weight_files
from hd2s_tf.training import settings, setup, strategies
from hd2s_tf.training.batches import TrainingData
from hd2s_tf.training.checkpoints import Checkpoints
from hd2s_tf.training.interruption import Interruption
from hd2s_tf.training.monitor import Monitor
from hd2s_tf.training.validation import Validation

CONFIG, BEST, LAST, CHECKPOINTS = "config.json", "best.weights.h5", "last.weights.h5", "checkpoints"
# The logged values that the progress bar shows.
_SHOWN = ("loss", "nss", "cc", "clips_per_second")


def train(config: ml_collections.ConfigDict, workdir: str, strategy: str = "one") -> dict[str, float]:
    """Trains, or resumes the interrupted run of the same work directory.

    Weights come from the newest readable checkpoint of the work directory, else from `init.weights`, else encoder
    weights from `init.encoder`, else from the seed. A file that is named there must exist even where a checkpoint comes
    first. A finished run is left as it is. The batches are those of a run that was never interrupted, and with them the
    weights, bit for bit, where operations are deterministic: on one CPU device, or with `run.deterministic`. Only the
    first means in metrics.jsonl after an interruption are over fewer updates.

    Asked to stop, by SIGTERM or SIGINT, it finishes the update, saves and raises RunError.

    Args:
      config: see `hd2s_tf.training.settings`.
      workdir: local or remote folder of the run; with several machines one that all of them see.
      strategy: a name of `hd2s_tf.training.strategies`.

    Returns:
      The values of the last validation; empty without validation data.

    Raises:
      BadInputError: settings, data or weights that cannot be used.
      RunError: loss or gradient is not finite, the checkpoints cannot be read, or the run was asked to stop.
    """
    return _Run(config, workdir, strategies.create(strategy)).go()


class _Run:
    def __init__(self, config: ml_collections.ConfigDict, workdir: str, strategy: tf.distribute.Strategy) -> None:
        settings.check(config, strategy.num_replicas_in_sync)
        self._config, self._workdir, self._strategy = config, workdir, strategy
        self._chief = strategies.is_chief(strategy)
        self._check_record()
        keras.utils.set_random_seed(config.seed)
        if config.run.deterministic:
            # For the whole process: TensorFlow cannot take it back.
            tf.config.experimental.enable_op_determinism()
        self._data = TrainingData(config, strategy)
        self._validation = Validation(config) if config.data.validation else None
        self._updater = setup.create_updater(config, strategy)
        self._model = self._updater.model
        self._best = tf.Variable(-np.inf, dtype=tf.float64)
        # Every variable by itself: Keras' own tracking leaves out running statistics and the states of dropout.
        self._checkpoints = Checkpoints(
            self._folder(CHECKPOINTS),
            model=[variable.value for variable in self._model.variables],
            optimizer=[variable.value for variable in self._updater.optimizer.variables],
            averages=self._updater.averages,
            best=self._best,
        )

    def go(self) -> dict[str, float]:
        first = self._start()
        batches = self._data.batches(first * self._config.optimizer.accumulation)
        monitor = None
        if self._chief:
            files.make_folder(self._workdir)
            files.write_bytes(self._folder(CONFIG), json.dumps(self._record(), indent=2).encode() + b"\n")
            monitor = Monitor(self._workdir, first)
        with Interruption() as interruption:
            scores = self._updates(first, batches, monitor, interruption)
        self._save(LAST)
        if monitor:
            monitor.draw()
        return scores

    def _check_record(self) -> None:
        path = self._folder(CONFIG)
        if files.exists(path):
            settings.check_record(path, json.loads(files.read_bytes(path)))

    def _start(self) -> int:
        """Restores or initialises the weights; returns how many updates are done."""
        restored = self._checkpoints.restore()
        first = restored or 0
        if strategies.total(self._strategy, first) != first * self._strategy.num_replicas_in_sync:
            raise RunError(f"{self._workdir}: the machines do not find the same checkpoint there: it must be shared")
        if restored is not None:
            logging.info("resuming after update %d", restored)
            return restored
        init = self._config.init
        if init.weights:
            weight_files.load(self._model, init.weights)
        elif init.encoder:
            weight_files.load_encoder(self._model, init.encoder)
        self._updater.restart_averages()
        return 0

    def _record(self) -> dict:
        return {**json.loads(self._config.to_json_best_effort()), "trained_on": self._data.description}

    def _updates(
        self, first: int, batches: Iterator[dict], monitor: Monitor | None, interruption: Interruption
    ) -> dict[str, float]:
        """All updates from the first on; returns the values of the last validation."""
        updates, every = self._config.optimizer.updates, self._config.every
        recent = _Recent(self._config)
        scores: dict[str, float] = {}
        with tqdm.tqdm(total=updates, initial=first, unit="update", disable=not self._chief) as progress:
            for update in range(first, updates):
                recent.add(self._update(update, batches))
                done = update + 1
                last = done == updates
                if done % every.log == 0 or last:
                    values = recent.take()
                    progress.set_postfix({name: f"{values[name]:.3g}" for name in _SHOWN if name in values})
                    if monitor:
                        monitor.add(done, **values)
                progress.update()
                if self._validation and (done % every.evaluation == 0 or last):
                    scores = self._evaluate(done, monitor)
                stop = not last and strategies.total(self._strategy, bool(interruption.name)) > 0
                if self._chief and (done % every.checkpoint == 0 or last or stop):
                    self._checkpoints.save(done)
                if stop:
                    raise RunError(
                        f"stopped by {interruption.name or 'another machine'} after update {done}: "
                        "the same command resumes it"
                    )
        return scores

    def _update(self, update: int, batches: Iterator[dict]) -> dict[str, float]:
        """One update; returns the means over its batches, the norm of its gradient and the seconds that it took."""
        started = time.perf_counter()
        accumulation = self._config.optimizer.accumulation
        # Fetched when all are under way, so that a device does not wait for the next batch to be sent.
        logs = [self._updater.accumulate(next(batches), update) for _ in range(accumulation)]
        values = {name: np.array([float(log[name]) for log in logs]) for name in logs[0]}
        for number, loss in enumerate(values["loss"], 1):
            if not np.isfinite(loss):
                raise RunError(
                    f"the loss is {loss} in update {update + 1}, batch {number} of {accumulation}; "
                    "the newest checkpoint is from before it"
                )
        norm = float(self._updater.apply())
        if not np.isfinite(norm):
            raise RunError(
                f"the gradient's norm is {norm} in update {update + 1}; the newest checkpoint is from before it"
            )
        means = {name: float(value.mean()) for name, value in values.items()}
        return {**means, "gradient_norm": norm, "seconds": time.perf_counter() - started}

    def _evaluate(self, update: int, monitor: Monitor | None) -> dict[str, float]:
        with self._updater.averaged():
            scores, picture = self._validation.run(self._model)
            name = self._config.selected_by
            value = scores[name] if settings.HIGHER_IS_BETTER[name] else -scores[name]
            if not np.isfinite(value):
                raise RunError(f"validation's {name} is {scores[name]}: the best weights cannot be chosen by it")
            if value > float(self._best.numpy()):
                self._best.assign(value)
                self._save(BEST, averaged=False)
        if monitor:
            monitor.add(update, **{f"validation/{name}": value for name, value in scores.items()})
            monitor.add_image(update, "validation", picture)
            monitor.draw()
            logging.info("update %d: %s", update, ", ".join(f"{name} {value:.4f}" for name, value in scores.items()))
        return scores

    def _save(self, name: str, averaged: bool = True) -> None:
        if not self._chief:
            return
        if averaged:
            with self._updater.averaged():
                weight_files.save(self._model, self._folder(name))
        else:
            weight_files.save(self._model, self._folder(name))

    def _folder(self, name: str) -> str:
        return files.join(self._workdir, name)


class _Recent:
    """Means since they were last taken, and the speed of the updates alone."""

    def __init__(self, config: ml_collections.ConfigDict) -> None:
        self._clips_per_update = config.data.batch_size * config.optimizer.accumulation
        self._values: list[dict[str, float]] = []

    def add(self, values: dict[str, float]) -> None:
        self._values.append(values)

    def take(self) -> dict[str, float]:
        means = {name: float(np.mean([values[name] for values in self._values])) for name in self._values[0]}
        means["clips_per_second"] = self._clips_per_update / means.pop("seconds")
        self._values = []
        return means
