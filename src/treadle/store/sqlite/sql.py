"""SQLite's SQL: what is said to every database, with SQLite's own words in place of some of it, and its migrations."""

from __future__ import annotations

from importlib.resources import files

from treadle.store.sql import statements

_HERE = files("treadle.store.sqlite")

STATEMENTS = {**statements.STATEMENTS, **statements.read_statements(_HERE)}
"""Every statement by its name."""

MIGRATIONS = statements.read_migrations(_HERE.joinpath("migrations"))
"""Scripts that take a database from schema version n to n + 1, the first one from an empty file to version 1."""
