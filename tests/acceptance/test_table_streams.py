"""Streams of moto's tables as event sources of functions, over a server that is killed and a moto that is new."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.noting import Noting, folder_with, noting
from tests.acceptance.server import ACCOUNT, REGION, Server, poll

HANDLER = """
import json
def handler(event, context):
    for record in event["Records"]:
        number = record["dynamodb"]["Keys"]["Id"]["N"]
        with open({path!r}, "a") as file:
            file.write(json.dumps([record["eventName"], int(number)]) + "\\n")
        if number == "13":
            raise RuntimeError("no")
"""
TABLE = {
    "KeySchema": [{"AttributeName": "Id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "Id", "AttributeType": "N"}],
    "BillingMode": "PAY_PER_REQUEST",
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
}
STACK = {
    "Resources": {
        "Orders": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {**TABLE, "StreamSpecification": {"StreamViewType": "NEW_IMAGE"}, "TableName": "orders"},
        },
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "EventSourceArn": {"Fn::GetAtt": ["Orders", "StreamArn"]},
                "FunctionName": "note",
                "StartingPosition": "TRIM_HORIZON",
                "MaximumRetryAttempts": 1,
                "FilterCriteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]},
            },
        },
    }
}


class World(Noting):
    def __init__(self, folder: Path, server: Server) -> None:
        super().__init__(folder, server)
        self.tables = self.client("dynamodb")
        self.stacks = self.client("cloudformation")

    def table(self) -> str:
        """The ARN of its stream."""
        return str(self.tables.create_table(TableName="orders", **TABLE)["TableDescription"]["LatestStreamArn"])

    def put(self, *ids: int) -> None:
        for id in ids:
            self.tables.put_item(TableName="orders", Item={"Id": {"N": str(id)}})

    def map(self, stream: str, **members: Any) -> str:
        request = {"EventSourceArn": stream, "FunctionName": "note", "StartingPosition": "LATEST", **members}
        return str(self.functions.create_event_source_mapping(**request)["UUID"])

    def until_noted(self, *numbers: int) -> None:
        poll(lambda: {number for _, number in self.noted()} >= set(numbers) or None)


@contextmanager
def world_of(folder: Path, survival_seconds: int = 1) -> Iterator[World]:
    with noting(World, folder, survival_seconds) as world:
        yield world


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_with(HANDLER, tmp_path)


def test_from_the_latest_record_on(folder: Path) -> None:
    with world_of(folder) as world:
        stream = world.table()
        world.put(1)
        world.map(stream)
        world.put(2)
        world.tables.update_item(
            TableName="orders",
            Key={"Id": {"N": "2"}},
            UpdateExpression="SET a = :a",
            ExpressionAttributeValues={":a": {"S": "1"}},
        )
        world.tables.delete_item(TableName="orders", Key={"Id": {"N": "2"}})
        poll(lambda: len(world.noted()) >= 3 or None)
        assert world.noted() == [["INSERT", 2], ["MODIFY", 2], ["REMOVE", 2]]
        assert (world.server.stop(), world.server.stderr()) == (0, "")


def test_what_is_given_up_is_told_to_a_queue(folder: Path) -> None:
    with world_of(folder) as world:
        stream = world.table()
        url = world.queues.create_queue(QueueName="dead")["QueueUrl"]
        dead = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"
        world.map(
            stream,
            StartingPosition="TRIM_HORIZON",
            MaximumRetryAttempts=1,
            BisectBatchOnFunctionError=True,
            DestinationConfig={"OnFailure": {"Destination": dead}},
        )
        world.put(12, 13, 14)
        world.until_noted(14)
        (message,) = poll(lambda: world.queues.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
        told = json.loads(message["Body"])
        assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert (told["DDBStreamBatchInfo"]["batchSize"], told["DDBStreamBatchInfo"]["streamArn"]) == (1, stream)


def test_nothing_is_lost_when_the_server_is_killed(folder: Path) -> None:
    """In the middle of many batches, with moto going on without it. No order is lost, and nothing is given twice but
    the batch that was under way."""
    with world_of(folder, survival_seconds=60) as world:
        stream = world.table()
        world.map(stream, BatchSize=1)
        world.put(*range(20, 80))
        poll(lambda: len(world.noted()) >= 5 or None)
        world.server.kill()
    before = len(world.noted())
    with world_of(folder, survival_seconds=60) as world:
        world.until_noted(*range(20, 80))
        numbers = [number for _, number in world.noted()]
        assert numbers == sorted(numbers)
        assert len(numbers) <= 61
        assert before < 60
        assert world.server.stop() == 0


def test_a_table_that_is_made_again_after_moto_has_ended(folder: Path) -> None:
    with world_of(folder) as world:
        uuid = world.map(world.table())
        world.put(1)
        world.until_noted(1)
        assert world.server.stop() == 0
    with world_of(folder) as world:

        def problem() -> str | None:
            found = world.functions.get_event_source_mapping(UUID=uuid).get("LastProcessingResult")
            return None if found is None else str(found)

        assert poll(problem).startswith("PROBLEM: Stream not found: arn:aws:dynamodb:")
        world.table()
        world.put(2)
        world.until_noted(2)


def test_a_stack_maps_the_stream_of_its_table(folder: Path) -> None:
    with world_of(folder) as world:

        def status() -> str | None:
            found = str(world.stacks.describe_stacks(StackName="orders")["Stacks"][0]["StackStatus"])
            return None if found.endswith("IN_PROGRESS") else found

        world.stacks.create_stack(StackName="orders", TemplateBody=json.dumps(STACK))
        assert poll(status) == "CREATE_COMPLETE"
        world.put(1)
        world.until_noted(1)
        (mapping,) = world.functions.list_event_source_mappings()["EventSourceMappings"]
        assert (mapping["StartingPosition"], mapping["MaximumRetryAttempts"]) == ("TRIM_HORIZON", 1)
        changed = json.loads(json.dumps(STACK))
        properties = changed["Resources"]["Mapping"]["Properties"]
        del properties["FilterCriteria"], properties["MaximumRetryAttempts"]
        properties["BatchSize"] = 7
        world.stacks.update_stack(StackName="orders", TemplateBody=json.dumps(changed))
        assert poll(status) == "UPDATE_COMPLETE"
        (again,) = world.functions.list_event_source_mappings()["EventSourceMappings"]
        assert (again["UUID"], again["BatchSize"], again["MaximumRetryAttempts"]) == (mapping["UUID"], 7, -1)
        assert "FilterCriteria" not in again
