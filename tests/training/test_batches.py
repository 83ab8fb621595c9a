"""The batches of a run: which data sets, of which domains, for which device."""

import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.data import records
from hd2s_tf.errors import BadInputError
from hd2s_tf.training import batches
from hd2s_tf.training.batches import TrainingData

ONE = tf.distribute.get_strategy


def taken(config, count, start_step=0):
    made = TrainingData(config, ONE()).batches(start_step)
    return [tf.nest.map_structure(lambda values: values.numpy(), next(made)) for _ in range(count)]


@pytest.mark.parametrize("name", ["folder", ":train", "gs://bucket"])
def test_data_is_named_as_folder_and_split(name):
    with pytest.raises(BadInputError, match="folder:split"):
        batches.open_splits((name,))


def test_data_that_is_not_prepared_is_named():
    with pytest.raises(BadInputError, match="nowhere/train/dataset.json"):
        batches.open_splits(("nowhere:train",))


def test_splits_are_opened_in_order(prepared):
    opened = batches.open_splits((f"{prepared}:validation", f"{prepared}:train"))
    assert [[video.name for video in dataset.videos] for dataset in opened] == [["0004"], ["0001", "0002", "0003"]]


def test_domains_are_indices_by_name(prepared):
    datasets = [records.load_dataset(prepared, "train")] * 3
    assert batches.domain_indices(datasets, ("b", "a", "b"), ("a", "b")) == [1, 0, 1]
    assert batches.domain_indices(datasets, (), ()) == [0, 0, 0]


def test_folders_take_turns_with_their_domains(config, prepared):
    config.model.overrides.domains = ("a", "b")
    config.data.train = (f"{prepared}:train", f"{prepared}:validation")
    config.data.train_domains = ("b", "a")
    assert [batch["domain"].tolist() for batch in taken(config, 4)] == [[1, 1], [0, 0], [1, 1], [0, 0]]


def test_batches_have_the_models_clips_and_the_settings_frames(config):
    config.model.overrides.clip_frames = 8
    (batch,) = taken(config, 1)
    assert {name: values.shape for name, values in batch.items()} == {
        "clip": (2, 8, 32, 64, 3),
        "domain": (2,),
        "saliency_map": (2, 32, 64),
        "fixation_map": (2, 32, 64),
    }


def test_batches_are_the_same_from_any_step_on(config):
    whole, later = taken(config, 4), taken(config, 2, start_step=2)
    for first, second in zip(whole[2:], later, strict=True):
        for name, values in first.items():
            np.testing.assert_array_equal(second[name], values)


def test_source_and_target_of_the_same_videos_are_drawn_apart(config, prepared):
    """One stream of random numbers for both would pair every clip with itself."""
    config.data.target = (f"{prepared}:train",)
    config.data.batch_size = 8
    (batch,) = taken(config, 1)
    assert set(batch["target"]) == {"clip", "domain"}
    same = [np.array_equal(*pair) for pair in zip(batch["source"]["clip"], batch["target"]["clip"], strict=True)]
    assert not all(same)


def test_the_description_names_every_folder_once(config, prepared):
    config.data.train = (f"{prepared}:train", f"{prepared}:validation", f"{prepared}:train")
    config.data.target = (f"{prepared}:validation",)
    description = TrainingData(config, ONE()).description
    assert [entry["split"] for entry in description] == ["train", "validation"]
    assert description[0]["videos"] == ["0001", "0002", "0003"]
    assert len(description[0]["shards"]) == 1
