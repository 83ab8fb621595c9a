"""The bundled weights predict the same bytes as ever.

`golden/frames.png` holds the first 24 frames of the bundled video at 64x96 and `golden/maps.png` their maps at 128x192,
each below the one before. `python -m tests.inference.test_bundled_weights` makes them and `golden/golden.json` anew.
"""

import hashlib
import json
import pathlib

import cv2
import numpy as np

from hd2s_tf import load_predict_fn, predict_video

FOLDER = pathlib.Path(__file__).parent / "golden"
COUNT, SIZE = 24, (128, 192)
# The instructions with which TensorFlow and oneDNN add up float32 numbers, the newest first.
INSTRUCTION_SETS = ("amx_tile", "avx512f", "avx2")


def _instruction_set():
    """The newest of the known instruction sets that this processor has; "other" where the system does not tell."""
    described = pathlib.Path("/proc/cpuinfo")
    flags = described.read_text().split() if described.exists() else []
    return next((name for name in INSTRUCTION_SETS if name in flags), "other")


def _read(name, channels):
    image = cv2.imread(str(FOLDER / name), cv2.IMREAD_COLOR_RGB if channels == 3 else cv2.IMREAD_GRAYSCALE)
    return image.reshape(COUNT, -1, *image.shape[1:])


def _frames():
    """Frames uint8 [24,128,192,3], grown by repetition, which no library can round in its own way."""
    return _read("frames.png", 3).repeat(2, 1).repeat(2, 2)


def _predicted():
    predict_fn = load_predict_fn("auto", "hd2s_tiny", precision="float32")
    return np.stack([prediction.saliency_map for prediction in predict_video(predict_fn, _frames())])


def _checksum(maps):
    return hashlib.sha256(maps.tobytes()).hexdigest()


def test_the_maps_are_those_that_were_stored():
    recorded = json.loads((FOLDER / "golden.json").read_text())
    expected, found = _read("maps.png", 1), _predicted()
    assert _checksum(expected) == recorded["sha256"]
    # Other instructions add in another order.
    np.testing.assert_allclose(found.astype(int), expected, rtol=0, atol=1)
    if _instruction_set() == recorded["instruction_set"]:
        assert _checksum(found) == recorded["sha256"]


def _make():
    import itertools

    from hd2s_tf.data import frame_source, preprocessing

    source = frame_source.open_frames(pathlib.Path(__file__).parents[2] / "docs" / "media" / "bigbuckbunny.mp4")
    frames = [preprocessing.resize(frame, (SIZE[0] // 2, SIZE[1] // 2)) for frame in itertools.islice(source, COUNT)]
    cv2.imwrite(str(FOLDER / "frames.png"), np.concatenate(frames)[..., ::-1])
    maps = _predicted()
    cv2.imwrite(str(FOLDER / "maps.png"), np.concatenate(maps))
    recorded = {"sha256": _checksum(maps), "instruction_set": _instruction_set()}
    (FOLDER / "golden.json").write_text(json.dumps(recorded, indent=2) + "\n")


if __name__ == "__main__":
    _make()
