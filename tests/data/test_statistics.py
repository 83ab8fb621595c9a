"""What statistics say of generated data, where it is known."""

import json

import numpy as np
import pytest

from hd2s_tf.data import images, preparation, records, statistics, synthetic
from hd2s_tf.data.gaze.settings import GazeSettings


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("statistics")
    synthetic.write_gaze(folder / "gaze", videos=3, frames=40, observers=4)
    synthetic.write_videos(folder / "plain", videos=2, frames=18, size=(48, 64))
    for layout, name, gaze in (("gaze", "gaze", GazeSettings()), ("dhf1k", "plain", None)):
        options = preparation.Options(48, 64, gaze=gaze)
        preparation.prepare(layout, str(folder / name), str(folder / f"p_{name}"), options=options, workers=1)
    datasets = {name: records.load_dataset(folder / f"p_{name}", "train") for name in ("gaze", "plain")}
    return datasets, {name: statistics.measure(dataset) for name, dataset in datasets.items()}


def test_gaze_is_measured(measured):
    values, mean_map = measured[1]["gaze"]
    assert (values["videos"], values["frames"], values["observers"]) == (2, 80, 4)
    assert values["observers_per_video"] == 4.0
    # Four people look most of the time, at the disc.
    assert 3 < values["fixations_per_frame"]["mean"] < 5
    assert values["share_without_fixations"] == 0.0
    assert len(values["fixations_over_time"]) == 20
    assert 150 <= values["fixation_durations_ms"][1] <= 500
    assert sum(values["fixation_duration_counts"][:3]) <= 4  # those that the end cuts
    assert values["agreement"] > 2
    assert 0 < values["distance_from_centre"] < 0.5
    assert mean_map.max() == 1.0
    json.dumps(values, allow_nan=False)


def test_other_data_has_no_people(measured):
    values, _ = measured[1]["plain"]
    assert values["fixations_per_frame"] == {"mean": 1.0, "standard_deviation": 0.0}
    assert "agreement" not in values
    json.dumps(values, allow_nan=False)


def test_the_pictures(measured):
    datasets, values = measured
    assert statistics.picture(values).startswith(b"\x89PNG")
    clips = statistics.clips_picture(list(datasets.values()))
    assert clips.dtype == np.uint8
    assert images.png(clips)
