"""The house keeps its order: rooms import rooms before them, no circle of files, third parties in their rooms,
a name of one class.

The order stands in ``pyproject.toml``, ``[tool.poseline] rooms``. What still breaks a rule is listed below; the lists
may only shrink.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ROOMS: list[str] = SETTINGS["tool"]["poseline"]["rooms"]
FACE = "face"  # __init__ and __main__ of the package: behind all rooms
COMMANDS = {"pipeline.cli", "pipeline.engines.process", "pipeline.live.finish"}  # started with -m
THIRD_PARTY = {  # where each may be imported
    "decord": ("pipeline.video.",),
    "av": ("pipeline.video.", "pipeline.render.", "pipeline.report.", "pipeline.live."),
    "onnxruntime": ("pipeline.models.", "pipeline.prepare"),
    "torch": ("pipeline.models.openmm.", "pipeline.lift.mmpose"),
    "mmdet": ("pipeline.models.openmm.", "pipeline.lift.mmpose"),
    "mmpose": ("pipeline.models.openmm.", "pipeline.lift.mmpose"),
    "mmengine": ("pipeline.models.openmm.", "pipeline.lift.mmpose"),
    "lap": ("pipeline.tracking.",),
    "ray": ("pipeline.engines.ray",),
    "fsspec": ("pipeline.store.cloud",),
    "typer": ("pipeline.cli.",),
    "pooch": ("pipeline.models.download",),
    "requests": ("pipeline.models.download",),
    "platformdirs": ("pipeline.models.kept", "pipeline.models.openvino"),
    "openvino": ("pipeline.models.openvino", "pipeline.models.centred"),
}
LINES, FUNCTION_LINES = 350, 60

UPWARD: set[tuple[str, str]] = set()
CIRCLES: set[frozenset[str]] = set()
STRINGS: set[tuple[str, str]] = set()
STRANGERS: set[tuple[str, str]] = set()
LONG_FILES: set[str] = set()
LONG_FUNCTIONS: set[str] = set()
TWICE: set[str] = set()  # names of several classes


class Import(NamedTuple):
    """A file imports another one, or a third party."""

    by: str
    of: str


def modules(root: Path) -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    files = {path: ".".join(path.relative_to(root).with_suffix("").parts) for path in (root / "pipeline").rglob("*.py")}
    return {name.removesuffix(".__init__"): path for path, name in files.items()}


def room_of(module: str) -> str:
    """The room of a module, or its own name where it lies loose."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] != "__main__" else FACE


def imports(root: Path) -> Iterator[Import]:
    """All imports, those in functions and under TYPE_CHECKING included."""
    known = modules(root)
    for name, path in known.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (Import(name, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    yield Import(name, whole if whole in known else node.module)


def upward(root: Path) -> set[tuple[str, str]]:
    """Imports of a room that stands behind the importing one."""
    place = {room: i for i, room in enumerate([*ROOMS, FACE])}
    return {
        (i.by, i.of)
        for i in imports(root)
        if i.of.split(".")[0] == "pipeline" and place[room_of(i.by)] < place[room_of(i.of)]
    }


def circles(root: Path) -> set[frozenset[str]]:
    """Sets of files that import one another, directly or not."""
    edges: dict[str, set[str]] = {}
    for i in imports(root):
        if i.of.split(".")[0] == "pipeline" and i.of != i.by:
            edges.setdefault(i.by, set()).add(i.of)
    reached = {name: _reach(name, edges) for name in edges}
    found = {frozenset(b for b in reached[a] if a in reached.get(b, set())) for a in edges if a in reached[a]}
    return found - {frozenset()}


def _reach(start: str, edges: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    todo = list(edges.get(start, ()))
    while todo:
        if (name := todo.pop()) not in seen:
            seen.add(name)
            todo += edges.get(name, ())
    return seen


def strings(root: Path) -> set[tuple[str, str]]:
    """Names of the package's modules in strings that are no docstrings; the face finds its names by them."""
    known, found = modules(root), set()
    for name, path in known.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
                value = node.value
                if value in known and value.count(".") > 0 and value not in COMMANDS:
                    found.add((name, value))
    return {(by, of) for by, of in found if by != "pipeline"} - {("pipeline.report.page", "pipeline.report")}


def strangers(root: Path) -> set[tuple[str, str]]:
    """Third-party packages outside their rooms."""
    found = set()
    for i in imports(root):
        allowed = THIRD_PARTY.get(i.of.split(".")[0])
        if allowed and not f"{i.by}.".startswith(allowed):
            found.add((i.by, i.of.split(".")[0]))
    return found


def long_files(root: Path) -> set[str]:
    """Files above the limit."""
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in modules(root).items()}
    return {name for name, lines in lengths.items() if lines > LINES}


def long_functions(root: Path) -> set[str]:
    """Functions above the limit; a command's signature does not count."""
    found = set()
    for name, path in modules(root).items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                first = node.body[0].lineno if room_of(name) == "cli" else node.lineno
                if (node.end_lineno or 0) - first + 1 > FUNCTION_LINES:
                    found.add(f"{name}.{node.name}")
    return found


def twice(root: Path) -> set[str]:
    """Names that several classes have, those in functions and in other classes included."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in modules(root).values())
    names = Counter(node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return {name for name, count in names.items() if count > 1}


def references(root: Path) -> set[tuple[str, str]]:
    """Modules, or names in them, in backticks that are not there."""
    known, found = modules(root), set()
    for name, path in known.items():
        for told in re.findall(r"`(pipeline(?:\.\w+)+)`", path.read_text(encoding="utf-8")):
            parent, _, leaf = told.rpartition(".")
            owner = known.get(parent) or known.get(parent.rpartition(".")[0])
            there = told in known or (
                owner is not None and re.search(rf"\b{leaf}\b", owner.read_text(encoding="utf-8"))
            )
            if not there:
                found.add((name, told))
    return found


RULES = {
    upward: UPWARD,
    circles: CIRCLES,
    strings: STRINGS,
    strangers: STRANGERS,
    long_files: LONG_FILES,
    long_functions: LONG_FUNCTIONS,
    twice: TWICE,
    references: set(),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_house(rule):
    assert rule(ROOT) == RULES[rule]


def test_every_folder_is_a_room_that_the_wheel_holds():
    names = modules(ROOT)
    assert {room_of(name) for name in names} == {*ROOMS, FACE}
    folders = {name for name, path in names.items() if path.name == "__init__.py"}
    assert set(SETTINGS["tool"]["setuptools"]["packages"]) == folders | {"pipeline.assets", "pipeline.configs"}
    assert len(list((ROOT / "pipeline").glob("*.py"))) <= 8


@pytest.mark.parametrize(
    ("rule", "file", "line"),
    [
        (upward, "core/a.py", "def f():\n    from pipeline.lift import b\n"),
        (circles, "core/a.py", "import pipeline.core.c\n"),
        (strings, "core/a.py", "x = 'pipeline.lift.b'\n"),
        (strangers, "core/a.py", "import torch.nn\n"),
        (references, "core/a.py", '"""See `pipeline.lift.nothing`."""\n'),
        (twice, "core/a.py", "class A:\n    class A:\n        pass\n"),
        (long_files, "core/a.py", "x = 1\n" * 351),
        (long_functions, "core/a.py", "def f():\n" + "    x = 1\n" * 60),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_planted_fault_is_found(tmp_path, rule, file, line):
    for name, text in {"core/c.py": "import pipeline.core.a\n", "lift/b.py": "", "core/__init__.py": ""}.items():
        path = tmp_path / "pipeline" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "pipeline" / "lift" / "__init__.py").write_text("", encoding="utf-8")
    planted = tmp_path / "pipeline" / file
    planted.write_text("", encoding="utf-8")
    assert not rule(tmp_path)
    planted.write_text(line, encoding="utf-8")
    assert rule(tmp_path)


@pytest.mark.parametrize("script", sorted((ROOT / "scripts").rglob("*.py")), ids=lambda path: path.stem)
def test_scripts_import_what_there_is(script: Path) -> None:
    """Scripts are run seldom, so that nobody else notices what they miss."""
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("pipeline", "tests")):
            if node.module.startswith(("pipeline.models.openmm.", "pipeline.lift.mmpose")):
                continue
            module = importlib.import_module(node.module)
            for name in (alias.name for alias in node.names):
                assert hasattr(module, name) or importlib.util.find_spec(f"{node.module}.{name}"), name
