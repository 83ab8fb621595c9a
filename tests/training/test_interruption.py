import signal

import pytest

from hd2s_tf.training.interruption import Interruption


@pytest.mark.parametrize("number", Interruption.SIGNALS)
def test_a_signal_is_noted_and_the_next_one_is_obeyed(number):
    obeyed = []
    before = signal.signal(number, lambda *_: obeyed.append(number))
    try:
        with Interruption() as interruption:
            assert interruption.name == ""
            signal.raise_signal(number)
            assert (interruption.name, obeyed) == (number.name, [])
            signal.raise_signal(number)
            assert obeyed == [number]
    finally:
        signal.signal(number, before)


def test_signals_are_handled_as_before_in_the_end():
    before = [signal.getsignal(number) for number in Interruption.SIGNALS]
    with pytest.raises(KeyError), Interruption():
        assert [signal.getsignal(number) for number in Interruption.SIGNALS] != before
        raise KeyError
    assert [signal.getsignal(number) for number in Interruption.SIGNALS] == before
