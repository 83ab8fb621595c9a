"""Models on disk as a server holds them: versions appear, are loaded through TensorFlow's C++ session, and go."""

import dataclasses
import pathlib
import threading

import numpy as np
import tensorflow as tf
from absl import logging
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from hd2s_tf.errors import BadInputError

_WARMUP = pathlib.PurePath("assets.extra", "tf_serving_warmup_requests")


class Servable:
    """One loaded version.

    Args:
      folder: of the SavedModel.
      version: its number.

    Raises:
      ValueError: the folder holds no SavedModel that can be loaded.
    """

    def __init__(self, folder: pathlib.Path, version: int) -> None:
        self.version = version
        try:
            self._session = tf.compat.v1.Session(graph=tf.Graph())
            with self._session.graph.as_default():
                loaded = tf.compat.v1.saved_model.loader.load(self._session, ["serve"], str(folder))
            self.signatures = dict(loaded.signature_def)
            self._warm_up(folder / _WARMUP)
        except (OSError, RuntimeError, ValueError, tf.errors.OpError) as error:
            raise ValueError(f"{folder}: cannot be loaded: {error}") from error

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> list[np.ndarray]:
        """Runs a signature on arrays by their names.

        Raises:
          tf.errors.OpError: what the graph says of its inputs.
        """
        definition = self.signatures[signature]
        feed = {definition.inputs[name].name: values for name, values in inputs.items()}
        return self._session.run([definition.outputs[name].name for name in outputs], feed)

    def close(self) -> None:
        """Frees the session."""
        self._session.close()

    def _warm_up(self, path: pathlib.Path) -> None:
        if not path.exists():
            return
        for record in tf.compat.v1.io.tf_record_iterator(str(path)):
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
            signature = request.model_spec.signature_name
            self.run(signature, inputs, sorted(self.signatures[signature].outputs))


@dataclasses.dataclass
class _Held:
    servable: Servable
    users: int = 0
    retired: bool = False


class Model:
    """A model's newest version, swapped without a gap when a newer one appears; older ones end with their last request.

    Args:
      name: as requests call it.
      base_path: the folder of its versions.
      labels: names of versions.

    Raises:
      BadInputError: no version can be loaded.
    """

    def __init__(self, name: str, base_path: str, labels: dict[str, int] | None = None) -> None:
        self.name, self.labels = name, labels or {}
        self._base_path = pathlib.Path(base_path)
        self._held: dict[int, _Held] = {}
        self._failed: dict[int, str] = {}
        self._lock = threading.Lock()
        self.refresh()
        if not self._held:
            reason = next(iter(self._failed.values()), "no version there")
            raise BadInputError(f"{base_path}: {reason}")

    def refresh(self) -> None:
        """Loads the newest version and those with a label, then retires the others."""
        wanted = self._wanted()
        for version in wanted:
            if version in self._held or version in self._failed:
                continue
            try:
                servable = Servable(self._base_path / str(version), version)
            except ValueError as error:
                self._failed[version] = str(error)
                logging.error("%s", error)
                continue
            with self._lock:
                self._held[version] = _Held(servable)
            logging.info("model %s: version %d is available", self.name, version)
        newest = max(self._held, default=None)
        keep = {version for version in self._held if version in set(self.labels.values()) or version == newest}
        with self._lock:
            for version in set(self._held) - keep:
                self._held[version].retired = True
            self._close_unused()

    def _wanted(self) -> list[int]:
        if not self._base_path.is_dir():
            return []
        found = sorted(
            int(path.name)
            for path in self._base_path.iterdir()
            if path.name.isdecimal() and (path / "saved_model.pb").exists()
        )
        return [version for version in found if version == found[-1] or version in self.labels.values()]

    def acquire(self, version: int | None = None) -> Servable | None:
        """A version, the newest if none is named, until it is released; None if it is not there."""
        with self._lock:
            available = [number for number, held in self._held.items() if not held.retired]
            number = max(available) if version is None else version
            held = self._held.get(number)
            if held is None or held.retired:
                return None
            held.users += 1
            return held.servable

    def release(self, servable: Servable) -> None:
        """Gives a version back."""
        with self._lock:
            self._held[servable.version].users -= 1
            self._close_unused()

    def versions(self) -> dict[int, bool]:
        """Each version and whether it is available."""
        with self._lock:
            return {
                **{number: not held.retired for number, held in self._held.items()},
                **dict.fromkeys(self._failed, False),
            }

    def _close_unused(self) -> None:
        for number in [number for number, held in self._held.items() if held.retired and not held.users]:
            self._held.pop(number).servable.close()
            logging.info("model %s: version %d is unloaded", self.name, number)


def decode_inputs(request: predict_pb2.PredictRequest) -> dict[str, np.ndarray]:
    """A request's inputs as arrays.

    Raises:
      ValueError: a tensor that is damaged.
    """
    try:
        return {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"Invalid TensorProto: {error}") from error
