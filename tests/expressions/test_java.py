from __future__ import annotations

from typing import Any

import pytest

from treadle.expressions import java


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1.5, 2),
        (-1.5, -1),
        (-0.5, 0),
        (0.5, 1),
        (2.5, 3),
        (-2.5, -2),
        (0.49999999999999994, 0),
        (1e15, 10**15),
    ],
)
def test_round_half_up(number: float, expected: int) -> None:
    assert java.round_half_up(number) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Arg1": 1, "Arg2": []}, "{Arg1=1, Arg2=[]}"),
        ({"Id": "arn:x", "Name": "m"}, "{Id=arn:x, Name=m}"),
        ([None, True, "a", {"b": 1.5}], "[null, true, a, {b=1.5}]"),
        (1.1, "1.1"),
        (0.0, "0.0"),
        (1.0, "1.0"),
        (9999999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (12345678.9, "1.23456789E7"),
        (-1.5e300, "-1.5E300"),
        (0.001, "0.001"),
        (0.00012, "1.2E-4"),
        (1e21, "1.0E21"),
        (5e-324, "5.0E-324"),
        (10**20, "100000000000000000000"),
    ],
)
def test_to_string(value: Any, expected: str) -> None:
    assert java.to_string(value) == expected


def test_random_draws_what_java_draws() -> None:
    assert java.Random(42).next_int() == -1170105035
    assert java.Random(0).next_int() == -1155484576
    random = java.Random(42)
    assert [random.next_below(10) for _ in range(3)] == [0, 3, 8]
    assert java.Random(42).next_below(16) == (-1170105035 % 2**32) >> 28  # powers of two take the high bits


def test_random_draws_what_aws_draws() -> None:
    """Measured on AWS: $random(42) is 0.7275636800328681, a double made of 26 and 27 bits of two draws."""
    random = java.Random(42)
    high, low = random.next_int() % 2**32 >> 6, random.next_int() % 2**32 >> 5
    assert ((high << 27) + low) / 2**53 == 0.7275636800328681


def test_next_between_takes_the_widest_range() -> None:
    random = java.Random(7)
    assert all(-(2**31) <= random.next_between(-(2**31), 2**31 - 1) < 2**31 - 1 for _ in range(100))
    assert {java.Random(seed).next_between(3, 5) for seed in range(0, 2**20, 2**14)} == {3, 4}
