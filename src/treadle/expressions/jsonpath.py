"""JSONPath with Jayway's semantics, as AWS uses it, compiled to closures.

A *definite* path (names and single indexes; several names in the last brackets; a function at the end)
selects one value, and it is an error if there is none.  Any other path selects a list, which is empty when
anything on the way is missing: `$.no.such[*]` on `{}` is `[]` (recorded:
base--json_path_array_wildcard_or_slice_with_no_input).

The common definite path is a loop of subscriptions.  Only when one fails is the path walked again, to say in
Jayway's words where.  An indefinite path is a chain of steps from list to list; its work is counted, because
`..` and filters multiply.

Choices where Jayway and good sense part: `..[0].a` takes the first item of every array (Jayway takes all of
them), a slice has a step, and a function after an indefinite path works on the list that the path selects.
A filter behind `..` tests each object once, as in Jayway; elsewhere it tests the items of an array, or the
object itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from treadle.expressions import java
from treadle.expressions.errors import EvaluationError, ExpressionSyntaxError, PathNotFound
from treadle.expressions.json_types import is_number
from treadle.expressions.jsonpath_filter import MISSING, OperandReader, Run, compile_condition
from treadle.expressions.jsonpath_syntax import (
    Descend,
    Filter,
    Function,
    Index,
    Indexes,
    Member,
    Members,
    Reference,
    Segment,
    Slice,
    Wildcard,
    read_segments,
)
from treadle.limits import DEFAULT_LIMITS, Limits

_Step = Callable[[list[Any], Run], list[Any]]


class JsonPath:
    """A compiled path. `evaluate(root)` gives the value (definite) or a list; it raises PathNotFound."""

    __slots__ = ("definite", "evaluate", "text")

    def __init__(self, text: str, definite: bool, evaluate: Callable[[Any], Any]) -> None:
        self.text = text
        self.definite = definite
        self.evaluate = evaluate


def compile_jsonpath(text: str, limits: Limits = DEFAULT_LIMITS) -> JsonPath:
    """Compile `$...`. Raises ExpressionSyntaxError."""
    if not text.startswith("$"):
        raise ExpressionSyntaxError(f"'{text}' does not start with $")
    segments, end = read_segments(text, 1, limits)
    if end != len(text):
        raise ExpressionSyntaxError(f"unexpected '{text[end]}' at character {end + 1} of '{text}'")
    return compile_segments(text, segments, limits)


def compile_segments(text: str, segments: Sequence[Segment], limits: Limits) -> JsonPath:
    """Compile what follows a root; `text` is the whole path as it is written, for the error texts."""
    *front, last = segments or (None,)
    evaluate: Callable[[Any], Any]
    if isinstance(last, Function):
        evaluate = _compile_function(text, front, last.name, limits)
    elif _is_single(segments):
        evaluate = _compile_single(text, segments, False)
    elif isinstance(last, Members) and _is_single(front):
        evaluate = _compile_merge(text, front, last.names)
    else:
        evaluate = _compile_many(text, segments, limits)
    return JsonPath(text, _is_definite(segments), evaluate)


def _is_definite(segments: Sequence[Segment]) -> bool:
    *front, last = segments or (None,)
    return isinstance(last, Function) or (_is_single(front) and isinstance(last, Members)) or _is_single(segments)


def _is_single(segments: Sequence[Segment | None]) -> bool:
    return all(isinstance(segment, Member | Index) for segment in segments)


# One value


def _keys(segments: Sequence[Any]) -> tuple[str | int, ...]:
    return tuple(segment.name if isinstance(segment, Member) else segment.index for segment in segments)


def _compile_single(text: str, segments: Sequence[Any], has_more: bool) -> Callable[[Any], Any]:
    """`has_more`: the path goes on behind these segments, which changes Jayway's words for a missing one."""
    keys = _keys(segments)
    if not keys:
        return lambda root: root
    if len(keys) == 1 and isinstance(keys[0], str):
        return _compile_member(text, keys[0], has_more)

    def follow_names(root: Any) -> Any:
        value = root
        try:
            for key in keys:
                value = value[key]
        except (KeyError, IndexError, TypeError):
            _fail(text, keys, root, has_more)
        return value

    def follow(root: Any) -> Any:
        value = root
        try:
            for key in keys:
                if type(key) is int and type(value) is not list:
                    break
                value = value[key]
            else:
                return value
        except (KeyError, IndexError, TypeError):
            pass
        _fail(text, keys, root, has_more)

    return follow_names if all(isinstance(key, str) for key in keys) else follow


def _compile_member(text: str, name: str, has_more: bool) -> Callable[[Any], Any]:
    def member(root: Any) -> Any:
        try:
            return root[name]
        except (KeyError, IndexError, TypeError):
            _fail(text, (name,), root, has_more)

    return member


def _fail(text: str, keys: tuple[str | int, ...], root: Any, has_more: bool) -> NoReturn:
    """Walk the path again and say in Jayway's words where it ends."""
    whole = "$" + "".join(map(_fragment, keys))
    nothing = f"No results for path: {whole}"
    at, value, reason = "$", root, nothing
    for position, key in enumerate(keys):
        if isinstance(key, str):
            if not isinstance(value, dict):
                reason = _no_object(_fragment(key), at, value)
                break
            if key not in value:
                if has_more or position + 1 < len(keys):
                    reason = f"Missing property in path {at}{_fragment(key)}"
                break
        elif value is None:
            reason = f"The path {at} is null"
            break
        elif not isinstance(value, list):
            reason = f"Filter: [{key}] can only be applied to arrays. Current context is: {_shown(value)}"
            break
        elif not -len(value) <= key < len(value):
            break
        value = value[key]
        at += _fragment(key)
    raise PathNotFound(text, reason, root) from None


def _shown(value: Any) -> str:
    try:
        return java.to_string(value)
    except RecursionError:
        return java.type_name(value)


def _fragment(key: str | int) -> str:
    return f"[{key}]" if isinstance(key, int) else f"['{key}']"


def _no_object(fragment: str, at: str, value: Any) -> str:
    return (
        f"Expected to find an object with property {fragment} in path {at} "
        f"but found '{java.type_name(value)}'. This is not a json object according to the JsonProvider: "
        "'com.jayway.jsonpath.spi.json.JacksonJsonProvider'."
    )


def _compile_merge(text: str, front: Sequence[Any], names: tuple[str, ...]) -> Callable[[Any], Any]:
    """`['a','b']` at the end of a path: an object of those of the members that are there."""
    read = _compile_single(text, front, True)
    at = "$" + "".join(map(_fragment, _keys(front)))
    fragment = "[" + ",".join(f"'{name}'" for name in names) + "]"

    def merge(root: Any) -> dict[str, Any]:
        value = read(root)
        if type(value) is not dict:
            raise PathNotFound(text, _no_object(fragment, at, value), root)
        return {name: value[name] for name in names if name in value}

    return merge


# Functions


def _numbers(value: Any) -> list[int | float]:
    numbers = [item for item in value if is_number(item)] if isinstance(value, list) else []
    if not numbers:
        raise ValueError("Aggregation function attempted to calculate value using empty array")
    return numbers


def _mean(value: Any) -> float:
    numbers = _numbers(value)
    return float(sum(numbers)) / len(numbers)


def _deviation(value: Any) -> float:
    mean = _mean(value)
    return math.sqrt(_mean([(number - mean) ** 2 for number in _numbers(value)]))


_functions: dict[str, Callable[[Any], Any]] = {
    "length": lambda value: len(value) if isinstance(value, list | dict) else None,
    "keys": lambda value: list(value) if isinstance(value, dict) else None,
    "min": lambda value: float(min(_numbers(value))),
    "max": lambda value: float(max(_numbers(value))),
    "sum": lambda value: float(sum(_numbers(value))),
    "avg": _mean,
    "stddev": _deviation,
    "first": lambda value: value[0] if isinstance(value, list) and value else None,
    "last": lambda value: value[-1] if isinstance(value, list) and value else None,
}
"""Jayway's functions without arguments. Its aggregations are doubles, of the numbers of an array."""


def _function(name: str) -> Callable[[Any], Any]:
    """A function that raises ValueError or OverflowError for a value that it does not work on."""
    if name not in _functions:
        raise ExpressionSyntaxError(f"there is no function {name}() for a path")
    return _functions[name]


def _compile_function(text: str, front: Sequence[Segment], name: str, limits: Limits) -> Callable[[Any], Any]:
    apply = _function(name)
    if _is_single(front):
        read = _compile_single(text, front, True)
    else:
        read = compile_segments(text, front, limits).evaluate

    def call(root: Any) -> Any:
        try:
            return apply(read(root))
        except ValueError as error:
            raise PathNotFound(text, str(error), root) from None
        except OverflowError:
            raise PathNotFound(text, "a number is too large", root) from None

    return call


# Lists of values


def _compile_many(text: str, segments: Sequence[Segment], limits: Limits) -> Callable[[Any], list[Any]]:
    steps = _compile_steps(segments, limits)

    def evaluate(root: Any) -> list[Any]:
        try:
            return _follow(steps, root, Run(text, root, limits.path_steps))
        except RecursionError:
            raise EvaluationError(f"Invalid path '{text}' : the data is nested too deeply") from None

    return evaluate


def _follow(steps: Sequence[_Step], start: Any, run: Run) -> list[Any]:
    found = [start]
    for step in steps:
        found = step(found, run)
        if not found:
            break
        run.spend(len(found))
    return found


def _compile_steps(segments: Sequence[Segment], limits: Limits) -> list[_Step]:
    steps: list[_Step] = []
    for position, segment in enumerate(segments):
        is_last = position + 1 == len(segments)
        if isinstance(segment, Filter):
            behind_descent = position > 0 and isinstance(segments[position - 1], Descend)
            steps.append(_compile_filter(segment, behind_descent, limits))
        elif isinstance(segment, Members):
            steps.append(_merged(segment.names) if is_last else _members(segment.names))
        elif isinstance(segment, Function):
            raise ExpressionSyntaxError(f"{segment.name}() must end its path")
        else:
            steps.append(_compile_step(segment))
    return steps


def _compile_step(segment: Member | Index | Indexes | Slice | Wildcard | Descend) -> _Step:
    match segment:
        case Member(name):
            return _members((name,))
        case Index(index):
            return _indexes((index,))
        case Indexes(indexes):
            return _indexes(indexes)
        case Slice(start, stop, step):
            bounds = slice(start, stop, step)
            return lambda nodes, run: [item for node in nodes if type(node) is list for item in node[bounds]]
        case Wildcard():
            return lambda nodes, run: [child for node in nodes for child in _children(node)]
        case Descend():
            return _descend


def _children(node: Any) -> Sequence[Any]:
    if type(node) is dict:
        return list(node.values())
    return node if type(node) is list else ()


def _members(names: tuple[str, ...]) -> _Step:
    return lambda nodes, run: [node[name] for node in nodes if type(node) is dict for name in names if name in node]


def _merged(names: tuple[str, ...]) -> _Step:
    return lambda nodes, run: [
        {name: node[name] for name in names if name in node} for node in nodes if type(node) is dict
    ]


def _indexes(indexes: tuple[int, ...]) -> _Step:
    return lambda nodes, run: [
        node[index] for node in nodes if type(node) is list for index in indexes if -len(node) <= index < len(node)
    ]


def _descend(nodes: list[Any], run: Run) -> list[Any]:
    """The objects and arrays among the nodes and below them, each before what it holds."""
    found = []
    waiting = nodes[::-1]
    while waiting:
        node = waiting.pop()
        children = _children(node)
        if type(node) in (dict, list):
            found.append(node)
            run.spend(len(children) + 1)
        waiting.extend(child for child in reversed(children) if type(child) in (dict, list))
    return found


def _compile_filter(segment: Filter, behind_descent: bool, limits: Limits) -> _Step:
    accepts = compile_condition(segment.condition, lambda reference: _compile_reference(reference, limits))

    def select(nodes: list[Any], run: Run) -> list[Any]:
        found = []
        for node in nodes:
            if type(node) is dict:
                candidates: Sequence[Any] = (node,)
            else:
                candidates = () if behind_descent else _children(node)
            run.spend(len(candidates))
            found += [item for item in candidates if accepts(item, run)]
        return found

    return select


def _compile_reference(reference: Reference, limits: Limits) -> OperandReader:
    """An operand of a filter: a value or MISSING; for an indefinite path a list that is not empty."""
    at_root, segments = reference.at_root, reference.segments
    if segments and isinstance(segments[-1], Function):
        front = Reference(reference.text, at_root, segments[:-1])
        return _compile_function_operand(_compile_reference(front, limits), _function(segments[-1].name))
    if not _is_definite(segments):
        steps = _compile_steps(segments, limits)
        return lambda item, run: _follow(steps, run.root if at_root else item, run) or MISSING
    evaluate = compile_segments(reference.text, segments, limits).evaluate

    def read(item: Any, run: Run) -> Any:
        run.spend(1)
        try:
            return evaluate(run.root if at_root else item)
        except PathNotFound:
            return MISSING

    return read


def _compile_function_operand(read: OperandReader, apply: Callable[[Any], Any]) -> OperandReader:
    def call(item: Any, run: Run) -> Any:
        value = read(item, run)
        if isinstance(value, list | dict):
            run.spend(len(value))
        try:
            return MISSING if value is MISSING else apply(value)
        except (ValueError, OverflowError):
            return MISSING

    return call
