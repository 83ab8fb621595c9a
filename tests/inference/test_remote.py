"""Videos through a service whose answers a test scripts."""

import time

import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.inference import remote
from hd2s_tf.serving.client import ServedModel
from tests.serving.scripted_service import ask, whole


@pytest.mark.parametrize("count", [1, 16, 31, 32, 33, 64, 100])
def test_each_frame_once_and_in_order(service, port, count):
    assert ask(port, count)[0] == whole(count)
    sent = [len(tf.make_ndarray(request.inputs["frames"])[0]) for request in service.requests]
    assert sum(sent) == count + 15 * (len(sent) - 1)


def test_answers_that_come_late_stay_in_order(service, port):
    service.faults = [lambda request, context: time.sleep(0.5)]
    assert ask(port, 100)[0] == whole(100)


def test_chunks_that_are_done_are_not_asked_for(service, port):
    answers, _ = ask(port, 100, first=70)
    assert answers == [(index, None if index < 64 else index) for index in range(100)]
    assert len(service.requests) == 2


def test_no_message_reaches_four_megabytes(service, port):
    noise = np.random.default_rng(0).integers(0, 256, (64, 128, 192, 3), np.uint8)
    with ServedModel(f"127.0.0.1:{port}/m") as model:
        list(remote.predict_frames(model, noise, domain="a"))
    assert max(request.ByteSize() for request in service.requests) < 4 << 20
