"""A JSON value that remembers its text.

AWS hands a workflow's data on as text, verbatim, until something rewrites it: the caller's spaces survive a
chain of states that only pass data along, and even a Parallel state, whose result embeds the texts of its
branches (recorded-behaviours, "Text of JSON").  A Document therefore holds the text, the value, or both; the
one that is missing is made at most once, when first asked for.  Passing data through a state costs nothing.

Values are shared, never copied: whoever holds a Document's value must not change it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

_MISSING: Any = object()


class TooDeep(ValueError):
    """Arrays and objects nest beyond what fits on Python's stack."""

    def __init__(self) -> None:
        super().__init__("JSON is nested too deeply")


def encode(value: Any) -> str:
    """The compact JSON text of `value` (UTF-8 characters unescaped), as the interpreter writes it. Raises TooDeep."""
    try:
        try:
            return _encode(value).decode()
        except OverflowError:  # an integer beyond 64 bits, which msgspec does not write
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise TooDeep from None


def decode(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError, of which TooDeep is one."""
    try:
        return _decode(text)
    except RecursionError:
        raise TooDeep from None


def nests_deeper(text: str, levels: int) -> bool:
    """Whether arrays and objects nest deeper than so in a text that is JSON. Most texts have too few brackets."""
    if text.count("[") + text.count("{") <= levels:
        return False
    depth = 0
    for bracket in _bracket.findall(_string.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > levels:
            return True
    return False


_string = re.compile(r'"(?:[^"\\]|\\.)*"')
_bracket = re.compile(r"[\[\]{}]")


class Document:
    """One JSON value: its text, its value, or both."""

    __slots__ = ("_text", "_value")

    def __init__(self, value: Any = _MISSING, text: str | None = None) -> None:
        self._value = value
        self._text = text

    @classmethod
    def parse(cls, text: str) -> Document:
        """A document from text that somebody sent. Raises ValueError if it is not JSON."""
        return cls(decode(text), text)

    @classmethod
    def array(cls, items: Sequence[Document]) -> Document:
        """The array of `items`, made of their texts without encoding anything anew."""
        return cls(text="[" + ",".join([item.text for item in items]) + "]")

    def part(self, keys: Sequence[str | int]) -> Document:
        """The value that names and indexes lead to, with its text as it stands in the text of the whole.

        Raises ValueError if there is none.
        """
        text = self.text.encode()
        for key in keys:
            if isinstance(key, int):
                items = msgspec.json.decode(text, type=list[msgspec.Raw])
                found = items[key] if key < len(items) else None
            else:
                found = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).get(key)
            if found is None:
                raise ValueError(f"there is no {key!r}")
            text = bytes(found)
        return Document(text=text.decode())

    @property
    def value(self) -> Any:
        if self._value is _MISSING:
            self._value = decode(self._text or "")
        return self._value

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = encode(self._value)
        return self._text

    @property
    def size(self) -> int:
        """Length of the text in UTF-8 bytes: what AWS's payload limits count."""
        text = self.text
        return len(text) if text.isascii() else len(text.encode())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Document) and self.text == other.text

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Document({self.text!r})"


EMPTY = Document({}, "{}")
"""The empty object: the input of an execution that is started without one, and what a null path selects."""
