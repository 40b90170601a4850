"""The output of functions on its way to CloudWatch Logs, with a neighbour that remembers what it is sent."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.tasks.fake_neighbour import HOST, FakeNeighbour, Reply
from treadle.deliveries.function_logs import FunctionLogs
from treadle.functions.logs import LogStream
from treadle.limits import Limits
from treadle.neighbours.contract import EmulatorMissing, Incoming, NeighbourUnavailable, Outgoing
from treadle.neighbours.directory import Neighbours
from treadle.tasks.service_calls import ServiceCalls
from treadle.tasks.service_models import load


def stream(name: str = "one") -> LogStream:
    return LogStream(function="pay", account="123456789012", region="eu-west-1", group="/aws/lambda/pay", name=name)


class CloudWatchLogs(FakeNeighbour):
    """Knows groups and streams as moto does."""

    def __init__(self) -> None:
        super().__init__()
        self.is_running = False
        self.streams: dict[str, list[str]] = {}
        self.operations: list[str] = []
        self.raw: list[bytes] = []
        self.put = asyncio.Event()
        self.refuses = False
        self.bodies: list[dict[str, Any]] = []

    async def send(self, request: Outgoing) -> Incoming:
        if self.trouble is not None:
            raise self.trouble
        self.is_running = True
        headers = {name.lower(): value.decode() for name, value in request.headers}
        operation = headers[b"x-amz-target"].rpartition(".")[2] if b"x-amz-target" in headers else "other"
        assert isinstance(request.body, bytes)
        body = json.loads(request.body) if b"x-amz-target" in headers else {}
        self.operations.append(operation)
        self.raw.append(request.body)
        self.bodies.append(body)
        name = body.get("logStreamName", "")
        if self.refuses:
            return Reply(400, b'{"__type":"AccessDeniedException","message":"no"}', {})
        if operation == "CreateLogStream":
            self.streams[name] = []
        elif operation == "DeleteLogStream":
            del self.streams[name]
        elif operation == "PutLogEvents":
            if name not in self.streams:
                return Reply(400, b'{"__type":"ResourceNotFoundException","message":"none"}', {})
            self.streams[name] += [event["message"] for event in body["logEvents"]]
            self.put.set()
        return Reply(200, b"{}", {"content-type": "application/x-amz-json-1.1"})


class Shipping:
    def __init__(self, neighbour: CloudWatchLogs, limits: Limits) -> None:
        self.neighbour = neighbour
        self.logs = FunctionLogs(limits)
        self.neighbours = Neighbours(neighbour, {}, limits)
        self.services = ServiceCalls(self.neighbours, limits, HOST)
        self.logs.connect(self.services, self.neighbours)

    async def ask(self) -> None:
        """What anybody asks of the service."""
        operation = load("logs").operation_model("DescribeLogGroups")
        await self.services.call(operation, {}, account="123456789012", region="eu-west-1")


Ship = Callable[..., Shipping]


@pytest.fixture
async def ship() -> AsyncIterator[Ship]:
    made: list[Shipping] = []

    def make(**limits: int) -> Shipping:
        made.append(Shipping(CloudWatchLogs(), Limits(**limits)))
        return made[-1]

    yield make
    for each in made:
        await each.logs.close()


async def test_whoever_asks_finds_what_was_written_before(ship: Ship) -> None:
    shipping = ship()
    shipping.logs.wrote(stream(), "first\n")
    shipping.logs.wrote(stream("two"), "other\n")
    shipping.logs.wrote(stream(), "[ERROR] x\rTraceback\n\nthird\n")
    assert shipping.neighbour.operations == []
    await asyncio.gather(shipping.ask(), shipping.ask())
    assert shipping.neighbour.streams == {"one": ["first\n", "[ERROR] x\nTraceback\n", "third\n"], "two": ["other\n"]}
    assert shipping.neighbour.operations[-2:] == ["DescribeLogGroups"] * 2
    assert shipping.neighbour.bodies[1] == {"logGroupName": "/aws/lambda/pay"}


async def test_nothing_is_started_for_output(ship: Ship) -> None:
    """Until something runs, it waits; then it goes by itself."""
    shipping = ship(function_logs_milliseconds=1)
    shipping.logs.wrote(stream(), "first\n")
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, later.set)  # behind the timer that would have sent it
    await later.wait()
    assert shipping.neighbour.operations == []
    shipping.neighbour.is_running = True
    shipping.logs.wrote(stream(), "second\n")
    await asyncio.wait_for(shipping.neighbour.put.wait(), 20)
    assert shipping.neighbour.streams["one"] == ["first\n", "second\n"]


async def test_the_backlog_is_bounded_and_says_so(ship: Ship) -> None:
    shipping = ship(function_logs_backlog_characters=100)
    for number in range(100):
        shipping.logs.wrote(stream(), f"{number:04}\n")
    await shipping.ask()
    kept = shipping.neighbour.streams["one"]
    assert kept[-1] == "0099\n"
    assert kept[0] == f"{100 - len(kept) + 1} lines before this one were dropped: too many waited for CloudWatch Logs\n"


async def test_requests_are_bounded(ship: Ship) -> None:
    shipping = ship()
    for _ in range(3):
        shipping.logs.wrote(stream(), "x" * 500_000 + "\n")
    shipping.logs.wrote(stream(), "y\n" * 25_000)
    await shipping.ask()
    puts = [body["logEvents"] for body in shipping.neighbour.bodies if "logEvents" in body]
    assert max(map(len, puts)) <= 10_000
    assert max(sum(len(event["message"]) + 26 for event in events) for events in puts) <= 1_048_576
    assert len(shipping.neighbour.streams["one"]) == 25_003


async def test_the_emulators_memory_is_bounded(ship: Ship) -> None:
    shipping = ship(function_logs_emulated_bytes=1_000)
    for name in ("one", "two", "three"):
        shipping.logs.wrote(stream(name), "x" * 400 + "\n")
        await shipping.ask()
    assert list(shipping.neighbour.streams) == ["two", "three"]
    shipping.logs.wrote(stream("one"), "again\n")
    await shipping.ask()
    assert shipping.neighbour.streams["one"] == ["again\n"]


async def test_metrics_follow(ship: Ship) -> None:
    shipping = ship()
    directive = {"Namespace": "Shop", "Dimensions": [[]], "Metrics": [{"Name": "Orders"}]}
    line = json.dumps({"_aws": {"Timestamp": 1, "CloudWatchMetrics": [directive]}, "Orders": 2})
    shipping.logs.wrote(stream(), f"{line}\n")
    await shipping.ask()
    (metrics,) = [body for body in shipping.neighbour.raw if b"Shop" in body and b"logEvents" not in body]
    assert b"Orders" in metrics
    assert shipping.neighbour.streams["one"] == [f"{line}\n"]


@pytest.mark.parametrize(
    ("trouble", "levels"),
    [(NeighbourUnavailable("down"), ["WARNING"]), (EmulatorMissing("not installed"), [])],
    ids=["down", "not installed"],
)
async def test_functions_do_not_mind_that_nobody_is_there(
    ship: Ship, caplog: pytest.LogCaptureFixture, trouble: Exception, levels: list[str]
) -> None:
    shipping = ship()
    shipping.neighbour.trouble = trouble
    for _ in range(2):
        shipping.logs.wrote(stream(), "first\n")
        await shipping.logs.flush()
    assert [record.levelname for record in caplog.records if record.levelno >= logging.INFO] == levels


async def test_a_refusal_is_told_once(ship: Ship, caplog: pytest.LogCaptureFixture) -> None:
    shipping = ship()
    shipping.neighbour.refuses = True
    for _ in range(3):
        shipping.logs.wrote(stream(), "first\n")
        await shipping.logs.flush()
    assert [record.getMessage() for record in caplog.records] == [
        "Function logs, pay: CloudWatch Logs refused its output: AccessDeniedException: no"
    ]


async def test_close_waits_for_nobody(ship: Ship) -> None:
    shipping = ship()
    shipping.logs.wrote(stream(), "first\n")
    await shipping.logs.close()
    shipping.logs.wrote(stream(), "afterwards\n")
    await shipping.logs.flush()
    assert shipping.neighbour.operations == []
