DEFINITIONS = "from hd2s_tf.command_line import prediction_flags"
BODY = "prediction_flags.report({'frames': 30, 'seconds': 1.25})"


def test_what_was_done_is_reported_in_a_line(run_program):
    result = run_program(DEFINITIONS, BODY, "--input=a.mp4", "--output_dir=out")
    assert (result.returncode, result.stdout) == (0, "30 frames in 1.2 s: out\n"), result.stderr


def test_input_and_output_must_be_given(run_program):
    result = run_program(DEFINITIONS, BODY, "--input=a.mp4")
    assert (result.returncode, result.stdout) == (2, "")
    assert "--output_dir" in result.stderr
