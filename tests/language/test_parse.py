"""parse_definition: the text it takes, the bounds it keeps, and the tree of a definition that is right."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from msgspec import UNSET, structs

from tests.language.builders import FUNCTION, PASS, choice, machine, only, parsed, task
from treadle.language.definition import (
    Catcher,
    ChoiceState,
    MapState,
    ParallelState,
    PassState,
    Retrier,
    State,
    StateMachine,
    TaskState,
    WaitState,
)
from treadle.language.diagnostics import Diagnostic
from treadle.language.kinds import MachineType
from treadle.limits import DEFAULT_LIMITS, Limits

SCHEMA = "SCHEMA_VALIDATION_FAILED"

# The text


def test_a_text_that_is_not_json_is_reported_as_jackson_does() -> None:
    place = '[Source: (String)"not a definition"; line: 1, column: 4]'
    expected = (
        "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' "
        f"or 'false')\n at {place}"
    )
    found = Diagnostic(code="INVALID_JSON_DESCRIPTION", message=expected, location=place)
    assert parsed("not a definition").diagnostics == (found,)


@pytest.mark.parametrize("text", ["", " \n", "[]", "null", '"text"', "7"])
def test_a_definition_is_an_object(text: str) -> None:
    found = Diagnostic(code=SCHEMA, message="Definition must be a valid JSON object")
    assert parsed(text).diagnostics == (found,)


def test_the_size_of_a_definition_is_bounded() -> None:
    text = json.dumps(only(**PASS, Comment="ü"), ensure_ascii=False)
    size = len(text.encode())
    assert parsed(text, limits=Limits(definition_bytes=size)).machine is not None
    refused = parsed(text, limits=Limits(definition_bytes=size - 1))
    assert [found.code for found in refused.diagnostics] == [SCHEMA]


def nested_rule(levels: int) -> str:
    opened = '{"Not":' * levels + '{"Variable":"$.a","IsNull":true}' + "}" * (levels - 1)
    return (
        '{"StartAt":"X","States":{"Y":{"Type":"Succeed"},'
        '"X":{"Type":"Choice","Default":"Y","Choices":[' + opened + ',"Next":"Y"}]}}}'
    )


def nested_parallel(levels: int) -> str:
    text = '{"StartAt":"S","States":{"S":{"Type":"Pass","End":true}}}'
    for level in range(levels):
        name = f"P{level}"
        state = f'{{"Type":"Parallel","Branches":[{text}],"End":true}}'
        text = f'{{"StartAt":"{name}","States":{{"{name}":{state}}}}}'
    return text


def test_states_nest_as_deep_as_the_limit() -> None:
    levels = (DEFAULT_LIMITS.definition_depth - 3) // 4
    assert parsed(nested_parallel(levels)).diagnostics == ()
    assert parsed(nested_parallel(levels)).machine is not None
    deeper = parsed(nested_parallel(levels + 1))
    assert [found.code for found in deeper.diagnostics] == ["TOO_DEEPLY_NESTED"]


def test_rules_and_templates_nest_as_deep_as_the_limit() -> None:
    levels = DEFAULT_LIMITS.definition_depth - 5
    assert parsed(nested_rule(levels)).diagnostics == ()
    assert [found.code for found in parsed(nested_rule(levels + 1)).diagnostics] == ["TOO_DEEPLY_NESTED"]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"":' * 100_000 + "1" + "}" * 100_000,
        nested_parallel(5_000),
        nested_rule(20_000),
    ],
    ids=["open", "arrays", "objects", "states", "rules"],
)
def test_depth_is_a_finding_and_no_crash(text: str) -> None:
    assert [found.code for found in parsed(text).diagnostics] == ["TOO_DEEPLY_NESTED"]


def test_long_names_and_keys_do_not_multiply() -> None:
    name = "n" * 10_000
    long_name = machine(**{name: {"Type": "Task", "Resource": FUNCTION, "End": True, "Retry": [0] * 1_000}})
    assert [finding.code for finding in parsed(long_name).diagnostics] == ["INVALID_STATE_NAME"]
    long_key = parsed(task(Parameters={name: ["$.a"] * 1_000})).diagnostics
    assert len(long_key) == 1_000
    assert max(len(finding.location or "") for finding in long_key) < 200


# The tree


def tree(definition: Any) -> StateMachine:
    result = parsed(definition)
    assert result.diagnostics == ()
    assert result.machine is not None
    return result.machine


def state(definition: Any) -> State:
    return tree(definition).states["X"]


def test_a_machine_keeps_its_own_fields() -> None:
    found = tree({**only(**PASS), "Comment": "c", "TimeoutSeconds": 9, "Version": "1.0"})
    assert (found.start_at, found.comment, found.timeout_seconds) == ("X", "c", 9)
    assert found.states["X"] == PassState(name="X", location="/States/X")


def test_absent_null_and_given_fields_differ() -> None:
    bare = state(only(**PASS))
    assert isinstance(bare, PassState)
    assert (bare.input_path, bare.output_path, bare.result_path, bare.result) == ("$", "$", "$", UNSET)
    nulls = state(only(**PASS, InputPath=None, OutputPath=None, ResultPath=None, Result=None))
    assert isinstance(nulls, PassState)
    assert (nulls.input_path, nulls.output_path, nulls.result_path, nulls.result) == (None,) * 4


def test_a_task_keeps_what_it_was_given() -> None:
    found = state(
        machine(
            X={
                "Type": "Task",
                "Resource": FUNCTION,
                "Next": "Y",
                "Parameters": {"a.$": "$.b"},
                "TimeoutSeconds": 9,
                "HeartbeatSecondsPath": "$.h",
                "Retry": [{"ErrorEquals": ["A"], "MaxDelaySeconds": 7, "JitterStrategy": "FULL"}],
                "Catch": [{"ErrorEquals": ["B", "C"], "Next": "Y", "ResultPath": None}],
            },
            Y=PASS,
        )
    )
    assert found == TaskState(
        name="X",
        location="/States/X",
        next="Y",
        resource=FUNCTION,
        parameters={"a.$": "$.b"},
        timeout_seconds=9,
        heartbeat_seconds_path="$.h",
        retry=(Retrier(error_equals=("A",), max_delay_seconds=7, jitter_strategy="FULL"),),
        catch=(Catcher(error_equals=("B", "C"), next="Y", result_path=None),),
    )


def test_a_rule_is_kept_without_its_target() -> None:
    found = state(choice({"Comment": "c", "Variable": "$.a", "NumericLessThan": 1.5, "Next": "Y"}))
    assert isinstance(found, ChoiceState)
    (rule,) = found.choices
    assert (rule.condition, rule.next) == ({"Variable": "$.a", "NumericLessThan": 1.5}, "Y")
    assert found.default == "Y"


def test_a_wait_keeps_its_time() -> None:
    found = state(only(Type="Wait", Timestamp="2030-01-01T00:00:00.5+01:00", End=True))
    assert isinstance(found, WaitState)
    assert found.timestamp == "2030-01-01T00:00:00.5+01:00"


def test_nested_states_know_where_they_stand() -> None:
    inner = {"Type": "Map", "Iterator": machine(Z=PASS), "End": True}
    found = state(only(Type="Parallel", Branches=[machine(A=PASS), machine(B=inner)], End=True))
    assert isinstance(found, ParallelState)
    nested = found.branches[1].states["B"]
    assert isinstance(nested, MapState)
    assert nested.processor.states["Z"].location == "/States/X/Branches[1]/States/B/Iterator/States/Z"


def test_the_legacy_names_of_a_map_mean_the_new_ones() -> None:
    inner = machine(I=PASS)
    config = {"ProcessorConfig": {"Mode": "INLINE"}}
    legacy = state(only(Type="Map", Iterator=inner, Parameters={"a": 1}, End=True))
    modern = state(only(Type="Map", ItemProcessor={**config, **inner}, ItemSelector={"a": 1}, End=True))
    assert isinstance(legacy, MapState)
    assert isinstance(modern, MapState)
    assert legacy.item_selector == modern.item_selector == {"a": 1}
    assert legacy.processor.start_at == modern.processor.start_at
    assert structs.replace(legacy, processor=modern.processor) == modern


@pytest.mark.parametrize("machine_type", get_args(MachineType))
def test_every_type_of_machine_parses(machine_type: MachineType) -> None:
    assert parsed(task(), machine_type).machine is not None
