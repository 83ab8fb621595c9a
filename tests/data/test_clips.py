import collections
import dataclasses
import pathlib
import shutil

import numpy as np
import pytest

from hd2s_tf.data import augmentation, clips, images, preparation, preprocessing, records, synthetic
from hd2s_tf.data.augmentation import Augmentation
from hd2s_tf.data.layouts import ValidationSplit
from hd2s_tf.errors import BadInputError, RunError

SIZE = (32, 48)
SAMPLING = clips.Sampling(batch_size=4, seed=3, size=SIZE)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    synthetic.write_videos(folder / "source", videos=2, frames=20, size=(64, 96))
    given = {"options": preparation.Options(*SIZE), "validation": ValidationSplit(fraction=0), "workers": 1}
    preparation.prepare("dhf1k", str(folder / "source"), str(folder / "out"), **given)
    return records.load_dataset(folder / "out", "train")


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    folder = tmp_path_factory.mktemp("still")
    for kind in ("images", "maps", "fixation"):
        (folder / "source" / "training" / "a" / kind).mkdir(parents=True)
        image = np.full((64, 96), 90, np.uint8)
        (folder / "source" / "training" / "a" / kind / "a.png").write_bytes(images.png(image))
    preparation.prepare(
        "stills", str(folder / "source"), str(folder / "out"), options=preparation.Options(*SIZE), workers=1
    )
    return records.load_dataset(folder / "out", "train")


def _batches(dataset, count, sampling=SAMPLING, **arguments):
    return list(clips.training_batches([dataset], sampling, **arguments).take(count).as_numpy_iterator())


def test_a_batchs_shapes_types_and_ranges(dataset):
    batch = _batches(dataset, 1)[0]
    assert {name: (values.shape, values.dtype.name) for name, values in batch.items()} == {
        "clip": ((4, 16, *SIZE, 3), "float32"),
        "domain": ((4,), "int32"),
        "saliency_map": ((4, *SIZE), "float32"),
        "fixation_map": ((4, *SIZE), "bool"),
    }
    assert -1 <= batch["clip"].min() < batch["clip"].max() <= 1
    assert 0 <= batch["saliency_map"].min() < batch["saliency_map"].max() <= 1


@pytest.mark.parametrize(
    "augmentation", [Augmentation(), Augmentation(zoom=0.5, brightness=0.1, contrast=0.2, saturation=0.4, tempo=0.5)]
)
def test_batches_are_a_function_of_seed_and_step(dataset, augmentation):
    sampling = dataclasses.replace(SAMPLING, augmentation=augmentation)
    batches = _batches(dataset, 5, sampling)
    later = _batches(dataset, 2, sampling, start_step=3)
    for first, second in zip(batches[3:], later, strict=True):
        for name in first:
            np.testing.assert_array_equal(first[name], second[name])
    other = _batches(dataset, 1, dataclasses.replace(sampling, seed=4))[0]
    assert (other["clip"] != batches[0]["clip"]).any()


def test_the_target_is_the_last_frames(dataset):
    for batch in _batches(dataset, 4):
        for clip, saliency_map in zip(batch["clip"], batch["saliency_map"], strict=True):
            bright = np.argwhere(clip[-1].mean(-1) > 0.7).mean(0)
            peak = np.unravel_index(saliency_map.argmax(), SIZE)
            np.testing.assert_allclose(bright, peak, atol=2.5)


def test_every_window_is_equally_likely(dataset):
    windows = clips._Windows(dataset, clips.Sampling(4, unit="windows"), labelled=True)
    generator = np.random.default_rng(0)
    drawn = collections.Counter(_window_key(*windows.draw(generator)) for _ in range(2000))
    # Two videos of 20 frames have 5 windows each.
    assert len(drawn) == 10
    assert min(drawn.values()) > 130
    assert max(drawn.values()) < 270


def _window_key(drawn, indices):
    np.testing.assert_array_equal(np.diff(indices), 1)
    return drawn.name, indices[0]


def test_a_still_repeats(still):
    batch = _batches(still, 1)[0]
    assert (batch["clip"] == batch["clip"][:, :1]).all()


def test_data_sets_take_turns(dataset, still):
    batches = clips.training_batches([dataset, still], clips.Sampling(2, size=SIZE), domains=[0, 1])
    batches = list(batches.take(4).as_numpy_iterator())
    assert [batch["domain"].tolist() for batch in batches] == [[0, 0], [1, 1], [0, 0], [1, 1]]


def test_a_target_comes_with_the_source_from_any_step_on(dataset, still):
    def pairs(start_step, count):
        sampling = clips.Sampling(2, seed=1, size=SIZE)
        source = clips.training_batches([dataset], sampling, start_step=start_step)
        target = clips.training_batches([still], sampling, start_step=start_step, labelled=False)
        return list(clips.paired_with_target(source, target).take(count).as_numpy_iterator())

    first, later = pairs(0, 3)[2], pairs(2, 1)[0]
    assert set(first["source"]) - set(first["target"]) == {"saliency_map", "fixation_map"}
    for part in ("source", "target"):
        np.testing.assert_array_equal(first[part]["clip"], later[part]["clip"])


def test_unlabelled_batches_have_no_truth(dataset):
    assert set(_batches(dataset, 1, labelled=False)[0]) == {"clip", "domain"}


def test_a_damaged_shard_is_named(dataset, tmp_path):
    shutil.copytree(dataset.folder, tmp_path / "train")
    damaged = records.load_dataset(tmp_path, "train")
    path = pathlib.Path(damaged.videos[0].shard)
    data = bytearray(path.read_bytes())
    # Frame 16 is in every window of a video of 20 frames.
    for loaded in damaged.videos:
        data[int(loaded.offsets[15]) + 50] ^= 1
    path.write_bytes(data)
    for batches in (
        clips.training_batches([damaged], clips.Sampling(1)),
        clips.evaluation_clips(damaged, batch_size=1),
    ):
        with pytest.raises(RunError, match=r"tfrecord: damaged: the record of 000\d, frame 16, fails its checksum$"):
            next(clips.with_run_errors(batches))


def test_evaluation_sees_every_window_once_in_order(dataset):
    seen = [
        (name.decode(), int(frame))
        for batch in clips.evaluation_clips(dataset, batch_size=3, size=SIZE)
        for name, frame in zip(batch["video"].numpy(), batch["frame"].numpy(), strict=True)
    ]
    assert seen == [(name, frame) for name in ("0001", "0002") for frame in range(15, 20)]


def test_flips_move_clip_and_truth_alike(dataset):
    plain = _batches(dataset, 3, dataclasses.replace(SAMPLING, augmentation=Augmentation(flip=False)))
    flipped = _batches(dataset, 3)
    kinds = set()
    for first, second in zip(plain, flipped, strict=True):
        for index in range(4):
            same = (first["clip"][index] == second["clip"][index]).all()
            other = second if same else {name: values[..., ::-1] for name, values in second.items()}
            np.testing.assert_array_equal(first["saliency_map"][index], other["saliency_map"][index])
            np.testing.assert_array_equal(first["fixation_map"][index], other["fixation_map"][index])
            kinds.add(bool(same))
    assert kinds == {True, False}


def test_an_unknown_unit_is_refused():
    with pytest.raises(BadInputError, match="windows, videos"):
        clips.Sampling(1, unit="frames")


def test_reflection_against_the_slow_way():
    for count in (1, 2, 5):
        endless = [*range(count), *reversed(range(count))] * 20
        np.testing.assert_array_equal(preprocessing.reflected(np.arange(20), count), endless[:20])


def test_scaling_is_the_published_one():
    np.testing.assert_allclose(preprocessing.scale(np.uint8([0, 255])), [-1, 1], atol=1e-7)


def test_shares_of_a_batch_are_the_batch(dataset, still):
    def batches(share):
        made = clips.training_batches([dataset, still], SAMPLING, domains=[0, 1], share=share)
        return list(made.take(2 * share.replicas).as_numpy_iterator())

    whole = batches(clips.WHOLE)
    parts = [batches(clips.Share(index, 2)) for index in range(2)]
    for step, expected in enumerate(whole):
        for name, values in expected.items():
            assert [len(part[step][name]) for part in parts] == [2, 2]
            np.testing.assert_array_equal(np.concatenate([part[step][name] for part in parts]), values)
    # The second half again, dealt out to two replicas.
    for number, single in enumerate(batches(clips.Share(1, 2, replicas=2))):
        step, replica = divmod(number, 2)
        for name, values in single.items():
            np.testing.assert_array_equal(values, whole[step][name][2 + replica : 3 + replica])


@pytest.mark.parametrize(("unit", "expected"), [("windows", 3 / 8), ("videos", 1 / 2)])
def test_a_short_video_among_longer_ones(dataset, unit, expected):
    """Videos of 20 and 18 frames have 5 and 3 windows: their share by windows is 3 of 8, by videos a half."""
    first, second = dataset.videos
    short = dataclasses.replace(second, offsets=second.offsets[:19], targets=second.targets[:18])
    windows = clips._Windows(dataclasses.replace(dataset, videos=(first, short)), clips.Sampling(1, unit=unit), True)
    generator = np.random.default_rng(0)
    share = np.mean([windows.draw(generator)[0] is short for _ in range(2000)])
    assert share == pytest.approx(expected, abs=0.05)


def test_a_frame_that_comes_again_is_the_same(dataset):
    """A video of three frames is continued by its mirror image: 1 2 3 3 2 1 1 2 3 ..."""
    first = dataset.videos[0]
    short = dataclasses.replace(first, offsets=first.offsets[:4], targets=first.targets[:3])
    clip, saliency_map, fixation_map = clips._example(
        short, np.array([0, 1, 2, 2, 1, 0]), SIZE, Augmentation(flip=False), np.random.default_rng(0)
    )
    np.testing.assert_array_equal(clip[3:], clip[2::-1])
    assert (clip[0] != clip[1]).any()
    alone = clips._example(short, np.array([0]), SIZE, Augmentation(flip=False), np.random.default_rng(0))
    np.testing.assert_array_equal(clip[-1], alone[0][0])
    np.testing.assert_array_equal(saliency_map, alone[1])
    np.testing.assert_array_equal(fixation_map, alone[2])


def test_a_crop_moves_fixations_with_the_frame(dataset, monkeypatch):
    """The fixated pixels of a crop are the fixations in it, enlarged as it is: here the lower right quarter, twice."""
    video = dataset.videos[0]
    crop = augmentation.Crop((16, 24), (16, 24), (16, 24))
    whole = clips._example(video, np.arange(16), SIZE, Augmentation(flip=False), np.random.default_rng(0))
    monkeypatch.setattr(augmentation, "draw_crop", lambda *_, **__: crop)
    cut = clips._example(video, np.arange(16), SIZE, Augmentation(flip=False), np.random.default_rng(0))
    rows, columns = np.nonzero(whole[2][16:, 24:])
    assert len(rows)
    found = np.argwhere(cut[2])
    # A fixation is stored as a point, so it may fall into any of the four pixels that its pixel becomes.
    np.testing.assert_array_equal(np.unique(found // 2, axis=0), np.unique(np.stack([rows, columns], 1), axis=0))
    np.testing.assert_array_equal(cut[0], [preprocessing.resize(frame[16:, 24:], SIZE) for frame in whole[0]])


def test_streams_of_one_seed_are_independent(dataset):
    """Fair flips of the same clips agree in half of the cases: 24 of 24 would mean one stream, as would none."""
    first, second = (_batches(dataset, 6, dataclasses.replace(SAMPLING, stream=stream)) for stream in (0, 1))
    rows = np.array(
        [[_flipped(dataset, clip) for batch in batches for clip in batch["clip"]] for batches in (first, second)]
    )
    assert 4 <= (rows[0] == rows[1]).sum() <= 20
    assert {*rows[0]} == {*rows[1]} == {False, True}


def _flipped(dataset, clip):
    """Whether a clip is the mirror image of a window of the data set."""
    windows = next(iter(clips.evaluation_clips(dataset, batch_size=10, size=SIZE)))["clip"].numpy()
    return not any((window == clip).all() for window in windows)
