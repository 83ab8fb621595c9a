"""The documents: their commands name files, flags and settings that exist, and their links lead somewhere."""

import ast
import importlib
import pathlib
import re
import shlex

import pytest

from hd2s_tf.training import settings

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "hd2s_tf/weights/MODEL_CARD.md"]
_DEFINITION = re.compile(r"""(?:DEFINE_\w+|DEFINE_config_file)\(\s*["'](\w+)["']""")
_SHARED_FLAGS = [path.read_text() for path in (ROOT / "hd2s_tf" / "command_line").glob("*_flags.py")]


def _code_blocks(document):
    return re.findall(r"^```\w*\n(.*?)^```$", document.read_text(), re.M | re.S)


def _commands(document):
    """The programs of this project that a document's code blocks start, each with its arguments."""
    for block in _code_blocks(document):
        for line in block.replace("\\\n", " ").splitlines():
            program, *arguments = shlex.split(line, comments=True) or [""]
            if program == "python" and arguments[0] != "-c":
                yield arguments


def _flags(program):
    """The flags of a program, those that it shares with others included."""
    return {name for text in [program.read_text(), *_SHARED_FLAGS] for name in _DEFINITION.findall(text)}


def _has_setting(config, path):
    for name in path.split("."):
        if name not in config:
            return False
        config = config[name]
    return True


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_name_programs_and_flags_that_exist(document):
    for program, *arguments in _commands(document):
        assert (ROOT / program).is_file(), program
        for argument in arguments:
            name = argument.removeprefix("--").split("=")[0]
            assert argument.startswith("--"), f"{program} {argument}"
            if not name.startswith("config."):
                assert {name, name.removeprefix("no")} & _flags(ROOT / program), f"{program} --{name}"
            if name == "config":
                assert (ROOT / argument.split("=")[1].split(":")[0]).is_file(), argument


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_settings_exist(document):
    # Those of the experiments are other ones; x.y stands for any.
    for path in re.findall(r"--config\.((?!recipe|pairs|x\.y)[\w.]*\w)", document.read_text()):
        assert _has_setting(settings.paper(), path), path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document):
    for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_the_text_names_exist(document):
    prose = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.M | re.S)
    for name in re.findall(r"`((?:hd2s_tf|tools|serving|tests|configs|docs)/[\w/.*-]*\w)(?::\w+)?`", prose):
        places = [ROOT, ROOT / "hd2s_tf"] if document.name == "architecture.md" else [ROOT]
        assert any(list(place.glob(name)) for place in places), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_names_that_python_code_imports_exist(document):
    for block in re.findall(r"^```python\n(.*?)^```$", document.read_text(), re.M | re.S):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)


def test_every_file_of_the_architecture_exists():
    text = (ROOT / "docs" / "architecture.md").read_text()
    names = re.findall(r"`((?:[a-z_]+/)*[a-z_0-9]+\.py)`", text)
    assert len(names) > 30
    missing = [name for name in names if not (ROOT / "hd2s_tf" / name).is_file() and not (ROOT / name).is_file()]
    assert not missing


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


def test_a_document_with_faults_is_caught(tmp_path):
    document = tmp_path / "document.md"
    document.write_text(
        "```\npython tools/predict.py --inputs=x\n```\n`--config.loss.no_such=1` [a](nothing.md)\n"
        "```python\nfrom hd2s_tf.data.video import no_such\n```\n"
    )
    with pytest.raises(AssertionError, match="--inputs"):
        test_commands_name_programs_and_flags_that_exist(document)
    with pytest.raises(AssertionError, match="no_such"):
        test_settings_exist(document)
    with pytest.raises(AssertionError, match="nothing"):
        test_links_lead_to_files(document)
    with pytest.raises(AssertionError, match="no_such"):
        test_names_that_python_code_imports_exist(document)
