"""The mocked result of a task against the service model of the operation that the task calls.

    STRICT     every required member is there, and what is there conforms to its shape
    PRESENT    what is there conforms
    NONE       nothing is looked at

What the model does not know is ignored (AWS's page "Testing state machines with TestState API").  Members are
named as results of Step Functions name them: with an upper-case letter first.  With `.sync` it is the operation
that is polled for the end of the job whose answer is mocked; with `.waitForTaskToken` the result is whatever the
worker sends, and has no model; neither have functions, activities, HTTP and API Gateway.

The first fault found is told.  Recorded: the texts about types (string, number, array), a required field, an
enumeration, the bounds of a number, and the smallest length; the others are formed after them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from treadle.language.resources import Resource
from treadle.tasks.sdk_names import spelled, spellings
from treadle.tasks.service_models import UnknownService, load, sdk_clients

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

_OPTIMISED = {
    "athena": "athena",
    "batch": "batch",
    "codebuild": "codebuild",
    "databrew": "databrew",
    "dynamodb": "dynamodb",
    "ecs": "ecs",
    "eks": "eks",
    "elasticmapreduce": "emr",
    "emr-containers": "emr-containers",
    "emr-serverless": "emr-serverless",
    "events": "events",
    "glue": "glue",
    "lambda": "lambda",
    "mediaconvert": "mediaconvert",
    "sagemaker": "sagemaker",
    "sns": "sns",
    "sqs": "sqs",
    "states": "stepfunctions",
}
"""The model of each optimised integration. Of `bedrock`, it depends on the action."""

_POLLED = {
    ("athena", "startQueryExecution"): "GetQueryExecution",
    ("batch", "submitJob"): "DescribeJobs",
    ("bedrock", "createModelCustomizationJob"): "GetModelCustomizationJob",
    ("codebuild", "startBuild"): "BatchGetBuilds",
    ("codebuild", "startBuildBatch"): "BatchGetBuildBatches",
    ("codebuild", "retryBuild"): "BatchGetBuilds",
    ("codebuild", "retryBuildBatch"): "BatchGetBuildBatches",
    ("databrew", "startJobRun"): "DescribeJobRun",
    ("ecs", "runTask"): "DescribeTasks",
    ("elasticmapreduce", "addStep"): "DescribeStep",
    ("elasticmapreduce", "createCluster"): "DescribeCluster",
    ("elasticmapreduce", "terminateCluster"): "DescribeCluster",
    ("emr-containers", "deleteVirtualCluster"): "DescribeVirtualCluster",
    ("emr-containers", "startJobRun"): "DescribeJobRun",
    ("emr-serverless", "createApplication"): "GetApplication",
    ("emr-serverless", "deleteApplication"): "GetApplication",
    ("emr-serverless", "startApplication"): "GetApplication",
    ("emr-serverless", "startJobRun"): "GetJobRun",
    ("emr-serverless", "stopApplication"): "GetApplication",
    ("glue", "startJobRun"): "GetJobRun",
    ("mediaconvert", "createJob"): "GetJob",
    ("states", "startExecution"): "DescribeExecution",
}
"""What `.sync` polls, by service and action. Of EKS and SageMaker it is the Describe to each Create and Delete."""


def schema_fault(resource: Resource, result: Any, mode: str) -> str | None:
    """What is wrong with `result`, as AWS says it after `Mock result schema validation error: `, or None."""
    if mode == "NONE" or resource.pattern == "waitForTaskToken" or resource.kind != "integration":
        return None
    operation = _operation(resource)
    if operation is None or operation.output_shape is None:
        return None
    return next(_faults(operation.output_shape, result, strict=mode == "STRICT"), None)


# Which operation


def _operation(resource: Resource) -> OperationModel | None:
    service, action = resource.resource_type, resource.name
    client = _client_name(service, action)
    if client is None:
        return None
    wanted = action
    if resource.pattern.startswith("sync"):
        polled = _POLLED.get((service, action))
        if polled is None and service in ("eks", "sagemaker"):
            polled = re.sub("^(create|delete)", "Describe", action)
        if polled is None:
            return None
        wanted = polled
    try:
        api = load(client)
    except UnknownService:
        return None
    name = {name.lower(): name for name in api.operation_names}.get(wanted.lower())
    return None if name is None else api.operation_model(name)


def _client_name(service: str, action: str) -> str | None:
    """botocore's name of the service that an integration calls."""
    if service.startswith("aws-sdk:"):
        return sdk_clients().get(service.removeprefix("aws-sdk:"))
    if service == "bedrock":
        return "bedrock-runtime" if action == "invokeModel" else "bedrock"
    return _OPTIMISED.get(service)


# What is wrong


class _Found(NamedTuple):
    """A value of the result: `name` is that of the field that it is, or is an item of."""

    shape: Shape
    name: str
    value: Any


def _faults(shape: Shape, result: Any, *, strict: bool) -> Iterator[str]:
    """Depth first, in the order of the result. Without recursion: a result may nest deeper than Python's stack."""
    pending = [_Found(shape, "", result)]
    while pending:
        found = pending.pop()
        fault = _type_fault(found) or _constraint_fault(found)
        if fault is not None:
            yield f"Field '{found.name}' {fault}"
            continue
        if strict and found.shape.type_name == "structure":
            for member in found.shape.required_members:
                if all(found.value.get(name) is None for name in spellings(member)):
                    yield f"Required field '{spelled(member)}' is missing"
        pending.extend(reversed(list(_within(found))))


def _within(found: _Found) -> Iterator[_Found]:
    """What the value contains and the model knows. A null is as good as nothing."""
    shape, value = found.shape, found.value
    if shape.type_name == "list":
        inner = [_Found(shape.member, found.name, item) for item in value]
    elif shape.type_name == "map":
        inner = [_Found(shape.value, key, item) for key, item in value.items()]
    elif shape.type_name == "structure" and not _is_any_json(shape):
        members = {name: member for original, member in shape.members.items() for name in spellings(original)}
        inner = [_Found(members[name], name, item) for name, item in value.items() if name in members]
    else:
        inner = []
    return (item for item in inner if item.value is not None)


def _is_any_json(shape: Shape) -> bool:
    """A blob is shown as the text or the JSON in it (recorded: the Payload of lambda:invoke is text)."""
    return shape.type_name == "blob" or bool(getattr(shape, "is_document_type", False))


_TYPES: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "string": (str, "must be a string"),
    "timestamp": (str, "must be a string"),
    "integer": ((int, float), "must be a number"),
    "long": ((int, float), "must be a number"),
    "float": ((int, float), "must be a number"),
    "double": ((int, float), "must be a number"),
    "boolean": (bool, "must be a boolean"),
    "list": (list, "must be an array"),
    "structure": (dict, "must be an object"),
    "map": (dict, "must be an object"),
}


def _type_fault(found: _Found) -> str | None:
    expected = None if _is_any_json(found.shape) else _TYPES.get(found.shape.type_name)
    if expected is None:
        return None
    kind, text = expected
    is_one = isinstance(found.value, kind) and (kind is bool or not isinstance(found.value, bool))
    return None if is_one else text


def _constraint_fault(found: _Found) -> str | None:
    shape, value = found.shape, found.value
    if shape.type_name == "string" and shape.enum and value not in shape.enum:
        return "is not an expected value"
    if type(value) is bool or shape.type_name == "structure" or _is_any_json(shape):
        return None
    counts = isinstance(value, (int, float))
    size = value if counts else len(value)
    smallest, largest = shape.metadata.get("min"), shape.metadata.get("max")
    if smallest is not None and size < smallest:
        return "is less than the minimum value" if counts else "is smaller than the minimum length"
    if largest is not None and size > largest:
        return "exceeds the maximum value" if counts else "exceeds the maximum length"
    return None
