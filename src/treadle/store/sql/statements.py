"""SQL from `.sql` files: statements by name, and migrations in order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def read_statements(folder: Traversable) -> Mapping[str, str]:
    """The statements of all files in a folder. Behind `-- name: x` stands the statement x, up to the next name."""
    statements: dict[str, str] = {}
    for file in _scripts(folder):
        _, *parts = _NAME.split(file.read_text("utf-8"))
        statements.update(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True))
    return statements


def read_migrations(folder: Traversable) -> Sequence[str]:
    """Scripts that take a database from schema version n to n + 1, the first one from nothing to version 1. Once
    released, a script is never changed."""
    return [script.read_text("utf-8") for script in _scripts(folder)]


def _scripts(folder: Traversable) -> Sequence[Traversable]:
    return sorted((item for item in folder.iterdir() if item.name.endswith(".sql")), key=lambda item: item.name)


STATEMENTS = read_statements(files("treadle.store.sql").joinpath("statements"))
"""What is said in the same words to every database."""
