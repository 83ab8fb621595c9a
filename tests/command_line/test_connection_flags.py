"""Where the client's token comes from, as a tool sees it."""

import subprocess
import sys

import pytest
from absl import flags
from absl.testing import flagsaver

from hd2s_tf.command_line import connection_flags
from hd2s_tf.errors import BadInputError
from hd2s_tf.serving.client import ServedModel
from hd2s_tf.serving.connection import Connection


@pytest.fixture
def connection(monkeypatch):
    """Returns the connection that flags describe; the environment names no token."""
    monkeypatch.delenv("HD2S_TOKEN", raising=False)
    flags.FLAGS.mark_as_parsed()

    def given(**values):
        with flagsaver.flagsaver(**values):
            return Connection(**connection_flags.arguments())

    yield given
    flags.FLAGS.unparse_flags()


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text("of the file\n")
    return path


def test_no_flags_are_the_defaults(connection):
    assert connection() == Connection()


def test_every_flag_reaches_its_argument(connection):
    values = {"deadline": 3.0, "attempt": 1.5, "tls_ca": "ca", "tls_certificate": "c", "tls_key": "k", "token": "t"}
    assert connection(**values, plaintext_token=True) == Connection(**values, plaintext_token=True)


def test_a_flag_comes_before_a_file_and_a_file_before_the_environment(connection, token_file, monkeypatch):
    assert connection().token is None
    monkeypatch.setenv("HD2S_TOKEN", "of the environment")
    assert connection().token == "of the environment"
    assert connection(token_file=str(token_file)).token == "of the file"
    assert connection(token_file=str(token_file), token="of the flag").token == "of the flag"


@pytest.mark.parametrize("source", ["flag", "file", "environment"])
def test_a_token_goes_to_another_machine_only_over_tls_or_when_told(connection, token_file, monkeypatch, source):
    if source == "environment":
        monkeypatch.setenv("HD2S_TOKEN", "secret")
    values = {"flag": {"token": "secret"}, "file": {"token_file": str(token_file)}}.get(source, {})
    with pytest.raises(BadInputError, match="the token would be sent without encryption"):
        ServedModel("192.0.2.1:8500/m", connection(**values))
    with ServedModel("192.0.2.1:8500/m", connection(**values, plaintext_token=True)):
        pass


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "the file holds no token"),
        (b" \n", "the file holds no token"),
        (b"two\nlines", "one line of printable ASCII characters"),
        (b"\xff\xfe", "one line of printable ASCII characters"),
        ("schlüssel".encode(), "one line of printable ASCII characters"),
    ],
)
def test_a_file_that_holds_no_token(connection, tmp_path, content, message):
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=f"{path}: .*{message}"):
        connection(token_file=str(path))


@pytest.mark.parametrize("value", ["two\nlines", "schlüssel"])
def test_a_token_that_no_request_can_carry(connection, monkeypatch, value):
    with pytest.raises(BadInputError, match="^--token: a token is one line"):
        connection(token=value)
    monkeypatch.setenv("HD2S_TOKEN", value)
    with pytest.raises(BadInputError, match="^HD2S_TOKEN: a token is one line"):
        connection()


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, name):
    program = "from hd2s_tf import command_line\nfrom hd2s_tf.command_line import connection_flags\n"
    program += "command_line.run(connection_flags.arguments)"
    command = [sys.executable, "-c", program, f"--token_file={tmp_path / name}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert str(tmp_path) in line
