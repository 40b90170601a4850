"""The other services at the same endpoint, and workflows that call them: boto3 against a server with moto beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.acceptance.server import (
    ACCOUNT,
    REGION,
    Server,
    create_machine,
    ended_execution,
    folder_with_functions,
    poll,
)

KEY, SECRET = "SERVICESKEY", "services/secret"
PIECE = bytes(range(256)) * 4_096


def client_of(service: str, server: Server, **members: Any) -> Any:
    given = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": REGION, **members}
    return boto3.session.Session().client(service, endpoint_url=server.url, **given)


@pytest.fixture(scope="module")
def signed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Whoever calls it must sign."""
    folder = folder_with_functions(tmp_path_factory.mktemp("services"))
    with Server(folder, TREADLE_ACCESS_KEYS=f"{KEY}:{SECRET}") as server:
        yield server
        assert server.stop() == 0
        assert server.stderr() == ""


def test_an_object_goes_in_and_comes_out(signed_server: Server) -> None:
    """In one piece, in chunks with a checksum behind them, in parts; and by a presigned URL's method."""
    s3 = client_of("s3", signed_server)
    s3.create_bucket(Bucket="objects", CreateBucketConfiguration={"LocationConstraint": REGION})
    for key, body in (("empty", b""), ("a b/ü", PIECE)):
        s3.put_object(Bucket="objects", Key=key, Body=body, ChecksumAlgorithm="SHA256", Metadata={"kept": "yes"})
        got = s3.get_object(Bucket="objects", Key=key)
        assert (got["Body"].read(), got["Metadata"]) == (body, {"kept": "yes"})
    upload = s3.create_multipart_upload(Bucket="objects", Key="parts")["UploadId"]
    parts = []
    for number, body in ((1, PIECE * 5), (2, b"the end")):
        part = s3.upload_part(Bucket="objects", Key="parts", UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    s3.complete_multipart_upload(Bucket="objects", Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    ranged = s3.get_object(Bucket="objects", Key="parts", Range=f"bytes={len(PIECE) * 5 - 1}-")
    assert ranged["Body"].read() == PIECE[-1:] + b"the end"
    assert s3.head_object(Bucket="objects", Key="parts")["ContentLength"] == len(PIECE) * 5 + 7
    s3.delete_object(Bucket="objects", Key="parts")
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket="objects", Key="parts")


def test_a_wrong_secret_reaches_no_service(signed_server: Server) -> None:
    for service, call in (("s3", "list_buckets"), ("sqs", "list_queues"), ("sns", "list_topics")):
        stranger = client_of(service, signed_server, aws_secret_access_key="wrong")
        with pytest.raises(ClientError, match="InvalidSignatureException"):
            getattr(stranger, call)()


def test_each_protocol_is_understood(signed_server: Server) -> None:
    calls: list[tuple[str, str, dict[str, Any], str]] = [
        ("sqs", "create_queue", {"QueueName": "q"}, "QueueUrl"),
        ("sns", "create_topic", {"Name": "t"}, "TopicArn"),
        ("ec2", "describe_regions", {}, "Regions"),
        ("apigateway", "get_rest_apis", {}, "items"),
        ("cloudwatch", "list_metrics", {}, "Metrics"),
        ("sts", "get_caller_identity", {}, "Account"),
    ]
    for service, call, request, member in calls:
        answer = getattr(client_of(service, signed_server), call)(**request)
        assert member in answer, service
    assert client_of("sts", signed_server).get_caller_identity()["Account"] == ACCOUNT
    assert client_of("sqs", signed_server).list_queues()["QueueUrls"] == [f"{signed_server.url}/{ACCOUNT}/q"]


LACKING: list[tuple[str, str, dict[str, Any]]] = [
    ("rds", "describe_account_attributes", {}),  # Query
    ("ec2", "describe_id_format", {}),
    ("route53", "get_checker_ip_ranges", {}),  # REST-XML
    ("apigateway", "get_client_certificates", {}),  # REST-JSON, without a route
    ("iot", "list_audit_findings", {}),  # REST-JSON, with a route
    ("ssm", "list_nodes", {}),  # JSON
    ("greengrassv2", "list_components", {}),  # not a service of moto's at all
]


@pytest.mark.parametrize(("service", "call", "request_"), LACKING, ids=[row[0] for row in LACKING])
def test_what_moto_lacks_is_refused_for_good(
    signed_server: Server, service: str, call: str, request_: dict[str, Any]
) -> None:
    """In the protocol of the service, and so that the SDK does not repeat it."""
    with pytest.raises(ClientError) as refused:
        getattr(client_of(service, signed_server), call)(**request_)
    told = refused.value.response
    assert told["Error"]["Code"] == "NotImplementedException"
    assert f"'{service}'" in told["Error"]["Message"]
    assert told["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert told["ResponseMetadata"]["RetryAttempts"] == 0
    assert told["ResponseMetadata"]["RequestId"]


def test_what_a_service_does_not_find_is_its_own_answer(signed_server: Server) -> None:
    for service, call, request, code in (
        ("s3", "get_bucket_location", {"Bucket": "nowhere"}, "NoSuchBucket"),
        ("apigateway", "get_rest_api", {"restApiId": "nothing"}, "NotFoundException"),
        ("route53", "get_hosted_zone", {"Id": "NOTHING"}, "NoSuchHostedZone"),
        ("iot", "describe_thing", {"thingName": "nothing"}, "ResourceNotFoundException"),
    ):
        with pytest.raises(ClientError) as refused:
            getattr(client_of(service, signed_server), call)(**request)
        told = refused.value.response
        assert (told["Error"]["Code"], told["ResponseMetadata"]["HTTPStatusCode"]) == (code, 404)


WORKFLOW = {
    "StartAt": "Put",
    "States": {
        "Put": {
            "Type": "Task",
            "Resource": "arn:aws:states:::dynamodb:putItem",
            "Parameters": {"TableName": "orders", "Item": {"id": {"S.$": "$.id"}, "n": {"N": "1"}}},
            "ResultPath": None,
            "Next": "Get",
        },
        "Get": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:dynamodb:getItem",
            "Parameters": {"TableName": "orders", "Key": {"id": {"S.$": "$.id"}}},
            "ResultPath": "$.item",
            "Next": "Store",
        },
        "Store": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:s3:putObject",
            "Parameters": {"Bucket": "orders-bucket", "Key.$": "$.id", "Body.$": "$.item.Item"},
            "ResultPath": None,
            "Next": "Tell",
        },
        "Tell": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sns:publish",
            "Parameters": {"TopicArn.$": "$.topic", "Message.$": "$.item"},
            "ResultPath": None,
            "Next": "Ask",
        },
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl.$": "$.queue", "MessageBody": {"token.$": "$$.Task.Token", "id.$": "$.id"}},
            "ResultPath": "$.answer",
            "End": True,
        },
    },
}


def test_a_workflow_over_several_services(signed_server: Server) -> None:
    dynamodb, sqs, sns, s3, states = (
        client_of(service, signed_server) for service in ("dynamodb", "sqs", "sns", "s3", "stepfunctions")
    )
    dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    s3.create_bucket(Bucket="orders-bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    queue = sqs.create_queue(QueueName="asks")["QueueUrl"]
    topic = sns.create_topic(Name="orders")["TopicArn"]
    machine = states.create_state_machine(
        name="services", definition=json.dumps(WORKFLOW), roleArn=f"arn:aws:iam::{ACCOUNT}:role/r"
    )["stateMachineArn"]
    begun = {"id": "o-1", "queue": queue, "topic": topic}
    execution = states.start_execution(stateMachineArn=machine, input=json.dumps(begun))["executionArn"]
    message = poll(lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"))[0]
    body = json.loads(message["Body"])
    states.send_task_success(taskToken=body["token"], output='"yes"')
    ended = poll(
        lambda: None if (told := states.describe_execution(executionArn=execution))["status"] == "RUNNING" else told
    )
    assert ended["status"] == "SUCCEEDED", ended
    item = {"id": {"S": "o-1"}, "n": {"N": "1"}}
    assert json.loads(ended["output"]) == {**begun, "item": {"Item": item}, "answer": "yes"}
    assert json.loads(s3.get_object(Bucket="orders-bucket", Key="o-1")["Body"].read()) == item


def test_a_task_survives_the_death_of_its_neighbour(tmp_path: Path) -> None:
    """moto is killed while a long poll begins: the state fails with what Catch knows, and the next one finds a new
    moto."""
    receive = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sqs:receiveMessage",
        "Parameters": {"QueueUrl.$": "$", "WaitTimeSeconds": 20},
        "Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "List"}],
        "End": True,
    }
    listed = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sqs:listQueues", "Parameters": {}, "End": True}
    definition = {"StartAt": "Receive", "States": {"Receive": receive, "List": listed}}
    with Server(folder_with_functions(tmp_path)) as server:
        sqs = client_of("sqs", server, aws_access_key_id=ACCOUNT, config=Config(retries={"total_max_attempts": 1}))
        queue = sqs.create_queue(QueueName="q")["QueueUrl"]
        api = server.api()
        machine = create_machine(api, "survivor", json.dumps(definition))
        execution = api.call("StartExecution", stateMachineArn=machine, input=json.dumps(queue))["executionArn"]
        os.kill(_moto(server), signal.SIGKILL)
        ended = ended_execution(api, execution)
        assert ended["status"] == "SUCCEEDED"
        assert json.loads(ended["output"]) == {}  # its memory is gone
        again = _moto(server)
        server.kill()
        poll(lambda: None if _runs(again) else True)


def _moto(server: Server) -> int:
    """The process id of its moto."""
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    (found,) = (
        int(line.split()[0])
        for line in listing.splitlines()
        if "neighbours.moto.process" in line and int(line.split()[1]) == server.process.pid
    )
    return found


def _runs(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")
