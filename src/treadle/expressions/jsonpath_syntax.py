"""The grammar of JSONPath as Jayway reads it: text to a tree, with filters.

    path       = root *segment                       root: $ at the top, $ or @ inside a filter
    segment    = "." name | "." name "()" | "." "*" | ".." (name | "*" | brackets) | brackets
    brackets   = "[" ( quoted *("," quoted) | index *("," index) | slice | "*" | "?(" condition ")" ) "]"
    condition  = conjunction *("||" conjunction)
    conjunction = term *("&&" term)
    term       = "!" term | "(" condition ")" | operand [operator operand]
    operand    = path | quoted | number | true | false | null | array | object | "/" regex "/" flags

A name after a dot ends at white space and at the characters that mean something in a path, a filter or an
argument list, so that a path can be read out of the middle of an intrinsic function call.  Everything
recursive counts its depth, and the text is bounded: no text can exhaust the stack or the processor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from msgspec import Struct

from treadle.expressions.errors import ExpressionSyntaxError
from treadle.limits import Limits


class Member(Struct, frozen=True):
    name: str


class Members(Struct, frozen=True):
    names: tuple[str, ...]


class Index(Struct, frozen=True):
    index: int


class Indexes(Struct, frozen=True):
    indexes: tuple[int, ...]


class Slice(Struct, frozen=True):
    start: int | None
    stop: int | None
    step: int | None


class Wildcard(Struct, frozen=True):
    pass


class Descend(Struct, frozen=True):
    """`..`: the value and everything below it; the segment after it selects among them."""


class Filter(Struct, frozen=True):
    condition: Condition


class Function(Struct, frozen=True):
    name: str


Segment = Member | Members | Index | Indexes | Slice | Wildcard | Descend | Filter | Function


class Reference(Struct, frozen=True):
    """A path as an operand: from the item that is tested (`@`) or from the root of the document (`$`)."""

    text: str
    at_root: bool
    segments: tuple[Segment, ...]


class Constant(Struct, frozen=True):
    value: Any


class Regex(Struct, frozen=True):
    pattern: str
    flags: str


Operand = Reference | Constant | Regex


class Comparison(Struct, frozen=True):
    left: Operand
    operator: str
    right: Operand


class Exists(Struct, frozen=True):
    reference: Reference


class Negation(Struct, frozen=True):
    term: Condition


class Conjunction(Struct, frozen=True):
    terms: tuple[Condition, ...]


class Disjunction(Struct, frozen=True):
    terms: tuple[Condition, ...]


Condition = Comparison | Exists | Negation | Conjunction | Disjunction

operators = (
    *("==", "!=", "<=", ">=", "=~", "<", ">"),
    *("in", "nin", "subsetof", "anyof", "noneof", "size", "empty", "contains"),
)
"""Jayway's filter operators. A symbol stands before its own prefixes."""

_name = re.compile(r"[^\s.\[\](),'\"=<>!&|~*]+")
_blank = re.compile(r"[ \t\r\n]*")
_integer = re.compile(r"-?[0-9]{1,10}")
_slice = re.compile(r"\s*(-?[0-9]{1,10})?\s*:\s*(-?[0-9]{1,10})?\s*(?::\s*(-?[0-9]{1,10})?\s*)?(?=\])")
_number = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_single_quoted = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_double_quoted = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_regex = re.compile(r"/((?:[^/\\]|\\.)+)/([a-zA-Z]*)", re.DOTALL)
_operator = re.compile("|".join(name + r"\b" if name.isalpha() else re.escape(name) for name in operators))
_escape = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_escapes = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_words = {"true": True, "false": False, "null": None}
_word = re.compile(r"(?:true|false|null)\b")

_T = TypeVar("_T")


def read_segments(text: str, position: int, limits: Limits) -> tuple[tuple[Segment, ...], int]:
    """The segments of a path from behind its root on, and where they end. Raises ExpressionSyntaxError."""
    reader = _Reader(text, position, limits)
    return reader.segments(), reader.position


class _Reader:
    def __init__(self, text: str, position: int, limits: Limits) -> None:
        if len(text) > limits.expression_characters:
            raise ExpressionSyntaxError(f"longer than {limits.expression_characters} characters")
        self.text = text
        self.position = position
        self._depth_left = limits.expression_depth

    def segments(self) -> tuple[Segment, ...]:
        found: list[Segment] = []
        while True:
            if self._take(".."):
                found.append(Descend())
                found.append(self._brackets() if self._take("[") else self._after_dot())
                if isinstance(found[-1], Function):
                    self._fail("a function takes one value, not those below it")
            elif self._take("."):
                found.append(self._brackets() if self._take("[") else self._after_dot())
            elif self._take("["):
                found.append(self._brackets())
            else:
                return tuple(found)
            if isinstance(found[-1], Function):
                if self.text[self.position : self.position + 1] in (".", "["):
                    self._fail("a function ends its path")
                return tuple(found)

    def _after_dot(self) -> Segment:
        if self._take("*"):
            return Wildcard()
        name = self._match(_name, "a name")[0]
        return Function(name) if self._take("()") else Member(name)

    def _brackets(self) -> Segment:
        self._skip_blank()
        if self._take("*"):
            segment: Segment = Wildcard()
        elif self._take("?"):
            self._skip_blank()
            self._expect("(")
            segment = Filter(self._nested(self._condition))
            self._expect(")")
        elif self.text[self.position : self.position + 1] in ("'", '"'):
            names = self._list_of(self._quoted)
            segment = Member(names[0]) if len(names) == 1 else Members(tuple(names))
        elif slice_ := _slice.match(self.text, self.position):
            self.position = slice_.end()
            start, stop, step = (None if bound is None else int(bound) for bound in slice_.groups())
            if step is not None and step < 1:
                self._fail("the step of a slice must be positive")
            segment = Slice(start, stop, step)
        else:
            indexes = self._list_of(lambda: int(self._match(_integer, "an index, a name or a filter")[0]))
            segment = Index(indexes[0]) if len(indexes) == 1 else Indexes(tuple(indexes))
        self._skip_blank()
        self._expect("]")
        return segment

    def _list_of(self, read: Callable[[], _T]) -> list[_T]:
        items = [read()]
        self._skip_blank()
        while self._take(","):
            self._skip_blank()
            items.append(read())
            self._skip_blank()
        return items

    def _condition(self) -> Condition:
        terms = [self._conjunction()]
        while self._take("||"):
            terms.append(self._conjunction())
        return terms[0] if len(terms) == 1 else Disjunction(tuple(terms))

    def _conjunction(self) -> Condition:
        terms = [self._term()]
        while self._take("&&"):
            terms.append(self._term())
        return terms[0] if len(terms) == 1 else Conjunction(tuple(terms))

    def _term(self) -> Condition:
        self._skip_blank()
        if self._take("!"):
            return Negation(self._nested(self._term))
        if self._take("("):
            condition = self._nested(self._condition)
            self._expect(")")
            self._skip_blank()
            return condition
        left = self._operand()
        self._skip_blank()
        operator = _operator.match(self.text, self.position)
        if operator is None:
            if isinstance(left, Reference):
                return Exists(left)
            self._fail("expected an operator")
        self.position = operator.end()
        self._skip_blank()
        right = self._operand()
        self._skip_blank()
        if (operator[0] == "=~") != (isinstance(right, Regex) or isinstance(left, Regex)):
            self._fail("=~ compares with a regular expression, and nothing else does")
        return Comparison(left, operator[0], right)

    def _operand(self) -> Operand:
        start = self.position
        if self._take("@") or self._take("$"):
            segments = self._nested(self.segments)
            return Reference(self.text[start : self.position], self.text[start] == "$", segments)
        if regex := _regex.match(self.text, start):
            self.position = regex.end()
            return Regex(regex[1], regex[2])
        return Constant(self._literal())

    def _literal(self) -> Any:
        self._skip_blank()
        if self._take("["):
            return self._nested(lambda: self._members("]", self._literal))
        if self._take("{"):
            return dict(self._nested(lambda: self._members("}", self._pair)))
        if self.text[self.position : self.position + 1] in ("'", '"'):
            return self._quoted()
        if word := _word.match(self.text, self.position):
            self.position = word.end()
            return _words[word[0]]
        return read_number(self._match(_number, "a value")[0])

    def _members(self, end: str, read: Callable[[], _T]) -> list[_T]:
        self._skip_blank()
        if self._take(end):
            return []
        items = self._list_of(read)
        self._expect(end)
        return items

    def _pair(self) -> tuple[str, Any]:
        name = self._quoted()
        self._skip_blank()
        self._expect(":")
        return name, self._literal()

    def _quoted(self) -> str:
        single = self.text[self.position : self.position + 1] == "'"
        quoted = self._match(_single_quoted if single else _double_quoted, "a quoted name")[1]
        if single:  # there \" is two characters of the name (recorded: escape_sequence_parsing)
            quoted = quoted.replace('\\"', '\\\\"')
        text = _escape.sub(_unescape, quoted)
        try:  # joins the halves of a character that is written as two escapes
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self._fail("half a character")

    def _nested(self, read: Callable[[], _T]) -> _T:
        self._depth_left -= 1
        if self._depth_left < 0:
            self._fail("nested too deeply")
        result = read()
        self._depth_left += 1
        return result

    def _take(self, token: str) -> bool:
        found = self.text.startswith(token, self.position)
        if found:
            self.position += len(token)
        return found

    def _expect(self, token: str) -> None:
        if not self._take(token):
            self._fail(f"expected '{token}'")

    def _match(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        found = pattern.match(self.text, self.position)
        if found is None:
            self._fail(f"expected {what}")
        self.position = found.end()
        return found

    def _skip_blank(self) -> None:
        found = _blank.match(self.text, self.position)
        self.position = self.position if found is None else found.end()

    def _fail(self, problem: str) -> NoReturn:
        raise ExpressionSyntaxError(f"{problem} at character {self.position + 1} of '{self.text}'")


def read_number(text: str) -> int | float:
    """The value of a JSON number. Raises ExpressionSyntaxError for one that no float can hold."""
    try:
        number: int | float = json.loads(text)
    except ValueError as error:  # more digits than Python reads
        raise ExpressionSyntaxError(f"the number {text[:20]}... is too long") from error
    if isinstance(number, float) and number in (float("inf"), float("-inf")):
        raise ExpressionSyntaxError(f"the number {text[:20]} is too large")
    return number


def _unescape(escape: re.Match[str]) -> str:
    code = escape[1]
    if len(code) == 5:
        return chr(int(code[1:], 16))
    return _escapes.get(code, code)
