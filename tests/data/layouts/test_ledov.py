from hd2s_tf.data import layouts
from hd2s_tf.data.layouts import ValidationSplit


def test_ledov(tmp_path):
    for path in ("a/one.mp4", "b/two.avi", "three.mp4"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"x")
    records, _ = layouts.read_layout("ledov", tmp_path, ValidationSplit(fraction=0))
    assert [record.name for record in records] == ["one", "three", "two"]
    assert records[0].labels is None
    (tmp_path / "Training.txt").write_text("two\n")
    (tmp_path / "Testing.txt").write_text("one\nmissing\n")
    records, problems = layouts.read_layout("ledov", tmp_path)
    assert [(record.name, record.split) for record in records] == [("two", "train"), ("one", "test")]
    assert "names the video missing" in str(problems[0])


def test_ledovs_lists_with_odd_names_and_without_validation(tmp_path):
    names = ["a.b", "ü x", *(f"v{number}" for number in range(18))]
    for name in names:
        (tmp_path / f"{name}.mp4").write_bytes(b"x")
    (tmp_path / "train.txt").write_text("\n".join([*names[:-1], "v0.mp4"]))
    records, problems = layouts.read_layout("ledov", tmp_path)
    assert not problems
    assert sorted(record.name for record in records) == sorted(names[:-1])
    assert sum(record.split == "validation" for record in records) == 2
    (tmp_path / "test.txt").write_text("v1\nv17\n")
    _, problems = layouts.read_layout("ledov", tmp_path)
    assert [str(problem) for problem in problems] == [f"{tmp_path}/v1.mp4: listed for train and for test"]


def test_links_that_lead_back_and_videos_of_one_name(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for link in ("one", "two"):
        (tmp_path / "a" / "b" / link).symlink_to(tmp_path)
    (tmp_path / "a" / "x.mp4").write_bytes(b"x")
    records, problems = layouts.read_layout("ledov", tmp_path, ValidationSplit(fraction=0))
    assert ([record.name for record in records], problems) == (["x"], [])
    (tmp_path / "a" / "b" / "x.avi").write_bytes(b"x")
    _, problems = layouts.read_layout("ledov", tmp_path)
    assert "x.mp4: another video has the same name" in str(problems[0])
