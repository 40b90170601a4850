"""json_error: Jackson's words and places for texts that are not JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from treadle import document
from treadle.language.jackson import JacksonError, json_error

VALUES = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"


def source(text: str, line: int, column: int) -> str:
    return f'[Source: (String)"{text}"; line: {line}, column: {column}]'


FAULTS: dict[str, tuple[str, int, int]] = {
    # Tokens (the first is recorded)
    "not a definition": (f"Unrecognized token 'not': was expecting {VALUES}", 1, 4),
    '{"a": nul}': (f"Unrecognized token 'nul': was expecting {VALUES}", 1, 10),
    "[tru": (f"Unrecognized token 'tru': was expecting {VALUES}", 1, 5),
    "trueish": (f"Unrecognized token 'trueish': was expecting {VALUES}", 1, 8),
    "x" * 300: (f"Unrecognized token '{'x' * 256}...': was expecting {VALUES}", 1, 257),
    "NaN": ("Non-standard token 'NaN': enable JsonParser.Feature.ALLOW_NON_NUMERIC_NUMBERS to allow", 1, 4),
    # Characters
    "<html>": (f"Unexpected character ('<' (code 60)): expected a valid value {VALUES}", 1, 2),
    "[+1]": (f"Unexpected character ('+' (code 43)): expected a valid value {VALUES}", 1, 3),
    "€": (f"Unexpected character ('€' (code 8364 / 0x20ac)): expected a valid value {VALUES}", 1, 2),
    "[1,]": (f"Unexpected character (']' (code 93)): expected a valid value {VALUES}", 1, 5),
    '{"a":}': ("Unexpected character ('}' (code 125)): expected a value", 1, 7),
    "{'a':1}": (
        "Unexpected character (''' (code 39)): was expecting double-quote to start field name",
        1,
        3,
    ),
    '{"a":1,}': (
        "Unexpected character ('}' (code 125)): was expecting double-quote to start field name",
        1,
        9,
    ),
    '{"a" 1}': (
        "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
        1,
        7,
    ),
    '{"a":1\n "b":2}': (
        "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries",
        2,
        3,
    ),
    "[1 2]": ("Unexpected character ('2' (code 50)): was expecting comma to separate Array entries", 1, 5),
    "{}/": (
        "Unexpected character ('/' (code 47)): maybe a (non-standard) comment? (not recognized as one since "
        "Feature 'ALLOW_COMMENTS' not enabled for parser)",
        1,
        4,
    ),
    "\x00": (
        "Illegal character ((CTRL-CHAR, code 0)): only regular white space (\\r, \\n, \\t) is allowed between tokens",
        1,
        2,
    ),
    # Brackets
    "{}}": (
        f"Unexpected close marker '}}': expected ']' (for root starting at {source('{}}', 1, 0)})",
        1,
        4,
    ),
    "[1}": (
        f"Unexpected close marker '}}': expected ']' (for Array starting at {source('[1}', 1, 1)})",
        1,
        4,
    ),
    # The end
    "": ("No content to map due to end-of-input", 1, 0),
    "{": (
        f"Unexpected end-of-input: expected close marker for Object (start marker at {source('{', 1, 1)})",
        1,
        2,
    ),
    "[\n[1": (
        "Unexpected end-of-input: expected close marker for Array "
        f"(start marker at {source('[' + chr(10) + '[1', 2, 1)})",
        2,
        3,
    ),
    "[1,": ("Unexpected end-of-input within/between Array entries", 1, 4),
    '{"a":': ("Unexpected end-of-input within/between Object entries", 1, 6),
    '{"a': ("Unexpected end-of-input in field name", 1, 4),
    '"abc': ("Unexpected end-of-input: was expecting closing quote for a string value", 1, 5),
    '"\\': ("Unexpected end-of-input in character escape sequence", 1, 3),
    "-": ("Unexpected end-of-input in a Number value", 1, 2),
    # More than one value
    "{} x": (f"Unrecognized token 'x': was expecting {VALUES}", 1, 5),
    "{}{}": ("Trailing token found after the end of the JSON value", 1, 4),
    # Strings
    '"a\nb"': (
        "Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using backslash to be included "
        "in string value",
        1,
        4,
    ),
    '{"a\tb":1}': (
        "Illegal unquoted character ((CTRL-CHAR, code 9)): has to be escaped using backslash to be included in name",
        1,
        5,
    ),
    '"\\x"': ("Unrecognized character escape 'x' (code 120)", 1, 4),
    '"\\u12g4"': (
        "Unexpected character ('g' (code 103)): expected a hex-digit for character escape sequence",
        1,
        7,
    ),
    # Numbers
    "[01]": ("Invalid numeric value: Leading zeroes not allowed", 1, 4),
    "12x": ("Unexpected character ('x' (code 120)): Expected space separating root-level values", 1, 4),
    "-x": (
        "Unexpected character ('x' (code 120)) in numeric value: expected digit (0-9) to follow minus sign, "
        "for valid numeric value",
        1,
        3,
    ),
    "[1.]": (
        "Unexpected character (']' (code 93)) in numeric value: Decimal point not followed by a digit",
        1,
        5,
    ),
    "[1e+]": (
        "Unexpected character (']' (code 93)) in numeric value: Exponent indicator not followed by a digit",
        1,
        6,
    ),
}


@pytest.mark.parametrize("text", FAULTS)
def test_faults(text: str) -> None:
    message, line, column = FAULTS[text]
    assert json_error(text) == JacksonError(message=message, line=line, column=column)


@pytest.mark.parametrize("text", ["{}", " [1, -0.5e-3, null]\r\n", '"\\u00e9\\n"', "0", "true"])
def test_json_has_no_fault(text: str) -> None:
    assert json_error(text) is None


def test_a_location_quotes_the_text_as_far_as_jackson_does() -> None:
    text = "x" * 628
    error = json_error(text)
    assert error is not None
    assert error.location(text) == (f'[Source: (String)"{"x" * 500}"[truncated 128 chars]; line: 1, column: 257]')


def test_every_line_break_counts() -> None:
    error = json_error("[\r\n\r\n 1,\n\r x")
    assert error is not None
    assert (error.line, error.column) == (5, 3)


def test_depth_is_bounded_and_costs_no_recursion() -> None:
    deep = json_error("[" * 100_000 + "]" * 100_000, depth=10)
    assert deep == JacksonError(
        message=(
            "Document nesting depth (11) exceeds the maximum allowed "
            "(10, from `StreamReadConstraints.getMaxNestingDepth()`)"
        ),
        line=1,
        column=12,
        too_deep=True,
    )
    assert json_error("[" * 10 + "]" * 10, depth=10) is None


@pytest.mark.parametrize("text", ["1e999", '"\ud800"', "\ud800"])
def test_what_cannot_be_held_is_a_fault_that_can_be_sent(text: str) -> None:
    error = json_error(text)
    assert error is not None
    assert (error.message + error.location(text)).encode()


@given(st.text(alphabet=st.sampled_from('{}[]":,\\/unlltrefas0123.-+eE \n\t\rx$') | st.characters()))
@example("[1.5e400]")
def test_exactly_what_the_decoder_refuses_has_a_fault(text: str) -> None:
    assert (json_error(text) is None) == _decodes(text)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists), st.integers(0, 40))
def test_a_cut_text_has_a_fault_within_it(value: Any, cut: int) -> None:
    text = json.dumps([value])[: cut + 1]
    error = json_error(text)
    if error is None:
        assert _decodes(text)
    else:
        assert 0 <= error.column <= len(text) + 1


def _decodes(text: str) -> bool:
    try:
        document.decode(text)
    except ValueError:
        return False
    return True
