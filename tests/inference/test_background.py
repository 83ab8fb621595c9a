import threading
import time

import pytest

from hd2s_tf.inference.background import Background, prefetched


def _counted(count, taken):
    for index in range(count):
        taken.append(index)
        yield index


def test_items_come_in_order_and_no_more_than_the_depth_ahead():
    taken = []
    for item in prefetched(_counted(50, taken), 3):
        assert len(taken) <= item + 1 + 3
    assert taken == list(range(50))
    assert list(prefetched([], 3)) == []


def test_an_error_comes_at_its_place():
    def broken():
        yield 1
        raise ValueError("broken")

    items = prefetched(broken(), 4)
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_the_thread_ends_when_nobody_listens_any_more():
    before, taken = threading.active_count(), []
    items = prefetched(_counted(1000, taken), 2)
    assert next(items) == 0
    items.close()
    assert threading.active_count() == before
    assert len(taken) <= 4


def test_work_of_one_thread_is_done_in_order_and_waits_its_turn():
    done = []
    with Background(1, most=2) as background:
        for index in range(20):
            background.do(done.append, index)
            assert len(done) >= index - 2
    assert done == list(range(20))


def test_what_work_raises_is_raised_at_the_latest_at_the_end():
    with pytest.raises(ZeroDivisionError), Background(2, most=4) as background:
        background.do(lambda: 1 / 0)


def test_an_error_of_the_caller_drops_work_that_waits():
    done = []
    with pytest.raises(KeyError), Background(1, most=100) as background:
        for index in range(50):
            background.do(lambda index=index: (time.sleep(0.01), done.append(index)))
        raise KeyError
    assert len(done) < 50
