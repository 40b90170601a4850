"""Which events match which patterns, and what is no pattern."""

from __future__ import annotations

from typing import Any

import pytest

from treadle.document import decode, encode
from treadle.neighbours.event_patterns import PatternError, compile_pattern

EVENT = {
    "status": "paid",
    "total": 100.5,
    "count": 1,
    "rush": True,
    "note": None,
    "empty": "",
    "tags": ["a", "b"],
    "none": [],
    "order": {"id": "Order-7", "lines": [{"sku": "x", "n": 1}, {"sku": "y", "n": 5}]},
}

MATCHES: list[Any] = [
    {"status": ["paid"]},
    {"status": ["open", "paid"]},
    {"status": ["paid"], "count": [1]},
    {"count": [1.0]},
    {"rush": [True]},
    {"note": [None]},
    {"empty": [""]},
    {"tags": ["b"]},
    {"order": {"id": [{"prefix": "Order-"}]}},
    {"order": {"id": [{"suffix": "-7"}]}},
    {"order": {"id": [{"equals-ignore-case": "order-7"}]}},
    {"order": {"lines": {"sku": ["y"]}}},
    {"status": [{"anything-but": "open"}]},
    {"status": [{"anything-but": ["open", "new"]}]},
    {"status": [{"anything-but": {"prefix": "op"}}]},
    {"count": [{"anything-but": [2]}]},
    {"tags": [{"anything-but": "a"}]},
    {"total": [{"numeric": ["=", 100.5]}]},
    {"total": [{"numeric": [">", 100, "<=", 100.5]}]},
    {"status": [{"exists": True}]},
    {"other": [{"exists": False}]},
    {"order": {"other": [{"exists": False}]}},
    {"$or": [{"status": ["open"]}, {"count": [{"numeric": ["<", 2]}]}]},
    {"status": ["paid"], "$or": [{"count": [1]}, {"count": [2]}]},
]

MISSES: list[Any] = [
    {"status": ["open"]},
    {"status": ["Paid"]},
    {"status": ["paid"], "count": [2]},
    {"count": ["1"]},
    {"count": [True]},
    {"rush": [1]},
    {"status": [None]},
    {"other": [None]},
    {"tags": ["c"]},
    {"none": ["a"]},
    {"status": {"a": ["x"]}},
    {"count": [{"prefix": "1"}]},
    {"status": [{"anything-but": "paid"}]},
    {"status": [{"anything-but": ["paid", "open"]}]},
    {"status": [{"anything-but": {"suffix": "id"}}]},
    {"other": [{"anything-but": "a"}]},
    {"status": [{"numeric": ["=", 1]}]},
    {"rush": [{"numeric": ["=", 1]}]},
    {"total": [{"numeric": [">", 100, "<", 100.5]}]},
    {"status": [{"exists": False}]},
    {"other": [{"exists": True}]},
    {"$or": [{"status": ["open"]}, {"count": [2]}]},
]


@pytest.mark.parametrize("pattern", MATCHES, ids=encode)
def test_it_matches(pattern: Any) -> None:
    assert compile_pattern(encode(pattern))(EVENT)


@pytest.mark.parametrize("pattern", MISSES, ids=encode)
def test_it_does_not_match(pattern: Any) -> None:
    assert not compile_pattern(encode(pattern))(EVENT)


def test_an_event_may_nest_deep() -> None:
    """Arrays in arrays are gone through without a call for each."""
    event = decode('{"order": ' + "[" * 800 + '{"id": 7}' + "]" * 800 + "}")
    assert compile_pattern('{"order": {"id": [7]}}')(event)
    assert not compile_pattern('{"order": {"id": [8]}}')(event)
    pattern = '{"a": ' * 100 + "[1]" + "}" * 100
    assert compile_pattern(pattern)(decode(pattern))


@pytest.mark.parametrize("event", ["text", 5, None, [], True])
def test_what_is_no_object_matches_nothing(event: Any) -> None:
    assert not compile_pattern('{"status": ["paid"]}')(event)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "{}",
        '{"a": 1}',
        '{"a": "x"}',
        '{"a": []}',
        '{"a": {}}',
        '{"a": [[1]]}',
        '{"a": [{}]}',
        '{"a": [{"prefix": "x", "suffix": "y"}]}',
        '{"a": [{"unknown": 1}]}',
        '{"a": [{"prefix": 1}]}',
        '{"a": [{"exists": "true"}]}',
        '{"a": [{"numeric": [">"]}]}',
        '{"a": [{"numeric": [">", "1"]}]}',
        '{"a": [{"numeric": ["!", 1]}]}',
        '{"a": [{"numeric": [[], 1]}]}',
        '{"a": [{"anything-but": []}]}',
        '{"a": [{"anything-but": {"numeric": ["=", 1]}}]}',
        '{"$or": [{"a": [1]}]}',
        '{"$or": {"a": [1]}}',
        '{"a": ' * 1_000 + "1" + "}" * 1_000,
        '{"a": ' * 101 + "[1]" + "}" * 101,
        '{"a": ' * 800 + "[1]" + "}" * 800,
        '{"$or": [{"a": [1]},' * 400 + '{"a": [1]}' + "]}" * 400,
        '{"a": ' * 100_000 + "[1]" + "}" * 100_000,
    ],
)
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(text)
