"""Optimised integrations: what services are asked, and what becomes of their answers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from treadle.document import encode
from treadle.language.resources import parse_resource
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.tasks.contract import TaskOutcome
from treadle.tasks.integration_table import INTEGRATIONS
from treadle.tasks.optimised import integration_of, problem, run_optimised

from .fake_neighbour import HOST, FakeNeighbour
from .fake_service import FakeService
from .fakes import request

PREFIX = "arn:aws:states:::"
QUEUE = f"http://{HOST}/000000000000/q"
SENT = {"MD5OfMessageBody": "0" * 32, "MessageId": "11111111-2222-3333-4444-555555555555"}
PUBLISHED = (
    b'<?xml version="1.0"?><PublishResponse xmlns="https://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>'
    b"<MessageId>11111111-2222-3333-4444-555555555555</MessageId></PublishResult></PublishResponse>"
)


async def run(neighbour: FakeNeighbour, action: str, parameters: Any, payload_bytes: int = 262_144) -> TaskOutcome:
    asked = request(PREFIX + action, parameters)
    integration = integration_of(asked.resource)
    assert integration is not None
    return await run_optimised(asked, integration, neighbour.calls, payload_bytes)


def xml_error(code: str, message: str) -> bytes:
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>".encode()


@pytest.mark.parametrize("key", INTEGRATIONS, ids=".".join)
def test_the_table_names_operations_that_there_are(key: tuple[str, str]) -> None:
    integration = INTEGRATIONS[key]
    assert integration.model.name == integration.operation
    assert set(integration.left_out) <= integration.model.input_shape.members.keys()


@pytest.mark.parametrize(
    ("resource", "known"),
    [
        ("sqs:sendMessage", True),
        ("sqs:sendMessage.waitForTaskToken", True),
        ("sqs:sendMessage.sync", False),
        ("sqs:receiveMessage", False),
        ("dynamodb:putItem", True),
        ("dynamodb:putItem.waitForTaskToken", False),
        ("events:putEvents.waitForTaskToken", True),
    ],
)
def test_which_patterns_there_are(resource: str, known: bool) -> None:
    parsed = parse_resource(PREFIX + resource)
    assert parsed is not None
    assert (integration_of(parsed) is not None) is known


@pytest.mark.parametrize(
    ("action", "parameters", "target", "body"),
    [
        (
            "sqs:sendMessage",
            {"QueueUrl": QUEUE, "MessageBody": {"a": [1, None]}, "DelaySeconds": 5, "MessageGroupId": None},
            "AmazonSQS.SendMessage",
            {"QueueUrl": QUEUE, "MessageBody": '{"a":[1,null]}', "DelaySeconds": 5},
        ),
        (
            "dynamodb:putItem",
            {"TableName": "t", "Item": {"id": {"S": "x"}, "n": {"N": "1"}}},
            "DynamoDB_20120810.PutItem",
            {"TableName": "t", "Item": {"id": {"S": "x"}, "n": {"N": "1"}}},
        ),
    ],
)
async def test_requests(action: str, parameters: dict[str, Any], target: str, body: dict[str, Any]) -> None:
    neighbour = FakeNeighbour(encode(SENT).encode())
    await run(neighbour, action, parameters)
    assert neighbour.body == body
    assert neighbour.headers["x-amz-target"] == target
    assert neighbour.headers["host"] == HOST
    scope = neighbour.headers["authorization"].split("Credential=")[1].split(",")[0].split("/")
    assert scope[2:] == ["eu-west-1", action.partition(":")[0], "aws4_request"]
    assert neighbour.sent[-1].account == "123456789012"


async def test_a_message_sent() -> None:
    neighbour = FakeNeighbour(
        encode(
            SENT,
        ).encode(),
        content_type="application/x-amz-json-1.0",
    )
    outcome = await run(neighbour, "sqs:sendMessage", {"QueueUrl": QUEUE, "MessageBody": "x"})
    assert outcome.output is not None
    result = outcome.output.value
    assert list(result) == ["MD5OfMessageBody", "MessageId", "SdkHttpMetadata", "SdkResponseMetadata"]
    id = result["SdkResponseMetadata"]["RequestId"]
    headers = result["SdkHttpMetadata"]["HttpHeaders"]
    assert headers["x-amzn-RequestId"] == id
    assert headers["Content-Length"] == "106"
    assert headers["Content-Type"] == "application/x-amz-json-1.0"
    assert result["SdkHttpMetadata"]["HttpStatusCode"] == 200
    assert neighbour.reply.closed


async def test_a_message_published() -> None:
    """The length is that of AWS's own writing of the answer, as recorded."""
    neighbour = FakeNeighbour(PUBLISHED, content_type="text/xml; charset=utf-8")
    outcome = await run(neighbour, "sns:publish", {"TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": {"a": 1}})
    assert outcome.output is not None
    headers = outcome.output.value["SdkHttpMetadata"]["HttpHeaders"]
    assert (headers["Content-Length"], headers["Content-Type"]) == ("294", "text/xml")
    body = neighbour.sent[-1].body
    assert isinstance(body, bytes)
    assert b"Action=Publish" in body
    assert b"Message=%7B%22a%22%3A1%7D" in body


async def test_events_say_whose_they_are() -> None:
    neighbour = FakeNeighbour(b'{"Entries":[{"EventId":"e"}],"FailedEntryCount":0}')
    entry = {"Detail": {"a": 1}, "DetailType": "d", "Source": "s", "Resources": ["r"]}
    outcome = await run(neighbour, "events:putEvents", {"Entries": [entry]})
    sent = neighbour.body["Entries"][0]
    assert sent["Detail"] == '{"a":1}'
    assert [part.split(":")[5] if ":" in part else part for part in sent["Resources"]] == [
        "r",
        "stateMachine",
        "execution",
    ]
    assert outcome.output is not None
    assert outcome.output.value == {"Entries": [{"EventId": "e"}], "FailedEntryCount": 0}  # no metadata


async def test_an_event_that_was_not_taken_fails_the_task() -> None:
    neighbour = FakeNeighbour(b'{"FailedEntryCount": 1, "Entries": [{"ErrorCode": "MalformedDetail"}]}')
    outcome = await run(neighbour, "events:putEvents", {"Entries": [{"Detail": "x"}]})
    assert outcome.error == "EventBridge.FailedEntry"
    assert outcome.cause == '{"Entries":[{"ErrorCode":"MalformedDetail"}],"FailedEntryCount":1}'


FAULTS: list[tuple[str, str, dict[str, Any], FakeNeighbour, str, str]] = [
    (
        "an error with a class",
        "dynamodb:getItem",
        {"TableName": "t", "Key": {"id": {"S": "x"}}},
        FakeNeighbour(b'{"__type":"com.x#ResourceNotFoundException","message":"Requested resource not found"}', 400),
        "DynamoDB.ResourceNotFoundException",
        "Requested resource not found (Service: AmazonDynamoDBv2; Status Code: 400; "
        "Error Code: ResourceNotFoundException; Request ID: ID; Proxy: null)",
    ),
    (
        "an error without one",
        "dynamodb:getItem",
        {"TableName": "t", "Key": {}},
        FakeNeighbour(b'{"__type":"ValidationException","message":"No."}', 400),
        "DynamoDB.AmazonDynamoDBException",
        "No. (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ValidationException; "
        "Request ID: ID; Proxy: null)",
    ),
    (
        "an error in XML",
        "sns:publish",
        {"TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": "m"},
        FakeNeighbour(xml_error("NotFound", "Topic does not exist"), 404),
        "SNS.NotFoundException",
        "Topic does not exist (Service: AmazonSNS; Status Code: 404; Error Code: NotFound; "
        "Request ID: ID; Proxy: null)",
    ),
    (
        "an error that had another code before",
        "sqs:sendMessage",
        {"QueueUrl": QUEUE, "MessageBody": "m"},
        FakeNeighbour(
            b'{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"No queue."}',
            400,
            x_amzn_query_error="AWS.SimpleQueueService.NonExistentQueue;Sender",
        ),
        "SQS.QueueDoesNotExistException",
        "No queue. (Service: AmazonSQS; Status Code: 400; Error Code: AWS.SimpleQueueService.NonExistentQueue; "
        "Request ID: ID; Proxy: null)",
    ),
    (
        "no message",
        "sqs:sendMessage",
        {"QueueUrl": QUEUE, "MessageBody": None},
        FakeNeighbour(),
        "SQS.AmazonSQSException",
        "The request must contain the parameter MessageBody. (Service: AmazonSQS; Status Code: 400; "
        "Error Code: MissingParameter; Request ID: ID; Proxy: null)",
    ),
    (
        "a page of a web server",
        "dynamodb:getItem",
        {"TableName": "t", "Key": {}},
        FakeNeighbour(b"<html>Oh no</html>", 500, content_type="text/html"),
        "DynamoDB.AmazonDynamoDBException",
        "Internal Server Error (Service: AmazonDynamoDBv2; Status Code: 500; Error Code: 500; "
        "Request ID: ID; Proxy: null)",
    ),
]


@pytest.mark.parametrize(
    ("action", "parameters", "neighbour", "error", "cause"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
async def test_faults(action: str, parameters: Any, neighbour: FakeNeighbour, error: str, cause: str) -> None:
    outcome = await run(neighbour, action, parameters)
    assert outcome.error == error
    assert re.sub("Request ID: [0-9a-f-]{36}", "Request ID: ID", outcome.cause or "") == cause


async def test_a_neighbour_that_is_not_there() -> None:
    neighbour = FakeNeighbour()
    neighbour.trouble = NeighbourUnavailable("it does not answer")
    outcome = await run(neighbour, "dynamodb:getItem", {"TableName": "t", "Key": {}})
    assert (outcome.error, outcome.cause) == (
        "DynamoDB.SdkClientException",
        "Unable to execute HTTP request: it does not answer",
    )


@pytest.mark.parametrize("body", [b"garbage", b"[1]", b'{"Item": 7}', b"\xff"])
async def test_an_answer_that_makes_no_sense(body: bytes) -> None:
    outcome = await run(FakeNeighbour(body), "dynamodb:getItem", {"TableName": "t", "Key": {}})
    assert outcome.error == "DynamoDB.SdkClientException"
    assert "the answer of dynamodb makes no sense" in (outcome.cause or "")


async def test_a_queue_at_a_host_that_there_is_not() -> None:
    neighbour = FakeNeighbour()
    outcome = await run(neighbour, "sqs:sendMessage", {"QueueUrl": "no-such-queue.invalid", "MessageBody": "m"})
    assert outcome.error == "SQS.SdkClientException"
    assert (outcome.cause or "").startswith("Unable to execute HTTP request: no-such-queue.invalid: ")
    assert neighbour.sent == []


@pytest.mark.parametrize(
    ("parameters", "refusal"),
    [
        ([], "The Parameters are not an object"),
        ({"QueueUrl": QUEUE, "Body": "x"}, "The field 'Body' is not supported by Step Functions"),
        (
            {"QueueUrl": QUEUE, "MessageBody": "x", "MessageSystemAttributes": {}},
            "The field 'MessageSystemAttributes' is not supported by Step Functions",
        ),
        (
            {"QueueUrl": QUEUE, "MessageBody": "x", "DelaySeconds": "5"},
            "The value of the field 'DelaySeconds' has an invalid format",
        ),
        (
            {"QueueUrl": QUEUE, "MessageBody": "x", "MessageAttributes": {"a": "b"}},
            "The value of the field 'a' has an invalid format",
        ),
    ],
)
def test_parameters_that_step_functions_refuses(parameters: Any, refusal: str) -> None:
    assert problem(INTEGRATIONS["sqs", "sendMessage"], parameters) == refusal


async def test_a_result_that_is_too_large() -> None:
    item = {"Item": {"id": {"S": "x" * 2_000}}}
    outcome = await run(FakeNeighbour(encode(item).encode()), "dynamodb:getItem", {"TableName": "t", "Key": {}}, 1_000)
    assert outcome.error == "States.DataLimitExceeded"


async def test_capacity_is_told_only_to_those_who_ask() -> None:
    answer = b'{"Attributes": {}, "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 0.5}}'
    parameters = {"TableName": "t", "Key": {"id": {"S": "x"}}}
    plain = await run(FakeNeighbour(answer), "dynamodb:updateItem", parameters)
    asked = await run(FakeNeighbour(answer), "dynamodb:updateItem", {**parameters, "ReturnConsumedCapacity": "TOTAL"})
    assert plain.output is not None and asked.output is not None
    assert "ConsumedCapacity" not in plain.output.value
    assert asked.output.value["ConsumedCapacity"]["TableName"] == "t"


FLEETS = [{"Id": "if-1", "Name": "master"}, {"Id": "if-2", "Name": "core"}]


async def test_a_fleet_is_found_by_its_name() -> None:
    service = FakeService(
        ListInstanceFleets=[
            {"InstanceFleets": FLEETS[:1], "Marker": "more"},
            {"InstanceFleets": FLEETS[1:]},
        ],
        ModifyInstanceFleet=[{}],
    )
    parameters = {"ClusterId": "j", "InstanceFleetName": "core", "InstanceFleet": {"TargetOnDemandCapacity": 8}}
    asked = request(PREFIX + "elasticmapreduce:modifyInstanceFleetByName", parameters)
    integration = integration_of(asked.resource)
    assert integration is not None
    outcome = await run_optimised(asked, integration, service.calls, 262_144)
    assert outcome.output is not None
    assert service.asked == [
        ("ListInstanceFleets", {"ClusterId": "j"}),
        ("ListInstanceFleets", {"ClusterId": "j", "Marker": "more"}),
        (
            "ModifyInstanceFleet",
            {"ClusterId": "j", "InstanceFleet": {"TargetOnDemandCapacity": 8, "InstanceFleetId": "if-2"}},
        ),
    ]


async def test_a_fleet_that_there_is_not() -> None:
    service = FakeService(ListInstanceFleets=[{"InstanceFleets": FLEETS}])
    asked = request(
        PREFIX + "elasticmapreduce:modifyInstanceFleetByName",
        {"ClusterId": "j", "InstanceFleetName": "task", "InstanceFleet": {}},
    )
    integration = integration_of(asked.resource)
    assert integration is not None
    outcome = await run_optimised(asked, integration, service.calls, 262_144)
    assert outcome.error == "ElasticMapReduce.InvalidRequestException"
    assert (outcome.cause or "").startswith("There is no InstanceFleet of the name 'task'.")


@pytest.mark.parametrize(
    ("described", "refusal"),
    [
        ({"InstanceFleetId": "if-1"}, "The field 'InstanceFleetId' is not supported by Step Functions"),
        (None, "The value of the field 'InstanceFleet' has an invalid format"),
        ({"Capacity": 1}, "The field 'Capacity' is not supported by Step Functions"),
        ({"TargetSpotCapacity": 1}, None),
    ],
)
def test_what_a_fleet_may_be_given(described: Any, refusal: str | None) -> None:
    integration = INTEGRATIONS["elasticmapreduce", "modifyInstanceFleetByName"]
    parameters = {"ClusterId": "j", "InstanceFleetName": "core", "InstanceFleet": described}
    assert problem(integration, parameters) == refusal
