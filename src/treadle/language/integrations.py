"""What Step Functions integrates with by an ARN of its own (`arn:P:states:::SERVICE:ACTION[.PATTERN]`).

One line per action, or per service where its actions are not listed here: the patterns beside request and
response, and the parameters that must be there.

Sources: the table of optimized integrations in the developer guide, and the patterns that AWS's CDK gives to each
action.  Measured on AWS and published (cdk-preflight, rules/stepfunctions): the parameters that are required, and
which services have no `.sync` and no `.waitForTaskToken`.  (Those of EKS are the ones that the developer guide marks.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from treadle.language.delimiters import is_expression
from treadle.language.resources import Resource

SYNC = ("sync",)
CALLBACK = ("waitForTaskToken",)
_url = re.compile(r"https?://[^/?\s]+([/?]\S*)?")


class Integration(Struct, frozen=True):
    patterns: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    """Names of parameters; `NAME.$` does as well."""
    url: str = ""
    """The parameter that must be a URL, if there is one."""


def _each(of: Integration, *actions: str) -> Mapping[str, Integration]:
    return dict.fromkeys(actions, of)


_ANY = "*"
_CLUSTER = ("ClusterName", "CertificateAuthority", "Endpoint")
_AWS_SDK = Integration(CALLBACK)

_integrations: Mapping[str, Mapping[str, Integration]] = {
    "lambda": {"invoke": Integration(CALLBACK, ("FunctionName",))},
    "sns": {"publish": Integration(CALLBACK, ("Message",))},
    "sqs": {"sendMessage": Integration(CALLBACK, ("QueueUrl", "MessageBody"))},
    "events": {"putEvents": Integration(CALLBACK, ("Entries",))},
    "states": {"startExecution": Integration((*SYNC, "sync:2", *CALLBACK), ("StateMachineArn",))},
    "apigateway": {"invoke": Integration(CALLBACK, ("ApiEndpoint", "Method"))},
    "http": {"invoke": Integration(required=("ApiEndpoint", "Method"), url="ApiEndpoint")},
    "dynamodb": {
        "getItem": Integration(required=("TableName", "Key")),
        "putItem": Integration(required=("TableName", "Item")),
        "updateItem": Integration(),
        "deleteItem": Integration(),
    },
    "ecs": {"runTask": Integration((*SYNC, *CALLBACK), ("TaskDefinition",))},
    "batch": {"submitJob": Integration(SYNC)},
    "glue": {"startJobRun": Integration(SYNC, ("JobName",))},
    "athena": {
        "startQueryExecution": Integration(SYNC),
        **_each(Integration(), "stopQueryExecution", "getQueryExecution", "getQueryResults"),
    },
    "bedrock": {
        "invokeModel": Integration(CALLBACK),
        "createModelCustomizationJob": Integration((*SYNC, *CALLBACK)),
    },
    "bedrock-agentcore": {_ANY: Integration()},
    "bedrockagentcore": {_ANY: Integration()},
    "codebuild": {
        **_each(Integration(SYNC), "startBuild", "startBuildBatch", "retryBuildBatch"),
        **_each(
            Integration(), "stopBuild", "stopBuildBatch", "batchDeleteBuilds", "batchGetReports", "deleteBuildBatch"
        ),
    },
    "databrew": {"startJobRun": Integration(SYNC)},
    "eks": {
        **_each(Integration(SYNC), "createCluster", "createNodegroup", "createFargateProfile"),
        **_each(Integration(SYNC), "deleteCluster", "deleteNodegroup", "deleteFargateProfile"),
        "call": Integration(required=(*_CLUSTER, "Method", "Path")),
        "runJob": Integration((*SYNC, *CALLBACK), (*_CLUSTER, "Job")),
    },
    "elasticmapreduce": {
        **_each(Integration(SYNC), "createCluster", "terminateCluster", "addStep"),
        **_each(Integration(), "cancelStep", "setClusterTerminationProtection"),
        **_each(Integration(), "modifyInstanceFleetByName", "modifyInstanceGroupByName"),
    },
    "emr-containers": {
        "createVirtualCluster": Integration(),
        **_each(Integration(SYNC), "deleteVirtualCluster", "startJobRun"),
    },
    "emr-serverless": {
        **_each(Integration(SYNC), "createApplication", "startApplication", "stopApplication", "deleteApplication"),
        **_each(Integration(SYNC), "startJobRun", "cancelJobRun"),
    },
    "mediaconvert": {"createJob": Integration(SYNC)},
    "sagemaker": {
        **_each(Integration(SYNC), "createTrainingJob", "createTransformJob", "createProcessingJob"),
        **_each(Integration(SYNC), "createHyperParameterTuningJob", "createLabelingJob"),
        **_each(Integration(), "createModel", "createEndpoint", "createEndpointConfig", "updateEndpoint"),
    },
}


def integration(resource: Resource) -> Integration | None:
    """The integration that `resource` names, or None if AWS has none of that name and pattern.

    Of `aws-sdk:` every service and action counts as one: AWS knows them from a catalogue that it does not publish.
    """
    if resource.resource_type.startswith("aws-sdk:"):
        found: Integration | None = _AWS_SDK
    else:
        actions = _integrations.get(resource.resource_type, {})
        found = actions.get(resource.name, actions.get(_ANY))
    if found is None or resource.pattern not in ("", *found.patterns):
        return None
    return found


def missing_parameters(of: Integration, parameters: Any) -> Iterator[str]:
    """The required parameters that are not among those given. What an expression makes of them shows at run time."""
    if isinstance(parameters, dict):
        for name in of.required:
            if name not in parameters and f"{name}.$" not in parameters:
                yield name


def is_no_url(of: Integration, parameters: Any) -> bool:
    """Whether the parameter that must be a URL is written out, and is none."""
    value = parameters.get(of.url) if of.url and isinstance(parameters, dict) else None
    if value is None or is_expression(value):
        return False
    return not isinstance(value, str) or _url.fullmatch(value) is None


def unrecognized(arn: str) -> str:
    """AWS's words for a resource that it does not know."""
    return (
        f"The resource provided {arn} is not recognized. The value is not a valid resource ARN, "
        "or the resource is not available in this region."
    )
