"""Lambda as tasks call it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.functions.zips import handler
from treadle.aws.functions.in_process import FunctionsInProcess
from treadle.tasks.contract import ServiceFault

from .conftest import ARN, Lambda

OWNER = {"account": "123456789012", "region": "eu-west-1"}


@pytest.fixture
def tasks(aws: Lambda) -> FunctionsInProcess:
    return FunctionsInProcess(aws.service, "http://127.0.0.1:4566")


async def test_texts_are_taken_for_blobs(aws: Lambda, tasks: FunctionsInProcess) -> None:
    await aws.create(code=handler("return [event, context.invoked_function_arn]"))
    answer = await tasks.call("Invoke", {"FunctionName": "pay", "Payload": '{"n": "ä"}'}, **OWNER)
    assert json.loads(answer.members["Payload"]) == [{"n": "ä"}, ARN + "pay"]
    answer = await tasks.call("Invoke", {"FunctionName": "pay", "InvocationType": "Event", "Payload": "1"}, **OWNER)
    assert answer.members == {"StatusCode": 202}


async def test_an_answer_is_for_the_callers_account(aws: Lambda, tasks: FunctionsInProcess) -> None:
    await aws.create()
    listed = await tasks.call("ListFunctions", {}, **OWNER)
    assert [each["FunctionArn"] for each in listed.members["Functions"]] == [ARN + "pay"]
    assert (await tasks.call("ListFunctions", {}, account="210987654321", region="eu-west-1")).members == {
        "Functions": []
    }


@pytest.mark.parametrize(
    ("operation", "members", "code", "status"),
    [
        ("GetFunction", {"FunctionName": "none"}, "ResourceNotFoundException", 404),
        ("GetFunction", {"FunctionName": 7}, "SerializationException", 400),
        ("GetFunction", {"Surprise": 7}, "ValidationException", 400),
        ("Invoke", {"FunctionName": "pay", "Payload": "{"}, "InvalidRequestContentException", 400),
        ("ListCapacityProviders", {}, "NotImplementedException", 501),
    ],
)
async def test_faults(
    aws: Lambda, tasks: FunctionsInProcess, operation: str, members: dict[str, Any], code: str, status: int
) -> None:
    await aws.create()
    with pytest.raises(ServiceFault) as raised:
        await tasks.call(operation, members, **OWNER)
    assert (raised.value.code, raised.value.status) == (code, status)
