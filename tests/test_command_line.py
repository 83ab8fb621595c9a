import subprocess
import sys
import textwrap

import pytest


def _run(body, *arguments):
    program = "from hd2s_tf import command_line\nfrom hd2s_tf.errors import BadInputError, RunError\ndef main():\n"
    program += textwrap.indent(body, "    ") + "\ncommand_line.run(main)"
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "body, status",
    [
        ("pass", 0),
        ("raise BadInputError('two\\nlines')", 2),
        ("raise RunError('failed')", 1),
        ("open('/nowhere/at/all')", 2),
        ("raise OSError(28, 'No space left on device', 'x')", 1),
        ("raise KeyboardInterrupt", 130),
    ],
)
def test_each_end_has_its_status_and_at_most_one_line(body, status):
    result = _run(body)
    assert result.returncode == status
    assert len(result.stderr.splitlines()) == (0 if status == 0 else 1)


def test_a_remedy_is_named_by_a_tool_that_has_its_flag():
    body = "from absl import flags\nflags.DEFINE_bool('allow_missing', False, '')\n"
    body += "raise BadInputError('3 maps are missing', remedy='{}')"
    assert _run(body.format("allow_missing")).stderr == (
        "error: 3 maps are missing: give --allow_missing to proceed all the same\n"
    )
    assert _run(body.format("overwrite")).stderr == "error: 3 maps are missing\n"


def test_unknown_flags_and_arguments_are_bad_input():
    for argument in ("--nonsense=1", "stray"):
        result = _run("pass", argument)
        assert result.returncode == 2
        assert len(result.stderr.splitlines()) == 1


def test_an_unexpected_error_keeps_its_traceback():
    result = _run("1 / 0")
    assert result.returncode == 1
    assert "ZeroDivisionError" in result.stderr


@pytest.mark.parametrize(
    "modules, absent",
    [
        ("hd2s_tf", "'tensorflow', 'tensorflow_io', 'torch', 'matplotlib'"),
        # Keras itself imports matplotlib where it is installed.
        ("hd2s_tf.training.loop, hd2s_tf.inference.to_folder, hd2s_tf.evaluation.evaluate", "'tensorflow_io', 'torch'"),
    ],
)
def test_importing_loads_nothing_that_is_not_needed(modules, absent):
    program = f"import sys, {modules}; assert not {{{absent}}} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
