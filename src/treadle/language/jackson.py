"""What is wrong with a text that is not JSON, in the words of AWS.

AWS reads JSON with the Jackson library, and its errors quote Jackson: `Unrecognized token 'not': was
expecting (JSON String, ...)`, with the place as Jackson counts it.  Python's decoders give neither, so once a
text has been refused, this module reads it again the way Jackson's ReaderBasedJsonParser does, only to find
the first fault.

How it works: `_Scanner` walks the text once, from token to token.  A stack holds the brackets that are open,
so depth costs no recursion.  `position` is the index of the next character to read; Jackson reports the place
*after* the offending character or token, so a fault is raised only once `position` has moved past it.

Sources: the recorded cases `validate_state_machine_definition_not_a_definition--NOT_A_DEF` and the
InvalidExecutionInput of StartExecution; the remaining wording is that of jackson-core 2.10 to 2.15.
"""

from __future__ import annotations

import re
from typing import NoReturn

from msgspec import Struct

from treadle import document
from treadle.limits import DEFAULT_LIMITS

_VALUES = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_LITERALS = ("null", "true", "false")
_NOT_NUMBERS = ("NaN", "Infinity")
_TOKEN_CHARACTERS = 256
"""Characters of an unrecognised token that are quoted (Jackson's MAX_ERROR_TOKEN_LENGTH)."""
_SOURCE_CHARACTERS = 500
"""Characters of the text that a location quotes (Jackson's DEFAULT_MAX_CONTENT_SNIPPET)."""

_identifier = re.compile(r"[\w$]*")
_digits = re.compile(r"[0-9]*")
_plain = re.compile(r'[^"\\\x00-\x1f]*')
_hex = re.compile(r"[0-9a-fA-F]{0,4}")
_blank = re.compile(r"[ \t\r\n]*")
_surrogate = re.compile("[\ud800-\udfff]")


class JacksonError(Struct, frozen=True, kw_only=True):
    message: str
    line: int
    column: int
    """Place as Jackson counts it, from 1: the character after the offending one."""
    too_deep: bool = False
    """The text nests deeper than the limit. It may be JSON all the same."""

    def location(self, text: str) -> str:
        """`[Source: (String)"..."; line: 1, column: 4]`, quoting the refused text as far as Jackson does."""
        return _location(_quotable(text), self.line, self.column)


def json_error(text: str, depth: int = DEFAULT_LIMITS.json_depth) -> JacksonError | None:
    """The first fault of `text`, or None if it is JSON that nests no deeper than `depth`."""
    scanner = _Scanner(_quotable(text), depth)
    try:
        scanner.scan()
        refused = _refusal(text)
        if refused is None:
            return None
        # Jackson takes a few texts that we do not hold: numbers beyond a double, halves of a surrogate pair.
        surrogate = _surrogate.search(text)
        scanner.position = surrogate.end() if surrogate else len(text)
        scanner.fail(refused)
    except _FaultError as fault:
        return fault.error


def _quotable(text: str) -> str:
    """`text` without halves of surrogate pairs: they cannot be encoded, so no message may quote them."""
    return _surrogate.sub("\ufffd", text)


def _refusal(text: str) -> str | None:
    try:
        document.decode(text)
    except ValueError as error:
        return str(error)
    return None


def _location(text: str, line: int, column: int) -> str:
    rest = len(text) - _SOURCE_CHARACTERS
    cut = f"[truncated {rest} chars]" if rest > 0 else ""
    return f'[Source: (String)"{text[:_SOURCE_CHARACTERS]}"{cut}; line: {line}, column: {column}]'


class _FaultError(Exception):
    def __init__(self, error: JacksonError) -> None:
        super().__init__(error.message)
        self.error = error


class _Open(Struct):
    """A bracket that is open; the root counts as one."""

    kind: str
    """`root`, `Array` or `Object`, as Jackson's messages call it."""
    position: int
    """Index of the bracket; -1 for the root. Its line is counted only if a message needs it."""
    entries: int = 0


class _Scanner:
    def __init__(self, text: str, depth: int) -> None:
        self.text = text
        self.position = 0
        self.depth = depth
        self.open = [_Open("root", -1)]

    def scan(self) -> None:
        """Read the text to its end. Raises _FaultError at the first thing that Jackson would refuse."""
        while (character := self.next_token()) is not None:
            scope = self.open[-1]
            if character in "]}":
                self.close(character)
                continue
            if scope.entries and scope.kind != "root":
                character = self.comma(character)
            if scope.kind == "Object":
                character = self.name(character)
            elif scope.kind == "root" and scope.entries:
                self.value(character)
                self.fail("Trailing token found after the end of the JSON value")
            scope.entries += 1
            self.value(character)
        if len(self.open) == 1:
            if self.open[0].entries == 0:
                message = "No content to map due to end-of-input"
                raise _FaultError(JacksonError(message=message, line=1, column=0))
            return
        scope = self.open[-1]
        self.end(f": expected close marker for {scope.kind} (start marker at {self.start(scope)})")

    # Tokens

    def next_token(self) -> str | None:
        """Read the next character that is not blank; None at the end of the text."""
        match = _blank.match(self.text, self.position)
        assert match is not None  # the pattern matches the empty string
        self.position = match.end()
        if self.position == len(self.text):
            return None
        character = self.read()
        if character < " ":
            what = f"Illegal character ({_described(character)})"
            self.fail(f"{what}: only regular white space (\\r, \\n, \\t) is allowed between tokens")
        if character == "/":
            comment = "maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS'"
            self.unexpected(character, f"{comment} not enabled for parser)")
        return character

    def needed_token(self) -> str:
        character = self.next_token()
        if character is None:
            self.end(f" within/between {self.open[-1].kind} entries")
        return character

    def comma(self, character: str) -> str:
        if character != ",":
            self.unexpected(character, f"was expecting comma to separate {self.open[-1].kind} entries")
        return self.needed_token()

    def name(self, character: str) -> str:
        """The name of a field and its colon; the first character of the field's value."""
        if character != '"':
            self.unexpected(character, "was expecting double-quote to start field name")
        self.string(" in field name", "name")
        character = self.needed_token()
        if character != ":":
            self.unexpected(character, "was expecting a colon to separate field name and value")
        return self.needed_token()

    def value(self, character: str) -> None:
        if character in "[{":
            if len(self.open) > self.depth:
                bound = f"({self.depth}, from `StreamReadConstraints.getMaxNestingDepth()`)"
                message = f"Document nesting depth ({len(self.open)}) exceeds the maximum allowed {bound}"
                self.fail(message, too_deep=True)
            self.open.append(_Open("Array" if character == "[" else "Object", self.position - 1))
        elif character == '"':
            self.string(": was expecting closing quote for a string value", "string value")
        elif character in "-0123456789":
            self.number(character)
        elif character == "}":
            self.unexpected(character, "expected a value")
        elif character.isalpha() or character in "_$":
            self.literal()
        else:
            self.unexpected(character, f"expected a valid value {_VALUES}")

    def close(self, character: str) -> None:
        scope = self.open[-1]
        if scope.kind != ("Array" if character == "]" else "Object"):
            expected = "}" if character == "]" else "]"
            opened = f"(for {scope.kind} starting at {self.start(scope)})"
            self.fail(f"Unexpected close marker '{character}': expected '{expected}' {opened}")
        self.open.pop()

    def literal(self) -> None:
        start = self.position - 1
        match = _identifier.match(self.text, start, start + _TOKEN_CHARACTERS)
        token = match.group() if match else ""
        self.position = start + len(token)
        if token in _LITERALS:
            return
        if token in _NOT_NUMBERS:
            self.fail(f"Non-standard token '{token}': enable JsonParser.Feature.ALLOW_NON_NUMERIC_NUMBERS to allow")
        dots = "..." if len(token) == _TOKEN_CHARACTERS else ""
        self.fail(f"Unrecognized token '{token}{dots}': was expecting {_VALUES}")

    def string(self, unterminated: str, what: str) -> None:
        while True:
            match = _plain.match(self.text, self.position)
            assert match is not None  # the pattern matches the empty string
            self.position = match.end()
            if self.position == len(self.text):
                self.end(unterminated)
            character = self.read()
            if character == '"':
                return
            if character == "\\":
                self.escape()
            else:
                illegal = f"Illegal unquoted character ({_described(character)})"
                self.fail(f"{illegal}: has to be escaped using backslash to be included in {what}")

    def escape(self) -> None:
        character = self.read_or_end(" in character escape sequence")
        if character == "u":
            match = _hex.match(self.text, self.position)
            self.position = match.end() if match else self.position
            if match is None or len(match.group()) < 4:
                wrong = self.read_or_end(" in character escape sequence")
                self.unexpected(wrong, "expected a hex-digit for character escape sequence")
        elif character not in 'bfnrt"/\\':
            self.fail(f"Unrecognized character escape {_described(character)}")

    def number(self, character: str) -> None:
        if character == "-":
            character = self.read_or_end(" in a Number value")
            if not "0" <= character <= "9":
                self.no_number(character, "expected digit (0-9) to follow minus sign, for valid numeric value")
        if character == "0" and "0" <= self.peek() <= "9":
            self.position += 1
            self.fail("Invalid numeric value: Leading zeroes not allowed")
        self.skip_digits()
        if self.peek() == ".":
            self.position += 1
            self.some_digits("Decimal point not followed by a digit")
        if self.peek() in ("e", "E"):
            self.position += 1
            if self.peek() in ("+", "-"):
                self.position += 1
            self.some_digits("Exponent indicator not followed by a digit")
        if len(self.open) == 1 and self.peek() not in ("", " ", "\t", "\r", "\n"):
            self.unexpected(self.read(), "Expected space separating root-level values")

    def some_digits(self, otherwise: str) -> None:
        if self.skip_digits() == 0:
            self.no_number(self.read_or_end(" in a Number value"), otherwise)

    # Characters

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def read(self) -> str:
        self.position += 1
        return self.text[self.position - 1]

    def read_or_end(self, unterminated: str) -> str:
        if self.position == len(self.text):
            self.end(unterminated)
        return self.read()

    def skip_digits(self) -> int:
        match = _digits.match(self.text, self.position)
        count = len(match.group()) if match else 0
        self.position += count
        return count

    def place(self, position: int) -> tuple[int, int]:
        """Line and column of the character at `position`, from 1. A line ends with LF, CR or CR LF."""
        before = self.text[:position].replace("\r\n", "\n\n").replace("\r", "\n")
        pairs = self.text.count("\r\n", 0, position)
        return before.count("\n") - pairs + 1, position - before.rfind("\n")

    def start(self, scope: _Open) -> str:
        """The location of an open bracket; Jackson puts the root before the first character."""
        line, column = self.place(scope.position) if scope.position >= 0 else (1, 0)
        return _location(self.text, line, column)

    # Faults

    def unexpected(self, character: str, comment: str) -> NoReturn:
        self.fail(f"Unexpected character ({_described(character)}): {comment}")

    def no_number(self, character: str, comment: str) -> NoReturn:
        self.fail(f"Unexpected character ({_described(character)}) in numeric value: {comment}")

    def end(self, where: str) -> NoReturn:
        line, column = self.place(len(self.text))
        raise _FaultError(JacksonError(message=f"Unexpected end-of-input{where}", line=line, column=column))

    def fail(self, message: str, too_deep: bool = False) -> NoReturn:
        # Jackson does not count a line break that is itself the offending character.
        line, column = self.place(max(self.position - 1, 0))
        error = JacksonError(message=message, line=line, column=column + 1, too_deep=too_deep)
        raise _FaultError(error)


def _described(character: str) -> str:
    """`'x' (code 120)`, as Jackson names a character."""
    code = ord(character)
    if code < 32 or 127 <= code < 160:
        return f"(CTRL-CHAR, code {code})"
    if code > 255:
        return f"'{character}' (code {code} / 0x{code:x})"
    return f"'{character}' (code {code})"
