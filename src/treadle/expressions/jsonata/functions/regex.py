"""Regular expressions as function values, and the matches that they find.

RE2 runs them, in a time that grows with the text alone. What RE2 does not have (lookaround, back-references) goes to
the `regex` module, which backtracks; a search there that takes too long ends the evaluation.

In JSONata a regular expression is a function of a text that gives the first match, as an object whose `next` is a
function that gives the next one. Any function of that kind can stand where an expression can (a *matcher*).

Positions are counted in characters here; the ones shown are in UTF-16 units, as in JavaScript and Java.

Bounds. Finding all matches of a local expression (see regex_syntax.py) reads the text about once. Any other may
read on to the end of the text for each match, so each match counts what is left of the text. A backtracking search
is tried for a millisecond first, and again with the whole bound if that was too short: so the usual, quick search
counts little, and a slow one counts what it may take.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

import re2
from msgspec import Struct

from treadle.expressions.jsonata.errors import JsonataError
from treadle.expressions.jsonata.functions.regex_syntax import BACKTRACKING, RE2, Translator, join_surrogates
from treadle.expressions.jsonata.run import Run
from treadle.expressions.jsonata.values import UNDEFINED, Function, is_number

_CHARACTERS_READ_PER_STEP: Final = 500
"""RE2 reads about so many in the time of one unit of work."""
_STEPS_PER_MATCH: Final = 6
_QUICK_SECONDS: Final = 0.001
_QUICK_STEPS: Final = 20
_STEPS_PER_MILLISECOND: Final = 1_000

_Spans = tuple[tuple[int, int], ...]
"""Start and end of the match and of each of its groups; -1 for a group that took no part."""
_Search = Callable[[Run, str], Iterator[_Spans]]


class Match(Struct, frozen=True):
    text: str
    start: int
    end: int
    groups: list[str | None]
    index: int
    """`start` in UTF-16 units."""

    def shown(self) -> dict[str, Any]:
        """As $match lists it."""
        return {"match": self.text, "index": self.index, "groups": list(self.groups)}

    def as_argument(self) -> dict[str, Any]:
        """As a function that replaces it gets it."""
        end = self.index + len(self.text) + sum(character > "\uffff" for character in self.text)
        return {"match": self.text, "start": self.index, "end": end, "groups": list(self.groups)}


class Regex(Function):
    """A regular expression as a value."""

    __slots__ = ("_search", "flags", "pattern")

    def __init__(self, pattern: str, flags: str, search: _Search) -> None:
        self.pattern: Final = pattern
        self.flags: Final = flags
        self.arity = 1
        self._search = search

    def matches(self, run: Run, text: str) -> Iterator[Match]:
        """Every match, in order; D1004 where an empty one would come after another or before more text."""
        run.bulk(len(text))
        units = _Utf16(text)
        for spans in self._search(run, searchable(text)):
            run.step(_STEPS_PER_MATCH + 2 * len(spans))
            start, end = spans[0]
            groups = [text[first:last] if first >= 0 else None for first, last in spans[1:]] if len(spans) > 1 else []
            yield Match(text[start:end], start, end, groups, units.up_to(start))
            if end >= len(text):
                return
            if start == end:
                raise JsonataError("D1004", value=self.pattern)

    def call(self, run: Run, arguments: list[Any], context: Any) -> Any:
        """The first match, as an object; UNDEFINED if there is none."""
        if not arguments or not isinstance(arguments[0], str):
            return UNDEFINED
        return _as_object(self.matches(run, arguments[0]))


class _Next(Function):
    """The `next` of a match: the match after it, however often it is asked for."""

    __slots__ = ("_following", "_known")

    def __init__(self, following: Iterator[Match]) -> None:
        self.arity = 0
        self._following = following
        self._known: Any = None

    def call(self, run: Run, arguments: list[Any], context: Any) -> Any:
        if self._known is None:
            self._known = _as_object(self._following)
        return self._known


def _as_object(matches: Iterator[Match]) -> Any:
    match = next(matches, None)
    if match is None:
        return UNDEFINED
    return {**match.as_argument(), "next": _Next(matches)}


def find_matches(run: Run, matcher: Function, text: str) -> Iterator[Match]:
    """The matches that a regular expression, or any other matcher, finds. Raises T1010 for what is no matcher."""
    if isinstance(matcher, Regex):
        yield from matcher.matches(run, text)
        return
    found = run.apply(matcher, [text])
    while found is not UNDEFINED:
        match = _from_object(found)
        yield match
        found = run.apply(found.get("next", UNDEFINED), [])


def _from_object(found: Any) -> Match:
    if not isinstance(found, dict):
        raise JsonataError("T1010")
    members: list[Any] = [found.get(name) for name in ("match", "start", "end", "groups")]
    text, start, end, groups = members
    if not (isinstance(text, str) and isinstance(groups, list) and is_number(start) and is_number(end)):
        raise JsonataError("T1010")
    if not all(group is None or isinstance(group, str) for group in groups):
        raise JsonataError("T1010")
    if not (0 <= start <= end) or end > 2**53:
        raise JsonataError("T1010")
    return Match(text, int(start), int(end), groups, int(start))


@lru_cache(maxsize=1_000)
def compile_regex(pattern: str, flags: str) -> Regex:
    """The value of the literal `/pattern/flags`; the flags are `i` and `m`. Raises JsonataError (S0303)."""
    joined = join_surrogates(pattern)
    search = _compile_re2(joined, flags) or _compile_backtracking(joined, flags)
    return Regex(pattern, flags, search)


def _compile_re2(pattern: str, flags: str) -> _Search | None:
    """None if RE2 does not know something in it."""
    translator = Translator(pattern, "m" in flags, RE2)
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = "i" not in flags
    translated = translator.translate()
    try:
        compiled = re2.compile("(?m)" + translated if "m" in flags else translated, options)
    except (re2.error, UnicodeEncodeError):
        return None
    reads_on = not translator.is_local
    groups = range(1, compiled.groups + 1)

    def search(run: Run, text: str) -> Iterator[_Spans]:
        # RE2 reads bytes, and the package counts what they are in characters, which ASCII spares it.
        for match in compiled.finditer(text.encode() if text.isascii() else text):
            whole = match.span()
            if reads_on:
                run.step((len(text) - whole[0]) // _CHARACTERS_READ_PER_STEP)
            yield (whole, *map(match.span, groups)) if groups else (whole,)

    return search


def _compile_backtracking(pattern: str, flags: str) -> _Search:
    import regex  # patterns with lookaround are rare, and importing it takes longer than most of our own modules

    options = regex.V0 | regex.ASCII
    options |= regex.IGNORECASE if "i" in flags else 0
    options |= regex.MULTILINE if "m" in flags else 0
    try:
        compiled = regex.compile(Translator(pattern, "m" in flags, BACKTRACKING).translate(), options)
    except (regex.error, RecursionError, OverflowError):
        raise JsonataError("S0303", value=pattern) from None

    def search(run: Run, text: str) -> Iterator[_Spans]:
        position = 0
        while (match := _search_within_bounds(run, compiled, text, position)) is not None:
            yield tuple(match.span(group) for group in range(compiled.groups + 1))
            position = match.end()

    return search


def _search_within_bounds(run: Run, compiled: Any, text: str, position: int) -> Any:
    run.step(_QUICK_STEPS)
    try:
        return compiled.search(text, position, timeout=_QUICK_SECONDS)
    except TimeoutError:
        pass
    milliseconds = run.limits.jsonata_backtracking_milliseconds
    run.step(milliseconds * _STEPS_PER_MILLISECOND)
    try:
        return compiled.search(text, position, timeout=milliseconds / 1_000)
    except TimeoutError:
        raise JsonataError("U1002") from None
    except MemoryError:
        raise JsonataError("U1003") from None


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def searchable(text: str) -> str:
    """Half a character, which RE2 cannot read, is replaced by one of the same length."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


class _Utf16:
    """Positions of a text in UTF-16 units; asked in rising order, so that each character is looked at once."""

    __slots__ = ("_extra", "_position", "_text")

    def __init__(self, text: str) -> None:
        self._text = "" if text.isascii() or max(text) <= "\uffff" else text
        self._position = 0
        self._extra = 0

    def up_to(self, position: int) -> int:
        if self._text:
            self._extra += sum(character > "\uffff" for character in self._text[self._position : position])
            self._position = position
        return position + self._extra
