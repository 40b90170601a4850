"""Event patterns: the small language in which event source mappings say which messages their functions get.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html and, for what a rule means, EventBridge's
pages on event patterns. A pattern is an object that has the form of the events it matches:

    {"status": ["paid"], "order": {"total": [{"numeric": [">", 100]}]}, "$or": [{"a": [1]}, {"b": [{"exists": false}]}]}

All of its keys must match. Under a key stands an object, a pattern for what the event has there, or an array of rules,
one of which must match. A rule is a value, or an object with one operator: a line of `_OPERATORS`. Where the event has
an array, one of its items must match; `anything-but` holds for an item that differs.

A pattern is compiled once to a function of the event. No regular expressions, and no work beyond the size of event
times pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from treadle.document import decode

Matches = Callable[[Any], bool]
"""Whether an event, as decoded JSON, matches."""

_DEEPEST = 100
"""Objects and alternatives of a pattern that stand in one another (ours): so deep calls what is compiled itself."""
_OR = "$or"
_MISSING = object()
"""What an event has under a key that it does not have."""


class PatternError(ValueError):
    """The text is no pattern. The message says why."""


def compile_pattern(text: str) -> Matches:
    """Raises PatternError."""
    try:
        pattern = decode(text)
    except ValueError as error:
        raise PatternError(f"it is not JSON: {error}") from error
    return compile_object(pattern)


def compile_object(pattern: Any, depth: int = 1) -> Matches:
    """The same, of decoded JSON. Raises PatternError."""
    if not isinstance(pattern, dict) or not pattern:
        raise PatternError("a pattern is an object that is not empty")
    if depth > _DEEPEST:
        raise PatternError(f"it nests deeper than {_DEEPEST} objects")
    parts = [_either(value, depth) if key == _OR else _under(key, value, depth) for key, value in pattern.items()]
    return lambda event: all(part(event) for part in parts)


def _either(patterns: Any, depth: int) -> Matches:
    if not isinstance(patterns, list) or len(patterns) < 2:
        raise PatternError(f"{_OR} takes an array of at least two patterns")
    compiled = [compile_object(pattern, depth + 1) for pattern in patterns]
    return lambda event: any(matches(event) for matches in compiled)


def _under(key: str, value: Any, depth: int) -> Matches:
    if isinstance(value, dict):
        inner = compile_object(value, depth + 1)
    elif isinstance(value, list) and value:
        inner = compile_rules(value)
    else:
        raise PatternError(f"under {key!r} must stand an object, or an array of at least one rule")

    def matches(event: Any) -> bool:
        if isinstance(event, list):
            return any(map(matches, _items(event)))
        return inner(event.get(key, _MISSING) if isinstance(event, dict) else _MISSING)

    return matches


def _items(array: list[Any]) -> Iterator[Any]:
    """And those of the arrays in it, however deep they nest."""
    left = [iter(array)]
    while left:
        for item in left[-1]:
            if isinstance(item, list):
                left.append(iter(item))
                break
            yield item
        else:
            left.pop()


def compile_rules(rules: list[Any]) -> Matches:
    """One of these rules, for a value. Raises PatternError."""
    compiled = [_rule(rule) for rule in rules]

    def matches(value: Any) -> bool:
        values = value if isinstance(value, list) and value else [value]
        return any(rule(each) for rule in compiled for each in values)

    return matches


def _rule(rule: Any) -> Matches:
    if not isinstance(rule, dict):
        if isinstance(rule, list):
            raise PatternError("a rule is a value or an operator, not an array")
        return lambda value: _same(value, rule)
    if len(rule) != 1:
        raise PatternError("a rule has one operator")
    ((name, operand),) = rule.items()
    operator = _OPERATORS.get(name)
    if operator is None:
        raise PatternError(f"there is no operator {name!r}")
    return operator(operand)


def _same(value: Any, wanted: Any) -> bool:
    """JSON's equality: 1 is 1.0, and true is no number."""
    return value is not _MISSING and isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


# -- operators ---------------------------------------------------------------------------------------------


def _text(operand: Any, name: str) -> str:
    if not isinstance(operand, str) or not operand:
        raise PatternError(f"{name} takes a text")
    return operand


def _prefix(operand: Any) -> Matches:
    beginning = _text(operand, "prefix")
    return lambda value: isinstance(value, str) and value.startswith(beginning)


def _suffix(operand: Any) -> Matches:
    end = _text(operand, "suffix")
    return lambda value: isinstance(value, str) and value.endswith(end)


def _equals_ignore_case(operand: Any) -> Matches:
    wanted = _text(operand, "equals-ignore-case").casefold()
    return lambda value: isinstance(value, str) and value.casefold() == wanted


def _exists(operand: Any) -> Matches:
    if not isinstance(operand, bool):
        raise PatternError("exists takes true or false")
    return lambda value: (value is not _MISSING) is operand


def _anything_but(operand: Any) -> Matches:
    """Of values, or of what begins or ends so. A value that is not there is nothing."""
    if isinstance(operand, dict):
        if operand.keys() - {"prefix", "suffix"}:
            raise PatternError("anything-but takes values, prefix or suffix")
        refused = [_rule(operand)]
    else:
        refused = [_rule(value) for value in (operand if isinstance(operand, list) else [operand])]
        if not refused or any(isinstance(value, dict) for value in (operand if isinstance(operand, list) else [])):
            raise PatternError("anything-but takes at least one value")
    return lambda value: value is not _MISSING and not any(rule(value) for rule in refused)


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def _numeric(operand: Any) -> Matches:
    """One comparison, or two that make a range."""
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise PatternError("numeric takes one or two comparisons: an array of operators and numbers")
    comparisons = []
    for name, bound in zip(operand[::2], operand[1::2], strict=True):
        compare = _COMPARISONS.get(name) if isinstance(name, str) else None
        if compare is None or not _is_number(bound):
            raise PatternError(f"numeric takes {', '.join(_COMPARISONS)}, each with a number")
        comparisons.append((compare, bound))
    return lambda value: _is_number(value) and all(compare(value, bound) for compare, bound in comparisons)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_OPERATORS: dict[str, Callable[[Any], Matches]] = {
    "anything-but": _anything_but,
    "equals-ignore-case": _equals_ignore_case,
    "exists": _exists,
    "numeric": _numeric,
    "prefix": _prefix,
    "suffix": _suffix,
}
