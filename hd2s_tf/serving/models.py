"""The models of a server: versions appear on disk, are loaded through TensorFlow's C++ session, and are retired."""

import dataclasses
import pathlib
import threading

import numpy as np
import tensorflow as tf
from absl import logging
from tensorflow_serving.apis import get_model_status_pb2, prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from hd2s_tf.errors import BadInputError
from hd2s_tf.serving import signatures

# LOADING, AVAILABLE, UNLOADING and END, which is final; with an error, the version could not be loaded.
State = get_model_status_pb2.ModelVersionStatus.State


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
            self._warm_up(folder / signatures.WARMUP)
        except (OSError, RuntimeError, ValueError, KeyError, tf.errors.OpError) as error:
            raise ValueError(f"{folder}: cannot be loaded: {error}") from error

    def run(self, signature: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> list[np.ndarray]:
        """Runs a signature on arrays by their names.

        Raises:
          ValueError: an array whose shape does not fit.
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
class _Version:
    state: int = State.LOADING
    servable: Servable | None = None
    users: int = 0
    error: str = ""


class Model:
    """The versions of a model, swapped without a gap: an old one stays until a new one is there and no one uses it.

    Args:
      config: its name, the folder of its versions, which of them to serve (the newest, unless it says otherwise) and
        their labels.

    Raises:
      BadInputError: no version can be loaded.
    """

    def __init__(self, config: model_server_config_pb2.ModelConfig) -> None:
        self.name, self.labels = config.name, dict(config.version_labels)
        self._policy = config.model_version_policy
        self._base_path = pathlib.Path(config.base_path)
        self._versions: dict[int, _Version] = {}
        self._lock = threading.Lock()
        self.refresh()
        versions = list(self._versions.values())
        if not any(version.servable for version in versions):
            raise BadInputError(versions[-1].error if versions else f"{config.base_path}: no version to serve")

    def refresh(self) -> None:
        """Loads the versions that must be served and are not yet, then retires the others."""
        wanted = self._wanted()
        for number in wanted:
            version = self._versions.get(number)
            if version is None or (version.state == State.END and not version.error):
                self._load(number)
        with self._lock:
            if any(self._versions[number].state == State.AVAILABLE for number in wanted):
                for number, version in self._versions.items():
                    if version.state == State.AVAILABLE and number not in wanted:
                        version.state = State.UNLOADING
            self._close_unused()

    def acquire(self, number: int | None = None) -> Servable | None:
        """A version, the newest if none is named, until it is released; None if it is not available."""
        with self._lock:
            available = {key: version for key, version in self._versions.items() if version.state == State.AVAILABLE}
            version = available.get(max(available, default=None) if number is None else number)
            if version is None:
                return None
            version.users += 1
            return version.servable

    def release(self, servable: Servable) -> None:
        """Gives a version back."""
        with self._lock:
            self._versions[servable.version].users -= 1
            self._close_unused()

    def states(self) -> dict[int, tuple[int, str]]:
        """Each version's state and, if it could not be loaded, the reason; newest first."""
        with self._lock:
            return {number: (version.state, version.error) for number, version in sorted(self._versions.items())[::-1]}

    def _wanted(self) -> list[int]:
        try:
            found = sorted(
                int(path.name)
                for path in self._base_path.iterdir()
                if path.name.isdecimal() and (path / "saved_model.pb").exists()
            )
        except OSError as error:
            logging.warning("%s: %s", self._base_path, error.strerror)
            return []
        choice = self._policy.WhichOneof("policy_choice")
        if choice == "all":
            return found
        if choice == "specific":
            return [number for number in found if number in self._policy.specific.versions]
        return found[-(self._policy.latest.num_versions or 1) :]

    def _load(self, number: int) -> None:
        version = _Version()
        with self._lock:
            self._versions[number] = version
        try:
            servable = Servable(self._base_path / str(number), number)
        except ValueError as error:
            version.state, version.error = State.END, str(error)
            logging.error("%s", error)
            return
        with self._lock:
            version.servable, version.state = servable, State.AVAILABLE
        logging.info("model %s: version %d is available", self.name, number)

    def _close_unused(self) -> None:
        for number, version in self._versions.items():
            if version.state == State.UNLOADING and not version.users:
                version.servable.close()
                version.servable, version.state = None, State.END
                logging.info("model %s: version %d is unloaded", self.name, number)
