"""Strategies by name; what they do together is in test_distribution."""

import json

import pytest
import tensorflow as tf

from hd2s_tf.errors import BadInputError
from hd2s_tf.training import strategies


def test_one_is_the_default_strategy():
    strategy = strategies.create("one")
    assert strategy is tf.distribute.get_strategy()
    assert strategies.is_chief(strategy)
    assert not strategies.spans_processes(strategy)
    assert strategies.total(strategy, 3) == 3


def test_mirrored_takes_every_device_of_the_machine():
    strategy = strategies.create("mirrored")
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    assert strategy.num_replicas_in_sync == len(devices)
    assert strategies.is_chief(strategy)
    assert strategies.total(strategy, 3) == 3 * len(devices)


def test_an_unknown_name_is_refused():
    with pytest.raises(BadInputError, match="no strategy 'x': they are one, mirrored, multiworker"):
        strategies.create("x")


WORKERS = {"worker": ["a:1", "b:1"]}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "needs TF_CONFIG"),
        ("{", "needs TF_CONFIG"),
        (json.dumps({"cluster": WORKERS}), "needs TF_CONFIG"),
        (json.dumps({"cluster": WORKERS, "task": {"type": "chief", "index": 0}}), "the task is chief 0"),
        (json.dumps({"cluster": WORKERS, "task": {"type": "worker", "index": 2}}), "the cluster has 2 workers"),
    ],
)
def test_a_cluster_that_is_not_described_is_refused(monkeypatch, config, message):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(BadInputError, match=message):
        strategies.create("multiworker")
