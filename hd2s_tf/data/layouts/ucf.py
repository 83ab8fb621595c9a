"""The layout of UCF Sports and Hollywood-2 as the DHF1K benchmark distributes them; a still is a video of one frame."""

from collections.abc import Iterator

from hd2s_tf import files
from hd2s_tf.data.layouts import pairing
from hd2s_tf.data.layouts.base import TEST, TRAIN, Layout, Problem, VideoRecord, attempt

_FOLDERS = {"training": TRAIN, "testing": TEST}


def _recognises(input_dir: str) -> bool:
    return any(files.is_folder(files.join(input_dir, name)) for name in _FOLDERS)


def _read(input_dir: str) -> Iterator[VideoRecord | Problem]:
    for folder_name, split in _FOLDERS.items():
        folder = files.join(input_dir, folder_name)
        for name in files.list_folder(folder) if files.is_folder(folder) else []:
            if files.is_folder(files.join(folder, name)):
                yield attempt(split, _video, name, split, files.join(folder, name))


def _video(name: str, split: str, folder: str) -> VideoRecord:
    images = pairing.image_files(files.join(folder, "images"))
    return VideoRecord(name, split, images, pairing.label_files(folder, images))


UCF = Layout("training|testing/<video>/images, maps and fixation", _read, _recognises)
