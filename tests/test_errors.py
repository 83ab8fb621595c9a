import pickle

import pytest

from hd2s_tf.errors import BadInputError, RunError


@pytest.mark.parametrize(
    "error", [BadInputError("3 maps are missing", "allow_missing"), BadInputError("no maps"), RunError("disk is full")]
)
def test_an_error_of_another_process_is_the_same(error):
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is type(error)
    assert str(copied) == str(error)
    assert vars(copied) == vars(error)


def test_both_can_be_caught_as_pythons_own():
    assert issubclass(BadInputError, ValueError)
    assert issubclass(RunError, RuntimeError)
    assert not issubclass(BadInputError, RuntimeError)
