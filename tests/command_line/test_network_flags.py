import pytest

DEFINITIONS = """
from hd2s_tf.command_line import network_flags
WEIGHTS = network_flags.define_weights("auto", "'none'")
BATCH_SIZE, STRIDE = network_flags.define_batch_size(), network_flags.define_stride()
PRECISION = network_flags.define_precision()
"""
BODY = "print(WEIGHTS.value, BATCH_SIZE.value, STRIDE.value, PRECISION.value)"


@pytest.mark.parametrize(
    "arguments, expected",
    [((), "auto None 1 auto"), (("--weights=x", "--batch_size=3", "--precision=bfloat16"), "x 3 1 bfloat16")],
)
def test_values_and_defaults(run_program, arguments, expected):
    result = run_program(DEFINITIONS, BODY, *arguments)
    assert (result.returncode, result.stdout.strip()) == (0, expected), result.stderr


@pytest.mark.parametrize("argument", ["--batch_size=0", "--stride=-1", "--precision=float16", "--domain=a"])
def test_values_that_make_no_sense_and_flags_that_a_tool_does_not_define(run_program, argument):
    result = run_program(DEFINITIONS, BODY, argument)
    assert (result.returncode, result.stdout) == (2, "")
    assert argument[2:].split("=")[0] in result.stderr


def test_they_are_listed_as_the_tools_own(run_program):
    body = """
from absl import flags
print(*sorted(flag.name for flag in flags.FLAGS.get_key_flags_for_module("__main__")))
"""
    assert run_program(DEFINITIONS, body).stdout.strip() == "batch_size precision stride weights"
