"""Operations on event source mappings."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.deliveries.fake_queue import FakeQueue
from tests.functions.zips import handler
from treadle.aws.service import Caller
from treadle.limits import Limits

from .conftest import ARN, CALLER, Lambda

MAPPING = "arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:"
FILTERS = {"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]}


@pytest.fixture
def neighbour() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def queue(neighbour: FakeQueue) -> FakeQueue:
    return neighbour


async def mapped(aws: Lambda, queue: FakeQueue, **members: Any) -> Any:
    request = {"EventSourceArn": queue.arn, "FunctionName": "pay", **members}
    return await aws.call("CreateEventSourceMapping", **request)


async def refused(aws: Lambda, queue: FakeQueue, **members: Any) -> tuple[str, str]:
    request = {"EventSourceArn": queue.arn, "FunctionName": "pay", **members}
    return await aws.error("CreateEventSourceMapping", **request)


async def test_a_mapping(aws: Lambda, queue: FakeQueue) -> None:
    await aws.create()
    made = await mapped(aws, queue)
    assert re.fullmatch("[0-9a-f-]{36}", made["UUID"])
    modified = made.pop("LastModified")
    assert made == {
        "UUID": made["UUID"],
        "EventSourceMappingArn": MAPPING + made["UUID"],
        "EventSourceArn": queue.arn,
        "FunctionArn": ARN + "pay",
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
    }
    shown = await aws.call("GetEventSourceMapping", UUID=made["UUID"])
    assert shown == {**made, "LastModified": modified, "State": "Enabled"}
    assert (await aws.call("ListEventSourceMappings"))["EventSourceMappings"] == [shown]


async def test_messages_reach_the_function_until_the_mapping_is_gone(aws: Lambda, queue: FakeQueue) -> None:
    await aws.create(code=handler("return None"))
    made = await mapped(aws, queue)
    await queue.put("one")
    await queue.until(lambda: not queue.left)
    assert (await aws.call("DeleteEventSourceMapping", UUID=made["UUID"]))["State"] == "Deleting"
    assert await aws.error("GetEventSourceMapping", UUID=made["UUID"]) == (
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )
    await queue.put("two")
    await queue.until(lambda: queue.asked[-1][0] == "ChangeMessageVisibilityBatch")
    assert queue.visible == ["two"]


async def test_enabled_and_disabled(aws: Lambda, queue: FakeQueue) -> None:
    await aws.create(code=handler("return None"))
    await queue.put("one")
    made = await mapped(aws, queue, Enabled=False)
    uuid = made["UUID"]
    assert (await aws.call("GetEventSourceMapping", UUID=uuid))["State"] == "Disabled"
    assert queue.visible == ["one"]
    assert (await aws.call("UpdateEventSourceMapping", UUID=uuid, Enabled=True))["State"] == "Enabling"
    await queue.until(lambda: not queue.left)
    assert (await aws.call("UpdateEventSourceMapping", UUID=uuid, Enabled=False))["State"] == "Disabling"
    assert (await aws.call("GetEventSourceMapping", UUID=uuid))["State"] == "Disabling"


async def test_all_that_can_be_set(aws: Lambda, queue: FakeQueue) -> None:
    await aws.create()
    settings = {
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 5,
        "FilterCriteria": FILTERS,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 3},
    }
    made = await mapped(aws, queue, **settings)
    assert {name: made[name] for name in settings} == settings
    changed = await aws.call(
        "UpdateEventSourceMapping",
        UUID=made["UUID"],
        BatchSize=5,
        FilterCriteria={},
        FunctionResponseTypes=[],
        ScalingConfig={},
    )
    assert changed["State"] == "Updating"
    assert (changed["BatchSize"], changed["MaximumBatchingWindowInSeconds"]) == (5, 5)
    assert changed["FunctionResponseTypes"] == []
    assert not {"FilterCriteria", "ScalingConfig"} & changed.keys()


async def test_versions_aliases_and_functions_of_the_folder(aws: Lambda, queue: FakeQueue) -> None:
    await aws.create(Publish=True)
    await aws.call("CreateAlias", FunctionName="pay", Name="live", FunctionVersion="1")
    aws.folder.mkdir()
    (aws.folder / "mine.py").write_text("def handler(event, context): pass")
    for name in (ARN + "pay:1", "pay:live", "mine"):
        made = await mapped(aws, queue, FunctionName=name)
        assert made["FunctionArn"] == (name if name.startswith("arn:") else ARN + name)
    listed = await aws.call("ListEventSourceMappings", FunctionName="pay:live")
    assert [each["FunctionArn"] for each in listed["EventSourceMappings"]] == [ARN + "pay:live"]


async def test_a_duplicate(aws: Lambda, queue: FakeQueue) -> None:
    await aws.create()
    await aws.create("other")
    made = await mapped(aws, queue)
    text = (
        f'An event source mapping with SQS arn (" {queue.arn} ") and function (" pay ") already exists. Please update '
        f"or delete the existing mapping with UUID {made['UUID']}"
    )
    assert await refused(aws, queue) == ("ResourceConflictException", text)
    second = await mapped(aws, queue, FunctionName="other")
    again = await aws.error("UpdateEventSourceMapping", UUID=second["UUID"], FunctionName="pay")
    assert again == ("ResourceConflictException", text)


ELSEWHERE = "arn:aws:{}:eu-west-1:123456789012:{}"


@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        ({"FunctionName": "none"}, "InvalidParameterValueException", "Function does not exist"),
        ({"EventSourceArn": "arn:aws:x:y:z:w"}, "ValidationException", "1 validation error"),
        ({"EventSourceArn": ELSEWHERE.format("s3", "b")}, "InvalidParameterValueException", "Unrecognized event"),
        ({"EventSourceArn": None}, "InvalidParameterValueException", "Unrecognized event source."),
        ({"EventSourceArn": ELSEWHERE.format("kinesis", "stream/s")}, "NotImplementedException", "'kinesis'"),
        ({"EventSourceArn": ELSEWHERE.format("mq", "broker:b")}, "NotImplementedException", "'mq'"),
        (
            {"EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:orders"},
            "InvalidParameterValueException",
            "must be in the region of the function, eu-west-1.",
        ),
        ({"SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a:1"]}}}, "NotImplemented", "self-"),
        ({"BatchSize": 11}, "InvalidParameterValueException", "Maximum batch window in seconds must be greater"),
        ({"BatchSize": 10_001}, "ValidationException", "less than or equal to 10000"),
        ({"ScalingConfig": {"MaximumConcurrency": 1}}, "ValidationException", "greater than or equal to 2"),
        ({"FunctionResponseTypes": ["x"]}, "ValidationException", "enum value set"),
        ({"StartingPosition": "LATEST"}, "InvalidParameterValueException", "StartingPosition is not supported"),
        ({"KMSKeyArn": "arn:aws:kms:x"}, "NotImplementedException", "KMSKeyArn"),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}, "InvalidParameterValueException", "Invalid filter"),
        ({"FilterCriteria": {"Filters": [{}]}}, "InvalidParameterValueException", "Invalid filter pattern definition."),
        (
            {"FilterCriteria": {"Filters": FILTERS["Filters"] * 6}},
            "InvalidParameterValueException",
            "at most 5 filters",
        ),
        ({"Tags": {"aws:a": "b"}}, "InvalidParameterValueException", "aws:"),
    ],
)
async def test_what_is_refused(
    aws: Lambda, queue: FakeQueue, members: dict[str, Any], error: str, message: str
) -> None:
    await aws.create()
    found = await refused(aws, queue, **members)
    assert found[0].startswith(error)
    assert message in found[1]
    assert (await aws.call("ListEventSourceMappings"))["EventSourceMappings"] == []


class TestFifo:
    @pytest.fixture
    def neighbour(self) -> FakeQueue:
        return FakeQueue("orders.fifo")

    @pytest.mark.parametrize(
        ("members", "message"),
        [
            ({"BatchSize": 11, "MaximumBatchingWindowInSeconds": 1}, "A batching window is not supported"),
            ({"BatchSize": 11}, "The batch size of a FIFO queue must be at most 10."),
        ],
    )
    async def test_what_is_refused(self, aws: Lambda, queue: FakeQueue, members: dict[str, Any], message: str) -> None:
        await aws.create()
        error, text = await refused(aws, queue, **members)
        assert error == "InvalidParameterValueException"
        assert message in text


async def test_the_visibility_time_out_must_be_long_enough(aws: Lambda, queue: FakeQueue) -> None:
    await aws.create(Timeout=60)
    assert await refused(aws, queue) == (
        "InvalidParameterValueException",
        "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds",
    )


async def test_a_queue_that_is_not_there(aws: Lambda, queue: FakeQueue) -> None:
    await aws.create()
    queue.exists = False
    assert await refused(aws, queue) == (
        "InvalidParameterValueException",
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error "
        "Message: The specified queue does not exist.",
    )


async def test_a_service_that_is_no_service_of_queues(aws: Lambda, queue: FakeQueue) -> None:
    await aws.create()

    async def nothing(members: dict[str, Any]) -> dict[str, Any]:
        return {}

    queue._GetQueueAttributes = nothing  # type: ignore[method-assign]
    error, text = await refused(aws, queue)
    assert error == "InvalidParameterValueException"
    assert "does not say how long messages are invisible" in text


async def test_what_is_in_the_way_is_shown(aws: Lambda, queue: FakeQueue) -> None:
    await aws.create()
    made = await mapped(aws, queue)
    await aws.call("DeleteFunction", FunctionName="pay")
    shown: dict[str, Any] = {}
    while "LastProcessingResult" not in shown:
        await queue.wake()
        shown = await aws.call("GetEventSourceMapping", UUID=made["UUID"])
    assert shown["LastProcessingResult"] == f"PROBLEM: Function not found: {ARN}pay"


async def test_pages(aws: Lambda, queue: FakeQueue) -> None:
    await aws.create(Publish=True)
    made = [(await mapped(aws, queue, FunctionName=f"pay{end}"))["UUID"] for end in ("", ":1", ":$LATEST")]
    seen, marker = [], ""
    while True:
        page = await aws.call("ListEventSourceMappings", EventSourceArn=queue.arn, MaxItems=1, Marker=marker)
        seen += [each["UUID"] for each in page["EventSourceMappings"]]
        if "NextMarker" not in page:
            break
        marker = page["NextMarker"]
    assert seen == sorted(made)


async def test_other_accounts_see_nothing(aws: Lambda, queue: FakeQueue) -> None:
    await aws.create()
    made = await mapped(aws, queue)
    for stranger in (Caller("210987654321", "eu-west-1", "r"), Caller(CALLER.account, "us-east-1", "r")):
        assert (await aws.call("ListEventSourceMappings", stranger))["EventSourceMappings"] == []
        for operation in ("GetEventSourceMapping", "DeleteEventSourceMapping", "UpdateEventSourceMapping"):
            error, _ = await aws.error(operation, stranger, UUID=made["UUID"])
            assert error == "ResourceNotFoundException"
        error, _ = await aws.error("ListTags", stranger, Resource=made["EventSourceMappingArn"])
        assert error == "ResourceNotFoundException"


async def test_tags(aws: Lambda, queue: FakeQueue) -> None:
    await aws.create()
    arn = (await mapped(aws, queue, Tags={"team": "blue"}))["EventSourceMappingArn"]
    await aws.call("TagResource", Resource=arn, Tags={"a": "b", "team": "green"})
    assert await aws.call("ListTags", Resource=arn) == {"Tags": {"team": "green", "a": "b"}}
    await aws.call("UntagResource", Resource=arn, TagKeys=["team", "none"])
    assert await aws.call("ListTags", Resource=arn) == {"Tags": {"a": "b"}}
    error, _ = await aws.error("TagResource", Resource=arn, Tags={f"k{number}": "v" for number in range(51)})
    assert error == "InvalidParameterValueException"


class TestLimits:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(event_source_mappings=1)

    async def test_so_many_mappings(self, aws: Lambda, queue: FakeQueue) -> None:
        await aws.create(Publish=True)
        await mapped(aws, queue)
        error, _ = await refused(aws, queue, FunctionName="pay:1")
        assert error == "InvalidParameterValueException"
