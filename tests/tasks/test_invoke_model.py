"""`bedrock:invokeModel`: requests and answers in the task itself, and in objects of S3."""

from __future__ import annotations

from typing import Any

import pytest

from treadle.document import decode
from treadle.limits import DEFAULT_LIMITS
from treadle.neighbours.catalogue import AwsService
from treadle.neighbours.contract import Incoming, NeighbourUnavailable, Outgoing
from treadle.neighbours.directory import Neighbours
from treadle.tasks.contract import TaskOutcome
from treadle.tasks.invoke_model import problem, run_invoke_model
from treadle.tasks.service_calls import ServiceCalls

from .fake_neighbour import HOST, Reply
from .fakes import request

INVOKE = "arn:aws:states:::bedrock:invokeModel"
NO_KEY = b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"


class Cloud:
    """S3, with the objects that it is given, and a model that answers everything alike."""

    is_running = True

    def __init__(self, answer: bytes = b'{"completion": "ok"}', status: int = 200, **objects: bytes) -> None:
        self.objects = {f"/bucket/{key}": body for key, body in objects.items()}
        self.asked: list[tuple[str, str, Any]] = []
        self.types: list[dict[str, str]] = []
        self._answer = Reply(status, answer, {"Content-Type": "application/json"})
        self.trouble: Exception | None = None

    async def send(self, asked: Outgoing) -> Incoming:
        if self.trouble is not None:
            raise self.trouble
        self.asked.append((asked.method, asked.target, asked.body))
        if asked.target.startswith("/model/"):
            self.types.append({name.decode().lower(): value.decode() for name, value in asked.headers})
            return self._answer
        if asked.method == "PUT":
            assert isinstance(asked.body, bytes)
            self.objects[asked.target] = asked.body
            return Reply(200, b"", {})
        found = self.objects.get(asked.target)
        return Reply(404, NO_KEY, {}) if found is None else Reply(200, found, {})

    async def close(self) -> None: ...


class Everything(Neighbours):
    """The emulator has no models, so that they need an endpoint; here it has."""

    async def send(self, service: AwsService, request: Outgoing) -> Incoming:
        return await self._emulator.send(request)


async def run(cloud: Cloud, **parameters: Any) -> TaskOutcome:
    asked = request(INVOKE, {"ModelId": "titan", **parameters})
    assert problem(asked.input.value) is None
    calls = ServiceCalls(Everything(cloud, {}, DEFAULT_LIMITS), DEFAULT_LIMITS, HOST)
    return await run_invoke_model(asked, calls, DEFAULT_LIMITS.payload_bytes)


def value(outcome: TaskOutcome) -> Any:
    assert outcome.output is not None, outcome
    return outcome.output.value


async def test_a_request_and_its_answer() -> None:
    cloud = Cloud()
    result = value(await run(cloud, Body={"inputText": "hello", "n": [1]}, GuardrailIdentifier="g"))
    assert result == {"Body": {"completion": "ok"}, "ContentType": "application/json"}
    assert cloud.asked == [("POST", "/model/titan/invoke", b'{"inputText":"hello","n":[1]}')]
    sent = cloud.types[0]
    assert (sent["content-type"], sent["accept"]) == ("application/json", "application/json")
    assert sent["x-amzn-bedrock-guardrailidentifier"] == "g"


async def test_an_answer_that_is_no_json() -> None:
    assert value(await run(Cloud(b"plain"), Body="text"))["Body"] == "plain"


async def test_objects_hold_the_request_and_the_answer() -> None:
    cloud = Cloud(asked=b'{"inputText": "a long one"}')
    places = {"Input": {"S3Uri": "s3://bucket/asked"}, "Output": {"S3Uri": "s3://bucket/answers/1"}}
    assert value(await run(cloud, **places)) == {"Body": "s3://bucket/answers/1", "ContentType": "application/json"}
    assert cloud.asked[1][2] == b'{"inputText": "a long one"}'
    assert decode(cloud.objects["/bucket/answers/1"]) == {"completion": "ok"}


async def test_an_object_that_there_is_not() -> None:
    outcome = await run(Cloud(), Input={"S3Uri": "s3://bucket/none"})
    assert outcome.error == "S3.NoSuchKeyException"


async def test_faults() -> None:
    refused = Cloud(b'{"__type": "ThrottlingException", "message": "Too many"}', 429)
    outcome = await run(refused, Body={})
    assert outcome.error == "Bedrock.ThrottlingException"
    assert (outcome.cause or "").startswith("Too many (Service: AmazonBedrockRuntime; Status Code: 429;")
    away = Cloud()
    away.trouble = NeighbourUnavailable("it is away")
    assert (await run(away, Body={})).error == "Bedrock.SdkClientException"


async def test_a_result_that_is_too_large() -> None:
    outcome = await run(Cloud(b'"' + b"x" * 300_000 + b'"'), Body={})
    assert outcome.error == "States.DataLimitExceeded"


@pytest.mark.parametrize(
    ("parameters", "refusal"),
    [
        ([], "The Parameters are not an object"),
        ({"Body": {}}, "The field 'ModelId' is required but was missing"),
        ({"ModelId": "m"}, "Exactly one of the fields 'Body' and 'Input' is required"),
        (
            {"ModelId": "m", "Body": {}, "Input": {"S3Uri": "s3://b/k"}},
            "Exactly one of the fields 'Body' and 'Input' is required",
        ),
        ({"ModelId": "m", "Input": {"S3Uri": "b/k"}}, "The value of the field 'S3Uri' has an invalid format"),
        ({"ModelId": "m", "Input": "s3://b/k"}, "The value of the field 'Input' has an invalid format"),
        ({"ModelId": "m", "Input": {"Bucket": "b"}}, "The field 'Bucket' is not supported by Step Functions"),
        ({"ModelId": "m", "Body": {}, "Prompt": ""}, "The field 'Prompt' is not supported by Step Functions"),
        ({"ModelId": "m", "Body": None}, None),
    ],
)
def test_parameters_that_step_functions_refuses(parameters: Any, refusal: str | None) -> None:
    assert problem(parameters) == refusal
