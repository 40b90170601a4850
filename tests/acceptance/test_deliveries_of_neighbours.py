"""What moto delivers reaches functions and state machines of Treadle: topics, logs, buckets and rules."""

from __future__ import annotations

import base64
import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.cloud import SEEN, Cloud, function, queue
from tests.acceptance.server import ACCOUNT, REGION, ROLE, Server
from tests.acceptance.test_services import client_of

STARTER = """
import base64, boto3, gzip, json, os

def handler(event, context):
    told = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    machine = os.environ["MACHINE"]
    for record in told["logEvents"]:
        boto3.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(record["message"]))
"""
NEW_USER = "<Event><EventID>4720</EventID><Data Name='UserPrincipalName'>Jane@example.com</Data></Event>"


def test_a_topic_invokes_a_function(cloud: Cloud) -> None:
    sns, sqs = cloud.client("sns"), cloud.client("sqs")
    topic = sns.create_topic(Name="topic")["TopicArn"]
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    taken = sns.subscribe(
        TopicArn=topic,
        Protocol="lambda",
        Endpoint=function(),
        Attributes={"FilterPolicy": json.dumps({"kind": ["wanted"]})},
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    redrive = json.dumps({"deadLetterTargetArn": queue("dead")})
    missing = {"TopicArn": topic, "Protocol": "lambda", "Endpoint": function("nobody")}
    sns.subscribe(**missing, Attributes={"RedrivePolicy": redrive})
    for kind in ("unwanted", "wanted"):
        attributes = {"kind": {"DataType": "String", "StringValue": kind}}
        sns.publish(TopicArn=topic, Message=f"{kind}!", Subject="about", MessageAttributes=attributes)
    ((record,),) = [event["Records"] for event in cloud.seen()]
    assert (record["EventSource"], record["EventVersion"], record["EventSubscriptionArn"]) == ("aws:sns", "1.0", taken)
    told = record["Sns"]
    assert (told["Type"], told["TopicArn"], told["Subject"]) == ("Notification", topic, "about")
    assert (told["Message"], told["MessageAttributes"]) == ("wanted!", {"kind": {"Type": "String", "Value": "wanted"}})
    letters = cloud.messages(dead, 2)
    assert {json.loads(letter["Body"])["Message"] for letter in letters} == {"unwanted!", "wanted!"}
    assert "ResourceNotFoundException" in letters[0]["MessageAttributes"]["ErrorMessage"]["StringValue"]


@pytest.mark.parametrize("raw", ["true", "false"])
def test_a_topic_sends_to_a_queue(cloud: Cloud, raw: str) -> None:
    sns, sqs = cloud.client("sns"), cloud.client("sqs")
    topic = sns.create_topic(Name=f"to-queue-{raw}")["TopicArn"]
    url = sqs.create_queue(QueueName=f"from-topic-{raw}")["QueueUrl"]
    endpoint = queue(f"from-topic-{raw}")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint, Attributes={"RawMessageDelivery": raw})
    sns.publish(TopicArn=topic, Message="text", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})
    (message,) = cloud.messages(url)
    if raw == "true":
        assert (message["Body"], message["MessageAttributes"]["a"]["StringValue"]) == ("text", "b")
    else:
        assert json.loads(message["Body"])["Message"] == "text"


def test_a_record_of_a_new_user_starts_a_workflow(cloud: Cloud) -> None:
    """From PutLogEvents over a subscription filter and a function to an execution; other records start nothing."""
    machine = cloud.machine("new-user")
    folder = Path(cloud._seen).parent / "functions"
    (folder / "starter.py").write_text(STARTER)
    (folder / "starter.toml").write_text(f'[environment]\nMACHINE = "{machine}"')
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/aws/directoryservice/d-1")
    logs.create_log_stream(logGroupName="/aws/directoryservice/d-1", logStreamName="DC1")
    for pattern, name in (('"<EventID>4720</EventID>"', "seen"), ("<EventID>4720</EventID>", "starter")):
        logs.put_subscription_filter(
            logGroupName="/aws/directoryservice/d-1",
            filterName=name,
            filterPattern=pattern,
            destinationArn=function(name),
        )
    now = int(time.time() * 1000)
    for messages in (["<EventID>4624</EventID>"], ["<EventID>47200</EventID>", NEW_USER], ["the last one"]):
        events = [{"timestamp": now, "message": message} for message in messages]
        logs.put_log_events(logGroupName="/aws/directoryservice/d-1", logStreamName="DC1", logEvents=events)
    assert cloud.inputs(machine) == [NEW_USER]
    (event,) = cloud.seen()
    told = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    ((record,), rest) = told.pop("logEvents"), told
    assert (record["message"], record["timestamp"]) == (NEW_USER, now)
    assert rest == {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": "/aws/directoryservice/d-1",
        "logStream": "DC1",
        "subscriptionFilters": ["seen"],
    }


@pytest.mark.parametrize(
    ("pattern", "name", "text"),
    [
        ("{ $.x = }", "seen", "Invalid filter pattern"),
        ("", "nobody", "Could not execute the lambda function"),
    ],
)
def test_a_subscription_filter_that_cannot_work_is_refused(cloud: Cloud, pattern: str, name: str, text: str) -> None:
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName=f"/{name}")
    with pytest.raises(ClientError, match=text):
        logs.put_subscription_filter(
            logGroupName=f"/{name}", filterName="f", filterPattern=pattern, destinationArn=function(name)
        )


def test_a_bucket_tells_of_its_objects(cloud: Cloud) -> None:
    s3, sqs = cloud.client("s3"), cloud.client("sqs")
    s3.create_bucket(Bucket="told", CreateBucketConfiguration={"LocationConstraint": REGION})
    url = sqs.create_queue(QueueName="objects")["QueueUrl"]
    rules = [{"Name": "Prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".txt"}]
    configuration = {
        "LambdaFunctionConfigurations": [
            {
                "Id": "text",
                "LambdaFunctionArn": function(),
                "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
                "Filter": {"Key": {"FilterRules": rules}},
            }
        ],
        "QueueConfigurations": [{"QueueArn": queue("objects"), "Events": ["s3:ObjectCreated:Copy"]}],
        "EventBridgeConfiguration": {},
    }
    machine = cloud.machine("object-created")
    events = cloud.client("events")
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"object": {"size": [{"numeric": [">", 3]}]}},
    }
    events.put_rule(Name="large", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="large", Targets=[{"Id": "m", "Arn": machine, "RoleArn": ROLE}])
    s3.put_bucket_notification_configuration(Bucket="told", NotificationConfiguration=configuration)
    s3.put_object(Bucket="told", Key="out/a.txt", Body=b"xx")
    s3.put_object(Bucket="told", Key="in/a ü.txt", Body=b"xx")
    s3.copy_object(Bucket="told", Key="copy", CopySource={"Bucket": "told", "Key": "in/a ü.txt"})
    s3.put_object(Bucket="told", Key="large", Body=b"xxxx")
    s3.delete_object(Bucket="told", Key="in/a ü.txt")
    records = [event["Records"][0] for event in cloud.seen(2)]
    records.sort(key=lambda record: str(record["s3"]["object"]["sequencer"]))
    assert [record["eventName"] for record in records] == ["ObjectCreated:Put", "ObjectRemoved:Delete"]
    created = records[0]
    assert (created["eventSource"], created["awsRegion"], created["eventVersion"]) == ("aws:s3", REGION, "2.1")
    assert (created["s3"]["configurationId"], created["s3"]["bucket"]["arn"]) == ("text", "arn:aws:s3:::told")
    thing = {name: value for name, value in created["s3"]["object"].items() if name != "sequencer"}
    assert thing == {"key": "in/a+%C3%BC.txt", "size": 2, "eTag": "9336ebf25087d91c818ee6e9ec29f8c1"}
    test, copied = [json.loads(message["Body"]) for message in cloud.messages(url, 2)]
    assert test["Event"] == "s3:TestEvent"
    assert copied["Records"][0]["s3"]["object"]["key"] == "copy"
    (told,) = cloud.inputs(machine)
    assert (told["source"], told["detail"]["object"]["key"], told["detail"]["reason"]) == (
        "aws.s3",
        "large",
        "PutObject",
    )


def test_a_rule_brings_events_to_its_targets(cloud: Cloud) -> None:
    events, logs, sqs = cloud.client("events"), cloud.client("logs"), cloud.client("sqs")
    machine = cloud.machine("on-event")
    url = sqs.create_queue(QueueName="on-event")["QueueUrl"]
    dead = sqs.create_queue(QueueName="undelivered")["QueueUrl"]
    logs.create_log_group(logGroupName="/events/on-event")
    pattern = {"source": ["shop"], "$or": [{"detail": {"items": {"n": [7]}}}, {"detail": {"urgent": [True]}}]}
    events.put_rule(Name="orders", EventPattern=json.dumps(pattern))
    transformer = {
        "InputPathsMap": {"id": "$.detail.id", "first": "$.detail.items[0].n"},
        "InputTemplate": '{"id": <id>, "text": "order <id>, first <first>", "rule": "<aws.events.rule-name>"}',
    }
    answer = events.put_targets(
        Rule="orders",
        Targets=[
            {"Id": "machine", "Arn": machine, "RoleArn": ROLE, "InputPath": "$.detail"},
            {"Id": "function", "Arn": function(), "InputTransformer": transformer},
            {"Id": "queue", "Arn": queue("on-event"), "Input": '"as it is"'},
            {"Id": "log", "Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/events/on-event"},
            {"Id": "none", "Arn": function("nobody"), "DeadLetterConfig": {"Arn": queue("undelivered")}},
        ],
    )
    assert answer["FailedEntryCount"] == 0
    detail = {"id": "o-1", "items": [{"n": 1}, {"n": 7}]}
    told = [{"id": "o-2", "items": [{"n": 1}]}, detail]
    events.put_events(Entries=[{"Source": "shop", "DetailType": "order", "Detail": json.dumps(each)} for each in told])
    assert cloud.seen() == [{"id": "o-1", "text": "order o-1, first 1", "rule": "orders"}]
    assert cloud.inputs(machine) == [detail]
    assert [message["Body"] for message in cloud.messages(url)] == ["as it is"]
    (written,) = logs.filter_log_events(logGroupName="/events/on-event")["events"]
    assert json.loads(written["message"])["detail"] == detail
    (letter,) = cloud.messages(dead)
    assert letter["MessageAttributes"]["TARGET_ARN"]["StringValue"] == function("nobody")
    events.disable_rule(Name="orders")
    events.put_events(Entries=[{"Source": "shop", "DetailType": "order", "Detail": json.dumps(detail)}])
    assert len(cloud.inputs(machine)) == 1


@pytest.mark.parametrize(
    ("target", "pattern", "text"),
    [
        (f"arn:aws:batch:{REGION}:{ACCOUNT}:job-queue/q", {"source": ["x"]}, "Treadle delivers to"),
        (None, {"source": [{"no-such": 1}]}, "no operator"),
    ],
)
def test_rules_that_cannot_work_are_refused(
    cloud: Cloud, target: str | None, pattern: dict[str, Any], text: str
) -> None:
    events = cloud.client("events")
    with pytest.raises(ClientError, match=text):
        events.put_rule(Name="refused", EventPattern=json.dumps(pattern))
        events.put_targets(Rule="refused", Targets=[{"Id": "t", "Arn": target}])


# -- the server dies -----------------------------------------------------------------------------------------------


def test_moto_and_what_it_holds_survive_the_death_of_the_server(tmp_path: Path) -> None:
    """Deliveries, too: what is published while there is no server reaches the next one's functions."""
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "seen.py").write_text(SEEN.format(path=str(tmp_path / "seen.jsonl")))

    def sns(server: Server) -> Any:
        return client_of("sns", server, aws_access_key_id=ACCOUNT)

    with Server(tmp_path, TREADLE_LIMIT_NEIGHBOUR_SURVIVAL_SECONDS="600") as server:
        topic = sns(server).create_topic(Name="kept")["TopicArn"]
        sns(server).subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function())
        server.kill()
    with Server(tmp_path, TREADLE_LIMIT_NEIGHBOUR_SURVIVAL_SECONDS="600") as server:
        assert [each["TopicArn"] for each in sns(server).list_topics()["Topics"]] == [topic]
        sns(server).publish(TopicArn=topic, Message="to the new one")
        (event,) = Cloud(server, tmp_path).seen()
        assert event["Records"][0]["Sns"]["Message"] == "to the new one"
        assert server.stop() == 0
    assert list((tmp_path / "tmp").glob("treadle-*/moto")) == []
