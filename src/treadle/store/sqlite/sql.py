"""The SQL of the store, from the `.sql` files beside this module: statements by name, migrations in order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files

_HERE = files("treadle.store.sqlite")
_FILES = (
    "queries.sql",
    "activity_queries.sql",
    "access_key_queries.sql",
    "function_queries.sql",
    "event_source_queries.sql",
    "layer_queries.sql",
    "map_run_queries.sql",
    "job_queries.sql",
    "delivery_queries.sql",
)
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def _read_statements() -> Mapping[str, str]:
    statements: dict[str, str] = {}
    for file in _FILES:
        _, *parts = _NAME.split(_HERE.joinpath(file).read_text("utf-8"))
        statements.update(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True))
    return statements


def _read_migrations() -> Sequence[str]:
    scripts = sorted(
        (item for item in _HERE.joinpath("migrations").iterdir() if item.name.endswith(".sql")),
        key=lambda item: item.name,
    )
    return [script.read_text("utf-8") for script in scripts]


STATEMENTS = _read_statements()
"""Every statement by its name."""

MIGRATIONS = _read_migrations()
"""Scripts that take a database from schema version n to n + 1, the first one from an empty file to version 1.
Once released, a script is never changed."""
