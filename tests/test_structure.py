"""The structure of the project: what imports what, and that functions stay short."""

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

from tests import structure

ROOT = pathlib.Path(__file__).resolve().parents[1]
CHECKS = {
    check.__name__: check
    for check in (
        structure.upward_imports,
        structure.circles,
        structure.long_functions,
        structure.wide_signatures,
        structure.guessed_attributes,
        structure.unmirrored_modules,
    )
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_structure_holds(check):
    offences = CHECKS[check](ROOT)
    assert not offences, "\n" + "\n".join(offences)


@pytest.mark.parametrize(
    "statement, absent",
    [
        ("import hd2s_tf", ("tensorflow", "tensorflow_io", "torch", "matplotlib", "av")),
        # Keras itself loads matplotlib.
        ("import hd2s_tf; [getattr(hd2s_tf, name) for name in hd2s_tf.__all__]", ("tensorflow_io", "torch")),
        # It decodes videos, the other names do not.
        (
            "import hd2s_tf; [getattr(hd2s_tf, name) for name in hd2s_tf.__all__ if name != 'open_frames']",
            ("tensorflow_io", "torch", "av"),
        ),
    ],
    ids=["the package", "its public names", "its public names without video"],
)
def test_importing_the_package_loads_only_what_it_needs(statement, absent):
    command = [sys.executable, "-c", f"{statement}; import sys; print([n for n in {absent} if n in sys.modules])"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


# The checks themselves, on small projects.


def _project(root, **files):
    """Writes modules, `data__video` being hd2s_tf/data/video.py, and `tools___a` a program."""
    for name, text in files.items():
        folder, name = ("", name.replace("___", "/")) if "___" in name else ("hd2s_tf", name.replace("__", "/"))
        path = root / folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return root


def test_a_room_imports_downward_and_itself(tmp_path):
    project = _project(
        tmp_path,
        files="",
        errors="",
        data__video="from hd2s_tf import errors, files\nfrom hd2s_tf.models import s3d",
        data__clips="from hd2s_tf.data import video\nimport numpy, os",
        models__s3d="from hd2s_tf import files",
        tools___predict="from hd2s_tf.data.video import decode\nfrom hd2s_tf import predict_video",
    )
    assert structure.upward_imports(project) == []
    assert structure.circles(project) == []


@pytest.mark.parametrize(
    "text",
    [
        "\nfrom hd2s_tf.data import video",
        "\nfrom hd2s_tf.data.video import decode",
        "\nimport hd2s_tf.data.video",
        "def late():\n    import hd2s_tf.data.video as video",
        "\nfrom ..data import video",
        "if TYPE_CHECKING:\n    from ..data.video import decode",
    ],
)
def test_an_upward_import_is_found_with_its_line(tmp_path, text):
    project = _project(tmp_path, data__video="", models__s3d=text)
    (text,) = structure.upward_imports(project)
    assert text.startswith("hd2s_tf/models/s3d.py:2: imports hd2s_tf.data.video")
    assert "hd2s_tf.data does not stand below hd2s_tf.models" in text


@pytest.mark.parametrize(
    "files, expected",
    [
        ({"experiments__a": "from hd2s_tf.benchmark import b", "benchmark__b": ""}, "does not stand below"),
        ({"models__a": "from hd2s_tf import predict_video", "__init__": ""}, "does not stand below"),
        ({"models__a": "from tools import b", "tools___b": ""}, "does not stand below"),
        ({"tools___a": "from serving import b", "serving___b": ""}, "does not stand below"),
        ({"utils__a": "from hd2s_tf import errors", "errors": ""}, "hd2s_tf.utils has no place"),
        ({"errors": "from hd2s_tf import files", "files": ""}, "does not stand below"),
    ],
)
def test_other_imports_out_of_order_are_found(tmp_path, files, expected):
    (text,) = structure.upward_imports(_project(tmp_path, **files))
    assert expected in text


@pytest.mark.parametrize(
    "files, expected",
    [
        ({"a": "from hd2s_tf import b", "b": "\nimport hd2s_tf.a"}, "hd2s_tf/b.py:2: a circle: hd2s_tf.a -> hd2s_tf.b"),
        (
            {"a": "from .b import x", "b": "from .c import x", "c": "def f():\n  from .a import x"},
            "hd2s_tf/c.py:2: a circle",
        ),
        ({"a": "from hd2s_tf import a"}, "hd2s_tf.a -> hd2s_tf.a"),
    ],
)
def test_circles_are_found(tmp_path, files, expected):
    (text,) = structure.circles(_project(tmp_path, **files))
    assert expected in text


def test_two_ways_to_one_module_are_no_circle(tmp_path):
    project = _project(
        tmp_path, a="from hd2s_tf import b, c", b="from hd2s_tf import d", c="from hd2s_tf import d", d=""
    )
    assert structure.circles(project) == []


def test_long_functions_are_found_but_tables(tmp_path):
    sixty = "def f():\n" + 59 * "    g()\n"
    project = _project(
        tmp_path,
        files=sixty + "class A:\n    def f(self):\n" + 59 * "        x = 1\n" + "        return [y for y in x]\n",
        errors="def table():\n" + 80 * "    x.y = (1, 2)\n" + "    return x\n",
    )
    assert structure.long_functions(project) == ["hd2s_tf/files.py:62: A.f has 61 lines"]


@pytest.mark.parametrize(
    "line", ["if x: y = 1", "for y in x: pass", "def g(): pass", "x = lambda: 1", "x = 1 if y else 2"]
)
def test_what_branches_is_no_table(tmp_path, line):
    project = _project(tmp_path, files="def f():\n" + 60 * "    x = 1\n" + f"    {line}\n")
    assert structure.long_functions(project) == ["hd2s_tf/files.py:1: f has 62 lines"]


def test_wide_signatures_are_found_but_frozen_settings_and_the_network(tmp_path):
    nine = ", ".join("abcdefghi")
    fields = "".join(f"    {name}: int = 0\n" for name in "abcdefghi")
    project = _project(
        tmp_path,
        files=f"def f({nine}): pass\ndef g(a, /, b, *c, d, **e): pass\nclass A:\n  def f(self, {nine[3:]}): pass\n",
        data__a=f"@dataclasses.dataclass(frozen=True)\nclass A:\n{fields}",
        data__b=f"@dataclasses.dataclass\nclass B:\n{fields}",
        models__hd2s=f"class HD2S:\n    def __init__(self, {nine}): pass\n    def call(self, a, *, {nine[3:]}): pass\n",
    )
    assert structure.wide_signatures(project) == [
        "hd2s_tf/data/b.py:2: B has 9 parameters",
        "hd2s_tf/files.py:1: f has 9 parameters",
        "hd2s_tf/models/hd2s.py:3: HD2S.call has 9 parameters",
    ]


def test_guessed_attributes_are_found(tmp_path):
    project = _project(
        tmp_path,
        files="""
        getattr(predict_fn, "a", 1)
        hasattr(self._predict_fn, "b")
        getattr(predict_fn, "c")
        getattr(error, "d", None)
        """,
    )
    assert structure.guessed_attributes(project) == [
        "hd2s_tf/files.py:2: getattr(predict_fn, 'a', 1)",
        "hd2s_tf/files.py:3: hasattr(self._predict_fn, 'b')",
    ]


def test_modules_without_tests_of_their_own_are_found(tmp_path, monkeypatch):
    project = _project(tmp_path, __init__="", errors="", files="", data____init__="", data__clips="", data__video="")
    for name in ("test_files", "data/test_video", "test_clips"):
        path = tmp_path / "tests" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    missing = ["hd2s_tf/data/clips.py: no tests/data/test_clips.py", "hd2s_tf/errors.py: no tests/test_errors.py"]
    assert structure.unmirrored_modules(project) == missing
    monkeypatch.setitem(structure.UNMIRRORED, "errors.py", "a table")
    assert structure.unmirrored_modules(project) == missing[:1]
