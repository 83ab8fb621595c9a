"""Prepared data: the schema of a frame's record, shards of such records, and `dataset.json` that describes them.

A shard is a TFRecord file with one record a frame, the frames of a video in order. An index beside it holds the
position of every record, so that any window can be read without the frames before it. Every record is checked against
its checksum when it is read.
"""

import collections
import dataclasses
import functools
import json
import os
import struct
import threading
from collections.abc import Iterable

import google_crc32c
import numpy as np
import tensorflow as tf

from hd2s_tf import files
from hd2s_tf.data import images
from hd2s_tf.data.labels import Observed
from hd2s_tf.errors import BadInputError, RunError

DATASET, INDEX_SUFFIX, SHARD_SUFFIX = "dataset.json", ".index.json", ".tfrecord"
FORMAT = 1
_HEADER, _FOOTER = 12, 4  # length and its checksum before a record, the record's checksum after it
_OPEN_SHARDS = 64


@dataclasses.dataclass(frozen=True)
class FrameRecord:
    """A frame as it is stored.

    Attributes:
      image: JPEG bytes, RGB.
      saliency_map: PNG bytes, 8-bit; empty for a frame without ground truth.
      fixations: float32 [N,2], (y, x) as fractions of height and width from 0 to below 1.
      observers: int32 [N], the observer of each fixation, of those that `dataset.json` names; empty where that is not
        known. Stored only where it is: earlier versions pass over it, and earlier data is read without.
      full_size_map: PNG bytes, 8-bit, the ground truth at its source's size, black ones too; empty where it is not
        kept. Stored as `observers` are.
    """

    image: bytes
    saliency_map: bytes
    fixations: np.ndarray
    observers: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int32))
    full_size_map: bytes = b""

    def decode_image(self) -> np.ndarray:
        """The frame, uint8 RGB [H,W,3]."""
        return images.from_jpeg(self.image)

    def decode_map(self) -> np.ndarray | None:
        """The ground truth, uint8 [H,W]; None for a frame without."""
        return images.from_png(self.saliency_map) if self.saliency_map else None

    def decode_largest_map(self) -> np.ndarray | None:
        """The ground truth at its source's size where that is kept, else as `decode_map`."""
        return images.from_png(self.full_size_map) if self.full_size_map else self.decode_map()


def write_frame(record: FrameRecord) -> bytes:
    """Serializes a frame as a tf.train.Example."""
    features = {
        "image": record.image,
        "saliency_map": record.saliency_map,
        "fixations": record.fixations.astype("<f4").tobytes(),
    }
    if len(record.observers):
        features["observers"] = record.observers.astype("<i4").tobytes()
    if record.full_size_map:
        features["full_size_map"] = record.full_size_map
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for name, value in features.items()
            }
        )
    ).SerializeToString(deterministic=True)


def parse_frame(serialized: bytes) -> FrameRecord:
    """The inverse of `write_frame`."""
    feature = tf.train.Example.FromString(serialized).features.feature
    values = {name: feature[name].bytes_list.value[0] for name in ("image", "saliency_map", "fixations")}
    observers, full_size_map = (
        feature[name].bytes_list.value[0] if name in feature else b"" for name in ("observers", "full_size_map")
    )
    return FrameRecord(
        values["image"],
        values["saliency_map"],
        np.frombuffer(values["fixations"], "<f4").reshape(-1, 2),
        np.frombuffer(observers, "<i4"),
        full_size_map,
    )


def frame_of(serialized: bytes) -> bytes:
    """Frames a record as a TFRecord file does: length, checksum, bytes, checksum."""
    length = struct.pack("<Q", len(serialized))
    return length + _masked_checksum(length) + serialized + _masked_checksum(serialized)


def _masked_checksum(data: bytes) -> bytes:
    checksum = google_crc32c.value(data)
    return struct.pack("<I", ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF)


@dataclasses.dataclass(frozen=True)
class Video:
    """A prepared video.

    Attributes:
      name: in its data set.
      shard: path of the shard that holds it.
      offsets: int64 [frames + 1], where each frame's record begins in the shard, and where the last one ends.
      targets: bool [frames], which frames have a ground truth that is not all black.
      observed: who looked at it; None where that is not known.
    """

    name: str
    shard: str
    offsets: np.ndarray
    targets: np.ndarray
    observed: Observed | None = None

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return len(self.targets)

    def read(self, indices: np.ndarray) -> list[FrameRecord]:
        """Reads frames by their indices, each record once even if it is asked for several times.

        Raises:
          RunError: the shard is truncated, damaged or gone.
        """
        first, last = int(indices.min()), int(indices.max())
        data = _read_range(self.shard, int(self.offsets[first]), int(self.offsets[last + 1]))
        records = {int(index): self._parse(data, first, int(index)) for index in np.unique(indices)}
        return [records[int(index)] for index in indices]

    def _parse(self, data: bytes, first: int, index: int) -> FrameRecord:
        base = int(self.offsets[first])
        start, end = (int(self.offsets[position]) - base for position in (index, index + 1))
        record = data[start:end]
        body = record[_HEADER:-_FOOTER]
        if len(record) != end - start or frame_of(body) != record:
            raise RunError(f"{self.shard}: damaged: the record of {self.name}, frame {index + 1}, fails its checksum")
        return parse_frame(body)


class _OpenShards:
    """File descriptors of the shards read last."""

    def __init__(self) -> None:
        self._descriptors: collections.OrderedDict[str, int] = collections.OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: str, start: int, end: int) -> bytes:
        with self._lock:
            if path not in self._descriptors:
                self._descriptors[path] = os.open(path, os.O_RDONLY)
                if len(self._descriptors) > _OPEN_SHARDS:
                    os.close(self._descriptors.popitem(last=False)[1])
            self._descriptors.move_to_end(path)
            # A duplicate, which survives when another thread closes the shared descriptor.
            descriptor = os.dup(self._descriptors[path])
        try:
            return os.pread(descriptor, end - start, start)
        finally:
            os.close(descriptor)


_open_shards = _OpenShards()


def _read_range(path: str, start: int, end: int) -> bytes:
    try:
        if not files.is_remote(path):
            return _open_shards.read(path, start, end)
        with tf.io.gfile.GFile(files.ready(path), "rb") as file:
            file.seek(start)
            return file.read(end - start)
    except (OSError, tf.errors.OpError) as error:
        raise RunError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


@dataclasses.dataclass(frozen=True)
class Dataset:
    """One prepared split.

    Attributes:
      folder: where it lies.
      information: `dataset.json` as it was written: name, layout, split, size, counts, options, shards.
      videos: in order of their names.
    """

    folder: str
    information: dict
    videos: tuple[Video, ...]

    @property
    def name(self) -> str:
        """The data set's name."""
        return self.information["name"]

    @property
    def labelled(self) -> bool:
        """Whether any frame has a ground truth."""
        return any(video.targets.any() for video in self.videos)

    @property
    def full_size_truth(self) -> bool:
        """Whether the ground truth is kept at its source's size too; never in data of earlier versions."""
        return self.information["options"].get("full_size_truth", False)

    @functools.cached_property
    def description(self) -> dict:
        """Describes the split in a run's record: name, split, ids of its videos, checksums of its shards."""
        kept = ("name", "layout", "split", "options", "counts")
        return {
            **{key: self.information[key] for key in kept},
            "folder": self.folder,
            "videos": [video.name for video in self.videos],
            "shards": {shard["file"]: shard["sha256"] for shard in self.information["shards"]},
        }


def load_dataset(data_dir: str | os.PathLike, split: str) -> Dataset:
    """Opens a prepared split.

    Raises:
      BadInputError: nothing is prepared there, it is incomplete, or a shard is missing or of another size.
    """
    folder = files.join(data_dir, split)
    path = files.join(folder, DATASET)
    if not files.exists(path):
        raise BadInputError(f"{path}: not there: no prepared data, or its preparation has not finished")
    try:
        information = json.loads(files.read_bytes(path))
        if information["format"] != FORMAT:
            raise BadInputError(f"{path}: written in format {information['format']}, this version reads {FORMAT}")
        _check_names(path, (shard["file"] for shard in information["shards"]))
        videos = [
            _video(entry, files.join(folder, shard["file"]))
            for shard in information["shards"]
            for entry in _read_index(folder, shard)
        ]
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, BadInputError):
            raise
        raise BadInputError(f"{path}: damaged: {error}") from error
    _check_names(path, (video.name for video in videos))
    return Dataset(folder, information, tuple(sorted(videos, key=lambda video: video.name)))


def _check_names(path: str, names: Iterable[str]) -> None:
    """Refuses names of shards or videos that lead out of a folder: files are named after them."""
    for name in names:
        if not name or name in (".", "..") or set(name) & set("/\\\0"):
            raise BadInputError(f"{path}: the name {name!r} leads out of its folder")


def _read_index(folder: str, shard: dict) -> list[dict]:
    path = files.join(folder, shard["file"])
    if not files.exists(path) or files.file_size(path) != shard["bytes"]:
        raise BadInputError(f"{path}: missing or truncated: it should have {shard['bytes']} bytes")
    index = json.loads(files.read_bytes(path.removesuffix(SHARD_SUFFIX) + INDEX_SUFFIX))
    return index["videos"]


def _video(entry: dict, shard: str) -> Video:
    targets = np.ones(len(entry["offsets"]) - 1, bool)
    targets[entry["without_target"]] = False
    observed = Observed.from_json(entry["observed"]) if "observed" in entry else None
    return Video(entry["name"], shard, np.array(entry["offsets"], np.int64), targets, observed)


def load_splits(data_dir: str | os.PathLike, splits: tuple[str, ...] = ()) -> list[Dataset]:
    """Opens the splits named, or all that are prepared.

    Raises:
      BadInputError: there are none, or `load_dataset` refuses one.
    """
    if not files.is_folder(data_dir):
        raise BadInputError(f"{data_dir}: no such folder")
    found = [name for name in files.list_folder(data_dir) if files.exists(files.join(data_dir, name, DATASET))]
    if not (splits or found):
        raise BadInputError(f"{data_dir}: no prepared data")
    return [load_dataset(data_dir, split) for split in splits or found]
