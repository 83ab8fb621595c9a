"""What the source says of its own structure: imports, circles, long functions, wide signatures, missing tests.

Files are parsed, never imported. Every check takes the folder of a project and returns a line for each offence.
"""

import ast
import functools
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

PACKAGE = "hd2s_tf"
PROGRAMS = ("tools", "serving", "configs")
# From top to bottom: a room imports itself and what stands below it. Rooms on one line do not import each other.
ORDER = (
    PROGRAMS,
    # The names that `hd2s_tf` itself offers are for programs.
    (PACKAGE,),
    ("hd2s_tf.experiments", "hd2s_tf.benchmark"),
    ("hd2s_tf.evaluation",),
    ("hd2s_tf.export",),
    ("hd2s_tf.inference",),
    ("hd2s_tf.training",),
    ("hd2s_tf.serving",),
    ("hd2s_tf.data",),
    ("hd2s_tf.models",),
    ("hd2s_tf.command_line",),
    ("hd2s_tf.files", "hd2s_tf.plotting", "hd2s_tf.processes"),
    ("hd2s_tf.errors",),
)
_FLOOR = {room: floor for floor, rooms in enumerate(reversed(ORDER)) for room in rooms}
LONGEST_FUNCTION = 60
WIDEST_SIGNATURE = 8
# The arguments of the network are the paper's.
_MAY_BE_WIDE = {"hd2s_tf/models/hd2s.py:HD2S.__init__"}
_TABLE = (ast.Assign, ast.AnnAssign, ast.Expr, ast.Return)
_Function = ast.FunctionDef | ast.AsyncFunctionDef
# Modules without a test file of their own, and why.
UNMIRRORED: dict[str, str] = {}


class Import(NamedTuple):
    """One module that uses another, by their dotted names, and where."""

    importer: str
    imported: str
    file: str
    line: int


@functools.cache
def _sources(root: pathlib.Path) -> list[tuple[str, ast.Module]]:
    paths = [path for folder in (PACKAGE, *PROGRAMS) for path in sorted((root / folder).rglob("*.py"))]
    return [(path.relative_to(root).as_posix(), ast.parse(path.read_text(), str(path))) for path in paths]


def _module(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imported(node: ast.AST, importer: str, is_package: bool, modules: set[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = importer.split(".")
        base = base[: len(base) + is_package - node.level] if node.level else []
        source = ".".join([*base, *filter(None, [node.module])])
        for alias in node.names:
            # Either a module of a package, or a name that the module holds.
            inner = f"{source}.{alias.name}"
            yield inner if inner in modules else source


def imports(root: pathlib.Path) -> list[Import]:
    """Every import among the project's own modules, those inside functions too, once for each line."""
    sources = dict(_sources(root))
    modules = {_module(file) for file in sources}
    found = {
        Import(_module(file), imported, file, node.lineno): None
        for file, tree in sources.items()
        for node in ast.walk(tree)
        for imported in _imported(node, _module(file), file.endswith("__init__.py"), modules)
        if imported.split(".")[0] in (PACKAGE, *PROGRAMS)
    }
    return list(found)


def _room(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == PACKAGE else parts[0]


def upward_imports(root: pathlib.Path) -> list[str]:
    """Imports of a room that does not stand below the importer's, and rooms that `ORDER` does not name."""
    offences = {}
    for importer, imported, file, line in imports(root):
        above, below = _room(importer), _room(imported)
        unknown = [room for room in (above, below) if room not in _FLOOR]
        if unknown:
            text = f"{file}:{line}: {unknown[0]} has no place in the order of rooms"
        elif above != below and _FLOOR[above] <= _FLOOR[below]:
            text = f"{file}:{line}: imports {imported}, but {below} does not stand below {above}"
        else:
            continue
        offences.setdefault(f"{file}:{imported}", text)
    return list(offences.values())


def circles(root: pathlib.Path) -> list[str]:
    """Modules that import each other, in one step or over others; one offence for every import that closes a circle."""
    uses: dict[str, dict[str, Import]] = {}
    for found in imports(root):
        uses.setdefault(found.importer, {}).setdefault(found.imported, found)
    offences, done = [], set()

    def follow(module: str, way: list[str]) -> None:
        if module in done:
            return
        for imported, found in sorted(uses.get(module, {}).items()):
            if imported in [*way, module]:
                circle = [*way, module][[*way, module].index(imported) :]
                text = f"{found.file}:{found.line}: a circle: {' -> '.join([*circle, imported])}"
                offences.append(text)
            else:
                follow(imported, [*way, module])
        done.add(module)

    for module in sorted(uses):
        follow(module, [])
    return offences


def _functions(root: pathlib.Path) -> Iterator[tuple[str, str, _Function | ast.ClassDef]]:
    """Files, qualified names and nodes of all functions and classes."""

    def inside(node: ast.AST, file: str, prefix: str) -> Iterator[tuple[str, str, _Function | ast.ClassDef]]:
        for child in ast.iter_child_nodes(node):
            named = isinstance(child, _Function | ast.ClassDef)
            name = f"{prefix}{child.name}" if named else prefix
            if named:
                yield file, name, child
            yield from inside(child, file, f"{name}." if named else prefix)

    for file, tree in _sources(root):
        yield from inside(tree, file, "")


def is_table(function: _Function) -> bool:
    """Whether a function only states values: assignments and a result, with no branch, loop or function in it."""
    computes = (ast.IfExp, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Await, ast.Yield)
    return all(
        isinstance(statement, _TABLE) and not any(isinstance(node, computes) for node in ast.walk(statement))
        for statement in function.body
    )


def long_functions(root: pathlib.Path) -> list[str]:
    """Functions of more than `LONGEST_FUNCTION` lines, signature and docstring included, that are no tables."""
    offences = []
    for file, name, node in _functions(root):
        lines = node.end_lineno - node.lineno + 1
        if isinstance(node, _Function) and lines > LONGEST_FUNCTION and not is_table(node):
            offences.append(f"{file}:{node.lineno}: {name} has {lines} lines")
    return offences


def _parameters(node: _Function | ast.ClassDef) -> int:
    """Parameters beside `self` and `cls`; those of the constructor that a mutable dataclass is given."""
    if isinstance(node, ast.ClassDef):
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        if not any("dataclass" in text and "frozen=True" not in text for text in decorators):
            return 0
        return sum(isinstance(statement, ast.AnnAssign) for statement in node.body)
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return sum(argument is not None and argument.arg not in ("self", "cls") for argument in named)


def wide_signatures(root: pathlib.Path) -> list[str]:
    """Functions and mutable dataclasses of more than `WIDEST_SIGNATURE` parameters, the network's constructor apart."""
    offences = []
    for file, name, node in _functions(root):
        parameters = _parameters(node)
        if parameters > WIDEST_SIGNATURE and f"{file}:{name}" not in _MAY_BE_WIDE:
            offences.append(f"{file}:{node.lineno}: {name} has {parameters} parameters")
    return offences


def guessed_attributes(root: pathlib.Path) -> list[str]:
    """`hasattr`, and `getattr` with a default, on something called `predict_fn`."""
    offences = {}
    for file, tree in _sources(root):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
                continue
            guesses = node.func.id == "hasattr" or (node.func.id == "getattr" and len(node.args) == 3)
            if guesses and "predict_fn" in ast.unparse(node.args[0]):
                text = f"{file}:{node.lineno}: {ast.unparse(node)}"
                offences.setdefault(f"{file}:{ast.unparse(node.args[1])}", text)
    return list(offences.values())


def unmirrored_modules(root: pathlib.Path) -> list[str]:
    """Modules of the package, those in `UNMIRRORED` apart, without a test file: `data/clips.py` has data/test_clips.py.

    A package's own `__init__` is tested beside the package or in it; it is not looked for.
    """
    offences = []
    for path in sorted((root / PACKAGE).rglob("*.py")):
        module = path.relative_to(root / PACKAGE)
        mirror = root / "tests" / module.parent / f"test_{module.name}"
        if module.name != "__init__.py" and module.as_posix() not in UNMIRRORED and not mirror.exists():
            offences.append(f"{PACKAGE}/{module.as_posix()}: no {mirror.relative_to(root).as_posix()}")
    return offences
