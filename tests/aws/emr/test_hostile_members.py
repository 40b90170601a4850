"""Whatever a member holds, an operation of EMR answers, or refuses with an error of its API; and EMR stays usable."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.model import Shape

from tests.aws.emr.conftest import Emr, step
from treadle.aws import model
from treadle.aws.emr.service import OPERATIONS
from treadle.aws.errors import ApiError

MODEL = model.load("emr")

CONFIGURATION: dict[str, Any] = {"Classification": "x"}
for _ in range(50):
    CONFIGURATION = {"Classification": "x", "Configurations": [CONFIGURATION]}

VALUES: list[Any] = [
    None,
    0,
    -1,
    2**70,
    1.5,
    1e300,
    True,
    "",
    "x",
    "99999999999999999999",
    "9" * 18,
    "arn:aws:elasticmapreduce:eu-west-1:123456789012:cluster/j-1",
    "é\0\u2028",
    "2020-13-45T00:00:00Z",
    [],
    [None],
    ["x"],
    [{}],
    [{"Key": "a"}],
    [{"Name": "x"}],
    [CONFIGURATION],
    {},
    {"x": None},
    {"InstanceCount": 2**31 - 1, "KeepJobFlowAliveWhenNoSteps": True},
    {"InstanceCount": -1},
    {"InstanceFleetId": "if-1", "TargetOnDemandCapacity": -1},
    {"InstanceFleetType": "CORE", "TargetOnDemandCapacity": 2**31 - 1, "TargetSpotCapacity": 2**31 - 1},
    [{"InstanceRole": "CORE", "InstanceType": "m4.xlarge", "InstanceCount": 2**31 - 1}],
    [step("\0", "CONTINUE", "\0")],
    [step("good", "CONTINUE", "a" * 5_000)],
]


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_members(emr: Emr, operation: str) -> None:
    shape: Shape = MODEL.operation_model(operation).input_shape
    cluster = await emr.cluster(Instances={"InstanceGroups": [_group()]})
    (id,) = await emr.add(cluster, "good")
    usual: dict[str, Any] = {
        "ClusterId": cluster,
        "JobFlowId": cluster,
        "JobFlowIds": [cluster],
        "ResourceId": cluster,
        "StepId": id,
        "StepIds": [id],
        "Steps": [step("good")],
        "Name": "c",
        "Instances": {},
        "Tags": [{"Key": "a"}],
        "TagKeys": ["a"],
        "TerminationProtected": False,
        "VisibleToAllUsers": True,
        "KeepJobFlowAliveWhenNoSteps": True,
        "InstanceFleet": {"InstanceFleetType": "TASK", "InstanceFleetId": "if-1"},
        "InstanceGroups": [_group()],
    }
    required = {name: usual[name] for name in shape.required_members}
    for name in shape.members:
        for value in VALUES:
            try:
                await emr.call(operation, **{**required, name: value})
            except ApiError as error:
                assert error.status < 500 or error.body["__type"] == "NotImplementedException", (name, value)
    for listing in ("ListClusters", "ListSteps", "ListInstances", "ListInstanceGroups"):
        await emr.call(listing, **({} if listing == "ListClusters" else {"ClusterId": cluster}))
    await emr.close()
    await emr.open()
    assert (await emr.call("DescribeCluster", ClusterId=cluster))["Cluster"]["Id"] == cluster


def _group() -> dict[str, Any]:
    return {"InstanceRole": "MASTER", "InstanceType": "m4.xlarge", "InstanceCount": 1}
