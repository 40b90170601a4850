"""Values in JSON text as items, read one after another: of an array, or of lines.

    InputType JSON    an array; ItemsPointer says where in the whole it is (RFC 6901)
    InputType JSONL   a value in each line

Theory of operation.  The text is held from the value on that is being read, so that no more than one value is in
memory.  Python's decoder reads a value and says where it ends; if it fails, or ends where the text does, the value
may not be all there yet, and it is tried again with more.  What has to be passed over to get to an array is passed
over in the same way, member by member and item by item.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from treadle.datasets.contract import DatasetError
from treadle.datasets.streams import ByteStream
from treadle.datasets.text import characters, lines
from treadle.document import decode
from treadle.limits import Limits

NOT_ITERABLE = "Attempting to map over non-iterable node."
"""Recorded: scenarios--map_item_reader_json_no_json_list_object."""

_SPACE = " \t\r\n"
_TOO_DEEP = "The data is nested too deeply"


def array_items(stream: ByteStream, config: Mapping[str, Any], limits: Limits) -> Iterator[Any]:
    """`config`: a ReaderConfig. Raises DatasetError."""
    text = _Text(characters(stream), limits)
    try:
        for key in _keys(config.get("ItemsPointer") or ""):
            _go_to(text, key)
    except RecursionError:
        raise DatasetError(_TOO_DEEP) from None
    if text.peek() != "[":
        raise DatasetError(NOT_ITERABLE)
    yield from text.items()


def line_items(stream: ByteStream, limits: Limits) -> Iterator[Any]:
    """Raises DatasetError."""
    for number, line in enumerate(lines(stream, limits.reader_line_characters), start=1):
        if line.strip(_SPACE):
            try:
                yield decode(line)
            except ValueError as error:
                raise DatasetError(f"Line {number} is not valid JSON: {error}") from error


def _keys(pointer: str) -> Sequence[str]:
    """Of a JSON pointer."""
    if pointer and not pointer.startswith("/"):
        raise DatasetError(f"The ItemsPointer '{pointer}' is not a JSON pointer")
    return [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]


def _go_to(text: _Text, key: str) -> None:
    """To the member or item of the value that comes next."""
    opening = text.peek()
    if opening == "{":
        for name in text.members():
            if name == key:
                return
            text.pass_over()
    elif opening == "[" and key.isdecimal():
        for place, _ in enumerate(text.places()):
            if place == int(key):
                return
            text.pass_over()
    raise DatasetError(NOT_ITERABLE)


def _may_go_on(after: str) -> bool:
    """Whether a value may be a number whose other half has not come yet. `after`: up to three characters of what
    follows."""
    return not after or (len(after) < len("e+1") and after[0] in ".eE")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


class _Text:
    """JSON text that is read from front to back."""

    def __init__(self, source: Iterator[str], limits: Limits) -> None:
        self._source = source
        self._text = ""
        self._at = 0
        self._longest = limits.reader_line_characters
        self._deepest = limits.json_depth
        self._scan = json.JSONDecoder(parse_constant=_refuse).raw_decode

    def peek(self) -> str:
        """The character that comes next and is no space; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def items(self) -> Iterator[Any]:
        """Of the array that comes next."""
        for _ in self.places():
            yield self._value()

    def places(self) -> Iterator[None]:
        """Stops before each item of the array that comes next; what is there has to be read or passed over."""
        self._expect("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield
            if not self._goes_on("]"):
                return

    def members(self) -> Iterator[str]:
        """The name of each member of the object that comes next; its value has to be read or passed over."""
        self._expect("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            self.peek()
            name = self._value()
            self._expect(":")
            yield name
            if not self._goes_on("}"):
                return

    def pass_over(self, depth: int = 1) -> None:
        """Of a value, whatever its length, no more is kept than of a text or number in it."""
        if depth > self._deepest:
            raise DatasetError(_TOO_DEEP)
        opening = self.peek()
        if opening == "[":
            for _ in self.places():
                self.pass_over(depth + 1)
        elif opening == "{":
            for _ in self.members():
                self.pass_over(depth + 1)
        else:
            self._value()

    def _goes_on(self, end: str) -> bool:
        """Whether there is another item or member."""
        found = self.peek()
        if found not in (",", end) or not found:
            raise self._invalid()
        self._at += 1
        return found == ","

    def _expect(self, character: str) -> None:
        if self.peek() != character:
            raise self._invalid()
        self._at += 1

    def _value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = self._scan(self._text, self._at)
            except (ValueError, IndexError):
                if not self._more():
                    raise self._invalid() from None
                continue
            except RecursionError:
                raise DatasetError(_TOO_DEEP) from None
            if _may_go_on(self._text[end : end + 3]) and self._more():
                continue
            if end - self._at > self._longest:
                raise self._too_long()
            self._at = end
            return value

    def _more(self) -> bool:
        """False: that was all."""
        if len(self._text) - self._at > self._longest:
            raise self._too_long()
        piece = next(self._source, None)
        if piece is None:
            return False
        self._text = self._text[self._at :] + piece
        self._at = 0
        return True

    def _too_long(self) -> DatasetError:
        return DatasetError(f"An item has more than {self._longest} characters")

    def _invalid(self) -> DatasetError:
        return DatasetError("The data is not valid JSON")
