"""What moto delivers reaches functions and state machines of Treadle: topics, logs, buckets, rules and stacks.

The server asks everybody for a signature, so that what moto calls is called with the server's own keys.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.clients import AWS, ENVIRONMENT
from tests.acceptance.server import ACCOUNT, DEADLINE_SECONDS, REGION, ROLE, Server, poll
from tests.acceptance.test_services import KEY, SECRET, client_of

SEEN = """
import json, os

def handler(event, context):
    with open({path!r}, "a") as file:
        file.write(json.dumps(event) + "\\n")
"""
STARTER = """
import base64, boto3, gzip, json, os

def handler(event, context):
    told = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    machine = os.environ["MACHINE"]
    for record in told["logEvents"]:
        boto3.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(record["message"]))
"""
PASS = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
NEW_USER = "<Event><EventID>4720</EventID><Data Name='UserPrincipalName'>Jane@example.com</Data></Event>"


class Cloud:
    """A server, and what its function `seen` has been invoked with."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self._seen = folder / "seen.jsonl"
        self._told = 0

    def client(self, service: str) -> Any:
        return client_of(service, self.server)

    def seen(self, count: int = 1) -> list[Any]:
        """The next events, once there are so many."""

        def look() -> list[Any] | None:
            lines = self._seen.read_text().splitlines() if self._seen.exists() else []
            return lines[self._told :] if len(lines) >= self._told + count else None

        lines = poll(look)
        self._told += len(lines)
        return [json.loads(line) for line in lines]

    def messages(self, url: str, count: int = 1) -> list[dict[str, Any]]:
        sqs = self.client("sqs")
        found: list[dict[str, Any]] = []
        while len(found) < count:
            answer = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20, MessageAttributeNames=["All"]
            )
            found += answer["Messages"]
        return found

    def machine(self, name: str, definition: str = PASS) -> str:
        answer = self.client("stepfunctions").create_state_machine(name=name, definition=definition, roleArn=ROLE)
        return str(answer["stateMachineArn"])

    def inputs(self, machine: str, count: int = 1) -> list[Any]:
        """Of the executions of a machine, once there are so many; the newest first."""
        sfn = self.client("stepfunctions")

        def look() -> list[Any] | None:
            found = sfn.list_executions(stateMachineArn=machine)["executions"]
            return found if len(found) >= count else None

        told = [sfn.describe_execution(executionArn=each["executionArn"]) for each in poll(look)]
        return [json.loads(each["input"]) for each in told]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("deliveries")
    (folder / "functions").mkdir()
    (folder / "functions" / "seen.py").write_text(SEEN.format(path=str(folder / "seen.jsonl")))
    with Server(folder, TREADLE_ACCESS_KEYS=f"{KEY}:{SECRET}") as server:
        yield Cloud(server, folder)
        assert server.stop() == 0
        assert server.stderr() == ""


def function(name: str = "seen") -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def queue(name: str, account: str = ACCOUNT, region: str = REGION) -> str:
    return f"arn:aws:sqs:{region}:{account}:{name}"


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


# -- stacks --------------------------------------------------------------------------------------------------------

SERVERLESS = """
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31

Resources:
  SAMTable:
    Type: AWS::Serverless::SimpleTable

  SimpleStateMachine:
    Type: AWS::Serverless::StateMachine
    Properties:
      Definition:
        StartAt: FirstState
        States:
          FirstState:
            Type: Pass
            Next: Write to DynamoDB
          Write to DynamoDB:
            Type: Task
            Resource: arn:aws:states:::dynamodb:putItem
            Parameters:
              TableName: !Ref SAMTable
              Item:
                id:
                  S.$: $$.Execution.Id
            ResultPath: null
            End: true
      Policies:
        - CloudWatchPutMetricPolicy: {}
        - DynamoDBWritePolicy:
            TableName: !Ref SAMTable
Outputs:
  Machine:
    Value: !Ref SimpleStateMachine
  Table:
    Value: !Ref SAMTable
"""
ANSWERING = """
import cfnresponse

def handler(event, context):
    asked = event["ResourceProperties"]
    status = cfnresponse.FAILED if asked.get("Fail") else cfnresponse.SUCCESS
    cfnresponse.send(event, context, status, {"Sum": asked["A"] + asked["B"]}, "physical-id", reason="as asked")
"""


def template(**custom: Any) -> str:
    """A function that answers as a custom resource, the resource, and a machine whose definition has its result."""
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}}},
        "Adder": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.12",
                "Handler": "index.handler",
                "Timeout": "30",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": ANSWERING},
            },
        },
        "Custom": {
            "Type": "Custom::Sum",
            "Properties": {"ServiceToken": {"Fn::GetAtt": ["Adder", "Arn"]}, "A": 1, "B": True, **custom},
        },
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                "DefinitionSubstitutions": {"sum": {"Fn::GetAtt": ["Custom", "Sum"]}},
                "DefinitionString": '{"StartAt":"P","States":{"P":{"Type":"Pass","Result":"${sum}","End":true}}}',
            },
        },
    }
    outputs = {
        "Machine": {"Value": {"Ref": "Machine"}, "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-machine"}}},
        "Name": {"Value": {"Fn::GetAtt": ["Machine", "Name"]}},
        "Custom": {"Value": {"Ref": "Custom"}},
    }
    return json.dumps({"Resources": resources, "Outputs": outputs})


def settled(cloud: Cloud, stack: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        (told,) = cloud.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        return None if told["StackStatus"].endswith("_IN_PROGRESS") else told

    return poll(look)


def machines(cloud: Cloud) -> list[str]:
    found = cloud.client("stepfunctions").list_state_machines()["stateMachines"]
    return [each["stateMachineArn"] for each in found]


def test_the_aws_command_deploys_a_serverless_template(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(SERVERLESS)

    def aws(*arguments: str) -> str:
        environment = {**os.environ, **ENVIRONMENT, "AWS_ENDPOINT_URL": cloud.server.url}
        environment |= {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
        done = subprocess.run(
            [AWS, *arguments], env=environment, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    stack = ("--stack-name", "simple-state-machine")
    deploy = ("--template-file", str(tmp_path / "template.yaml"), "--capabilities", "CAPABILITY_IAM")
    aws("cloudformation", "deploy", *stack, *deploy)
    (told,) = json.loads(aws("cloudformation", "describe-stacks", *stack, "--output", "json"))["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in told["Outputs"]}
    sfn = cloud.client("stepfunctions")
    run = sfn.start_execution(stateMachineArn=outputs["Machine"])["executionArn"]

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = sfn.describe_execution(executionArn=run)
        return None if found["status"] == "RUNNING" else found

    assert poll(ended)["status"] == "SUCCEEDED"
    items = cloud.client("dynamodb").scan(TableName=outputs["Table"])["Items"]
    assert items == [{"id": {"S": run}}]
    aws("cloudformation", "delete-stack", *stack)
    aws("cloudformation", "wait", "stack-delete-complete", *stack)
    assert outputs["Machine"] not in machines(cloud)


EVENTS = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: test}
Conditions:
  Testing: !Equals [!Ref Stage, test]
Resources:
  Uploads: {Type: AWS::S3::Bucket}
  Topic: {Type: AWS::SNS::Topic}
  Log: {Type: AWS::Logs::LogGroup}
  OnlyInTests: {Type: AWS::SQS::Queue, Condition: Testing}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      InlineCode: |
        CODE
      AutoPublishAlias: live
      Environment: {Variables: {STAGE: !Ref Stage}}
      Events:
        Object: {Type: S3, Properties: {Bucket: !Ref Uploads, Events: 's3:ObjectCreated:*'}}
        Message: {Type: SNS, Properties: {Topic: !Ref Topic}}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionSubstitutions: {Call: !Ref Function.Alias}
      Definition:
        StartAt: Call
        States: {Call: {Type: Task, Resource: '${Call}', End: true}}
      Events:
        Order: {Type: EventBridgeRule, Properties: {Pattern: {source: [stack]}, InputPath: $.detail}}
Outputs:
  Queue: {Value: !Ref OnlyInTests, Condition: Testing}
  Stage: {Value: !Sub 'it is ${Stage}'}
  Log: {Value: !GetAtt Log.Arn}
"""


def test_a_template_in_s3_has_functions_with_events(cloud: Cloud) -> None:
    """And an update by parameters alone removes what a condition no longer wants."""
    s3, cloudformation = cloud.client("s3"), cloud.client("cloudformation")
    code = SEEN.format(path=str(cloud._seen)).strip().replace("\n", "\n        ")
    s3.create_bucket(Bucket="templates", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="templates", Key="a/events.yaml", Body=EVENTS.replace("CODE", code).encode())
    url = f"{cloud.server.url}/templates/a/events.yaml"
    cloudformation.create_stack(StackName="events", TemplateURL=url, Capabilities=["CAPABILITY_IAM"])
    told = settled(cloud, "events")
    assert told["StackStatus"] == "CREATE_COMPLETE"
    outputs = {each["OutputKey"]: each["OutputValue"] for each in told["Outputs"]}
    assert outputs.keys() == {"Queue", "Stage", "Log"}
    assert outputs["Log"].endswith(":*"), "as a LoggingConfiguration wants it"
    resources = cloudformation.describe_stack_resources(StackName="events")["StackResources"]
    made = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}
    cloud.client("sns").publish(TopicArn=made["Topic"], Message="m")
    assert cloud.seen()[0]["Records"][0]["Sns"]["Message"] == "m"
    s3.put_object(Bucket=made["Uploads"], Key="k", Body=b"")
    assert cloud.seen()[0]["Records"][0]["s3"]["object"]["key"] == "k"
    cloud.client("events").put_events(Entries=[{"Source": "stack", "DetailType": "d", "Detail": '{"a": 1}'}])
    assert cloud.inputs(made["Machine"]) == [{"a": 1}]
    assert cloud.seen() == [{"a": 1}]
    parameters = [{"ParameterKey": "Stage", "ParameterValue": "prod"}]
    cloudformation.update_stack(StackName="events", UsePreviousTemplate=True, Parameters=parameters)
    told = settled(cloud, "events")
    assert told["StackStatus"] == "UPDATE_COMPLETE"
    assert {each["OutputKey"]: each["OutputValue"] for each in told["Outputs"]} == {
        "Stage": "it is prod",
        "Log": outputs["Log"],
    }
    settings = cloud.client("lambda").get_function_configuration(FunctionName=made["Function"])
    assert settings["Environment"]["Variables"] == {"STAGE": "prod"}
    assert cloud.client("sqs").list_queues(QueueNamePrefix="events-OnlyInTests").get("QueueUrls") is None


def test_a_stack_has_custom_resources_and_machines(cloud: Cloud) -> None:
    cloudformation, sfn = cloud.client("cloudformation"), cloud.client("stepfunctions")
    cloudformation.create_stack(StackName="sums", TemplateBody=template())
    told = settled(cloud, "sums")
    assert told["StackStatus"] == "CREATE_COMPLETE"
    outputs = {each["OutputKey"]: each["OutputValue"] for each in told["Outputs"]}
    machine = outputs["Machine"]
    assert outputs["Custom"] == "physical-id"
    assert '"Result":"1true"' in sfn.describe_state_machine(stateMachineArn=machine)["definition"]
    assert [each["Value"] for each in cloudformation.list_exports()["Exports"]] == [machine]

    cloudformation.update_stack(StackName="sums", TemplateBody=template(A="x"))
    assert settled(cloud, "sums")["StackStatus"] == "UPDATE_COMPLETE"
    changed = sfn.describe_state_machine(stateMachineArn=machine)
    assert '"Result":"xtrue"' in changed["definition"]

    cloudformation.update_stack(StackName="sums", TemplateBody=template(A="y", Fail=True))
    told = settled(cloud, "sums")
    assert told["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert '"Result":"xtrue"' in sfn.describe_state_machine(stateMachineArn=machine)["definition"]

    cloudformation.delete_stack(StackName="sums")
    stack_id = told["StackId"]
    assert settled(cloud, stack_id)["StackStatus"] == "DELETE_COMPLETE"
    assert machine not in machines(cloud)
    assert cloudformation.list_exports()["Exports"] == []


def test_a_stack_that_cannot_be_made_is_rolled_back(cloud: Cloud) -> None:
    before = machines(cloud)
    cloudformation = cloud.client("cloudformation")
    made = json.loads(template())
    made["Resources"]["Machine"]["Properties"]["DefinitionString"] = '{"StartAt": "Nowhere", "States": {}}'
    stack_id = cloudformation.create_stack(StackName="wrong", TemplateBody=json.dumps(made))["StackId"]
    assert settled(cloud, "wrong")["StackStatus"] == "ROLLBACK_COMPLETE"
    events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    reasons = {
        event["LogicalResourceId"]: event["ResourceStatusReason"]
        for event in events
        if event["ResourceStatus"] == "CREATE_FAILED"
    }
    assert list(reasons) == ["Machine"]
    assert "InvalidDefinition" in reasons["Machine"]
    assert machines(cloud) == before
    assert cloudformation.list_stack_resources(StackName=stack_id)["StackResourceSummaries"] == []


@pytest.mark.parametrize(
    ("made", "text"),
    [
        ({"Resources": {"X": {"Type": "AWS::Nobody::Knows"}}}, r"Unrecognized resource types: \[AWS::Nobody::Knows\]"),
        ({"Resources": {}}, "At least one Resources member"),
        ({"Transform": "Macro", "Resources": {"X": {"Type": "AWS::SNS::Topic"}}}, "No transform named Macro"),
    ],
)
def test_templates_that_nobody_can_carry_out_are_refused(cloud: Cloud, made: dict[str, Any], text: str) -> None:
    with pytest.raises(ClientError, match=text):
        cloud.client("cloudformation").create_stack(StackName="refused", TemplateBody=json.dumps(made))


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
