"""What the targets of a rule get, and when; the rest is seen from outside (tests/acceptance)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from treadle.neighbours.moto.events import _input, _time

EVENT = {
    "id": "e-1",
    "time": "2026-01-02T03:04:05Z",
    "source": "shop",
    "detail": {"name": 'say "x"', "n": 1, "list": [1, 2], "none": None},
}
RULE = SimpleNamespace(arn="arn:rule", name="orders")


def transformed(template: str, **paths: str) -> dict[str, Any]:
    return {"InputTransformer": {"InputTemplate": template, "InputPathsMap": paths}}


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ({"Input": '{"a": 1}'}, '{"a": 1}'),
        ({"InputPath": "$.detail.list"}, "[1, 2]"),
        ({"InputPath": "$.nothing"}, "null"),
        ({"InputPath": "$.detail.list[*]"}, "[1, 2]"),
        (transformed('{"n": <n>, "s": <s>}', n="$.detail.n", s="$.detail.name"), r'{"n": 1, "s": "say \"x\""}'),
        (transformed('{"t": "<n> of <list>"}', n="$.detail.n", list="$.detail.list"), '{"t": "1 of [1, 2]"}'),
        (transformed('"<name> <missing>!"', name="$.detail.name", missing="$.x"), r'"say \"x\" !"'),
        (transformed('{"x": <missing>, "y": <unknown>}', missing="$.x"), r'"{\"x\": null, \"y\": <unknown>}"'),
        (transformed('"<aws.events.rule-name> <aws.events.event.ingestion-time>"'), '"orders 2026-01-02T03:04:05Z"'),
        (transformed(r'{"a\"b": <n>, "c": "<n>"}', n="$.detail.n"), r'{"a\"b": 1, "c": "1"}'),
    ],
)  # fmt: skip
def test_what_a_target_gets(target: dict[str, Any], text: str) -> None:
    assert _input(target, EVENT, RULE) == text


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (1_700_000_000, "2023-11-14T22:13:20Z"),
        ("1700000000.5", "2023-11-14T22:13:20Z"),
        ("2023-11-14T23:13:20+01:00", "2023-11-14T22:13:20Z"),
        ("2023-11-14T22:13:20", "2023-11-14T22:13:20Z"),
    ],
)
def test_times_of_events(given: object, told: str) -> None:
    assert _time(given) == told
