import numpy as np

from hd2s_tf.data.gaze.rows import ROW, Rows


def _rows(*lines):
    rows = np.zeros(len(lines), ROW)
    rows["line"] = lines
    rows["x"] = np.array(lines) / 10
    return rows


def test_rows_of_each_video_come_in_their_order():
    rows = Rows()
    rows.append(np.array([2, 0, 2, 0]), _rows(1, 2, 3, 4))
    rows.append(np.array([2]), _rows(5))
    np.testing.assert_array_equal(rows.load(0), _rows(2, 4))
    np.testing.assert_array_equal(rows.load(2), _rows(1, 3, 5))
    assert rows.load(1).dtype == ROW and not len(rows.load(1))


def test_discarded_rows_are_gone_and_can_be_discarded_again():
    rows, others = Rows(), Rows()
    for kept in (rows, others):
        kept.append(np.array([0, 1]), _rows(1, 2))
    for _ in range(2):
        rows.discard(0)
    assert not len(rows.load(0))
    np.testing.assert_array_equal(rows.load(1), _rows(2))
    np.testing.assert_array_equal(others.load(0), _rows(1))
