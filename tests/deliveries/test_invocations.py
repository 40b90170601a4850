"""What becomes of attempts to invoke functions asynchronously: retries, ages, records, dead letters."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.functions.zips import handler
from tests.tasks.fakes import FakeFunctions
from treadle.deliveries import lineage
from treadle.deliveries.attempts import Attempts
from treadle.deliveries.contract import Again, Done, Later, Message, NotNow, Outcome, Undeliverable
from treadle.deliveries.event_settings import RECURSION, EventSettings
from treadle.deliveries.invocations import Invocations
from treadle.deliveries.queue import delivery_of, message_of
from treadle.deliveries.targets import Targets
from treadle.functions.contract import FunctionNotFound, FunctionThrottled
from treadle.functions.created import CreatedFunctions, FunctionSettings
from treadle.functions.failures import exited, not_started, shut_down
from treadle.limits import Limits
from treadle.runtime.virtual import VirtualClock
from treadle.store.delivery_contract import Delivery
from treadle.store.function_contract import LATEST, FunctionConfig, FunctionVersion
from treadle.store.sqlite.store import SqliteStore

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:pay"
OTHER = "arn:aws:lambda:eu-west-1:123456789012:function:ship"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:records"
LETTERS = "arn:aws:sqs:eu-west-1:123456789012:letters"
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
BUCKET = "arn:aws:s3:::records"
NOW = 1_767_323_045_678
EVENT = Message(
    id="1e0c", body='{"n": 1.0}', account="123456789012", region="eu-west-1", trace_id="Root=1-2", client_context="{}"
)
FAILURE = b'{"errorMessage": "no luck", "errorType": "ValueError"}'
MINUTE = 60_000
HOURS = 6 * 60 * MINUTE


class NoTargets(Targets):
    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.sent: list[tuple[str, Message]] = []

    async def send(self, arn: str, message: Message) -> None:
        self.sent.append((arn, message))
        if self.trouble is not None:
            raise self.trouble


class World:
    """One function, and attempts to deliver events to it."""

    def __init__(self, store: SqliteStore, folder: Path) -> None:
        self.store = store
        self.limits = Limits()
        self.created = CreatedFunctions(store, folder, self.limits)
        self.targets = NoTargets()

    async def make(self, settings: EventSettings | None = None, qualifier: str | None = None, **function: Any) -> None:
        code = handler()
        latest = FunctionVersion(
            function_arn=FUNCTION,
            number=LATEST,
            revision_id="r1",
            settings=FunctionSettings(runtime="python3.12", handler="app.handler", role="", **function).text,
            code_sha256=hashlib.sha256(code).hexdigest(),
            code_bytes=len(code),
            modified=1,
        )
        await self.store.function_create(latest, code, {})
        if settings is not None:
            await self.store.function_config_set(settings.config(FUNCTION, qualifier))

    async def attempt(
        self, functions: FakeFunctions, delivery: Delivery | None = None, now: int = NOW, **changes: Any
    ) -> Outcome:
        clock = VirtualClock(now)
        invocations = Invocations(functions, self.created, self.store, clock, self.limits)
        made = replace(delivery or delivery_of(FUNCTION, EVENT, NOW), **changes)
        return await Attempts(invocations, self.targets, clock, self.limits).attempt(made)


@pytest.fixture
async def world(store: SqliteStore, tmp_path: Path) -> World:
    world = World(store, tmp_path / "code")
    await world.created.open()
    return world


def failing(payload: bytes = FAILURE) -> FakeFunctions:
    return FakeFunctions(payload, function_error="Unhandled")


def refusing(error: Exception) -> FakeFunctions:
    functions = FakeFunctions()
    functions.bug = error
    return functions


def followed(outcome: Outcome) -> list[tuple[str, Message]]:
    assert isinstance(outcome, Done)
    assert all((each.accepted, each.due) == (NOW, NOW) for each in outcome.then)
    return [(each.target, message_of(each)) for each in outcome.then]


# -- attempts ----------------------------------------------------------------------------------------------


async def test_the_event_as_the_function_gets_it(world: World) -> None:
    await world.make()
    functions = FakeFunctions(b"7")
    assert await world.attempt(functions) == Done([])
    (call,) = functions.calls
    assert (call.name, call.payload, call.function_arn) == ("pay", b'{"n": 1.0}', FUNCTION)
    assert call.client_context == "{}"


@pytest.mark.parametrize(
    ("retries", "attempts", "due"),
    [
        (None, 0, NOW + MINUTE),
        (None, 1, NOW + 2 * MINUTE),
        (None, 2, None),
        (1, 0, NOW + MINUTE),
        (1, 1, None),
        (0, 0, None),
    ],
)
async def test_retries(world: World, retries: int | None, attempts: int, due: int | None) -> None:
    await world.make(EventSettings(retries=retries))
    outcome = await world.attempt(failing(), attempts=attempts)
    assert outcome == (Done([]) if due is None else Again(due))


async def test_the_configuration_of_another_qualifier_does_not_hold(world: World) -> None:
    await world.make(EventSettings(retries=0), "live")
    assert await world.attempt(failing()) == Again(NOW + MINUTE)
    assert await world.attempt(failing(), target=FUNCTION + ":live") == Done([])


@pytest.mark.parametrize("qualifier", [None, "$LATEST"])
async def test_the_latest_version_is_the_function(world: World, qualifier: str | None) -> None:
    await world.make(EventSettings(retries=0), qualifier)
    assert await world.attempt(failing()) == Done([])
    assert await world.attempt(failing(), target=FUNCTION + ":$LATEST") == Done([])


@pytest.mark.parametrize(
    "functions",
    [
        pytest.param(refusing(FunctionThrottled("pay")), id="throttled"),
        pytest.param(refusing(FunctionNotFound("pay")), id="not there"),
        pytest.param(failing(not_started("id", "no memory")), id="no worker"),
        pytest.param(failing(shut_down("id")), id="the server stops"),
    ],
)
async def test_what_does_not_count_as_an_attempt(world: World, functions: FakeFunctions) -> None:
    await world.make(EventSettings(age_seconds=60))
    assert await world.attempt(functions) == Later(NOW + MINUTE)


async def test_a_worker_that_dies_is_the_functions_fault(world: World) -> None:
    await world.make()
    assert await world.attempt(failing(exited("id", -9))) == Again(NOW + MINUTE)


async def test_age(world: World) -> None:
    await world.make(EventSettings(age_seconds=90, on_failure=QUEUE))
    functions = failing()
    assert await world.attempt(functions, attempts=1) == Again(NOW + 90_000)
    ((_, record),) = followed(await world.attempt(functions, now=NOW, attempts=2, accepted=NOW - 90_000))
    assert len(functions.calls) == 1
    assert json.loads(record.body) == {
        "version": "1.0",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "requestContext": {
            "requestId": "1e0c",
            "functionArn": FUNCTION + ":$LATEST",
            "condition": "EventAgeExceeded",
            "approximateInvokeCount": 2,
        },
        "requestPayload": {"n": 1.0},
    }


async def test_age_without_a_configuration(world: World) -> None:
    assert await world.attempt(refusing(FunctionThrottled("pay"))) == Later(NOW + HOURS)
    assert await world.attempt(refusing(FunctionThrottled("pay")), accepted=NOW - HOURS) == Done([])


async def test_nothing_reserved(world: World) -> None:
    await world.make(EventSettings(on_failure=QUEUE))
    world.created.set_reserved(FUNCTION, 0)
    ((target, record),) = followed(await world.attempt(refusing(FunctionThrottled("pay"))))
    assert target == QUEUE
    assert json.loads(record.body)["requestContext"]["approximateInvokeCount"] == 0


# -- what others are told ----------------------------------------------------------------------------------


async def test_record_of_a_success(world: World) -> None:
    await world.make(EventSettings(on_success=QUEUE, on_failure=OTHER))
    ((target, record),) = followed(await world.attempt(FakeFunctions(b'{"paid": 1.50}'), attempts=1))
    assert (target, record.account, record.region) == (QUEUE, "123456789012", "eu-west-1")
    assert '"requestPayload":{"n": 1.0}' in record.body
    assert '"responsePayload":{"paid": 1.50}' in record.body
    document = json.loads(record.body)
    assert document["requestContext"]["condition"] == "Success"
    assert document["requestContext"]["approximateInvokeCount"] == 2
    assert document["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}


async def test_record_of_a_failure(world: World) -> None:
    await world.make(EventSettings(on_success=QUEUE, on_failure=OTHER, retries=0))
    ((target, record),) = followed(await world.attempt(failing()))
    document = json.loads(record.body)
    assert target == OTHER
    assert record.id != EVENT.id
    assert document["requestContext"]["condition"] == "RetriesExhausted"
    context = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert document["responseContext"] == context
    assert document["responsePayload"] == {"errorMessage": "no luck", "errorType": "ValueError"}


async def test_an_answer_that_is_no_json(world: World) -> None:
    await world.make(EventSettings(on_success=QUEUE))
    ((_, record),) = followed(await world.attempt(FakeFunctions(b'{"half \xff')))
    assert json.loads(record.body)["responsePayload"] == '{"half \ufffd'


async def test_record_for_a_bus(world: World) -> None:
    await world.make(EventSettings(on_success=BUS, on_failure=BUS, retries=0))
    for functions, word in ((FakeFunctions(), "Success"), (failing(), "Failure")):
        ((target, record),) = followed(await world.attempt(functions))
        assert target == BUS
        assert (record.source, record.detail_type) == ("lambda", f"Lambda Function Invocation Result - {word}")
        assert list(record.resources) == [BUS, FUNCTION + ":$LATEST"]


async def test_no_record_for_a_fifo_queue(world: World, caplog: pytest.LogCaptureFixture) -> None:
    await world.make(EventSettings(on_success=QUEUE + ".fifo"))
    assert followed(await world.attempt(FakeFunctions())) == []
    assert "records.fifo" in caplog.text


async def test_record_for_a_bucket(world: World) -> None:
    await world.make(EventSettings(on_failure=BUCKET, retries=0))
    ((target, record),) = followed(await world.attempt(failing()))
    assert target == BUCKET
    assert record.key == f"aws/lambda/async/pay/2026/01/02/2026-01-02T03.04.05-{record.id}"


async def test_dead_letter(world: World) -> None:
    await world.make(EventSettings(on_failure=QUEUE, retries=0), dead_letter=LETTERS)
    (first, _), (second, letter) = followed(await world.attempt(failing()))
    assert (first, second) == (QUEUE, LETTERS)
    assert letter.body == EVENT.body
    attributes = {name: (attribute.value, attribute.type) for name, attribute in letter.attributes.items()}
    assert attributes == {
        "RequestID": ("1e0c", "String"),
        "ErrorCode": ("200", "Number"),
        "ErrorMessage": ("no luck", "String"),
    }


async def test_dead_letter_of_an_event_that_never_ran(world: World) -> None:
    await world.make(dead_letter=LETTERS)
    ((_, letter),) = followed(await world.attempt(FakeFunctions(), accepted=NOW - HOURS))
    assert list(letter.attributes) == ["RequestID"]


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b'{"errorMessage": "%s"}' % ("ä" * 600).encode(), "ä" * 512),
        (b'{"errorMessage": ""}', "Unhandled"),
        (b'{"errorType": "X"}', '{"errorType": "X"}'),
        (b"not json", "not json"),
        (b"[1]", "[1]"),
    ],
)
async def test_error_message_of_a_dead_letter(world: World, payload: bytes, text: str) -> None:
    await world.make(EventSettings(retries=0), dead_letter=LETTERS)
    ((_, letter),) = followed(await world.attempt(failing(payload)))
    assert letter.attributes["ErrorMessage"].value == text


# -- chains ------------------------------------------------------------------------------------------------


async def test_a_chain_of_events_ends(world: World) -> None:
    """The function's own failure destination is the function."""
    await world.make(EventSettings(on_failure=FUNCTION, retries=0), dead_letter=LETTERS)
    functions, delivery, invoked = failing(), delivery_of(FUNCTION, EVENT, NOW), 0
    while True:
        outcome = await world.attempt(functions, delivery)
        assert isinstance(outcome, Done)
        delivery = outcome.then[0]
        if delivery.target != FUNCTION:
            break
        invoked += 1
    assert invoked == len(functions.calls) == world.limits.event_chain
    assert [each.target for each in outcome.then] == [LETTERS]


async def test_a_chain_that_is_allowed(world: World) -> None:
    await world.make(EventSettings(on_failure=FUNCTION, retries=0))
    allowed = FunctionConfig(function_arn=FUNCTION, qualifier="", kind=RECURSION, config='"Allow"')
    await world.store.function_config_set(allowed)
    delivery = delivery_of(FUNCTION, EVENT, NOW)
    for _ in range(world.limits.event_chain + 2):
        outcome = await world.attempt(failing(), delivery)
        assert isinstance(outcome, Done)
        delivery = outcome.then[0]
    assert delivery.target == FUNCTION


def test_lineage() -> None:
    trace: str | None = None
    for _ in range(3):
        trace = lineage.extended(trace, FUNCTION)
    trace = lineage.extended(f"Root=1-2;Sampled=1;{trace}", OTHER)
    assert trace.startswith("Root=1-2;Sampled=1;Lineage=")
    assert (lineage.count(trace, FUNCTION), lineage.count(trace, OTHER), lineage.count(trace, QUEUE)) == (3, 1, 0)


@pytest.mark.parametrize("trace", [None, "", ";;", "Lineage=", "Lineage=zz:1|:|1a2b3c4d:", "Lineage=25:a87bd80c:1"])
def test_lineage_that_makes_no_sense(trace: str | None) -> None:
    assert lineage.count(trace, FUNCTION) == 0
    assert lineage.count(lineage.extended(trace, FUNCTION), FUNCTION) == 1


def test_lineage_stays_short() -> None:
    trace: str | None = "Root=1-2"
    for number in range(1_000):
        trace = lineage.extended(trace, f"{FUNCTION}{number}")
    assert len(trace or "") < 500
    assert lineage.count(trace, f"{FUNCTION}999") == 1


# -- other targets -----------------------------------------------------------------------------------------


async def test_other_targets(world: World) -> None:
    assert await world.attempt(FakeFunctions(), target=QUEUE) == Done()
    assert world.targets.sent == [(QUEUE, EVENT)]


async def test_a_target_that_cannot_be_reached(world: World) -> None:
    world.targets.trouble = NotNow("gone")
    assert await world.attempt(FakeFunctions(), target=QUEUE) == Later(NOW + HOURS)
    assert await world.attempt(FakeFunctions(), target=QUEUE, accepted=NOW - HOURS) == Done()


async def test_a_target_that_refuses(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.targets.trouble = Undeliverable("no such queue")
    assert await world.attempt(FakeFunctions(), target=QUEUE) == Done()
    assert "no such queue" in caplog.text
