import os
import pathlib
import subprocess
import sys
import textwrap

import pytest


@pytest.fixture(scope="session")
def run_program():
    """Runs a `main` of these lines as a tool does, after what stands before it, with arguments of the command line."""
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).resolve().parents[2])}

    def run(definitions, body, *arguments):
        program = f"from hd2s_tf import command_line\n{definitions}\ndef main():\n{textwrap.indent(body, '    ')}\n"
        command = [sys.executable, "-c", f"{program}command_line.run(main)", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    return run
