import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
_PARENT = """
import multiprocessing, time
from hd2s_tf import processes

def child(number):
    processes.end_with_parent()
    number.send(multiprocessing.current_process().pid)
    time.sleep(60)

if __name__ == "__main__":
    ours, theirs = multiprocessing.Pipe()
    multiprocessing.get_context("spawn").Process(target=child, args=(theirs,)).start()
    print(ours.recv(), flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(not pathlib.Path("/proc/self").exists(), reason="processes are found in /proc")
def test_a_process_ends_with_a_killed_parent(tmp_path):
    (tmp_path / "parent.py").write_text(_PARENT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(tmp_path / "parent.py")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        assert _runs(child)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        deadline = time.monotonic() + 30
        while _runs(child):
            assert time.monotonic() < deadline, "the child outlives its parent"
            time.sleep(0.02)


def _runs(process):
    status = pathlib.Path(f"/proc/{process}/status")
    # A zombie has ended, whoever reaps it.
    return status.exists() and "State:\tZ" not in status.read_text()
