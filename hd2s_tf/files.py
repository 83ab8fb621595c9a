"""Files, local and remote (`gs://`, `s3://`, `az://`, `hdfs://`): the one place that imports tensorflow-io."""

import contextlib
import errno
import importlib
import os
import pathlib
import posixpath
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator

import tensorflow as tf

from hd2s_tf.errors import BadInputError

# TensorFlow itself brings Google's file system; these come with tensorflow-io.
_TENSORFLOW_IO_SCHEMES = frozenset({"s3", "az", "hdfs", "viewfs", "http", "https"})
# Their paths begin with a bucket, which must exist before a file is written.
_BUCKET_SCHEMES = frozenset({"gs", "s3"})


def is_remote(path: str | os.PathLike) -> bool:
    """Whether the path names a remote file system, as in `s3://bucket/name`."""
    return "://" in os.fspath(path)


def ready(path: str | os.PathLike) -> str:
    """The path as text, its file system loaded if it is one of tensorflow-io's.

    Raises:
      BadInputError: it needs tensorflow-io, which is not installed.
    """
    path = os.fspath(path)
    if not is_remote(path):
        return path
    if path.count("/") == 2:
        # A bucket's own folder is only found with a slash at its end.
        path += "/"
    if path.split("://", 1)[0] in _TENSORFLOW_IO_SCHEMES:
        # By default Amazon's library tries for most of a minute to reach a missing server.
        os.environ.setdefault("AWS_RETRY_MODE", "standard")
        try:
            importlib.import_module("tensorflow_io")
        except ImportError as error:
            raise BadInputError(f"{path}: needs the package tensorflow-io, which does not load: {error}") from error
    return path


def join(folder: str | os.PathLike, *names: str) -> str:
    """Joins path parts, with a slash for remote paths."""
    folder = os.fspath(folder)
    return posixpath.join(folder, *names) if is_remote(folder) else os.path.join(folder, *names)  # noqa: PTH118


def exists(path: str | os.PathLike) -> bool:
    """Whether a file or folder is there."""
    path = ready(path)
    return tf.io.gfile.exists(path) if is_remote(path) else pathlib.Path(path).exists()


def is_folder(path: str | os.PathLike) -> bool:
    """Whether the path is a folder."""
    path = ready(path)
    return tf.io.gfile.isdir(path) if is_remote(path) else pathlib.Path(path).is_dir()


def list_folder(path: str | os.PathLike) -> list[str]:
    """Names in a folder, sorted, without trailing slashes; hidden ones are left out.

    Raises:
      BadInputError: the folder cannot be read.
    """
    path = ready(path)
    try:
        if is_remote(path):
            names = [name.rstrip("/") for name in tf.io.gfile.listdir(path)]
        else:
            names = [entry.name for entry in pathlib.Path(path).iterdir()]
    except (OSError, tf.errors.OpError) as error:
        raise BadInputError(f"{path}: cannot be read: {_reason(error)}") from error
    return sorted(name for name in names if name and not name.startswith("."))


def walk(path: str | os.PathLike) -> Iterator[str]:
    """Yields every file below a folder, in order; each folder once even where links lead back to it.

    Raises:
      BadInputError: a folder cannot be read.
    """
    pending, seen, found = [os.fspath(path)], set(), []
    while pending:
        folder = pending.pop()
        identity = folder if is_remote(folder) else os.path.realpath(folder)
        if identity in seen:
            continue
        seen.add(identity)
        for name in list_folder(folder):
            below = join(folder, name)
            (pending if is_folder(below) else found).append(below)
    yield from sorted(found)


def number_key(name: str) -> tuple:
    """A key to sort names by in which numbers count as numbers, so that 2 comes before 10 and 01 is 1."""
    parts = re.split(r"(\d+)", name)
    return tuple(part if index % 2 == 0 else int(part) for index, part in enumerate(parts))


def by_number(names: Iterable[str]) -> list[str]:
    """Names in the order of the numbers in them."""
    return sorted(names, key=lambda name: (number_key(name), name))


def make_folder(path: str | os.PathLike) -> None:
    """Creates a folder and its parents, unless they exist.

    Raises:
      BadInputError: it cannot be created.
    """
    path = ready(path)
    scheme, _, rest = path.partition("://")
    bucket = f"{scheme}://{rest.split('/', 1)[0]}/"
    if scheme in _BUCKET_SCHEMES and not tf.io.gfile.isdir(bucket):
        raise BadInputError(f"{path}: no such bucket, no right to it, or its server does not answer")
    try:
        if is_remote(path):
            tf.io.gfile.makedirs(path)
        else:
            pathlib.Path(path).mkdir(parents=True, exist_ok=True)
    except (OSError, tf.errors.OpError) as error:
        raise BadInputError(f"{path}: cannot create the folder: {_reason(error)}") from error


def file_size(path: str | os.PathLike) -> int:
    """Size in bytes.

    Raises:
      BadInputError: no such file.
    """
    path = ready(path)
    try:
        return tf.io.gfile.stat(path).length if is_remote(path) else pathlib.Path(path).stat().st_size
    except (OSError, tf.errors.OpError) as error:
        raise BadInputError(f"{path}: cannot be read: {_reason(error)}") from error


def read_bytes(path: str | os.PathLike) -> bytes:
    """Reads a whole file.

    Raises:
      BadInputError: the file cannot be read.
    """
    path = ready(path)
    try:
        if not is_remote(path):
            return pathlib.Path(path).read_bytes()
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read()
    except (OSError, tf.errors.OpError) as error:
        raise BadInputError(f"{path}: cannot be read: {_reason(error)}") from error


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Writes a whole file under a temporary name and then renames it, so that no reader sees half of it.

    Raises:
      OSError: the file cannot be written (no permission, no space left).
    """
    path = ready(path)
    unfinished = f"{path}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        if is_remote(path):
            with tf.io.gfile.GFile(unfinished, "wb") as file:
                file.write(data)
            tf.io.gfile.rename(unfinished, path, overwrite=True)
        else:
            pathlib.Path(unfinished).write_bytes(data)
            _rename(pathlib.Path(unfinished), pathlib.Path(path))
    except tf.errors.OpError as error:
        raise OSError(errno.EIO, f"cannot be written: {error.message}", path) from error
    except OSError as error:
        pathlib.Path(unfinished).unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, path) from error


@contextlib.contextmanager
def appearing_whole(path: str | os.PathLike) -> Iterator[str]:
    """A local path to write to; when the context ends without an error, what is there appears as `path`.

    Raises:
      OSError: the file cannot be written.
    """
    path = ready(path)
    if is_remote(path):
        with tempfile.TemporaryDirectory() as folder:
            unfinished = os.path.join(folder, posixpath.basename(path))  # noqa: PTH118
            yield unfinished
            copy(unfinished, path)
        return
    target = pathlib.Path(path)
    unfinished = target.with_name(f".{uuid.uuid4().hex[:8]}.{target.name}")
    try:
        yield str(unfinished)
        _rename(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def _rename(unfinished: pathlib.Path, target: pathlib.Path) -> None:
    """Puts a file under its name once its contents are on the disk, in place of a file or link of that name."""
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(target)


def copy(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Copies a file; the target appears whole or not at all.

    Raises:
      OSError: the target cannot be written.
    """
    source, target = ready(source), ready(target)
    unfinished = f"{target}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        if is_remote(source) or is_remote(target):
            tf.io.gfile.copy(source, unfinished)
        else:
            shutil.copyfile(source, unfinished)
        if is_remote(target):
            tf.io.gfile.rename(unfinished, target, overwrite=True)
        else:
            _rename(pathlib.Path(unfinished), pathlib.Path(target))
    except (OSError, tf.errors.OpError) as error:
        if not is_remote(target):
            pathlib.Path(unfinished).unlink(missing_ok=True)
        raise OSError(
            getattr(error, "errno", None) or errno.EIO, f"cannot be written: {_reason(error)}", target
        ) from error


@contextlib.contextmanager
def local_copy(path: str | os.PathLike) -> Iterator[str]:
    """A local path for a file that may be remote, for libraries that read local files only.

    Raises:
      OSError: the file cannot be copied.
    """
    path = os.fspath(path)
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, posixpath.basename(path))  # noqa: PTH118
        copy(path, local)
        yield local


def remove(path: str | os.PathLike) -> None:
    """Removes a file, a folder with everything in it, or a link but not what it leads to; fine if it is not there."""
    path = ready(path)
    if is_remote(path):
        if is_folder(path):
            tf.io.gfile.rmtree(path)
        elif exists(path):
            tf.io.gfile.remove(path)
    elif pathlib.Path(path).is_dir() and not pathlib.Path(path).is_symlink():
        shutil.rmtree(path)
    else:
        pathlib.Path(path).unlink(missing_ok=True)


def holds(folder: str | os.PathLike, path: str | os.PathLike, names: Iterable[str] = ()) -> bool:
    """Whether a folder is a file or folder, or holds it, symbolic and hard links looked through.

    Args:
      folder: maybe not there yet.
      path: of the file or folder.
      names: of entries of the folder whose own links count too.
    """
    if is_remote(folder) or is_remote(path):
        return f"{os.fspath(path).rstrip('/')}/".startswith(f"{os.fspath(folder).rstrip('/')}/")
    place, wanted = pathlib.Path(folder).resolve(), pathlib.Path(path).resolve()
    entries = [place, *((place / name).resolve() for name in names)]
    if any(entry == wanted or entry in wanted.parents for entry in entries):
        return True
    own = {identity for entry in entries[1:] for identity in _identities(entry)}
    return bool(own & _identities(wanted))


def _identities(path: pathlib.Path) -> set[tuple[int, int]]:
    """What tells a file, or those in a folder, from others whatever their names are."""
    paths = [path] if path.is_file() else path.iterdir() if path.is_dir() else []
    stats = [entry.stat() for entry in paths if entry.is_file()]
    return {(stat.st_dev, stat.st_ino) for stat in stats}


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)
