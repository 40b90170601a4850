"""Filter patterns of CloudWatch Logs: which messages a subscription filter or FilterLogEvents takes.

The language is that of the CloudWatch Logs User Guide, "Filter pattern syntax", in its three forms:

    ERROR "out of memory" -debug     words and phrases: all of them, none with a minus, any of those with ?
    { $.a.b = "x*" && $.n > 3 }      fields of a JSON message
    [ip, user, ..., status = 4*]     fields of a message that are separated by spaces

Words and phrases are looked for as they stand, in any place of the message. Regular expressions (%...%) run on RE2.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

import re2

Matches = Callable[[str], bool]
_Holds = Callable[[Any], bool]


class InvalidPattern(ValueError):
    """The pattern is none. The message says where."""


def compile_pattern(pattern: str) -> Matches:
    """An empty pattern takes everything. Raises InvalidPattern."""
    text = pattern.strip()
    if text.startswith("{") and text.endswith("}"):
        holds = _Conditions(text[1:-1], compile_path).read()
        return lambda message: holds(_parsed(message))
    if text.startswith("[") and text.endswith("]"):
        return _columns(text[1:-1])
    return _words(text)


# -- words and phrases ---------------------------------------------------------------------------------------------

_WORD = re.compile(
    r'(?P<sign>[?-]?)(?:"(?P<phrase>(?:\\.|[^"\\])*)"|%(?P<regex>(?:\\.|[^%\\])+)%|(?P<word>[^\s"]+))\s*'
)


def _words(text: str) -> Matches:
    required: list[Matches] = []
    excluded: list[Matches] = []
    optional: list[Matches] = []
    position = 0
    while position < len(text):
        found = _WORD.match(text, position)
        if found is None:
            raise InvalidPattern(f"Invalid filter pattern: {text[position:]!r} is neither a word nor a phrase")
        position = found.end()
        {"": required, "-": excluded, "?": optional}[found["sign"]].append(_contains(found))
    if required or excluded:
        # As the guide says: words with ? count for nothing beside others.
        return lambda message: all(each(message) for each in required) and not any(each(message) for each in excluded)
    return lambda message: not optional or any(each(message) for each in optional)


def _contains(found: re.Match[str]) -> Matches:
    if found["regex"] is not None:
        return _regex(found["regex"])
    word = found["word"] if found["phrase"] is None else _unescaped(found["phrase"])
    return lambda message: word in message


# -- conditions ----------------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<mark>\(|\)|&&|\|\||!=|<=|>=|=|<|>)
    | "(?P<phrase>(?:\\.|[^"\\])*)"
    | %(?P<regex>(?:\\.|[^%\\])+)%
    | (?P<word>(?:\$\.)?\[['"][^'"]*['"]\][^\s()&|=<>!,]*|[^\s()&|=<>!,"%]+)
    )""",
    re.VERBOSE,
)
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_STATES: dict[str, _Holds] = {
    "NULL": lambda values: any(value is None for value in values),
    "TRUE": lambda values: any(value is True for value in values),
    "FALSE": lambda values: any(value is False for value in values),
}


class _Conditions:
    """Comparisons, joined with && and ||, in parentheses. `field` makes of a name what looks up its values."""

    def __init__(self, text: str, field: Callable[[str], Callable[[Any], list[Any]]]) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._field = field

    def read(self) -> _Holds:
        """All of it. Raises InvalidPattern."""
        holds = self._either()
        if self._at < len(self._tokens):
            raise InvalidPattern(f"Invalid filter pattern: nothing may follow before {self._tokens[self._at][1]!r}")
        return holds

    def _either(self) -> _Holds:
        parts = [self._both()]
        while self._takes("||"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda data: any(part(data) for part in parts)

    def _both(self) -> _Holds:
        parts = [self._one()]
        while self._takes("&&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda data: all(part(data) for part in parts)

    def _one(self) -> _Holds:
        if self._takes("("):
            inner = self._either()
            if not self._takes(")"):
                raise InvalidPattern("Invalid filter pattern: a parenthesis is not closed")
            return inner
        values = self._field(self._next("word"))
        kind, text = self._any()
        if (kind, text) == ("word", "IS"):
            state = _STATES.get(self._next("word").upper())
            if state is None:
                raise InvalidPattern("Invalid filter pattern: IS takes NULL, TRUE or FALSE")
            return lambda data: state(values(data))
        if (kind, text) == ("word", "NOT") and self._next("word") == "EXISTS":
            return lambda data: not values(data)
        if kind != "mark" or text in "()&&||":
            raise InvalidPattern(f"Invalid filter pattern: {text!r} is no comparison")
        test = _comparison(text, *self._any())
        return lambda data: any(test(value) for value in values(data))

    def _takes(self, mark: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at] == ("mark", mark)
        self._at += found
        return found

    def _any(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise InvalidPattern("Invalid filter pattern: it ends too soon")
        self._at += 1
        return self._tokens[self._at - 1]

    def _next(self, kind: str) -> str:
        found, text = self._any()
        if found != kind:
            raise InvalidPattern(f"Invalid filter pattern: {text!r} stands where a name should")
        return text


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    text = text.rstrip()
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise InvalidPattern(f"Invalid filter pattern: {text[position:]!r} cannot be read")
        position = found.end()
        yield found.lastgroup, found[found.lastgroup]


def _comparison(mark: str, kind: str, text: str) -> _Holds:
    number = _number(text) if kind == "word" else None
    if mark in _ORDERS:
        if number is None:
            raise InvalidPattern(f"Invalid filter pattern: {mark} compares numbers")
        order = _ORDERS[mark]
        return lambda value: (found := _number(value)) is not None and order(found, number)
    if kind == "mark":
        raise InvalidPattern(f"Invalid filter pattern: {text!r} is no value")
    same = _equality(kind, text, number)
    return same if mark == "=" else lambda value: not same(value)


def _equality(kind: str, text: str, number: float | None) -> _Holds:
    if kind == "regex":
        search = _regex(text)
        return lambda value: isinstance(value, str) and search(value)
    if number is not None:
        return lambda value: _number(value) == number
    plain = _unescaped(text) if kind == "phrase" else text
    whole = re2.compile(".*".join(map(re2.escape, plain.split("*"))), _options())
    return lambda value: isinstance(value, str) and whole.fullmatch(value) is not None


def _number(value: Any) -> float | None:
    """Of a number, or of a column that reads like one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


# -- fields of JSON ------------------------------------------------------------------------------------------------

_STEP = re.compile(r"""\.?(?:(?P<name>[^.\[\]]+)|\[(?P<index>\d+|\*)\]|\[['"](?P<quoted>[^'"]*)['"]\])""")


def compile_path(text: str) -> Callable[[Any], list[Any]]:
    """What stands at a path such as $.a.b[0], $.a[*] or $['a.b']; none or several values. Raises InvalidPattern."""
    if not text.startswith("$"):
        raise InvalidPattern(f"Invalid filter pattern: {text!r} does not begin with $.")
    steps: list[str | int | None] = []
    position = 1
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            raise InvalidPattern(f"Invalid filter pattern: {text!r} is no path")
        position = found.end()
        index = found["index"]
        if index is None:
            steps.append(found["name"] if found["quoted"] is None else found["quoted"])
        else:
            steps.append(None if index == "*" else int(index))

    def values(data: Any) -> list[Any]:
        found = [data]
        for step in steps:
            found = [below for value in found for below in _below(value, step)]
        return found

    return values


def _below(value: Any, step: str | int | None) -> list[Any]:
    """`step`: a name, an index, or None for all elements."""
    if isinstance(step, str):
        return [value[step]] if isinstance(value, dict) and step in value else []
    if not isinstance(value, list):
        return []
    return value if step is None else value[step : step + 1]


def _parsed(message: str) -> Any:
    """None has no fields, as everything that is no JSON."""
    try:
        return json.loads(message)
    except (ValueError, RecursionError):
        return None


# -- columns -------------------------------------------------------------------------------------------------------

_COLUMN = re.compile(r'\[(?P<brackets>[^\]]*)\]|"(?P<quotes>[^"]*)"|(?P<plain>\S+)')


def _columns(text: str) -> Matches:
    names: list[str] = []
    tests: list[_Holds] = []
    for column in _split(text):
        name = re.split(r"[\s=<>!]", column, maxsplit=1)[0]
        names.append(name)
        if name != column:
            tests.append(_Conditions(column, _column).read())
    rest = names.index("...") if "..." in names else None
    if names.count("...") > 1:
        raise InvalidPattern("Invalid filter pattern: ... may stand once only")

    def matches(message: str) -> bool:
        values = [found[found.lastgroup or ""] for found in _COLUMN.finditer(message)]
        if rest is None:
            if len(values) != len(names):
                return False
            row = dict(zip(names, values, strict=True))
        else:
            behind = len(names) - rest - 1
            if len(values) < rest + behind:
                return False
            row = dict(zip(names[:rest], values[:rest], strict=True))
            row.update(zip(names[rest + 1 :], values[len(values) - behind :], strict=True))
        return all(test(row) for test in tests)

    return matches


def _split(text: str) -> list[str]:
    """At the commas that are not in quotes."""
    parts = re.findall(r'(?:"(?:\\.|[^"\\])*"|%(?:\\.|[^%\\])+%|[^,])+', text)
    return [part.strip() for part in parts]


def _column(name: str) -> Callable[[Any], list[Any]]:
    return lambda row: [row[name]] if name in row else []


# -- texts ---------------------------------------------------------------------------------------------------------


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _regex(text: str) -> Matches:
    try:
        search = re2.compile(text, _options()).search
    except re2.error as error:
        raise InvalidPattern(f"Invalid filter pattern: {text!r} is no regular expression") from error
    return lambda message: search(message) is not None


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    return options
