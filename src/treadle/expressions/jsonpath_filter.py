"""Filters of a JSONPath: conditions compiled to predicates, with Jayway's operators.

A predicate is `(item, run) -> bool`.  An operand whose path selects nothing is MISSING: it equals nothing,
not even another missing one, and every operator is false for it, except `!=` and `nin`, which negate.

Jayway compares a number with a string by the other's text: `@.a == '1'` holds for the number 1.

Work is counted (`Run.spend`): a filter may look at the whole document for each item, and filters nest, so
that a short path can ask for years of work.  Regular expressions are RE2's, which need no more than linear
time; what RE2 does not have (look-around, back-references) is a syntax error.
"""

from __future__ import annotations

import operator as compare
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import re2

from treadle.expressions.errors import EvaluationError, ExpressionSyntaxError
from treadle.expressions.json_types import equal, is_number
from treadle.expressions.jsonpath_syntax import (
    Comparison,
    Condition,
    Conjunction,
    Constant,
    Disjunction,
    Exists,
    Negation,
    Operand,
    Reference,
    Regex,
)

MISSING: Any = object()
"""What an operand is worth whose path selects nothing."""


class Run:
    """One evaluation of a path: the document, and how much work is left for it."""

    __slots__ = ("_steps_left", "root", "text")

    def __init__(self, text: str, root: Any, steps: int) -> None:
        self.text = text
        self.root = root
        self._steps_left = steps

    def spend(self, steps: int) -> None:
        self._steps_left -= steps
        if self._steps_left < 0:
            raise EvaluationError(f"Invalid path '{self.text}' : its evaluation takes too many steps")


Predicate = Callable[[Any, Run], bool]
OperandReader = Callable[[Any, Run], Any]
ReferenceCompiler = Callable[[Reference], OperandReader]


def compile_condition(condition: Condition, compile_reference: ReferenceCompiler) -> Predicate:
    """`compile_reference` makes a path operand; it is an argument because paths contain filters in turn."""
    if isinstance(condition, Conjunction | Disjunction):
        terms = [compile_condition(term, compile_reference) for term in condition.terms]
        if isinstance(condition, Conjunction):
            return lambda item, run: all(term(item, run) for term in terms)
        return lambda item, run: any(term(item, run) for term in terms)
    if isinstance(condition, Negation):
        negated = compile_condition(condition.term, compile_reference)
        return lambda item, run: not negated(item, run)
    if isinstance(condition, Exists):
        read = compile_reference(condition.reference)
        return lambda item, run: read(item, run) is not MISSING
    return _compile_comparison(condition, compile_reference)


def _compile_comparison(comparison: Comparison, compile_reference: ReferenceCompiler) -> Predicate:
    left, right = comparison.left, comparison.right
    if isinstance(left, Regex):
        left, right = right, left
    if isinstance(right, Regex):
        return _compile_match(_compile_operand(left, compile_reference), right)
    read_left = _compile_operand(left, compile_reference)
    read_right = _compile_operand(right, compile_reference)
    holds = _operators[comparison.operator]
    return lambda item, run: holds(read_left(item, run), read_right(item, run), run)


def _compile_operand(operand: Operand, compile_reference: ReferenceCompiler) -> OperandReader:
    if isinstance(operand, Reference):
        return compile_reference(operand)
    if isinstance(operand, Constant):
        value = operand.value
        return lambda item, run: value
    raise ExpressionSyntaxError("a regular expression cannot be matched with another")


def _compile_match(read: OperandReader, regex: Regex) -> Predicate:
    unknown = set(regex.flags) - set("imsu")
    if unknown:
        raise ExpressionSyntaxError(f"unknown flag '{min(unknown)}' of a regular expression")
    options = re2.Options()
    options.log_errors = False
    flags = "".join(sorted(set(regex.flags) & set("ims")))
    try:
        pattern = re2.compile(f"(?{flags})(?:{regex.pattern})" if flags else regex.pattern, options)
    except re2.error as error:
        raise ExpressionSyntaxError(f"/{regex.pattern}/ is not a supported regular expression") from error

    def matches(item: Any, run: Run) -> bool:
        value = read(item, run)
        if type(value) is bool:
            value = "true" if value else "false"
        elif is_number(value):
            value = str(value)
        if type(value) is not str:
            return False
        run.spend(len(value) // 16)
        return pattern.fullmatch(value) is not None

    return matches


def _same(left: Any, right: Any, run: Run) -> bool:
    if left is MISSING:
        return False
    if type(left) is str and is_number(right):
        return left == str(right)
    if is_number(left) and type(right) is str:
        try:
            return Decimal(str(left)) == Decimal(right)
        except InvalidOperation:
            return False
    if type(left) in (dict, list) and type(left) is type(right):
        run.spend(_members_in(left))
    return equal(left, right)


def _members_in(value: Any) -> int:
    """The number of values in a value, itself included."""
    count, waiting = 0, [value]
    while waiting:
        value = waiting.pop()
        count += 1
        if type(value) is dict:
            waiting.extend(value.values())
        elif type(value) is list:
            waiting.extend(value)
    return count


def _different(left: Any, right: Any, run: Run) -> bool:
    return not _same(left, right, run)


def _ordering(holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any, Run], bool]:
    def ordered(left: Any, right: Any, run: Run) -> bool:
        comparable = (is_number(left) and is_number(right)) or (type(left) is str and type(right) is str)
        return comparable and holds(left, right)

    return ordered


def _in(left: Any, right: Any, run: Run) -> bool:
    if left is MISSING or type(right) is not list:
        return False
    run.spend(len(right))
    return any(_same(left, item, run) for item in right)


def _not_in(left: Any, right: Any, run: Run) -> bool:
    return not _in(left, right, run)


def _of_lists(holds: Callable[[list[Any], list[Any], Run], bool]) -> Callable[[Any, Any, Run], bool]:
    return lambda left, right, run: type(left) is list and type(right) is list and holds(left, right, run)


def _size(left: Any, right: Any, run: Run) -> bool:
    return type(left) in (list, str) and is_number(right) and len(left) == right


def _empty(left: Any, right: Any, run: Run) -> bool:
    return type(left) in (list, dict, str) and (not left) is right


def _contains(left: Any, right: Any, run: Run) -> bool:
    if type(left) is str:
        run.spend(len(left) // 16)
        return type(right) is str and right in left
    return right is not MISSING and _in(right, left, run)


_operators: dict[str, Callable[[Any, Any, Run], bool]] = {
    "==": _same,
    "!=": _different,
    "<": _ordering(compare.lt),
    "<=": _ordering(compare.le),
    ">": _ordering(compare.gt),
    ">=": _ordering(compare.ge),
    "in": _in,
    "nin": _not_in,
    "subsetof": _of_lists(lambda left, right, run: all(_in(item, right, run) for item in left)),
    "anyof": _of_lists(lambda left, right, run: any(_in(item, right, run) for item in left)),
    "noneof": _of_lists(lambda left, right, run: not any(_in(item, right, run) for item in left)),
    "size": _size,
    "empty": _empty,
    "contains": _contains,
}
