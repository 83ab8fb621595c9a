"""Weight files: Keras `.weights.h5` with the model's settings inside, so that a file says what it fits."""

import contextlib
import hashlib
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator

import h5py
import keras
import numpy as np

from hd2s_tf import files
from hd2s_tf.errors import BadInputError
from hd2s_tf.models.presets import DEFAULT_PRESET, DOMAIN_MODULES, PRESETS, SHAPING_ARGUMENTS
from hd2s_tf.models.s3d import S3D

SUFFIX = ".weights.h5"
# In place of a weight file's path: the bundled weights, and none.
AUTO, RANDOM = "auto", "random"
_FOLDER = pathlib.Path(__file__).resolve().parents[1] / "weights"
_SETTINGS = "hd2s_settings"
_ENCODER = "encoder"
_FUSION = "fusion/vars/0"


def save(model: keras.Model, path: str | os.PathLike) -> None:
    """Writes a model's weights and settings; the file appears whole or not at all.

    Args:
      model: an `HD2S` with its variables created.
      path: local or remote, ending in `.weights.h5`.

    Raises:
      BadInputError: the name does not end so.
      OSError: the file cannot be written.
    """
    _write(model, path, {"preset": model.name, **_settings(model)})


def _write(part: keras.Model, path: str | os.PathLike, about: dict) -> None:
    path = os.fspath(path)
    if not path.endswith(SUFFIX):
        raise BadInputError(f"{path}: the name of a weight file ends in {SUFFIX}")
    with tempfile.TemporaryDirectory() as folder:
        local = str(pathlib.Path(folder) / f"file{SUFFIX}")
        part.save_weights(local)
        with h5py.File(local, "a") as file:
            file.attrs[_SETTINGS] = json.dumps(about)
        files.copy(local, path)


def load(model: keras.Model, path: str | os.PathLike) -> None:
    """Loads a weight file into a model whose variables are created.

    Raises:
      BadInputError: no such file, not a weight file, made for another model, or with values that are not finite.
    """
    saved = settings(path)
    wanted = _settings(model)
    differences = [name for name in SHAPING_ARGUMENTS if name in saved and saved[name] != wanted[name]]
    if differences:
        listed = ", ".join(f"{name} {saved[name]} instead of {wanted[name]}" for name in differences)
        raise BadInputError(f"{path}: weights of another model ({saved.get('preset', 'unknown')}): {listed}")
    if saved.get("part") == _ENCODER:
        raise BadInputError(f"{path}: the weights of an encoder alone, not of a whole model")
    with _local_file(path) as local:
        _refuse_fusion_of_one(model, path, local)
        _read(model, path, local)


def _refuse_fusion_of_one(model: keras.Model, path: str | os.PathLike, local: str) -> None:
    if len(model.levels) > 1:
        return
    with h5py.File(local, "r") as file:
        if _FUSION in file:
            raise BadInputError(
                f"{path}: an earlier version's model of one level, whose map passed a second sigmoid: train it again"
            )


def _read(part: keras.Model, path: str | os.PathLike, local: str) -> None:
    try:
        part.load_weights(local)
    except (ValueError, KeyError, OSError) as error:
        raise BadInputError(f"{path}: not weights of {part.name}: {error}") from error
    bad = [variable.path for variable in part.variables if not np.isfinite(_values(variable)).all()]
    if bad:
        raise BadInputError(f"{path}: values that are not finite in {len(bad)} variables, the first is {bad[0]}")


def save_encoder(model: keras.Model, path: str | os.PathLike) -> None:
    """Writes the weights of a model's encoder alone; else as `save`."""
    _write(model.encoder, path, {"part": _ENCODER, "width_multiplier": model.width_multiplier})


def load_encoder(model: keras.Model, path: str | os.PathLike) -> None:
    """Loads a file of `save_encoder` into a model's encoder, whose later endpoints may be left out.

    Raises:
      BadInputError: no such file, not an encoder's weights or of another width, or values that are not finite.
    """
    saved = settings(path)
    if saved.get("part") != _ENCODER:
        raise BadInputError(f"{path}: not the weights of an encoder (init.weights takes those of a whole model)")
    if saved["width_multiplier"] != model.width_multiplier:
        raise BadInputError(
            f"{path}: an encoder of width {saved['width_multiplier']}, the model has {model.width_multiplier}"
        )
    with _local_file(path) as local:
        whole = S3D(model.width_multiplier, model.encoder.normalization_settings, name="encoder")
        whole.create_variables()
        _read(whole, path, local)
    values = {variable.path.split("encoder/", 1)[1]: variable for variable in whole.variables}
    for variable in model.encoder.variables:
        variable.assign(values[variable.path.split("encoder/", 1)[1]])


def settings(path: str | os.PathLike) -> dict:
    """The settings stored in a weight file: the preset and the arguments of `HD2S`; empty if it has none.

    Raises:
      BadInputError: no such file, or not an HDF5 file.
    """
    with _local_file(path) as local:
        try:
            with h5py.File(local, "r") as file:
                return _present(json.loads(file.attrs.get(_SETTINGS, "{}")))
        except OSError as error:
            raise BadInputError(f"{path}: not a {SUFFIX} file") from error


def _present(saved: dict) -> dict:
    """Translates the settings of earlier files, which state every domain-specific module separately."""
    had = [saved.pop(f"domain_{module}", None) for module in DOMAIN_MODULES]
    if None not in had:
        saved["domain_modules"] = [module for module, has in zip(DOMAIN_MODULES, had, strict=True) if has]
    return saved


def find(weights: str, preset: str | None = None) -> str | None:
    """The path of a weight file that may be named as "auto", for the bundled one of a preset; None for "random".

    Raises:
      BadInputError: no bundled weights for the preset, or they are damaged.
    """
    if weights == RANDOM:
        return None
    return bundled(preset or DEFAULT_PRESET) if weights == AUTO else weights


def bundled(preset: str) -> str:
    """The path of the bundled weights for a preset, their checksum verified.

    Raises:
      BadInputError: no such preset, none are bundled, or they are damaged.
    """
    if preset not in PRESETS:
        raise BadInputError(f"no preset {preset!r}: the presets are {', '.join(PRESETS)}")
    path = _FOLDER / f"{preset}{SUFFIX}"
    if not path.exists():
        raise BadInputError(
            f"no bundled weights for {preset}: give a {SUFFIX} file (tools/convert_weights.py makes one of the "
            "published checkpoints), or ask for random weights"
        )
    expected = path.with_name(f"{preset}.sha256").read_text().split()[0]
    if checksum(path) != expected:
        raise BadInputError(f"{path}: damaged: its SHA-256 is not {expected}")
    return str(path)


def checksum(path: str | os.PathLike) -> str:
    """A file's SHA-256 in hexadecimal."""
    return hashlib.sha256(files.read_bytes(path)).hexdigest()


def _settings(model: keras.Model) -> dict:
    config = model.get_config()
    return json.loads(json.dumps({name: config[name] for name in SHAPING_ARGUMENTS}))


def _values(variable: keras.Variable) -> np.ndarray:
    values = variable.numpy()
    return values if np.issubdtype(values.dtype, np.floating) else np.zeros(1)


@contextlib.contextmanager
def _local_file(path: str | os.PathLike) -> Iterator[str]:
    """A local path that ends as Keras wants it."""
    if not files.exists(path):
        raise BadInputError(f"{path}: no such weight file")
    with files.local_copy(path) as local, tempfile.TemporaryDirectory() as folder:
        if not local.endswith(SUFFIX):
            link = pathlib.Path(folder) / f"file{SUFFIX}"
            link.symlink_to(pathlib.Path(local).absolute())
            local = str(link)
        yield local
