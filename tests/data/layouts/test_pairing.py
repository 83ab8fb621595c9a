import itertools
import re

import numpy as np
import pytest

from hd2s_tf.data import images
from hd2s_tf.data.layouts import pairing
from hd2s_tf.errors import BadInputError

EMPTY = images.png(np.zeros((2, 2), np.uint8))


def _files(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(EMPTY)
    return folder


def _paired(tmp_path, frames, maps):
    """The names of frames and of the maps that belong to the first of them."""
    frames = pairing.image_files(str(_files(tmp_path / "images", frames)))
    _files(tmp_path / "maps", maps)
    labels = pairing.label_files(str(tmp_path), frames)
    names = [[path.rsplit("/", 1)[1] for path in paths] for paths in (frames, labels.map_paths)]
    return list(zip(*names, strict=False))


@pytest.mark.parametrize(
    "frame, label",
    [("{}.png", "{:04d}.png"), ("{:03d}.jpg", "{}.png"), ("frame_{}.png", "map_{:05d}.png"), ("{}.png", "{}.png"),
     ("img{:04d}.jpg", "{}.png"), ("v2_{}.png", "v2_{:03d}.png")],
)  # fmt: skip
@pytest.mark.parametrize("first", [0, 1, 7])
def test_names_are_paired_by_number(tmp_path, frame, label, first):
    numbers = range(first, first + 12)
    pairs = _paired(tmp_path, map(frame.format, numbers), map(label.format, numbers))
    assert pairs == [(frame.format(number), label.format(number)) for number in numbers]


def test_numbers_need_not_follow_each_other(tmp_path):
    numbers = [5, 10, 15, 100]
    pairs = _paired(tmp_path, [f"{number}.png" for number in numbers], [f"{number:04d}.png" for number in numbers])
    assert pairs == [(f"{number}.png", f"{number:04d}.png") for number in numbers]


def test_names_without_numbers_are_paired_by_name(tmp_path):
    assert _paired(tmp_path, ["b.jpg", "a.jpg"], ["a.png", "b.png"]) == [("a.jpg", "a.png"), ("b.jpg", "b.png")]
    with pytest.raises(BadInputError, match="c.png: none of the 1 maps has the name or number of .*a.jpg"):
        _paired(tmp_path / "other", ["a.jpg"], ["c.png"])


@pytest.mark.parametrize("frames, maps", [(12, 10), (10, 12)])
def test_an_end_without_the_other_is_left_out_with_a_warning(tmp_path, caplog, frames, maps):
    numbers = [range(1, count + 1) for count in (frames, maps)]
    pairs = _paired(tmp_path, [f"{n}.png" for n in numbers[0]], [f"{n:04d}.png" for n in numbers[1]])
    assert pairs == [(f"{number}.png", f"{number:04d}.png") for number in range(1, 11)]
    assert f"{maps} maps for {frames} frames, paired by number" in caplog.text


@pytest.mark.parametrize(
    "frames, maps, message",
    [
        ((1, 2, 3, 4), (1, 2, 4), "images/3.png: maps or frames are missing beside 3.png"),
        ((1, 2, 4), (1, 2, 3, 4), "maps/0003.png: maps or frames are missing beside 0003.png"),
        # Whether the first frame has the first map is not to be known.
        ((0, 1, 2, 3), (1, 2, 3, 4), "images/0.png: maps or frames are missing beside 0.png"),
    ],
)
def test_gaps_are_named(tmp_path, frames, maps, message):
    with pytest.raises(BadInputError, match=message):
        _paired(tmp_path, [f"{number}.png" for number in frames], [f"{number:04d}.png" for number in maps])


def test_doubles_are_named(tmp_path):
    with pytest.raises(BadInputError, match="maps/1.png: the same number as 01.png|maps/01.png: .* as 1.png"):
        _paired(tmp_path, ["1.png", "2.png"], ["1.png", "01.png", "2.png"])


def test_pairing_against_the_slow_way(tmp_path):
    """Frames and maps with random numbers: paired if and only if each pair has one number and no frame lacks one."""
    generator = np.random.default_rng(0)
    for trial in range(60):
        folder = tmp_path / str(trial)
        frames, maps = (sorted(generator.permutation(12)[: generator.integers(1, 12)].tolist()) for _ in range(2))
        last = max(set(frames) & set(maps), default=-1)
        fits = last >= 0 and [n for n in frames if n <= last] == [n for n in maps if n <= last]
        names = [f"{n}.png" for n in frames], [f"{n:03d}.png" for n in maps]
        if not fits:
            with pytest.raises(BadInputError):
                _paired(folder, *names)
            continue
        pairs = _paired(folder, *names)
        assert [tuple(int(re.match(r"\d+", name)[0]) for name in pair) for pair in pairs] == [
            (number, number) for number in frames if number <= last
        ]


@pytest.mark.parametrize(
    "numbers, message",
    [(range(5, 9), "the first map is number 5, not 1"), ((1, 2, 4), "the next map is number 4, not 3")],
)
def test_maps_of_a_video_file_begin_with_its_first_frame(tmp_path, numbers, message):
    _files(tmp_path / "maps", [f"{number:04d}.png" for number in numbers])
    with pytest.raises(BadInputError, match=message):
        pairing.label_files(str(tmp_path))


def test_fixations_belong_to_maps(tmp_path):
    for first, second in itertools.permutations(("{}.png", "{:04d}.png")):
        folder = tmp_path / first
        _files(folder / "maps", map(first.format, range(1, 13)))
        _files(folder / "fixation", map(second.format, range(1, 13)))
        labels = pairing.label_files(str(folder))
        assert [path.rsplit("/", 1)[1] for path in labels.fixation_paths] == [*map(second.format, range(1, 13))]
        assert labels.frame_names == tuple(first.format(number)[:-4] for number in range(1, 13))
