"""PostgreSQL's SQL: what is said to every database, with PostgreSQL's own words in place of some of it, and its
migrations.

PostgreSQL numbers the parameters of a statement, so `:name` becomes `$1`; their types it infers from where each stands
first. A list, which is given as JSON text, becomes an array. What SQLite is told about its indexes (`INDEXED BY`) is
left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

from msgspec import Struct, json

from treadle.store.sql import statements
from treadle.store.sql.session import Value

_HERE = files("treadle.store.postgres")
_PARAMETER = re.compile(r"(?<!:):([a-z]\w*)")
_LIST = re.compile(r"IN \(SELECT value FROM json_each\((:\w+)\)\)")
_INDEX_HINT = re.compile(r" INDEXED BY \w+")


class Statement(Struct, frozen=True):
    text: str
    names: tuple[str, ...]
    """Of its parameters, by their numbers."""
    lists: frozenset[str] = frozenset()
    """Those of them that are arrays."""

    def arguments(self, values: Mapping[str, Value]) -> list[Value | list[Value]]:
        return [json.decode(str(values[name])) if name in self.lists else values[name] for name in self.names]

    @property
    def counted(self) -> str:
        """The text of a statement that changes rows, answering a row for each of them."""
        return f"{self.text.rstrip(';')} RETURNING 1"


def translate(text: str) -> Statement:
    """The statement for PostgreSQL that is written with `:name` for its parameters."""
    lists = frozenset(name[1:] for name in _LIST.findall(text))
    text = _INDEX_HINT.sub("", _LIST.sub(r"= ANY(\1)", text))
    names = tuple(dict.fromkeys(_PARAMETER.findall(text)))
    numbered = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", text)
    return Statement(numbered, names, lists)


STATEMENTS = {
    name: translate(text) for name, text in {**statements.STATEMENTS, **statements.read_statements(_HERE)}.items()
}
"""Every statement by its name."""

MIGRATIONS = statements.read_migrations(_HERE.joinpath("migrations"))
"""Scripts that take the schema from version n to n + 1, the first one from nothing to version 1."""
