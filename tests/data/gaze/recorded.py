"""Folders of videos, images and tables of gaze, and what they are read as, from end to end."""

import fractions

import numpy as np

from hd2s_tf.data import images, layouts
from hd2s_tf.data.gaze.settings import GazeSettings
from hd2s_tf.data.layouts import ValidationSplit

HEADER = "image,observer,onset_ms,duration_ms,x,y"


def write_image(path, size=(100, 200)):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(images.png(np.zeros((*size, 3), np.uint8)))


def write_video(path, times, size=(64, 96)):
    """A video whose frames appear at these times in ms."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1000)
        stream.height, stream.width = size
        for time in times:
            frame = av.VideoFrame.from_ndarray(np.full((*size, 3), 90, np.uint8), format="rgb24")
            frame.pts = time
            frame.time_base = fractions.Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def read(folder, **settings):
    layout = layouts.layout_named("gaze", GazeSettings(**settings))
    videos, problems = layouts.read_layout(layout, folder, ValidationSplit(fraction=0))
    return {record.name: record for record in videos}, problems, layout.report()


def read_still(tmp_path, rows, header=HEADER, names=("a",), **settings):
    for name in names:
        write_image(tmp_path / f"{name}.png")
    (tmp_path / "fixations.csv").write_text("\n".join([header, *rows]) + "\n")
    return read(tmp_path, **settings)


def points_of(record, index=0):
    """(x, y) in pixels of the stimulus."""
    points = record.labels.read_fixations(index) * record.labels.size
    return points[:, ::-1].round(2).tolist()
