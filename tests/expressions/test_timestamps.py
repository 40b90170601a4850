from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.expressions.timestamps import format_timestamp, parse_timestamp

_second = 1_349_809_255_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2012-10-09T19:00:55Z", _second),
        ("2012-10-09T19:00:55.00Z", _second),
        ("2012-10-09T19:00:55.000000Z", _second),
        ("2012-10-09T19:00:55.123456789Z", _second + 123),
        ("2012-10-09T21:00:55+02:00", _second),
        ("1969-12-31T23:59:59.9995Z", -1),
        # refused (recorded: a timestamp without an offset)
        ("2012-10-09T19:00:55", None),
        ("2012-10-09T19:00:55.000000", None),
        ("2012-10-09t19:00:55Z", None),
        ("2012-10-09T19:00:55z", None),
        ("2012-10-09 19:00:55Z", None),
        ("2012-13-09T19:00:55Z", None),
        ("2012-10-09T24:00:01Z", None),
        ("2012-10-09T19:00:55Z\n", None),
        ("2023-02-24", None),
        ("", None),
    ],
)
def test_parse(text: str, expected: int | None) -> None:
    assert parse_timestamp(text) == expected


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (_second + 7, "2012-10-09T19:00:55.007Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_format(milliseconds: int, expected: str) -> None:
    assert format_timestamp(milliseconds) == expected


@given(st.integers(0, 4_102_444_800_000))
def test_what_is_written_reads_back(milliseconds: int) -> None:
    assert parse_timestamp(format_timestamp(milliseconds)) == milliseconds
