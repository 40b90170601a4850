"""The comparison operators of a Choice rule (JSONPath), each with the kind of its operand."""

from __future__ import annotations

from collections.abc import Mapping

from treadle.language.kinds import Kind, boolean, number, string, timestamp

_comparisons = ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")

_ordered: Mapping[str, Kind] = {
    "String": string,
    "Numeric": number(),
    "Timestamp": timestamp,
}


def _operators() -> dict[str, Kind]:
    table: dict[str, Kind] = {}
    for operand, kind in _ordered.items():
        for comparison in _comparisons:
            table[f"{operand}{comparison}"] = kind
            table[f"{operand}{comparison}Path"] = string
    table["StringMatches"] = string
    table["BooleanEquals"] = boolean
    table["BooleanEqualsPath"] = string
    for test in ("IsNull", "IsPresent", "IsNumeric", "IsString", "IsBoolean", "IsTimestamp"):
        table[test] = boolean
    return table


operators: Mapping[str, Kind] = _operators()
"""All 39, in the order of the messages that list them. One whose name ends in Path compares with a path."""
