import os
import pathlib
import subprocess
import sys

from hd2s_tf.serving.connection import Connection


def test_the_token_is_not_shown():
    assert "secret" not in f"{Connection(token='secret')!r} {Connection(token='secret')}"
    assert Connection(token="secret") != Connection()


def test_it_needs_neither_tensorflow_nor_grpc():
    program = "import sys, hd2s_tf.serving.connection; assert not {'tensorflow', 'grpc'} & set(sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).resolve().parents[2])}
    assert subprocess.run([sys.executable, "-c", program], check=False, env=environment).returncode == 0
