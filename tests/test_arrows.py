"""The import arrows: a package imports only what stands below it, and the pure packages touch no outside world."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "treadle"

LAYERS = [
    ["__main__"],
    ["cli"],
    ["app", "composition", "config", "listening", "nodes", "plan", "short_way"],
    ["aws"],
    ["runtime"],
    ["datasets"],
    ["deliveries"],
    ["tasks"],
    ["neighbours"],
    ["jobs"],
    ["functions"],
    ["store"],
    ["engine"],
    ["expressions"],
    ["language"],
    ["clock", "document", "limits"],
]
"""From top to bottom. Rooms on one line may import each other."""

PURE = {"engine", "expressions", "language", "document", "limits"}

OUTSIDE_WORLD = {
    "asyncio", "concurrent", "io", "logging", "multiprocessing", "os", "pathlib", "secrets", "select", "shutil",
    "signal", "socket", "sqlite3", "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
"""Modules of the standard library that read a clock or touch files, processes and sockets."""

CLOCKS_AND_DICE = {"now", "utcnow", "today", "uuid1", "uuid4", "urandom", "SystemRandom"}
"""Functions of otherwise harmless modules that do."""


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides where it points"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


FILES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_downwards(path: Path) -> None:
    height = {room: layer for layer, rooms in enumerate(LAYERS) for room in rooms}
    own = height[room_of(path)]
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "treadle" and len(parts) > 1 and parts[1] in height:
            assert height[parts[1]] >= own, f"{room_of(path)} imports {name}, which stands above it"


@pytest.mark.parametrize(
    "path", [path for path in FILES if room_of(path) in PURE], ids=lambda path: str(path.relative_to(SOURCE))
)
def test_the_core_is_pure(path: Path) -> None:
    found = {name.split(".")[0] for name in imported(path)} & OUTSIDE_WORLD
    assert not found, f"{path} imports {sorted(found)}"
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    }
    assert not called & CLOCKS_AND_DICE, f"{path} calls {sorted(called & CLOCKS_AND_DICE)}"


def test_every_room_has_its_layer() -> None:
    rooms = {room_of(path) for path in FILES}
    assert rooms == {room for layer in LAYERS for room in layer}
