import pytest

from hd2s_tf.evaluation import published


def test_the_table_is_the_papers(shared):
    there = (shared / "paper" / "tables.csv").read_text().splitlines()
    lines = [
        (row.table, row.block, row.name, name, value) for row in published.load() for name, value in row.values.items()
    ]
    assert len(lines) == len(there) - 1
    for line, (*place, value) in zip(there[1:], lines, strict=True):
        assert line.rsplit(",", 1)[0].replace('"', "") == ",".join(place)
        assert float(line.rsplit(",", 1)[1]) == value


def test_there_are_three_trainings_of_hd2s():
    rows = {row.name: row.values for row in published.find("1")}
    assert [rows[name]["nss"] for name in ("HD2S", "HD2S_DA", "HD2S_DSL")] == [2.781, 2.709, 2.812]
    rows = {row.name: row.values for row in published.find("2", "UCF Sports test")}
    assert [rows[name]["sim"] for name in ("HD2S", "HD2S_DA", "HD2S_DSL")] == [0.493, 0.478, 0.507]
    assert {row.table for row in published.load()} == {str(number) for number in range(1, 9)}


@pytest.mark.parametrize("name", ["DHF1K", "dhf1k", "DHF-1K (validation)", "dhf1k_test"])
def test_a_data_set_by_any_spelling_of_its_name(name):
    rows = published.find_methods(name, "validation")
    assert rows[0].block == "DHF1K"
    assert {row.name for row in rows} >= {
        "HD2S, single source",
        "HD2S, domain-specific",
        "UNISAL",
        "HD2S",
        "HD2S_DA",
        "HD2S_DSL",
    }


def test_a_name_is_matched_as_a_whole():
    assert len(published.find_methods("Hollywood-2 (test)", "test")) == 11
    assert len(published.find_methods("ucf_sports", "testing")) == 11
    for name in ("dhf1k_small", "my dhf1k", "OSIE", "test", ""):
        assert not published.find_methods(name, "test")
    # What was trained on is no comparison.
    assert not published.find_methods("DHF1K", "train")
