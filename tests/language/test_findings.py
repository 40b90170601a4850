"""What is wrong with a definition: code, message and location of every finding.

A case is a definition and all of its findings, written as AWS writes them in an InvalidDefinition error.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.language.builders import ACTIVITY, PASS, choice, machine, map_state, only, parsed, task
from treadle.language.diagnostics import Diagnostic, invalid_definition_message
from treadle.limits import DEFAULT_LIMITS

SCHEMA = "SCHEMA_VALIDATION_FAILED"

CASES: dict[str, tuple[Any, list[str]]] = {
    # Fields
    "required at the top": ({}, [f"{SCHEMA}: These fields are required: [States, StartAt] at /"]),
    "required start": ({"States": {"X": PASS}}, [f"{SCHEMA}: These fields are required: [StartAt] at /"]),
    "required type": (only(End=True), [f"{SCHEMA}: These fields are required: [Type] at /States/X"]),
    "required resource": (
        only(Type="Task", End=True),
        [f"{SCHEMA}: These fields are required: [Resource] at /States/X"],
    ),
    "type": (
        only(Type="Tusk"),
        [
            f"{SCHEMA}: The field 'Type' should have one of these values: "
            "[Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map] at /States/X/Type"
        ],
    ),
    "unknown at the top": ({**only(**PASS), "Start": 1}, [f"{SCHEMA}: Field 'Start' is not supported at /"]),
    "unknown in a state": (
        task(_comment="", Comment=""),
        [f"{SCHEMA}: Field '_comment' is not supported at /States/X"],
    ),
    "unknown in a catcher": (
        task(Catch=[{"ErrorEquals": ["E"], "Next": "X", "_comment": ""}]),
        [f"{SCHEMA}: Field '_comment' is not supported at /States/X/Catch[0]"],
    ),
    "field of another type of state": (
        only(**PASS, TimeoutSeconds=5, Retry=[]),
        [
            f"{SCHEMA}: Field 'TimeoutSeconds' is not supported at /States/X",
            f"{SCHEMA}: Field 'Retry' is not supported at /States/X",
        ],
    ),
    "end of a choice": (
        machine(
            X={"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "Y"}], "End": True},
            Y=PASS,
        ),
        [f"{SCHEMA}: Field 'End' is not supported at /States/X"],
    ),
    "string": (
        {**only(**PASS), "Comment": 1},
        [f"{SCHEMA}: Expected value of type [STRING] at /Comment"],
    ),
    "null is no string": (
        {**only(**PASS), "Comment": None},
        [f"{SCHEMA}: Expected value of type [STRING] at /Comment"],
    ),
    "boolean": (
        only(Type="Pass", End="true"),
        [f"{SCHEMA}: Expected value of type [BOOLEAN] at /States/X/End"],
    ),
    "object": (
        {"StartAt": "X", "States": {"X": []}},
        [f"{SCHEMA}: Expected value of type [OBJECT] at /States/X"],
    ),
    "states are an object": (
        {"StartAt": "X", "States": []},
        [f"{SCHEMA}: Expected value of type [OBJECT] at /States"],
    ),
    "array": (task(Retry={}), [f"{SCHEMA}: Expected value of type [ARRAY] at /States/X/Retry"]),
    "integer": (
        task(TimeoutSeconds="5"),
        [f"{SCHEMA}: Expected value of type Integer at /States/X/TimeoutSeconds"],
    ),
    "a boolean is no integer": (
        task(TimeoutSeconds=True),
        [f"{SCHEMA}: Expected value of type Integer at /States/X/TimeoutSeconds"],
    ),
    "number": (
        task(Retry=[{"ErrorEquals": ["E"], "BackoffRate": "2"}]),
        [f"{SCHEMA}: Expected value of type [NUMBER] at /States/X/Retry[0]/BackoffRate"],
    ),
    "minimum": (
        task(TimeoutSeconds=0),
        [f"{SCHEMA}: Minimum value is 1 at /States/X/TimeoutSeconds"],
    ),
    "maximum": (
        only(Type="Wait", Seconds=100_000_000, End=True),
        [f"{SCHEMA}: Maximum value is 99999999 at /States/X/Seconds"],
    ),
    "concurrency": (
        map_state(MaxConcurrency=-1),
        [f"{SCHEMA}: Minimum value is 0 at /States/X/MaxConcurrency"],
    ),
    "empty states": ({"StartAt": "X", "States": {}}, [f"{SCHEMA}: Value cannot be empty at /States"]),
    "empty branches": (
        only(Type="Parallel", Branches=[], End=True),
        [f"{SCHEMA}: Value cannot be empty at /States/X/Branches"],
    ),
    "empty choices": (
        machine(X={"Type": "Choice", "Choices": [], "Default": "Y"}, Y=PASS),
        [f"{SCHEMA}: Value cannot be empty at /States/X/Choices"],
    ),
    "version": (
        {**only(**PASS), "Version": "2.0"},
        [f"{SCHEMA}: Value should be one of the following: [1.0] at /Version"],
    ),
    "timestamp": (
        only(Type="Wait", Timestamp="2030-01-01 00:00:00Z", End=True),
        [f"{SCHEMA}: String does not match RFC3339 timestamp at /States/X/Timestamp"],
    ),
    "no such day": (
        only(Type="Wait", Timestamp="2030-02-30T00:00:00Z", End=True),
        [f"{SCHEMA}: String does not match RFC3339 timestamp at /States/X/Timestamp"],
    ),
    # Fields that exclude each other
    "next and end": (
        machine(X={"Type": "Pass", "Next": "Y", "End": True}, Y=PASS),
        [f"{SCHEMA}: There should only be one of the following fields: [Next, End] at /States/X"],
    ),
    "neither next nor end": (
        only(Type="Pass"),
        [f"{SCHEMA}: This object should have only one of the following fields: [Next, End] at /States/X"],
    ),
    "end false is no end": (
        only(Type="Pass", End=False),
        [f"{SCHEMA}: This object should have only one of the following fields: [Next, End] at /States/X"],
    ),
    "two times to wait": (
        only(Type="Wait", Seconds=1, SecondsPath="$.s", End=True),
        [
            f"{SCHEMA}: There should only be one of the following fields: "
            "[SecondsPath, Seconds, TimestampPath, Timestamp] at /States/X"
        ],
    ),
    "two timeouts": (
        task(TimeoutSeconds=1, TimeoutSecondsPath="$.t"),
        [
            f"{SCHEMA}: There should only be one of the following fields: "
            "[TimeoutSeconds, TimeoutSecondsPath] at /States/X"
        ],
    ),
    "no processor": (
        only(Type="Map", End=True),
        [f"{SCHEMA}: This object should have only one of the following fields: [ItemProcessor, Iterator] at /States/X"],
    ),
    # Retry and Catch
    "errors of a retrier": (
        task(Retry=[{}, {"ErrorEquals": []}]),
        [
            f"{SCHEMA}: These fields are required: [ErrorEquals] at /States/X/Retry[0]",
            f"{SCHEMA}: Value cannot be empty at /States/X/Retry[1]/ErrorEquals",
        ],
    ),
    "target of a catcher": (
        task(Catch=[{"ErrorEquals": ["E"]}]),
        [f"{SCHEMA}: These fields are required: [Next] at /States/X/Catch[0]"],
    ),
    "States.ALL with others": (
        task(Retry=[{"ErrorEquals": ["A", "States.ALL"]}]),
        [f"{SCHEMA}: States.ALL must appear alone and at end of list at /States/X/Retry[0]/ErrorEquals[1]"],
    ),
    "States.ALL before others": (
        task(Retry=[{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["A"]}]),
        [f"{SCHEMA}: States.ALL must appear alone and at end of list at /States/X/Retry[0]/ErrorEquals[0]"],
    ),
    "jitter": (
        task(Retry=[{"ErrorEquals": ["A"], "JitterStrategy": "HALF"}]),
        [f"{SCHEMA}: Value should be one of the following: [NONE, FULL] at /States/X/Retry[0]/JitterStrategy"],
    ),
    "longest delay": (
        task(Retry=[{"ErrorEquals": ["A"], "IntervalSeconds": 5, "MaxDelaySeconds": 5}]),
        [f"{SCHEMA}: MaxDelaySeconds must be greater than IntervalSeconds at /States/X/Retry[0]/MaxDelaySeconds"],
    ),
    "heartbeat": (
        task(TimeoutSeconds=5, HeartbeatSeconds=5),
        [f"{SCHEMA}: HeartbeatSeconds must be smaller than TimeoutSeconds at /States/X/HeartbeatSeconds"],
    ),
    # Choice rules
    "rule without target": (
        choice({"Variable": "$.a", "IsNull": True}),
        [f"{SCHEMA}: These fields are required: [Next] at /States/X/Choices[0]"],
    ),
    "rule without selector": (
        choice({"Next": "Y"}),
        [
            f"{SCHEMA}: The object must have only one of the following fields, "
            "[And, Or, Not, Variable, Condition] at /States/X/Choices[0]"
        ],
    ),
    "operator without variable": (
        choice({"Not": {"Variable": "$.a", "IsNull": True}, "IsNull": True, "Next": "Y"}),
        [f"{SCHEMA}: Field 'IsNull' is not supported at /States/X/Choices[0]"],
    ),
    "operand": (
        choice({"And": [{"Variable": "$.a", "IsNull": "yes"}], "Next": "Y"}),
        [f"{SCHEMA}: Expected value of type [BOOLEAN] at /States/X/Choices[0]/And[0]/IsNull"],
    ),
    "nested target": (
        choice({"Not": {"Variable": "$.a", "IsNull": True, "Next": "Y"}, "Next": "Y"}),
        [f"{SCHEMA}: Field 'Next' is not supported at /States/X/Choices[0]/Not"],
    ),
    # Resources
    "no ARN": (
        only(Type="Task", Resource="f", End=True),
        [f"{SCHEMA}: Value is not a valid resource ARN at /States/X/Resource"],
    ),
    "unknown resource": (
        only(Type="Task", Resource="arn:aws:states:::lambda:invoke.later", End=True),
        [
            f"{SCHEMA}: The resource provided arn:aws:states:::lambda:invoke.later is not recognized. "
            "The value is not a valid resource ARN, or the resource is not available in this region. "
            "at /States/X/Resource"
        ],
    ),
    "role to take": (
        task(Credentials={}),
        [f"{SCHEMA}: The field 'RoleArn' is required but was missing at /States/X/Credentials"],
    ),
    # The graph
    "dangling start": (
        {"StartAt": "Nope", "States": {"X": PASS}},
        [
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: Nope at /StartAt",
            'MISSING_TRANSITION_TARGET: State "X" is not reachable. at /States/X',
        ],
    ),
    "dangling next": (
        only(Type="Pass", Next="Nope"),
        [
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: Nope at /States/X/Next",
            "MISSING_END_STATE: Workflow has no terminal state at null",
        ],
    ),
    "dangling choice": (
        machine(
            X={
                "Type": "Choice",
                "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "A"}],
                "Default": "B",
            },
            Y=PASS,
        ),
        [
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/X/Default",
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: A at /States/X/Choices[0]/Next",
            'MISSING_TRANSITION_TARGET: State "Y" is not reachable. at /States/Y',
        ],
    ),
    "dangling catch": (
        task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Nope"}]),
        ["MISSING_TRANSITION_TARGET: Missing 'Next' target: Nope at /States/X/Catch[0]/Next"],
    ),
    "transition out of a branch": (
        machine(
            X={
                "Type": "Parallel",
                "Branches": [{"StartAt": "I", "States": {"I": {"Type": "Pass", "Next": "Y"}}}],
                "Next": "Y",
            },
            Y=PASS,
        ),
        ["MISSING_TRANSITION_TARGET: Missing 'Next' target: Y at /States/X/Branches[0]/States/I/Next"],
    ),
    "no end": (
        machine(X={"Type": "Pass", "Next": "Y"}, Y={"Type": "Pass", "Next": "X"}, Z={"Type": "Pass", "Next": "X"}),
        ["MISSING_END_STATE: Workflow has no terminal state at null"],
    ),
    "unreachable end": (
        machine(X={"Type": "Pass", "Next": "Y"}, Y={"Type": "Pass", "Next": "X"}, Z=PASS),
        ['MISSING_TRANSITION_TARGET: State "Z" is not reachable. at /States/Z'],
    ),
    "endless processor": (
        map_state(ItemProcessor={"StartAt": "I", "States": {"I": {"Type": "Pass", "Next": "I"}}}),
        [],
    ),
    "same name in two branches": (
        only(
            Type="Parallel",
            Branches=[{"StartAt": "I", "States": {"I": PASS}}, {"StartAt": "I", "States": {"I": PASS}}],
            End=True,
        ),
        ["DUPLICATE_STATE_NAME: Duplicate State name: I at /States/X/Branches[1]/States/I"],
    ),
    "long name": (
        machine(**{"n" * 81: PASS}),
        [
            f"INVALID_STATE_NAME: Invalid State name: {'n' * 81} exceeds the 80-character limit allowed by "
            f"the service at /States/{'n' * 81}"
        ],
    ),
    "empty name": (
        machine(**{"": PASS}),
        ["INVALID_STATE_NAME: Invalid State name: a name must have at least one character at /States/"],
    ),
    "a name is not escaped": (
        machine(**{"X": PASS, "a/b": PASS}),
        ['MISSING_TRANSITION_TARGET: State "a/b" is not reachable. at /States/a/b'],
    ),
    # Query languages
    "JSONata field in a JSONPath state": (
        map_state(Items=[1]),
        [
            f"{SCHEMA}: The QueryLanguage is set to 'JSONPath', but field 'Items' is only supported for the "
            "'JSONata' QueryLanguage at /States/X"
        ],
    ),
    "JSONPath in a JSONata machine": (
        {**only(**PASS, QueryLanguage="JSONPath", Output=1), "QueryLanguage": "JSONata"},
        [
            f"{SCHEMA}: 'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine at /States/X",
        ],
    ),
    "no query language": (
        only(**PASS, QueryLanguage="jsonata", InputPath="$"),
        [
            f"{SCHEMA}: The QueryLanguage is set to 'JSONata', but field 'InputPath' is only supported for "
            "the 'JSONPath' QueryLanguage at /States/X",
            f"{SCHEMA}: Value should be one of the following: [JSONPath, JSONata] at /States/X/QueryLanguage",
        ],
    ),
    "query language of a processor": (
        map_state(ItemProcessor={**only(**PASS), "QueryLanguage": "JSONata", "StartAt": "X"}),
        [
            f"{SCHEMA}: Field 'QueryLanguage' is not supported at /States/X/ItemProcessor",
            "DUPLICATE_STATE_NAME: Duplicate State name: X at /States/X/ItemProcessor/States/X",
        ],
    ),
    # Map
    "execution type of an inline map": (
        map_state(
            ItemProcessor={
                "ProcessorConfig": {"Mode": "INLINE", "ExecutionType": "STANDARD"},
                **machine(I=PASS),
            }
        ),
        [f"{SCHEMA}: Field 'ExecutionType' is not supported at /States/X/ItemProcessor/ProcessorConfig"],
    ),
    "execution type of a distributed map": (
        map_state(ItemProcessor={"ProcessorConfig": {"Mode": "DISTRIBUTED"}, **machine(I=PASS)}),
        [
            f"{SCHEMA}: These fields are required: [ExecutionType] at /States/X/ItemProcessor/ProcessorConfig",
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_findings(name: str) -> None:
    definition, expected = CASES[name]
    result = parsed(definition)
    assert sorted(map(str, result.diagnostics)) == sorted(expected)
    assert (result.machine is None) == bool(expected)


EXPRESS_CASES = {
    "arn:aws:states:::states:startExecution.sync": (
        "Express state machine does not support '.sync' service integration"
    ),
    "arn:aws:states:::states:startExecution.sync:2": (
        "Express state machine does not support '.sync' service integration"
    ),
    "arn:aws:states:::sqs:sendMessage.waitForTaskToken": (
        "Express state machine does not support '.waitForTaskToken' service integration "
    ),
    ACTIVITY: "Express state machine does not support Activity ARN",
}


@pytest.mark.parametrize("resource", EXPRESS_CASES)
def test_resources_of_an_express_machine(resource: str) -> None:
    parameters = {"StateMachineArn": "m", "QueueUrl": "q", "MessageBody": "b"}
    definition = only(Type="Task", Resource=resource, Parameters=parameters, End=True)
    found = Diagnostic(code=SCHEMA, message=EXPRESS_CASES[resource], location="/States/X/Resource")
    assert parsed(definition, "EXPRESS").diagnostics == (found,)
    assert parsed(definition, "STANDARD").diagnostics == ()


def test_what_an_express_machine_cannot_do_its_children_cannot_either() -> None:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}
    inner = {"Type": "Task", "Resource": ACTIVITY, "End": True}
    result = parsed(map_state(ItemProcessor={"ProcessorConfig": config, **machine(I=inner)}))
    assert [(found.message, found.location) for found in result.diagnostics] == [
        (EXPRESS_CASES[ACTIVITY], "/States/X/ItemProcessor/States/I/Resource")
    ]


def test_an_express_machine_has_no_distributed_map() -> None:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}
    result = parsed(map_state(ItemProcessor={"ProcessorConfig": config, **machine(I=PASS)}), "EXPRESS")
    assert list(map(str, result.diagnostics)) == [
        f"{SCHEMA}: The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state "
        "machines at /States/X/ItemProcessor/ProcessorConfig/Mode"
    ]


def test_an_activity_takes_no_credentials() -> None:
    fields = {"Type": "Task", "Resource": ACTIVITY, "Credentials": {"RoleArn": "r"}, "End": True}
    messages = [found.message for found in parsed(only(**fields)).diagnostics]
    assert "The field 'Credentials' is not supported for activities" in messages


WARNINGS: dict[str, tuple[Any, list[tuple[str, str]]]] = {
    "path without dollar": (
        task(Parameters={"a": {"b": ["$.x"]}, "c.$": "$.x", "d": "costs $5"}),
        [("NO_DOLLAR", "/States/X/Parameters/a/b[0]")],
    ),
    "intrinsic without dollar": (
        task(ResultSelector={"a": "States.Format('{}', $.x)"}),
        [("NO_DOLLAR", "/States/X/ResultSelector/a")],
    ),
    "path in an error": (only(Type="Fail", Error="$.e", Cause="c"), [("NO_PATH", "/States/X/Error")]),
    "path in an operand": (
        choice({"Not": {"Variable": "$.a", "StringEquals": "$.b"}, "Next": "Y"}),
        [("NO_PATH", "/States/X/Choices[0]/Not/StringEquals")],
    ),
    "path in a result": (
        only(**PASS, Result={"a.$": "$.x", "b": "$$.State"}),
        [
            ("PASS_RESULT_IS_STATIC", "/States/X/Result/a.$"),
            ("PASS_RESULT_IS_STATIC", "/States/X/Result/b"),
        ],
    ),
    "no such error": (
        task(Retry=[{"ErrorEquals": ["States.Taskfailed", "States.Http.StatusCode.503", "Mine"]}]),
        [(SCHEMA, "/States/X/Retry[0]/ErrorEquals[0]")],
    ),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_warnings_do_not_stop_a_machine(name: str) -> None:
    definition, expected = WARNINGS[name]
    result = parsed(definition)
    assert result.machine is not None
    assert [(found.code, found.location) for found in result.diagnostics] == expected
    assert {found.severity for found in result.diagnostics} == {"WARNING"}


def test_the_message_of_an_invalid_definition_lists_the_errors_only() -> None:
    result = parsed(machine(X={"Type": "Pass", "Result": "$.a", "Next": "X", "Retry": []}))
    assert invalid_definition_message(result.diagnostics) == (
        f"Invalid State Machine Definition: '{SCHEMA}: Field 'Retry' is not supported at /States/X, "
        "MISSING_END_STATE: Workflow has no terminal state at null'"
    )


def test_the_message_of_an_invalid_definition_is_bounded() -> None:
    found = parsed(only(**PASS, **{f"field{index}": 0 for index in range(200)})).diagnostics
    assert len(found) == 200
    message = invalid_definition_message(found, most=3)
    assert message.count(SCHEMA) == 3
    assert invalid_definition_message(found).count(SCHEMA) == DEFAULT_LIMITS.diagnostics
