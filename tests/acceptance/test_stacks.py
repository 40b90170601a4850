"""Stacks of CloudFormation, as the `aws` command deploys them: with functions and machines of Treadle in them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.clients import AWS, ENVIRONMENT
from tests.acceptance.cloud import SEEN, Cloud
from tests.acceptance.server import DEADLINE_SECONDS, REGION, poll
from tests.acceptance.test_services import KEY, SECRET

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
    refused = "is in ROLLBACK_COMPLETE state and can not be updated"
    with pytest.raises(ClientError, match=refused):
        cloudformation.update_stack(StackName="wrong", TemplateBody=template())
    with pytest.raises(ClientError, match=refused):  # as `aws cloudformation deploy` does it when it is said again
        cloudformation.create_change_set(
            StackName="wrong", ChangeSetName="again", ChangeSetType="UPDATE", TemplateBody=json.dumps(made)
        )


def test_change_sets_to_make_a_stack_share_it_until_one_is_executed(cloud: Cloud) -> None:
    cloudformation = cloud.client("cloudformation")

    def reviewed(change_set: str, topic: str) -> dict[str, Any]:
        resources = {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": topic}}}
        told: dict[str, Any] = cloudformation.create_change_set(
            StackName="reviewed",
            ChangeSetName=change_set,
            ChangeSetType="CREATE",
            TemplateBody=json.dumps({"Resources": resources}),
            Tags=[{"Key": "topic", "Value": topic}],
        )
        return told

    def stacks() -> list[tuple[str, str]]:
        listed = cloudformation.list_stacks()["StackSummaries"]
        return [(each["StackId"], each["StackStatus"]) for each in listed if each["StackName"] == "reviewed"]

    first, second = reviewed("first", "topic-of-first"), reviewed("second", "topic-of-second")
    assert first["StackId"] == second["StackId"]
    assert stacks() == [(first["StackId"], "REVIEW_IN_PROGRESS")]
    described = cloudformation.describe_change_set(StackName="reviewed", ChangeSetName="second")
    assert (described["StackId"], described["ExecutionStatus"]) == (first["StackId"], "AVAILABLE")

    cloudformation.execute_change_set(StackName="reviewed", ChangeSetName="second")
    told = settled(cloud, "reviewed")
    assert (told["StackId"], told["StackStatus"]) == (first["StackId"], "CREATE_COMPLETE")
    assert told["Tags"] == [{"Key": "topic", "Value": "topic-of-second"}]
    (topic,) = cloudformation.list_stack_resources(StackName="reviewed")["StackResourceSummaries"]
    assert topic["PhysicalResourceId"].endswith(":topic-of-second")
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.execute_change_set(StackName="reviewed", ChangeSetName=first["Id"])

    refused = r"Stack \[reviewed\] already exists and cannot be created again with the changeSet \[third\]\."
    with pytest.raises(ClientError, match=refused) as raised:
        reviewed("third", "topic-of-third")
    assert raised.value.response["Error"]["Code"] == "ValidationError"
    assert stacks() == [(first["StackId"], "CREATE_COMPLETE")]


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
