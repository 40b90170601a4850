"""What is wrong with the Resource, the Parameters and the Credentials of a Task state."""

from __future__ import annotations

from typing import Any

import pytest

from tests.language.builders import ACTIVITY, FUNCTION, only, parsed

SCHEMA = "SCHEMA_VALIDATION_FAILED"
AT = "/States/X"


def integration(call: str, **parameters: Any) -> dict[str, Any]:
    return only(Type="Task", Resource=f"arn:aws:states:::{call}", Parameters=parameters, End=True)


def findings(definition: Any) -> list[str]:
    return list(map(str, parsed(definition).diagnostics))


RIGHT = [
    only(Type="Task", Resource=FUNCTION, End=True),
    only(Type="Task", Resource=ACTIVITY, End=True),
    only(Type="Task", Resource="arn:aws-cn:states:::athena:getQueryResults", Parameters={}, End=True),
    integration("http:invoke", ApiEndpoint="https://api.example", **{"Method.$": "$.m"}),
    integration("apigateway:invoke.waitForTaskToken", ApiEndpoint="a.execute-api.r.amazonaws.com", Method="GET"),
    integration("lambda:invoke", FunctionName="f"),
    integration("lambda:invoke.waitForTaskToken", **{"FunctionName.$": "$.f"}),
    integration("sqs:sendMessage.waitForTaskToken", QueueUrl="q", MessageBody={}),
    integration("states:startExecution.sync:2", StateMachineArn="m"),
    integration("ecs:runTask.sync", TaskDefinition="t"),
    integration("glue:startJobRun.sync", JobName="j"),
    integration("elasticmapreduce:addStep.sync"),
    integration("bedrockagentcore:invokeHarness"),
    integration("aws-sdk:dynamodb:query"),
    integration("aws-sdk:sfn:startExecution.waitForTaskToken"),
    only(Type="Task", Resource="arn:aws:states:us-east-1:123456789012:aws-sdk:s3:getObject", Parameters={}, End=True),
    only(Type="Task", Resource=FUNCTION, Credentials={"RoleArn.$": "$.role"}, End=True),
]


@pytest.mark.parametrize("definition", RIGHT, ids=lambda definition: definition["States"]["X"]["Resource"])
def test_right(definition: Any) -> None:
    assert findings(definition) == []


@pytest.mark.parametrize("url", ["api.example", "ftp://api", "https://", 5])
def test_the_endpoint_of_an_http_task_is_a_url(url: Any) -> None:
    assert findings(integration("http:invoke", ApiEndpoint=url, Method="GET")) == [
        f"{SCHEMA}: The value for the 'ApiEndpoint' field is not valid at {AT}/Parameters"
    ]


@pytest.mark.parametrize("url", ["https://api.example?a=b", "http://127.0.0.1:80/x", "{% 'https://' & $host %}"])
def test_an_endpoint_may_be_an_expression(url: str) -> None:
    arguments = {"ApiEndpoint": url, "Method": "GET"}
    state = {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Arguments": arguments, "End": True}
    assert findings(only(QueryLanguage="JSONata", **state)) == []


@pytest.mark.parametrize(
    "call",
    [
        "lambda:invoke.sync",
        "lambda:invokeAsync",
        "sns:publish.sync:2",
        "glue:startJobRun.waitForTaskToken",
        "ecs:runTask.sync:2",
        "dynamodb:getItem.sync",
        "dynamodb:scan",
        "aws-sdk:s3:listBuckets.sync",
        "lambd:invoke",
        "lambda:invoke.later",
        "lambda",
    ],
)
def test_no_such_integration(call: str) -> None:
    arn = f"arn:aws:states:::{call}"
    assert findings(integration(call)) == [
        f"{SCHEMA}: The resource provided {arn} is not recognized. The value is not a valid resource ARN, "
        f"or the resource is not available in this region. at {AT}/Resource"
    ]


@pytest.mark.parametrize(
    ("language", "field"), [("JSONPath", "Parameters"), ("JSONata", "Arguments")], ids=["JSONPath", "JSONata"]
)
def test_an_integration_is_given_parameters(language: str, field: str) -> None:
    arn = "arn:aws:states:::aws-sdk:s3:listBuckets"
    definition = only(Type="Task", QueryLanguage=language, Resource=arn, End=True)
    assert findings(definition) == [f"{SCHEMA}: {field} field is required for resource ARN: {arn} at {AT}/Resource"]


def test_required_parameters() -> None:
    assert findings(integration("sqs:sendMessage", Queue="q")) == [
        f"{SCHEMA}: The field 'QueueUrl' is required but was missing at {AT}/Parameters",
        f"{SCHEMA}: The field 'MessageBody' is required but was missing at {AT}/Parameters",
    ]


def test_parameters_that_an_expression_gives_are_told_when_it_runs() -> None:
    fields = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
    assert findings(only(**fields, QueryLanguage="JSONata", Arguments="{% $states.input %}")) == []
    assert findings(only(**fields, QueryLanguage="JSONata", Arguments={"FunctionName": "{% 'f' %}"})) == []


def test_a_parameter_of_the_other_language_is_told_once() -> None:
    definition = only(Type="Task", Resource="arn:aws:states:::lambda:invoke", Arguments={}, End=True)
    assert findings(definition) == [
        f"{SCHEMA}: The QueryLanguage is set to 'JSONPath', but field 'Arguments' is only supported for the "
        f"'JSONata' QueryLanguage at {AT}",
        f"{SCHEMA}: Parameters field is required for resource ARN: arn:aws:states:::lambda:invoke at {AT}/Resource",
    ]
