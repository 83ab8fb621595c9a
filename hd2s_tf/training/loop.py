"""The run: data, model, updates, validation, checkpoints; one loop for every objective and strategy."""

import dataclasses
import json
import signal
import time
from collections.abc import Iterator

import keras
import ml_collections
import numpy as np
import tensorflow as tf
import tqdm
from absl import logging

from hd2s_tf.data import paths
from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.models import weights as weight_files
from hd2s_tf.models.hd2s import HD2S, PRESETS
from hd2s_tf.training import settings, strategies
from hd2s_tf.training.checkpoints import Checkpoints
from hd2s_tf.training.input import TrainingData
from hd2s_tf.training.monitor import Monitor
from hd2s_tf.training.objectives import Adaptation, Supervised
from hd2s_tf.training.steps import Updater
from hd2s_tf.training.validation import Validation

CONFIG, BEST, LAST, CHECKPOINTS = "config.json", "best.weights.h5", "last.weights.h5", "checkpoints"


def train(config: ml_collections.ConfigDict, workdir: str, strategy: str = "one") -> dict[str, float]:
    """Trains, or goes on with an interrupted run of the same work directory.

    Weights come from the newest readable checkpoint of the work directory, else from `init.weights`, else encoder
    weights from `init.encoder`, else from the seed.

    Args:
      config: see `hd2s_tf.training.settings`.
      workdir: local or remote folder of the run.
      strategy: a name of `hd2s_tf.training.strategies`.

    Returns:
      The values of the last validation; empty without validation data.

    Raises:
      BadInputError: settings, data or weights that cannot be used.
      RunError: the loss is not finite, or the run was asked to stop.
    """
    return _Run(config, workdir, strategies.create(strategy)).go()


class _Run:
    def __init__(self, config: ml_collections.ConfigDict, workdir: str, strategy: tf.distribute.Strategy) -> None:
        _check(config)
        self._config, self._workdir, self._strategy = config, workdir, strategy
        self._chief = strategies.is_chief(strategy)
        keras.utils.set_random_seed(config.seed)
        self._data = TrainingData(config, strategy)
        self._validation = Validation(config) if config.data.validation else None
        with strategy.scope():
            self._model = _create_model(config)
            optimizer = keras.optimizers.Adam(_schedule(config))
        self._updater = Updater(
            self._model,
            optimizer,
            _objective(config),
            strategy,
            accumulation=config.optimizer.accumulation,
            updates=config.optimizer.updates,
            weight_decay=config.optimizer.weight_decay,
            gradient_clip=config.optimizer.gradient_clip,
            average_momentum=config.optimizer.average_momentum,
        )
        self._best = tf.Variable(-np.inf, dtype=tf.float64)
        paths.make_folder(workdir)
        self._checkpoints = Checkpoints(
            self._folder(CHECKPOINTS),
            model=self._model,
            optimizer=optimizer,
            averages=self._updater.averages,
            best=self._best,
        )
        self._stop_signal = 0

    def go(self) -> dict[str, float]:
        first = self._start()
        updates = self._config.optimizer.updates
        monitor = Monitor(self._workdir, first) if self._chief else None
        scores: dict[str, float] = {}
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        batches = self._data.batches(first * self._config.optimizer.accumulation)
        recent = _Recent(self._config)
        with tqdm.tqdm(total=updates, initial=first, unit="update", disable=not self._chief) as progress:
            for update in range(first, updates):
                recent.add(self._update(update, batches))
                done = update + 1
                last = done == updates
                if done % self._config.every.log == 0 or last:
                    values = recent.take()
                    progress.set_postfix({name: f"{values[name]:.3g}" for name in _SHOWN if name in values})
                    if monitor:
                        monitor.add(done, **values)
                progress.update()
                if self._validation and (done % self._config.every.evaluation == 0 or last):
                    scores = self._evaluate(done, monitor)
                if done % self._config.every.checkpoint == 0 or last or self._stop_signal:
                    self._checkpoints.save(done)
                if self._stop_signal and not last:
                    raise RunError(f"stopped by {self._stop_signal.name} after update {done}: the same command goes on")
        self._save(LAST)
        if monitor:
            monitor.draw()
        return scores

    def _start(self) -> int:
        """Restores or initialises the weights; returns how many updates are done."""
        restored = self._checkpoints.restore()
        if restored is not None:
            logging.info("going on after update %d", restored)
            return restored
        init = self._config.init
        if init.weights:
            weight_files.load(self._model, init.weights)
        elif init.encoder:
            weight_files.load_encoder(self._model, init.encoder)
        self._updater.restart_averages()
        if self._chief:
            paths.write_bytes(self._folder(CONFIG), json.dumps(self._record(), indent=2).encode() + b"\n")
        return 0

    def _record(self) -> dict:
        return {**json.loads(self._config.to_json_best_effort()), "trained_on": self._data.description}

    def _update(self, update: int, batches: Iterator[dict]) -> dict[str, float]:
        """One update; returns the means over its batches."""
        values: list[dict[str, float]] = []
        for number in range(self._config.optimizer.accumulation):
            logs = self._updater.accumulate(next(batches), update)
            values.append({name: float(value) for name, value in logs.items()})
            if not np.isfinite(values[-1]["loss"]):
                raise RunError(
                    f"the loss is {values[-1]['loss']} in update {update + 1}, batch {number + 1} of "
                    f"{self._config.optimizer.accumulation}; the newest checkpoint is from before it"
                )
        self._updater.apply()
        return {name: float(np.mean([value[name] for value in values])) for name in values[0]}

    def _evaluate(self, update: int, monitor: Monitor | None) -> dict[str, float]:
        with self._updater.averaged():
            scores, picture = self._validation.run(self._model)
            better = scores[_SELECTED_BY] > float(self._best.numpy())
            if better:
                self._best.assign(scores[_SELECTED_BY])
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
        return paths.join(self._workdir, name)

    def _on_signal(self, number: int, _: object) -> None:
        self._stop_signal = signal.Signals(number)


_SHOWN = ("loss", "nss", "cc", "clips_per_second")
# Validation's value that decides which weights are the best.
_SELECTED_BY = "nss"


class _Recent:
    """Means since they were last taken, and the speed."""

    def __init__(self, config: ml_collections.ConfigDict) -> None:
        self._clips_per_update = config.data.batch_size * config.optimizer.accumulation
        self._values: list[dict[str, float]] = []
        self._since = time.perf_counter()

    def add(self, values: dict[str, float]) -> None:
        self._values.append(values)

    def take(self) -> dict[str, float]:
        now = time.perf_counter()
        means = {name: float(np.mean([values[name] for values in self._values])) for name in self._values[0]}
        means["clips_per_second"] = len(self._values) * self._clips_per_update / (now - self._since)
        self._values, self._since = [], now
        return means


def _check(config: ml_collections.ConfigDict) -> None:
    if config.model.preset not in PRESETS:
        raise BadInputError(f"model.preset is {config.model.preset!r}: the presets are {', '.join(PRESETS)}")
    counts = {
        "data.batch_size": config.data.batch_size,
        "optimizer.accumulation": config.optimizer.accumulation,
        "optimizer.updates": config.optimizer.updates,
        **{f"every.{name}": value for name, value in config.every.items()},
    }
    for name, value in counts.items():
        if value < 1:
            raise BadInputError(f"{name} is {value}: it must be at least 1")
    init = config.init
    if init.encoder == settings.REQUIRED and not init.weights:
        raise BadInputError(
            "init.encoder: this configuration starts from S3D weights: give --config.init.encoder=FILE "
            "(tools/convert_weights.py makes it), --config.init.weights=FILE to fine-tune, or "
            "--config.init.encoder= to start from random ones"
        )
    for name in (init.weights, init.encoder):
        if name not in ("", settings.REQUIRED) and not paths.exists(name):
            raise BadInputError(f"{name}: no such weight file")
    if config.model.precision not in ("float32", "mixed_bfloat16"):
        raise BadInputError(f"model.precision is {config.model.precision!r}: float32 or mixed_bfloat16")


def _create_model(config: ml_collections.ConfigDict) -> HD2S:
    arguments = dict(config.model)
    preset, precision = arguments.pop("preset"), arguments.pop("precision")
    arguments["momentum"] = arguments["momentum"] or None
    domains = arguments.pop("domains") or None
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        return HD2S.from_preset(preset, weights=None, domains=domains, **arguments)
    except ValueError as error:
        raise BadInputError(f"model: {error}") from error
    finally:
        keras.config.set_dtype_policy(previous)


def _schedule(config: ml_collections.ConfigDict) -> float | keras.optimizers.schedules.LearningRateSchedule:
    values = config.optimizer
    if values.schedule not in ("constant", "cosine"):
        raise BadInputError(f"optimizer.schedule is {values.schedule!r}: constant or cosine")
    if values.schedule == "constant" and not values.warmup:
        return values.learning_rate
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=values.learning_rate * (0.01 if values.warmup else 1.0),
        decay_steps=max(1, values.updates - values.warmup),
        alpha=0.01 if values.schedule == "cosine" else 1.0,
        warmup_target=values.learning_rate if values.warmup else None,
        warmup_steps=values.warmup,
    )


def _objective(config: ml_collections.ConfigDict) -> Supervised | Adaptation:
    loss = config.loss
    supervised = Supervised(loss.multi_level, loss.cc_weight, loss.nss_weight)
    if not config.data.target:
        return supervised
    if not PRESETS[config.model.preset].get("adaptation"):
        raise BadInputError(f"data.target is set: the preset {config.model.preset} has no adaptation branch")
    return dataclasses.replace(Adaptation(supervised), domain_weight=loss.domain_weight)
