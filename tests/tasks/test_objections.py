"""What AWS's catalogue of services says against a task of a definition."""

from __future__ import annotations

import pytest

from treadle.document import encode
from treadle.engine.program import compile_definition
from treadle.language.resources import parse_resource
from treadle.limits import DEFAULT_LIMITS
from treadle.tasks.objections import objections

PREFIX = "arn:aws:states:::"


@pytest.mark.parametrize(
    ("resource", "known"),
    [
        ("aws-sdk:s3:getObject", True),
        ("aws-sdk:s3:getObject.waitForTaskToken", True),
        ("aws-sdk:sfn:startExecution", True),
        ("aws-sdk:cognitoidentityprovider:adminGetUser", True),
        ("aws-sdk:lambda:invoke", True),
        ("aws-sdk:nosuch:getObject", False),
        ("aws-sdk:s3:GetObject", False),
        ("aws-sdk:s3:noSuchAction", False),
        ("aws-sdk:s3:selectObjectContent", False),
        ("aws-sdk:kinesis:subscribeToShard", False),
        ("aws-sdk:lambda:invokeAsync", False),
        ("aws-sdk:lambda:invokeWithResponseStream", False),
        ("aws-sdk:emr:describeJobFlows", False),
        ("aws-sdk:sts:assumeRole", False),
        ("aws-sdk:sts:getCallerIdentity", True),
    ],
)
def test_which_actions_there_are(resource: str, known: bool) -> None:
    parsed = parse_resource(PREFIX + resource)
    assert parsed is not None
    found = list(objections(parsed, []))
    message = (
        f"The resource provided {PREFIX}{resource} is not recognized. The value is not a valid resource ARN, or the "
        "resource is not available in this region."
    )
    assert found == ([] if known else [("Resource", message)])


@pytest.mark.parametrize(
    ("resource", "fields", "unknown"),
    [
        ("sqs:sendMessage", ["QueueUrl", "MessageBody", "Body"], ["Body"]),
        ("sqs:sendMessage", ["QueueUrl", "MessageBody", "MessageSystemAttributes"], ["MessageSystemAttributes"]),
        ("ecs:runTask.sync", ["TaskDefinition", "cluster"], ["cluster"]),
        ("elasticmapreduce:addStep", ["ClusterId", "Step", "Steps"], ["Steps"]),
        ("elasticmapreduce:createCluster", ["Name", "Instances", "Steps"], ["Steps"]),
        ("lambda:invoke", ["FunctionName", "payload"], ["payload"]),
        ("states:startExecution.sync:2", ["StateMachineArn", "input"], ["input"]),
        ("apigateway:invoke", ["ApiEndpoint", "Method", "Url"], ["Url"]),
        ("http:invoke", ["ApiEndpoint", "Method", "Url"], ["Url"]),
        ("aws-sdk:s3:listBuckets", ["Prefix", "bucket"], ["bucket"]),
        ("aws-sdk:rds:describeDBInstances", ["DbInstanceIdentifier", "DBInstanceIdentifier"], []),
        ("eks:runJob", ["Job", "Anything"], ["Anything"]),
    ],
)
def test_which_parameters_there_are(resource: str, fields: list[str], unknown: list[str]) -> None:
    parsed = parse_resource(PREFIX + resource)
    assert parsed is not None
    expected = [("Parameters", f"The field '{field}' is not supported by Step Functions") for field in unknown]
    assert list(objections(parsed, fields)) == expected


@pytest.mark.parametrize(
    ("language", "field", "given", "found"),
    [
        ("JSONPath", "Parameters", {"Bucket.$": "$.b", "key.$": "$.k"}, "key"),
        ("JSONPath", "Parameters", {"Bucket.$": "$.b", "Key.$": "$.k"}, None),
        ("JSONata", "Arguments", {"Bucket": "b", "key": "{% $states.input.k %}"}, "key"),
        ("JSONata", "Arguments", "{% $states.input %}", None),
    ],
)
def test_a_definition_is_refused_for_them(language: str, field: str, given: object, found: str | None) -> None:
    task = {"Type": "Task", "Resource": PREFIX + "aws-sdk:s3:getObject", field: given, "End": True}
    definition = encode({"QueryLanguage": language, "StartAt": "A", "States": {"A": task}})
    compiled = compile_definition(definition, "STANDARD", DEFAULT_LIMITS, lambda resource: None, objections=objections)
    message = f"SCHEMA_VALIDATION_FAILED: The field '{found}' is not supported by Step Functions at /States/A/{field}"
    assert [str(finding) for finding in compiled.diagnostics] == ([] if found is None else [message])
    assert (compiled.program is None) is (found is not None)
