from __future__ import annotations

import pytest
from botocore.model import ServiceId

from treadle.tasks.sdk_names import error_prefix, exception_name, spelled, spellings, uncapitalised
from treadle.tasks.service_models import load, sdk_clients, sdk_operation


@pytest.mark.parametrize(
    ("member", "method", "shown"),
    [
        ("executionArn", "executionArn", "ExecutionArn"),
        ("ExecutionArn", "executionArn", "ExecutionArn"),
        ("DBInstances", "dbInstances", "DbInstances"),
        ("equals", "equals", "EqualsValue"),
        ("SSEKMSKeyId", "ssekmsKeyId", "SsekmsKeyId"),
        ("ETag", "eTag", "ETag"),
        ("MD5OfMessageBody", "md5OfMessageBody", "Md5OfMessageBody"),
        ("KMSMasterKeyID", "kmsMasterKeyID", "KmsMasterKeyID"),
        ("ID", "id", "Id"),
        ("A", "a", "A"),
        ("ListObjectsV2", "listObjectsV2", "ListObjectsV2"),
        ("", "", ""),
    ],
)
def test_members_and_methods(member: str, method: str, shown: str) -> None:
    assert uncapitalised(member) == method
    assert spelled(member) == shown
    assert shown in spellings(member)


def test_a_member_may_also_be_written_as_in_the_model() -> None:
    assert spellings("DBInstances") == ("DbInstances", "DBInstances")
    assert spellings("stateMachineArn")[-1] == "StateMachineArn"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("InvalidToken", "InvalidTokenException"),
        ("ConflictException", "ConflictException"),
        ("NoSuchKey", "NoSuchKeyException"),
        ("DBInstanceNotFoundFault", "DbInstanceNotFoundException"),
        ("ResourceNotFoundException", "ResourceNotFoundException"),
        ("KMSThrottlingException", "KmsThrottlingException"),
    ],
)
def test_errors(code: str, name: str) -> None:
    assert exception_name(code) == name


@pytest.mark.parametrize(
    ("client", "prefix"),
    [
        ("stepfunctions", "Sfn"),
        ("dynamodb", "DynamoDb"),
        ("s3", "S3"),
        ("sqs", "Sqs"),
        ("sns", "Sns"),
        ("ec2", "Ec2"),
        ("secretsmanager", "SecretsManager"),
        ("events", "EventBridge"),
        ("logs", "CloudWatchLogs"),
        ("config", "Config"),
        ("dms", "DatabaseMigration"),
    ],
)
def test_what_errors_begin_with(client: str, prefix: str) -> None:
    assert error_prefix(load(client).service_id) == prefix


def test_a_name_in_front_of_the_service_is_left_out() -> None:
    assert error_prefix(ServiceId("AWS Budgets")) == "Budgets"
    assert error_prefix(ServiceId("Amazon MQ")) == "Mq"
    assert error_prefix(ServiceId("Awsome Thing")) == "AwsomeThing"


@pytest.mark.parametrize(
    ("service", "client"),
    [("sfn", "stepfunctions"), ("eventbridge", "events"), ("cloudwatchlogs", "logs"), ("dynamodb", "dynamodb")],
)
def test_services(service: str, client: str) -> None:
    assert sdk_clients()[service] == client


@pytest.mark.parametrize(
    ("client", "action", "operation"),
    [
        ("stepfunctions", "startExecution", "StartExecution"),
        ("rds", "describeDBInstances", "DescribeDBInstances"),
        ("stepfunctions", "StartExecution", None),
        ("stepfunctions", "startexecution", None),
        ("stepfunctions", "", None),
    ],
)
def test_actions(client: str, action: str, operation: str | None) -> None:
    found = sdk_operation(load(client), action)
    assert (found.name if found else None) == operation
