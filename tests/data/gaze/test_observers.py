import numpy as np
import pytest

from hd2s_tf.data.gaze import observers
from hd2s_tf.errors import BadInputError


@pytest.mark.parametrize(
    "wanted, expected", [("all", "abcde"), ("odd", "ace"), ("even", "bd"), ("d, a", "ad"), ("c", "c")]
)
def test_observers_that_are_wanted(wanted, expected):
    assert observers.choose("abcde", wanted) == list(expected)


@pytest.mark.parametrize("names, wanted", [("abc", "x"), ("a", "even")])
def test_observers_that_are_not_there(names, wanted):
    with pytest.raises(BadInputError, match="no observer"):
        observers.choose(names, wanted)


def test_halves_are_random_seeded_and_whole():
    found = list(observers.halves(7, 20, seed=0))
    for predicting, predicted in found:
        assert (len(predicting), len(predicted)) == (3, 4)
        assert sorted([*predicting, *predicted]) == list(range(7))
    assert len({tuple(predicting) for predicting, _ in found}) > 10
    np.testing.assert_equal(found, list(observers.halves(7, 20, seed=0)))


def test_each_from_the_others():
    found = [(a.tolist(), b.tolist()) for a, b in observers.each_from_the_others(3)]
    assert found == [([1, 2], [0]), ([0, 2], [1]), ([0, 1], [2])]
