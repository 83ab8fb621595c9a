from hd2s_tf.benchmark import table8


def test_the_papers_rows_are_all_there():
    rows = table8.published_rows()
    assert len(rows) == 10
    assert rows["HD2S (paper)"] == {"megabytes": 116, "seconds_a_frame": 0.027}
