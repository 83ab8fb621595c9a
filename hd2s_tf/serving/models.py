"""The models of a server: versions appear on disk, are loaded through TensorFlow's C++ session, and are retired."""

import dataclasses
import pathlib
import re
import threading
import time

import numpy as np
import tensorflow as tf
from absl import logging
from tensorflow_serving.apis import get_model_status_pb2, prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from hd2s_tf.errors import BadInputError
from hd2s_tf.serving import signatures

# As TensorFlow Serving's defaults: how often a failed load is tried again, and after how many seconds each.
_RETRIES, _RETRY_SECONDS = 5, 60.0
_LARGEST_NUMBER = 2**63 - 1
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
        except Exception as error:
            # A folder may hold anything, and each kind of damage has an exception of its own.
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
    folder: pathlib.Path
    state: int = State.LOADING
    servable: Servable | None = None
    users: int = 0
    error: str = ""
    failures: int = 0
    next_attempt: float = 0.0


class Model:
    """The versions of a model, swapped without a gap: an old one stays until a new one is there and no one uses it.

    Args:
      config: its name, the folder of its versions, which of them to serve (the newest, unless it says otherwise) and
        their labels.
      retry_seconds: between attempts to load a version.

    Raises:
      BadInputError: no version can be loaded.
    """

    def __init__(self, config: model_server_config_pb2.ModelConfig, retry_seconds: float = _RETRY_SECONDS) -> None:
        self.name, self.labels = config.name, dict(config.version_labels)
        self._retry_seconds = retry_seconds
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
        for number, folder in wanted.items():
            version = self._versions.get(number)
            if version is None or (version.state == State.END and not version.error):
                version = _Version(folder)
                with self._lock:
                    self._versions[number] = version
            if version.state == State.LOADING and time.monotonic() >= version.next_attempt:
                self._load(number, version)
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

    def _wanted(self) -> dict[int, pathlib.Path]:
        """The folders of the versions to serve by their numbers: any folder whose name is one, as 1 or 0001."""
        try:
            folders = sorted(self._base_path.iterdir())
        except OSError as error:
            logging.warning("%s: %s", self._base_path, error.strerror)
            return {}
        numbered = {int(path.name): path for path in folders if re.fullmatch("[0-9]+", path.name) and path.is_dir()}
        found = sorted(number for number in numbered if number <= _LARGEST_NUMBER)
        choice = self._policy.WhichOneof("policy_choice")
        if choice == "specific":
            found = [number for number in found if number in self._policy.specific.versions]
        elif choice != "all":
            found = found[-(self._policy.latest.num_versions or 1) :]
        return {number: numbered[number] for number in found}

    def _load(self, number: int, version: _Version) -> None:
        try:
            servable = Servable(version.folder, number)
        except ValueError as error:
            version.failures += 1
            version.error, version.next_attempt = str(error), time.monotonic() + self._retry_seconds
            if version.failures > _RETRIES:
                version.state = State.END
            logging.error("%s", error)
            return
        with self._lock:
            version.servable, version.state, version.error = servable, State.AVAILABLE, ""
        logging.info("model %s: version %d is available", self.name, number)

    def _close_unused(self) -> None:
        for number, version in self._versions.items():
            if version.state == State.UNLOADING and not version.users:
                version.servable.close()
                version.servable, version.state = None, State.END
                logging.info("model %s: version %d is unloaded", self.name, number)
