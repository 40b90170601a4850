"""Which variables the states of a machine read. Source of the JSONPath rows: the recorded api_variable_references."""

from __future__ import annotations

import json
from typing import Any

import pytest

from treadle.engine.variable_references import variable_references
from treadle.language.parse import parse_definition
from treadle.limits import DEFAULT_LIMITS

PASS = {"Type": "Pass", "End": True}
TASK = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
INLINE = {"StartAt": "B", "States": {"B": {**PASS, "Assign": {"sum.$": "States.MathAdd($x, $bias)"}}}}
EMPTY = {"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}


def references_of(state: dict[str, Any], language: str) -> dict[str, list[str]]:
    states = {"A": state, **({"Z": {"Type": "Succeed"}} if "Choices" in state or "Catch" in state else {})}
    text = json.dumps({"QueryLanguage": language, "StartAt": "A", "States": states})
    parsed = parse_definition(text, machine_type="STANDARD", limits=DEFAULT_LIMITS)
    assert parsed.machine is not None, parsed.diagnostics
    return {state: list(names) for state, names in variable_references(parsed.machine, DEFAULT_LIMITS).items()}


@pytest.mark.parametrize(
    ("state", "references"),
    [
        (PASS, {}),
        ({**PASS, "Assign": {"a": 1, "b.$": "$.b"}}, {}),
        ({**PASS, "InputPath": "$answer", "ResultPath": "$.no", "OutputPath": "$answer"}, {"A": ["answer"]}),
        ({**PASS, "Assign": {"guess.$": "$answer"}}, {"A": ["answer"]}),
        ({**PASS, "Parameters": {"b": "$no", "a.$": "States.Array($z, $y)"}}, {"A": ["y", "z"]}),
        ({"Type": "Fail", "ErrorPath": "$e", "CausePath": "States.Format('{}', $c)"}, {"A": ["c", "e"]}),
        ({"Type": "Wait", "SecondsPath": "$s", "End": True}, {"A": ["s"]}),
        (
            # recorded: base_variable_references_in_assign_templates--MAP_STATE_REFERENCE_IN_MAX_ITEMS_PA
            {
                "Type": "Map",
                "ItemReader": {
                    "Resource": "arn:aws:states:::s3:getObject",
                    "ReaderConfig": {"InputType": "JSON", "MaxItemsPath": "$most"},
                    "Parameters": {"Bucket.$": "$bucket", "Key": "$no"},
                },
                "ItemBatcher": {"MaxItemsPerBatchPath": "$batch", "BatchInput": {"x.$": "$x.y"}},
                "ItemProcessor": EMPTY,
                "End": True,
            },
            {"A": ["batch", "bucket", "most", "x"]},
        ),
        ({"Type": "Wait", "TimestampPath": "$t", "End": True}, {"A": ["t"]}),
        (
            {"Type": "Choice", "Choices": [{"Variable": "$g", "StringEqualsPath": "$a", "Next": "Z"}], "Default": "Z"},
            {"A": ["a", "g"]},
        ),
        (
            {
                "Type": "Choice",
                "Choices": [{"Variable": "$.x", "IsNull": True, "Assign": {"b.$": "$a"}, "Next": "Z"}],
                "Default": "Z",
            },
            {"A": ["a"]},
        ),
        (
            {"Type": "Map", "ItemsPath": "$list", "MaxConcurrencyPath": "$n", "ItemProcessor": INLINE, "End": True},
            {"A": ["list", "n"], "B": ["bias", "x"]},
        ),
        (
            {"Type": "Map", "ItemSelector": {"a.$": "$$.Map.Item.Value", "b.$": "$b"}, "Iterator": INLINE, "End": True},
            {"A": ["b"], "B": ["bias", "x"]},
        ),
        (
            {"Type": "Parallel", "Branches": [INLINE], "ResultSelector": {"r.$": "$r"}, "End": True},
            {"A": ["r"], "B": ["bias", "x"]},
        ),
        (
            {**TASK, "TimeoutSecondsPath": "$t", "HeartbeatSecondsPath": "$h", "Parameters": {"FunctionName": "f"}},
            {"A": ["h", "t"]},
        ),
        (
            {
                **TASK,
                "Parameters": {"FunctionName.$": "$f"},
                "Catch": [{"ErrorEquals": ["States.ALL"], "Assign": {"e.$": "$old"}, "Next": "Z"}],
            },
            {"A": ["f", "old"]},
        ),
    ],
)
def test_jsonpath_states(state: dict[str, Any], references: dict[str, list[str]]) -> None:
    assert references_of(state, "JSONPath") == references


@pytest.mark.parametrize(
    ("state", "references"),
    [
        ({**PASS, "Output": "$a", "Comment": "{% $a %}"}, {}),
        ({**PASS, "Output": {"b": ["{% $b.c & $states.input %}"]}, "Assign": {"a": "{% $a + 1 %}"}}, {"A": ["a", "b"]}),
        ({**TASK, "Arguments": {"FunctionName": "{% $f %}"}, "TimeoutSeconds": "{% $t %}"}, {"A": ["f", "t"]}),
        ({"Type": "Wait", "Seconds": "{% $s %}", "End": True}, {"A": ["s"]}),
        ({"Type": "Fail", "Error": "{% $e %}", "Cause": "c"}, {"A": ["e"]}),
        ({"Type": "Map", "Items": "{% $list %}", "ItemProcessor": EMPTY, "End": True}, {"A": ["list"]}),
        (
            {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $c %}", "Output": "{% $o %}", "Next": "Z"}],
                "Default": "Z",
            },
            {"A": ["c", "o"]},
        ),
    ],
)
def test_jsonata_states(state: dict[str, Any], references: dict[str, list[str]]) -> None:
    assert references_of(state, "JSONata") == references
