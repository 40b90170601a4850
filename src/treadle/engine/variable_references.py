"""Which workflow variables each state of a machine reads: what DescribeStateMachine shows as variableReferences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct

from treadle.expressions.variable_names import in_condition, in_field, in_query, in_template
from treadle.language.definition import Language, MapState, ParallelState, Scope, State
from treadle.limits import Limits

VariableReferences = Mapping[str, Sequence[str]]
"""Names of states, in the order of the definition, each with the names of the variables that it reads, sorted."""


def variable_references(machine: Scope, limits: Limits) -> VariableReferences:
    """Only of states that read any (recorded: api_variable_references)."""
    names = {state.name: sorted(set(_in_fields(state, state.language, limits))) for state in _states(machine)}
    return {state: read for state, read in names.items() if read}


def assigns_variables(machine: Scope) -> bool:
    return any(_assigns(state) for state in _states(machine))


def _states(scope: Scope) -> Iterator[State]:
    for state in scope.states.values():
        yield state
        inner = state.branches if isinstance(state, ParallelState) else ()
        for each in (state.processor,) if isinstance(state, MapState) else inner:
            yield from _states(each)


_TEMPLATES = frozenset(("parameters", "result_selector", "item_selector", "assign", "credentials"))
_TEMPLATE_MEMBERS = frozenset(("Parameters", "BatchInput"))
_NO_EXPRESSIONS = frozenset(("name", "location", "language", "next", "default", "resource", "result_path"))
"""Texts that name something. (Where a result goes is no expression either.)"""


def _in_fields(part: Struct, language: Language, limits: Limits) -> Iterator[str]:
    """Of a state, or of a rule or catcher of it; not of the states within it."""
    for field in part.__struct_fields__:
        value = getattr(part, field)
        if isinstance(value, tuple):
            for each in value:
                if isinstance(each, Struct) and not isinstance(each, Scope):
                    yield from _in_fields(each, language, limits)
        elif field not in _NO_EXPRESSIONS:
            yield from _in_value(field, value, language, limits)


def _in_value(field: str, value: Any, language: Language, limits: Limits) -> Iterator[str]:
    if language == "JSONata":
        return in_query(value, limits)
    if field == "condition":
        return in_condition(value, limits)
    if field in _TEMPLATES:
        return in_template(value, limits)
    if isinstance(value, Mapping):
        return _in_object(value, limits)
    return in_field(value, limits) if field.endswith("_path") and isinstance(value, str) else iter(())


def _in_object(value: Mapping[str, Any], limits: Limits) -> Iterator[str]:
    """Of ItemReader, ItemBatcher or ResultWriter, in JSONPath."""
    for field, member in value.items():
        if field in _TEMPLATE_MEMBERS:
            yield from in_template(member, limits)
        elif isinstance(member, Mapping):
            yield from _in_object(member, limits)
        elif field.endswith("Path") and isinstance(member, str):
            yield from in_field(member, limits)


def _assigns(state: State) -> bool:
    exits = (state, *getattr(state, "choices", ()), *getattr(state, "catch", ()))
    return any(each.assign is not UNSET for each in exits)
