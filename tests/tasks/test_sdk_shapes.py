from __future__ import annotations

from typing import Any

import pytest
from botocore.model import Shape

from treadle.tasks.sdk_shapes import UnknownField, epoch_milliseconds, iso_time, to_request, to_result
from treadle.tasks.service_models import load


def shape_of(client: str, operation: str, which: str = "input") -> Shape:
    found = load(client).operation_model(operation)
    shape = found.input_shape if which == "input" else found.output_shape
    assert shape is not None
    return shape


@pytest.mark.parametrize(
    ("client", "operation", "given", "request_"),
    [
        (
            "stepfunctions",
            "StartExecution",
            {"StateMachineArn": "a", "Input": {"b": [1]}},
            {"stateMachineArn": "a", "input": '{"b":[1]}'},
        ),
        ("stepfunctions", "StartExecution", {"Input": '{"b": 1}'}, {"input": '{"b": 1}'}),
        ("stepfunctions", "StartExecution", {"Input": 7}, {"input": "7"}),
        ("stepfunctions", "StartExecution", {"Input": False}, {"input": "false"}),
        ("stepfunctions", "StartExecution", {"Input": None}, {}),
        (
            "stepfunctions",
            "CreateStateMachine",
            {
                "Definition": {"StartAt": "A"},
                "LoggingConfiguration": {"Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": "g"}}]},
                "Tags": [{"Key": "k", "Value": 1}],
            },
            {
                "definition": '{"StartAt":"A"}',
                "loggingConfiguration": {"destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": "g"}}]},
                "tags": [{"key": "k", "value": "1"}],
            },
        ),
        (
            "dynamodb",
            "PutItem",
            {"TableName": "t", "Item": {"stateMachineArn": {"S": "x"}, "n": {"N": 1}, "b": {"B": {"a": 1}}}},
            {"TableName": "t", "Item": {"stateMachineArn": {"S": "x"}, "n": {"N": "1"}, "b": {"B": '{"a":1}'}}},
        ),
        ("rds", "DescribeDBInstances", {"DbInstanceIdentifier": "d"}, {"DBInstanceIdentifier": "d"}),
        ("rds", "DescribeDBInstances", {"DBInstanceIdentifier": "d"}, {"DBInstanceIdentifier": "d"}),
    ],
)
def test_requests(client: str, operation: str, given: dict[str, Any], request_: dict[str, Any]) -> None:
    assert to_request(shape_of(client, operation), given) == request_


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"stateMachineArn": "a"}, "stateMachineArn"),
        ({"StateMachineArn": "a", "Nonsense": None}, "Nonsense"),
    ],
)
def test_a_field_that_the_operation_does_not_have(given: dict[str, Any], field: str) -> None:
    with pytest.raises(UnknownField) as raised:
        to_request(shape_of("stepfunctions", "StartExecution"), given)
    assert raised.value.field == field


@pytest.mark.parametrize("given", [{"MaxResults": "ten"}, {"MaxResults": [1]}, {"StateMachineArn": ["x"]}])
def test_values_of_another_type_are_left_to_the_service(given: dict[str, Any]) -> None:
    request = to_request(shape_of("stepfunctions", "ListExecutions"), given)
    assert list(request) == [name[0].lower() + name[1:] for name in given]


def test_results() -> None:
    answer = {
        "executions": [{"startDate": 1.5, "executionArn": "e", "name": None, "unheard": 1}],
        "nextToken": "t",
    }
    shown = to_result(shape_of("stepfunctions", "ListExecutions", "output"), answer, iso_time)
    assert shown == {
        "Executions": [{"ExecutionArn": "e", "StartDate": "1970-01-01T00:00:01.500Z"}],
        "NextToken": "t",
    }
    assert list(shown["Executions"][0]) == ["ExecutionArn", "StartDate"]


def test_keys_of_maps_are_data() -> None:
    answer = {"Item": {"someKey": {"S": "x", "BOOL": True}, "Key": {"M": {"inner": {"N": "1"}}}}}
    shown = to_result(shape_of("dynamodb", "GetItem", "output"), answer, iso_time)
    assert shown == {"Item": {"someKey": {"Bool": True, "S": "x"}, "Key": {"M": {"inner": {"N": "1"}}}}}


def test_blobs_are_text() -> None:
    shown = to_result(shape_of("lambda", "Invoke", "output"), {"Payload": b"{\xff}"}, iso_time)
    assert shown == {"Payload": "{\ufffd}"}


@pytest.mark.parametrize(
    ("seconds", "iso", "milliseconds"),
    [
        (0, "1970-01-01T00:00:00Z", 0),
        (1_700_000_000.123, "2023-11-14T22:13:20.123Z", 1_700_000_000_123),
        (1_700_000_000.01, "2023-11-14T22:13:20.010Z", 1_700_000_000_010),
        (1_700_000_000.999, "2023-11-14T22:13:20.999Z", 1_700_000_000_999),
    ],
)
def test_times(seconds: float, iso: str, milliseconds: int) -> None:
    assert iso_time(seconds) == iso
    assert epoch_milliseconds(seconds) == milliseconds


def test_members_within_others_by_the_models_own_names() -> None:
    shape = load("batch").operation_model("SubmitJob").input_shape
    within = {"RetryStrategy": {"attempts": 5}}
    assert to_request(shape, within, native_within=True) == {"retryStrategy": {"attempts": 5}}
    for parameters, native in ((within, False), ({"retryStrategy": {}}, True)):
        with pytest.raises(UnknownField):
            to_request(shape, parameters, native_within=native)
