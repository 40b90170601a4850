"""Operations on event source mappings whose source is the stream of a table."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deliveries.fake_stream import STREAMS, FakeStream
from tests.functions.zips import handler

from .conftest import Lambda

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:dead"
FIRST = f"1{0:020}"


@pytest.fixture
def neighbour() -> FakeStream:
    return FakeStream()


@pytest.fixture
def stream(neighbour: FakeStream) -> FakeStream:
    return neighbour


def request_for(stream: FakeStream, **members: Any) -> dict[str, Any]:
    return {"EventSourceArn": stream.arn, "FunctionName": "pay", "StartingPosition": "TRIM_HORIZON", **members}


async def mapped(aws: Lambda, stream: FakeStream, **members: Any) -> Any:
    return await aws.call("CreateEventSourceMapping", **request_for(stream, **members))


async def test_what_is_set_if_nothing_is_said(aws: Lambda, stream: FakeStream) -> None:
    await aws.create()
    made = await mapped(aws, stream)
    assert {name: made[name] for name in made.keys() - {"UUID", "EventSourceMappingArn", "FunctionArn"}} == {
        "EventSourceArn": stream.arn,
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "ParallelizationFactor": 1,
        "TumblingWindowInSeconds": 0,
        "BisectBatchOnFunctionError": False,
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": -1,
        "DestinationConfig": {"OnFailure": {}},
        "FunctionResponseTypes": [],
        "LastModified": made["LastModified"],
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
    }


async def test_all_that_can_be_set(aws: Lambda, stream: FakeStream) -> None:
    await aws.create()
    settings = {
        "BatchSize": 10_000,
        "MaximumBatchingWindowInSeconds": 300,
        "ParallelizationFactor": 1,
        "TumblingWindowInSeconds": 0,
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 10_000,
        "MaximumRecordAgeInSeconds": 604_800,
        "DestinationConfig": {"OnFailure": {"Destination": QUEUE}},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "FilterCriteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]},
    }
    made = await mapped(aws, stream, **settings)
    assert {name: made[name] for name in settings} == settings
    changed = await aws.call("UpdateEventSourceMapping", UUID=made["UUID"], MaximumRetryAttempts=0)
    assert (changed["MaximumRetryAttempts"], changed["DestinationConfig"]) == (0, settings["DestinationConfig"])
    changed = await aws.call(
        "UpdateEventSourceMapping", UUID=made["UUID"], DestinationConfig={"OnFailure": {}}, MaximumRecordAgeInSeconds=-1
    )
    assert (changed["MaximumRecordAgeInSeconds"], changed["DestinationConfig"]) == (-1, {"OnFailure": {}})


async def test_records_reach_the_function(aws: Lambda, stream: FakeStream) -> None:
    await aws.create(code=handler("return None"))
    stream.put("a")
    made = await mapped(aws, stream)

    def goes_on() -> bool:
        return [operation for operation, _ in stream.asked].count("GetRecords") > 1

    await stream.until(goes_on)
    assert (await aws.call("DeleteEventSourceMapping", UUID=made["UUID"]))["State"] == "Deleting"


async def test_disabled_and_enabled_again_it_goes_on_where_it_stood(aws: Lambda, stream: FakeStream) -> None:
    await aws.create(code=handler("return None"))
    stream.put("a")
    uuid = (await mapped(aws, stream))["UUID"]
    await stream.until(lambda: [operation for operation, _ in stream.asked].count("GetRecords") > 1)
    await aws.call("UpdateEventSourceMapping", UUID=uuid, Enabled=False)
    while (await aws.call("GetEventSourceMapping", UUID=uuid))["State"] != "Disabled":
        pass
    await aws.call("UpdateEventSourceMapping", UUID=uuid, Enabled=True)
    after = {"StreamArn": stream.arn, "ShardId": "s1", "ShardIteratorType": "AFTER_SEQUENCE_NUMBER"}
    await stream.until(lambda: ("GetShardIterator", {**after, "SequenceNumber": FIRST}) in stream.asked)


async def test_a_duplicate(aws: Lambda, stream: FakeStream) -> None:
    await aws.create()
    made = await mapped(aws, stream)
    assert await aws.error("CreateEventSourceMapping", **request_for(stream)) == (
        "ResourceConflictException",
        f'The event source arn (" {stream.arn} ") and function (" pay ") provided mapping already exists. Please '
        f"update or delete the existing mapping with UUID {made['UUID']}",
    )


@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        ({"StartingPosition": None}, "InvalidParameterValueException", "Value null at 'startingPosition'"),
        ({"StartingPosition": "AT_TIMESTAMP"}, "InvalidParameterValueException", "TRIM_HORIZON or LATEST"),
        ({"StartingPosition": "x"}, "ValidationException", "enum value set"),
        ({"EventSourceArn": STREAMS.partition("/stream")[0]}, "InvalidParameterValueException", "Unrecognized event"),
        ({"EventSourceArn": f"{STREAMS}other"}, "InvalidParameterValueException", f"Stream not found: {STREAMS}other"),
        ({"BatchSize": 10_001}, "ValidationException", "less than or equal to 10000"),
        ({"MaximumRetryAttempts": 10_001}, "ValidationException", "less than or equal to 10000"),
        ({"MaximumRecordAgeInSeconds": 59}, "InvalidParameterValueException", "at least 60"),
        ({"ParallelizationFactor": 2}, "NotImplementedException", "ParallelizationFactor"),
        ({"TumblingWindowInSeconds": 1}, "NotImplementedException", "TumblingWindowInSeconds"),
        ({"ScalingConfig": {"MaximumConcurrency": 2}}, "InvalidParameterValueException", "not supported"),
        (
            {"DestinationConfig": {"OnFailure": {"Destination": f"{QUEUE}.fifo"}}},
            "InvalidParameterValueException",
            "standard queue or topic",
        ),
        (
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::bucket"}}},
            "InvalidParameterValueException",
            "standard queue or topic",
        ),
        (
            {"DestinationConfig": {"OnSuccess": {"Destination": QUEUE}}},
            "InvalidParameterValueException",
            "OnSuccess is not supported",
        ),
    ],
)
async def test_what_is_refused(
    aws: Lambda, stream: FakeStream, members: dict[str, Any], error: str, message: str
) -> None:
    await aws.create()
    found = await aws.error("CreateEventSourceMapping", **request_for(stream, **members))
    assert found[0].startswith(error)
    assert message in found[1]
    assert (await aws.call("ListEventSourceMappings"))["EventSourceMappings"] == []
