"""Delivery to each kind of ARN: what is called, and which troubles pass."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.tasks.fake_neighbour import FakeNeighbour
from treadle.deliveries.contract import Attribute, Message, NotNow, Undeliverable
from treadle.deliveries.targets import Targets, kind_of
from treadle.neighbours.contract import EmulatorMissing, NeighbourUnavailable
from treadle.tasks.contract import ServiceAnswer, ServiceFault

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:orders"
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/orders"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:pay"
MESSAGE = Message(id="0b1c", body='{"n":1}', account="210987654321", region="us-east-1")


class FakeStepFunctions:
    def __init__(self, fault: ServiceFault | None = None) -> None:
        self.fault = fault
        self.calls: list[tuple[str, dict[str, Any], str, str]] = []

    async def call(self, operation: str, request: dict[str, Any], *, account: str, region: str) -> ServiceAnswer:
        self.calls.append((operation, request, account, region))
        if self.fault is not None:
            raise self.fault
        return ServiceAnswer({}, "id")

    def execution_arn(self, machine_arn: str, name: str) -> str:
        raise NotImplementedError

    def watch_end(self, execution_arn: str) -> asyncio.Future[Any]:
        raise NotImplementedError

    async def wait_for_end(self, execution_arn: str, end: asyncio.Future[Any]) -> None:
        raise NotImplementedError

    async def stop(self, execution_arn: str) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("arn", "kind"),
    [
        (QUEUE, "sqs"),
        (TOPIC, "sns"),
        (BUS, "events"),
        (MACHINE, "states"),
        (MACHINE + ":live", "states"),
        (FUNCTION, "lambda"),
        (FUNCTION + ":7", "lambda"),
        ("arn:aws:s3:::bucket", "s3"),
        ("arn:aws-cn:sqs:cn-north-1:123456789012:orders", "sqs"),
        ("arn:aws:sqs:::orders", None),
        ("arn:aws:sqs:eu-west-1:123456789012:", None),
        ("arn:aws:s3:eu-west-1:123456789012:bucket", None),
        ("arn:aws:events:eu-west-1:123456789012:rule/orders", None),
        ("arn:aws:events:eu-west-1:123456789012:event-bus/", None),
        ("arn:aws:states:eu-west-1:123456789012:execution:orders:1", None),
        ("arn:aws:lambda:eu-west-1:123456789012:layer:tools", None),
        ("arn:aws:dynamodb:eu-west-1:123456789012:table/orders", None),
        ("orders", None),
        ("", None),
    ],
)
def test_kinds(arn: str, kind: str | None) -> None:
    assert kind_of(arn) == kind


async def test_to_a_queue() -> None:
    neighbour = FakeNeighbour(b'{"QueueUrl": "http://localhost/123456789012/orders"}')
    message = Message(id="i", body="text", account="1", region="r", attributes={"a": Attribute("1", "Number")})
    await Targets(neighbour.calls, FakeStepFunctions()).send(QUEUE, message)
    assert [request.account for request in neighbour.sent] == ["123456789012", "123456789012"]
    assert neighbour.body == {
        "QueueUrl": "http://localhost/123456789012/orders",
        "MessageBody": "text",
        "MessageAttributes": {"a": {"DataType": "Number", "StringValue": "1"}},
    }
    assert "/eu-west-1/sqs/" in neighbour.headers["authorization"]


async def test_to_a_fifo_queue() -> None:
    neighbour = FakeNeighbour(b'{"QueueUrl": "http://localhost/q"}')
    await Targets(neighbour.calls, FakeStepFunctions()).send(QUEUE + ".fifo", MESSAGE)
    assert (neighbour.body["MessageGroupId"], neighbour.body["MessageDeduplicationId"]) == ("0b1c", "0b1c")


async def test_to_a_topic() -> None:
    neighbour = FakeNeighbour(b"<PublishResponse><PublishResult/></PublishResponse>")
    await Targets(neighbour.calls, FakeStepFunctions()).send(TOPIC, MESSAGE)
    body = neighbour.sent[0].body
    assert isinstance(body, bytes)
    sent = parse_qs(body.decode())
    assert (sent["Action"], sent["TopicArn"], sent["Message"]) == (["Publish"], [TOPIC], ['{"n":1}'])


async def test_to_a_bus() -> None:
    neighbour = FakeNeighbour(b'{"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}')
    message = Message(body="{}", account="1", region="r", source="lambda", detail_type="It", resources=[FUNCTION])
    await Targets(neighbour.calls, FakeStepFunctions()).send(BUS, message)
    entry = {"EventBusName": BUS, "Source": "lambda", "DetailType": "It", "Detail": "{}", "Resources": [FUNCTION]}
    assert neighbour.body == {"Entries": [entry]}


@pytest.mark.parametrize(("code", "trouble"), [("InternalFailure", NotNow), ("InvalidArgument", Undeliverable)])
async def test_a_bus_that_refuses(code: str, trouble: type[Exception]) -> None:
    neighbour = FakeNeighbour(b'{"FailedEntryCount": 1, "Entries": [{"ErrorCode": "%s"}]}' % code.encode())
    with pytest.raises(trouble, match=code):
        await Targets(neighbour.calls, FakeStepFunctions()).send(BUS, MESSAGE)


async def test_to_a_bucket() -> None:
    neighbour = FakeNeighbour(b"")
    message = Message(body="{}", account="210987654321", region="us-east-1", key="a/b.json")
    await Targets(neighbour.calls, FakeStepFunctions()).send("arn:aws:s3:::bucket", message)
    assert (neighbour.sent[0].method, neighbour.sent[0].body) == ("PUT", b"{}")
    assert neighbour.sent[0].target.endswith("/a/b.json")
    assert neighbour.sent[0].account == "210987654321"


async def test_to_a_machine() -> None:
    step_functions = FakeStepFunctions()
    await Targets(FakeNeighbour().calls, step_functions).send(MACHINE, MESSAGE)
    request = {"stateMachineArn": MACHINE, "name": "0b1c", "input": '{"n":1}'}
    assert step_functions.calls == [("StartExecution", request, "123456789012", "eu-west-1")]


@pytest.mark.parametrize(
    ("status", "code", "trouble"),
    [
        (400, "StateMachineDoesNotExist", Undeliverable),
        (400, "ThrottlingException", NotNow),
        (429, "Whatever", NotNow),
        (503, "ServiceUnavailable", NotNow),
        (501, "NotImplementedException", Undeliverable),
    ],
)
async def test_faults(status: int, code: str, trouble: type[Exception]) -> None:
    targets = Targets(FakeNeighbour().calls, FakeStepFunctions(ServiceFault(code, "no", status, "id")))
    with pytest.raises(trouble, match=f"orders: {code}"):
        await targets.send(MACHINE, MESSAGE)


@pytest.mark.parametrize(("trouble", "raised"), [(NeighbourUnavailable, NotNow), (EmulatorMissing, Undeliverable)])
async def test_nobody_answers(trouble: type[Exception], raised: type[Exception]) -> None:
    neighbour = FakeNeighbour()
    neighbour.trouble = trouble("gone")
    with pytest.raises(raised, match="gone"):
        await Targets(neighbour.calls, FakeStepFunctions()).send(TOPIC, MESSAGE)


@pytest.mark.parametrize("arn", [FUNCTION, "arn:aws:dynamodb:eu-west-1:123456789012:table/orders", "x"])
async def test_what_is_not_sent_to(arn: str) -> None:
    with pytest.raises(Undeliverable, match="nothing can be sent"):
        await Targets(FakeNeighbour().calls, FakeStepFunctions()).send(arn, MESSAGE)
