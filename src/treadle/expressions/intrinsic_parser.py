"""The grammar of intrinsic function calls: text to a tree.

    call     = "States." name "(" [argument *("," argument)] ")"
    argument = call | path | 'text' | number | true | false | null

Inside a text `\\'`, `\\{`, `\\}` and `\\\\` stand for the second character; another backslash is an error, as
the language's specification says.  A text is kept as written, too: States.Format tells `\\{}` from `{}`.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from msgspec import Struct

from treadle.expressions.errors import ExpressionSyntaxError
from treadle.expressions.jsonpath_syntax import read_number
from treadle.expressions.paths import Path, read_path
from treadle.limits import Limits


class Text(Struct, frozen=True):
    written: str

    @property
    def value(self) -> str:
        return _escape.sub(r"\1", self.written)


class Constant(Struct, frozen=True):
    value: Any


class Call(Struct, frozen=True):
    name: str
    arguments: tuple[Argument, ...]
    text: str


Argument = Call | Path | Text | Constant

_name = re.compile(r"States\.[A-Za-z0-9]+")
_blank = re.compile(r"\s*")
_quoted = re.compile(r"'((?:[^'\\]|\\['{}\\])*)'")
_escape = re.compile(r"\\(['{}\\])")
_number = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.])")
_word = re.compile(r"(true|false|null)\b")
_words = {"true": True, "false": False, "null": None}


def parse_call(text: str, limits: Limits) -> Call:
    """Parse a whole call. Raises ExpressionSyntaxError."""
    if len(text) > limits.expression_characters:
        raise ExpressionSyntaxError(f"longer than {limits.expression_characters} characters")
    parser = _Parser(text, limits)
    call = parser.call(limits.intrinsic_depth)
    parser.end()
    return call


class _Parser:
    def __init__(self, text: str, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._position = 0

    def call(self, depth_left: int) -> Call:
        start = self._position
        name = self._match(_name)
        if name is None:
            self._fail("expected States. and the name of a function")
        if depth_left == 0:
            self._fail(f"more than {self._limits.intrinsic_depth} functions within each other")
        arguments = self._arguments(depth_left - 1)
        return Call(name[0], arguments, self._text[start : self._position])

    def end(self) -> None:
        if self._position != len(self._text):
            self._fail("unexpected text after the call")

    def _arguments(self, depth_left: int) -> tuple[Argument, ...]:
        self._expect("(")
        if self._take(")"):
            return ()
        arguments = [self._argument(depth_left)]
        while self._take(","):
            arguments.append(self._argument(depth_left))
        self._expect(")")
        return tuple(arguments)

    def _argument(self, depth_left: int) -> Argument:
        self._skip_blank()
        if self._text.startswith("$", self._position):
            path, self._position = read_path(self._text, self._position, self._limits)
            return path
        if quoted := self._match(_quoted):
            return Text(quoted[1])
        if word := self._match(_word):
            return Constant(_words[word[1]])
        if number := self._match(_number):
            return Constant(read_number(number[0]))
        return self.call(depth_left)

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._position)
        if found is not None:
            self._position = found.end()
        return found

    def _take(self, token: str) -> bool:
        self._skip_blank()
        found = self._text.startswith(token, self._position)
        if found:
            self._position += len(token)
        return found

    def _expect(self, token: str) -> None:
        if not self._take(token):
            self._fail(f"expected '{token}'")

    def _skip_blank(self) -> None:
        self._match(_blank)

    def _fail(self, problem: str) -> NoReturn:
        raise ExpressionSyntaxError(f"{problem} at character {self._position + 1} of '{self._text}'")
