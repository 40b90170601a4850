"""What holds for every text: the parser answers, and a machine it returns is whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.language.builders import ACTIVITY, FUNCTION, parsed
from treadle import document
from treadle.language.definition import ChoiceState, MapState, ParallelState, Scope, State, TaskState
from treadle.language.operators import operators

NAMES = ["A", "B", "C", "D", "E", "F"]
FIELDS = [
    *(
        "StartAt",
        "States",
        "Type",
        "Next",
        "End",
        "Choices",
        "Default",
        "Branches",
        "ItemProcessor",
        "Iterator",
    ),
    *("Resource", "Parameters", "Result", "ResultPath", "Retry", "Catch", "ErrorEquals", "QueryLanguage"),
    *("Seconds", "Timestamp", "Variable", "And", "Not", "IsNull", "StringEquals", "ProcessorConfig", "Mode"),
    *("TimeoutSeconds", "HeartbeatSeconds", "MaxDelaySeconds", "Assign", "Credentials", "Comment", "Label"),
]
TEXTS = [
    *(*NAMES, "Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map", "JSONata", "JSONPath"),
    *("$.a", "States.ALL", "DISTRIBUTED", "2030-01-01T00:00:00Z", "{% 1 %}", FUNCTION, ACTIVITY, ""),
]

leaves = st.none() | st.booleans() | st.integers(-1, 10) | st.floats(allow_nan=False) | st.sampled_from(TEXTS)
names = st.sampled_from(NAMES + FIELDS)
anything = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=40)


@st.composite
def scopes(draw: st.DrawFn, depth: int = 2) -> dict[str, Any]:
    """Definitions that are right more often than not."""
    states = draw(st.dictionaries(st.sampled_from(NAMES), _states(depth), min_size=1, max_size=3))
    return {"StartAt": draw(st.sampled_from(list(states))), "States": states}


def _states(depth: int) -> st.SearchStrategy[Any]:
    target = st.sampled_from(NAMES[:3])
    onward = st.just({"End": True}) | st.fixed_dictionaries({"Next": target})
    rule = st.fixed_dictionaries({"Variable": st.just("$.a"), "IsNull": st.booleans(), "Next": target})
    catcher = st.fixed_dictionaries({"ErrorEquals": st.just(["E"]), "Next": target})
    shapes = [
        _merged(onward, Type=st.just("Pass"), Result=anything),
        _merged(onward, Type=st.just("Task"), Resource=st.just(FUNCTION), Catch=st.lists(catcher)),
        _merged(onward, Type=st.just("Wait"), Seconds=st.integers(-1, 3)),
        st.fixed_dictionaries({"Type": st.just("Choice"), "Choices": st.lists(rule), "Default": target}),
        st.just({"Type": "Succeed"}),
    ]
    if depth:
        inner = scopes(depth - 1)
        shapes.append(_merged(onward, Type=st.just("Parallel"), Branches=st.lists(inner, max_size=2)))
        shapes.append(_merged(onward, Type=st.just("Map"), ItemProcessor=inner))
    return st.one_of(shapes)


def _merged(onward: st.SearchStrategy[Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda one, other: {**one, **other}, st.fixed_dictionaries(fields), onward)


@given(anything | st.fixed_dictionaries({"StartAt": leaves, "States": anything}))
def test_every_json_is_answered(value: Any) -> None:
    for machine_type in ("STANDARD", "EXPRESS"):
        result = parsed(document.encode(value), machine_type)
        errors = [found for found in result.diagnostics if found.severity == "ERROR"]
        assert (result.machine is None) == bool(errors)


@given(st.text())
def test_every_text_is_answered(text: str) -> None:
    result = parsed(text)
    assert result.machine is not None or result.diagnostics


@given(scopes())
def test_every_transition_of_a_machine_leads_to_a_state(definition: Any) -> None:
    machine = parsed(document.encode(definition)).machine
    if machine is None:
        return
    for scope in _scopes_of(machine):
        targets = {
            scope.start_at,
            *(target for state in scope.states.values() for target in _targets_of(state)),
        }
        assert targets == scope.states.keys()


def _scopes_of(scope: Scope) -> Iterator[Scope]:
    yield scope
    for state in scope.states.values():
        if isinstance(state, ParallelState):
            for branch in state.branches:
                yield from _scopes_of(branch)
        elif isinstance(state, MapState):
            yield from _scopes_of(state.processor)


def _targets_of(state: State) -> Iterator[str]:
    if state.next is not None:
        yield state.next
    if isinstance(state, ChoiceState):
        yield from (rule.next for rule in state.choices)
        if state.default is not None:
            yield state.default
    if isinstance(state, (TaskState, ParallelState, MapState)):
        yield from (catcher.next for catcher in state.catch)


def test_there_are_39_operators() -> None:
    assert len(operators) == 39
    assert sum(name.endswith("Path") for name in operators) == 16
