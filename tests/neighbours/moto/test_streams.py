"""Streams of tables in moto: what is recorded of which write, and what is answered about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.acceptance.server import REGION, Server

ACCOUNT = "123456789012"
NEW_AND_OLD = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
SET_A = {"UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"S": "1"}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("streams")) as server:
        yield server


class Table:
    def __init__(self, server: Server, name: str, **specification: Any) -> None:
        given = {
            "endpoint_url": server.url,
            "region_name": REGION,
            "aws_access_key_id": ACCOUNT,
            "aws_secret_access_key": "x",
            "config": Config(retries={"max_attempts": 0}),
        }
        session = boto3.session.Session()
        self.name = name
        self.tables = session.client("dynamodb", **given)
        self.streams = session.client("dynamodbstreams", **given)
        made = self.tables.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "N"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={**NEW_AND_OLD, **specification},
        )
        self.arn = made["TableDescription"]["LatestStreamArn"]

    def close(self) -> None:
        self.tables.close()
        self.streams.close()

    def put(self, id: int, **attributes: Any) -> None:
        self.tables.put_item(TableName=self.name, Item={"Id": {"N": str(id)}, **attributes})

    def update(self, id: int, **members: Any) -> None:
        self.tables.update_item(TableName=self.name, Key={"Id": {"N": str(id)}}, **members)

    def delete(self, id: int) -> None:
        self.tables.delete_item(TableName=self.name, Key={"Id": {"N": str(id)}})

    @property
    def shard(self) -> dict[str, Any]:
        (shard,) = self.streams.describe_stream(StreamArn=self.arn)["StreamDescription"]["Shards"]
        return dict(shard)

    def iterator(self, kind: str = "TRIM_HORIZON", **members: Any) -> str:
        told = self.streams.get_shard_iterator(
            StreamArn=self.arn, ShardId=self.shard["ShardId"], ShardIteratorType=kind, **members
        )
        return str(told["ShardIterator"])

    def records(self, kind: str = "TRIM_HORIZON", **members: Any) -> list[dict[str, Any]]:
        return list(self.streams.get_records(ShardIterator=self.iterator(kind, **members))["Records"])

    def told(self) -> list[tuple[str, str]]:
        return [(each["eventName"], each["dynamodb"]["Keys"]["Id"]["N"]) for each in self.records()]

    def transact(self, *puts: dict[str, Any]) -> None:
        self.tables.transact_write_items(TransactItems=[{"Put": {"TableName": self.name, **put}} for put in puts])

    def refused(self, operation: str, **members: Any) -> str:
        client = self.tables if operation == "update_table" else self.streams
        with pytest.raises(ClientError) as raised:
            getattr(client, operation)(**members)
        return str(raised.value.response["Error"]["Code"])


@pytest.fixture
def table(server: Server, request: pytest.FixtureRequest) -> Iterator[Table]:
    made = Table(server, request.node.name.replace("[", "-").rstrip("]"), **getattr(request, "param", {}))
    yield made
    made.close()


def test_sizes_as_in_the_examples_of_the_lambda_developer_guide(table: Table) -> None:
    table.put(101, Message={"S": "New item!"})
    table.put(101, Message={"S": "This item has changed"})
    table.delete(101)
    records = table.records()
    assert [(each["eventName"], each["dynamodb"]["SizeBytes"]) for each in records] == [
        ("INSERT", 26),
        ("MODIFY", 59),
        ("REMOVE", 38),
    ]
    new, old = {"Id": {"N": "101"}, "Message": {"S": "This item has changed"}}, {"S": "New item!"}
    assert (records[1]["dynamodb"]["NewImage"], records[1]["dynamodb"]["OldImage"]["Message"]) == (new, old)
    assert {(each["eventVersion"], each["eventSource"], each["awsRegion"]) for each in records} == {
        ("1.1", "aws:dynamodb", REGION)
    }


@pytest.mark.parametrize(
    ("table", "images"),
    [
        ({"StreamViewType": "KEYS_ONLY"}, set()),
        ({"StreamViewType": "NEW_IMAGE"}, {"NewImage"}),
        ({"StreamViewType": "OLD_IMAGE"}, {"OldImage"}),
    ],
    indirect=["table"],
)
def test_what_is_shown(table: Table, images: set[str]) -> None:
    table.put(1, a={"S": "1"})
    table.put(1, a={"S": "2"})
    assert {"NewImage", "OldImage"} & table.records()[1]["dynamodb"].keys() == images


def test_an_operation_is_one_change_of_an_item(table: Table) -> None:
    table.update(1, **SET_A)
    assert table.told() == [("INSERT", "1")]
    assert table.records()[0]["dynamodb"]["NewImage"] == {"Id": {"N": "1"}, "a": {"S": "1"}}
    table.update(1, **SET_A)
    table.put(1, a={"S": "1"})
    table.delete(2)
    assert table.told() == [("INSERT", "1")]


def test_a_transaction_that_fails_leaves_no_record(table: Table) -> None:
    table.put(1)
    behind = table.iterator("LATEST")
    with pytest.raises(ClientError):
        table.transact(
            {"Item": {"Id": {"N": "2"}}},
            {"Item": {"Id": {"N": "1"}}, "ConditionExpression": "attribute_not_exists(Id)"},
        )
    table.transact({"Item": {"Id": {"N": "3"}}}, {"Item": {"Id": {"N": "4"}}})
    assert table.told() == [("INSERT", "1"), ("INSERT", "3"), ("INSERT", "4")]
    assert len(table.streams.get_records(ShardIterator=behind)["Records"]) == 2


def test_every_way_to_write_an_item(table: Table) -> None:
    name = table.name
    table.tables.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": {"Id": {"N": "1"}}}}]})
    table.tables.execute_statement(Statement=f"INSERT INTO \"{name}\" VALUE {{'Id': 2, 'a': 'x'}}")
    table.tables.execute_statement(Statement=f"UPDATE \"{name}\" SET a='y' WHERE a='x'")
    table.tables.batch_write_item(RequestItems={name: [{"DeleteRequest": {"Key": {"Id": {"N": "1"}}}}]})
    table.tables.execute_statement(Statement=f"DELETE FROM \"{name}\" WHERE a='y'")
    assert table.told() == [("INSERT", "1"), ("INSERT", "2"), ("MODIFY", "2"), ("REMOVE", "1"), ("REMOVE", "2")]


def test_binary_attributes(table: Table) -> None:
    image = {"Id": {"N": "1"}, "b": {"B": b"\0\1"}, "l": {"L": [{"B": b"x"}, {"BS": [b"y"]}, {"NULL": True}]}}
    table.put(1, b=image["b"], l=image["l"])
    assert table.records()[0]["dynamodb"]["NewImage"] == image


def test_positions(table: Table) -> None:
    for id in range(5):
        table.put(id)
    numbers = [each["dynamodb"]["SequenceNumber"] for each in table.records()]
    assert [int(number) - int(numbers[0]) for number in numbers] == [0, 1, 2, 3, 4]
    assert table.shard["SequenceNumberRange"] == {"StartingSequenceNumber": numbers[0]}

    def left(kind: str) -> int:
        return len(table.records(kind, SequenceNumber=numbers[3]))

    assert (left("AT_SEQUENCE_NUMBER"), left("AFTER_SEQUENCE_NUMBER")) == (2, 1)
    assert table.records("LATEST") == []
    first = table.streams.get_records(ShardIterator=table.iterator(), Limit=2)
    second = table.streams.get_records(ShardIterator=first["NextShardIterator"])
    assert (len(first["Records"]), len(second["Records"])) == (2, 3)


def test_a_stream_that_is_disabled_can_be_read_to_its_end(table: Table) -> None:
    table.put(1)
    table.tables.update_table(TableName=table.name, StreamSpecification={"StreamEnabled": False})
    table.put(2)
    assert table.streams.describe_stream(StreamArn=table.arn)["StreamDescription"]["StreamStatus"] == "DISABLED"
    assert "EndingSequenceNumber" in table.shard["SequenceNumberRange"]
    page = table.streams.get_records(ShardIterator=table.iterator())
    assert len(page["Records"]) == 1
    assert "NextShardIterator" not in page
    made = table.tables.update_table(TableName=table.name, StreamSpecification=NEW_AND_OLD)
    second = made["TableDescription"]["LatestStreamArn"]
    assert second != table.arn
    table.put(3)
    assert table.told() == [("INSERT", "1")]
    listed = table.streams.list_streams(TableName=table.name)["Streams"]
    assert [each["StreamArn"] for each in listed] == [table.arn, second]
    table.tables.delete_table(TableName=table.name)
    table.arn = second
    assert table.told() == [("INSERT", "3")]


def test_the_stream_of_a_table_that_was_deleted_and_made_again(server: Server, table: Table) -> None:
    table.tables.delete_table(TableName=table.name)
    again = Table(server, table.name)
    again.put(1)
    again.close()
    assert again.arn != table.arn
    assert table.told() == []
    assert "EndingSequenceNumber" in table.shard["SequenceNumberRange"]


def test_what_is_refused(table: Table) -> None:
    shard = table.shard["ShardId"]
    other = {"StreamArn": table.arn, "ShardId": shard.replace("shardId-0", "shardId-1")}
    missing = {"StreamArn": table.arn[:-4] + "abcd"}
    latest = {"ShardIteratorType": "LATEST"}
    after = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER"}
    place = {"StreamArn": table.arn, "ShardId": shard}
    assert table.refused("describe_stream", **missing) == "ResourceNotFoundException"
    assert table.refused("get_shard_iterator", **other, **latest) == "ResourceNotFoundException"
    assert table.refused("get_shard_iterator", **place, **after) == "ValidationException"
    assert table.refused("get_shard_iterator", **place, **after, SequenceNumber="1" * 21) == (
        "TrimmedDataAccessException"
    )
    assert table.refused("get_shard_iterator", **place, **after, SequenceNumber="9" * 30) == "ValidationException"
    for rubbish in ("x", "a|b|c", f"{table.arn}|1|W10="):
        assert table.refused("get_records", ShardIterator=rubbish) == "ValidationException"
    again = {"TableName": table.name, "StreamSpecification": NEW_AND_OLD}
    assert table.refused("update_table", **again) == "ValidationException"
