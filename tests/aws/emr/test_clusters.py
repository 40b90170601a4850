"""Clusters: how they begin and end, what is shown and changed of them, and that a restart keeps them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.aws.emr.conftest import CALLER, Emr, step

FLEETS = [
    {
        "Name": f"{kind.lower()}s",
        "InstanceFleetType": kind,
        "TargetOnDemandCapacity": 1,
        "InstanceTypeConfigs": [{"InstanceType": "m4.xlarge"}],
    }
    for kind in ("MASTER", "CORE")
]
GROUPS = [{"InstanceRole": kind, "InstanceType": "m4.xlarge", "InstanceCount": 2} for kind in ("MASTER", "CORE")]


async def test_a_cluster_with_nothing_to_do_waits_or_ends(emr: Emr) -> None:
    waiting, ending = await emr.cluster(keep=True), await emr.cluster(keep=False)
    await emr.until(waiting, "WAITING")
    await emr.until(ending, "TERMINATED")
    shown = (await emr.call("DescribeCluster", ClusterId=ending))["Cluster"]
    assert shown["Status"]["StateChangeReason"] == {"Code": "ALL_STEPS_COMPLETED", "Message": "Steps completed"}
    assert sorted(shown["Status"]["Timeline"]) == ["CreationDateTime", "EndDateTime", "ReadyDateTime"]


async def test_a_cluster_with_steps_of_its_own(emr: Emr) -> None:
    cluster = await emr.cluster(keep=False, Steps=[step("good"), step("good 2")])
    await emr.until(cluster, "TERMINATED")
    assert await emr.states(cluster) == {"good": "COMPLETED", "good 2": "COMPLETED"}


async def test_a_cluster_is_described(emr: Emr) -> None:
    cluster = await emr.cluster(
        Instances={"InstanceFleets": FLEETS, "Ec2SubnetIds": ["subnet-1"]},
        ReleaseLabel="emr-5.28.0",
        Applications=[{"Name": "Hive"}],
        LogUri="s3://logs/",
        ServiceRole="EMR_DefaultRole",
        JobFlowRole="EMR_EC2_DefaultRole",
        VisibleToAllUsers=True,
        Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}],
        Configurations=[{"Classification": "x", "Configurations": [{"Classification": "y", "Properties": {"k": "v"}}]}],
        BootstrapActions=[{"Name": "prepare", "ScriptBootstrapAction": {"Path": "s3://b/prepare.sh", "Args": ["1"]}}],
    )
    await emr.until(cluster, "WAITING")
    shown = (await emr.call("DescribeCluster", ClusterId=cluster))["Cluster"]
    expected = {
        "Id": cluster,
        "Name": "c",
        "ReleaseLabel": "emr-5.28.0",
        "LogUri": "s3://logs/",
        "ServiceRole": "EMR_DefaultRole",
        "Applications": [{"Name": "Hive"}],
        "InstanceCollectionType": "INSTANCE_FLEET",
        "AutoTerminate": False,
        "TerminationProtected": False,
        "VisibleToAllUsers": True,
        "StepConcurrencyLevel": 1,
        "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
        "ClusterArn": f"arn:aws:elasticmapreduce:eu-west-1:123456789012:cluster/{cluster}",
    }
    assert {name: shown[name] for name in expected} == expected
    assert shown["Ec2InstanceAttributes"]["IamInstanceProfile"] == "EMR_EC2_DefaultRole"
    assert (await emr.call("ListBootstrapActions", ClusterId=cluster))["BootstrapActions"] == [
        {"Name": "prepare", "ScriptPath": "s3://b/prepare.sh", "Args": ["1"]}
    ]


async def test_termination_protection(emr: Emr) -> None:
    cluster, other = await emr.cluster(), await emr.cluster()
    await emr.call("SetTerminationProtection", JobFlowIds=[cluster], TerminationProtected=True)
    refused = await emr.error("TerminateJobFlows", JobFlowIds=[other, cluster])
    text = "Could not shut down one or more job flows since they are termination protected."
    assert refused == ("ValidationException", text)
    assert await emr.until(other, "WAITING"), "nothing has happened to the other one"
    await emr.call("SetTerminationProtection", JobFlowIds=[cluster], TerminationProtected=False)
    await emr.call("TerminateJobFlows", JobFlowIds=[other, cluster])
    for each in (cluster, other):
        await emr.until(each, "TERMINATED")
    await emr.call("TerminateJobFlows", JobFlowIds=[cluster])


async def test_the_end_of_a_cluster_ends_its_steps(emr: Emr) -> None:
    cluster = await emr.cluster()
    await emr.add(cluster, "long", "good")
    await emr.until_steps(cluster, {"long": "RUNNING", "good": "PENDING"})
    await emr.call("TerminateJobFlows", JobFlowIds=[cluster])
    await emr.until(cluster, "TERMINATED")
    assert await emr.states(cluster) == {"long": "INTERRUPTED", "good": "CANCELLED"}
    refused = await emr.error("AddJobFlowSteps", JobFlowId=cluster, Steps=[step("good")])
    text = "A job flow that is shutting down, terminated, or finished may not be modified."
    assert refused == ("ValidationException", text)


async def test_a_restart_keeps_clusters(emr: Emr) -> None:
    cluster = await emr.cluster(Instances={"InstanceGroups": GROUPS})
    await emr.add(cluster, "long")
    await emr.until_steps(cluster, {"long": "RUNNING"})
    await emr.call("TerminateJobFlows", JobFlowIds=[cluster])
    await emr.close()
    await emr.open()
    await emr.until(cluster, "TERMINATED")
    assert await emr.states(cluster) == {"long": "INTERRUPTED"}


async def test_the_same_request_of_a_task_counts_once(emr: Emr) -> None:
    task = replace(CALLER, task_token="token")
    request: dict[str, Any] = {"Name": "c", "Instances": {"KeepJobFlowAliveWhenNoSteps": True}}
    first = await emr.call("RunJobFlow", task, **request)
    assert await emr.call("RunJobFlow", task, **request) == first
    assert await emr.call("RunJobFlow", replace(CALLER, task_token="other"), **request) != first
    assert len((await emr.call("ListClusters"))["Clusters"]) == 2


async def test_clusters_are_listed(emr: Emr) -> None:
    first, second = await emr.cluster(), await emr.cluster(keep=False)
    await emr.until(first, "WAITING")
    await emr.until(second, "TERMINATED")

    async def ids(**request: Any) -> list[str]:
        return [each["Id"] for each in (await emr.call("ListClusters", **request))["Clusters"]]

    assert await ids() == [second, first]
    assert await ids(ClusterStates=["WAITING"]) == [first]
    assert await ids(CreatedAfter=4_000_000_000) == []
    assert await ids(CreatedBefore="2999-01-01T00:00:00Z") == [second, first]
    elsewhere = replace(CALLER, account="210987654321")
    assert (await emr.call("ListClusters", elsewhere))["Clusters"] == []


async def test_tags(emr: Emr) -> None:
    cluster = await emr.cluster(Tags=[{"Key": "a", "Value": "1"}])
    await emr.call("AddTags", ResourceId=cluster, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b"}])
    await emr.call("RemoveTags", ResourceId=cluster, TagKeys=["b", "c"])
    shown = (await emr.call("DescribeCluster", ClusterId=cluster))["Cluster"]
    assert shown["Tags"] == [{"Key": "a", "Value": "2"}]


async def test_instance_fleets(emr: Emr) -> None:
    cluster = await emr.cluster(Instances={"InstanceFleets": FLEETS})
    await emr.until(cluster, "WAITING")
    master, core = (await emr.call("ListInstanceFleets", ClusterId=cluster))["InstanceFleets"]
    assert (master["Name"], master["ProvisionedOnDemandCapacity"]) == ("masters", 1)
    change = {"InstanceFleetId": core["Id"], "TargetOnDemandCapacity": 3}
    await emr.call("ModifyInstanceFleet", ClusterId=cluster, InstanceFleet=change)
    _, core = (await emr.call("ListInstanceFleets", ClusterId=cluster))["InstanceFleets"]
    assert core["ProvisionedOnDemandCapacity"] == 3
    assert len((await emr.call("ListInstances", ClusterId=cluster))["Instances"]) == 4
    assert len((await emr.call("ListInstances", ClusterId=cluster, InstanceFleetType="CORE"))["Instances"]) == 3
    added = await emr.call(
        "AddInstanceFleet", ClusterId=cluster, InstanceFleet={**FLEETS[1], "InstanceFleetType": "TASK"}
    )
    assert added["InstanceFleetId"] in str(await emr.call("ListInstanceFleets", ClusterId=cluster))
    assert (await emr.error("ListInstanceGroups", ClusterId=cluster))[0] == "InvalidRequestException"
    wrong = {"InstanceFleetId": "if-1", "TargetOnDemandCapacity": 3}
    assert (await emr.error("ModifyInstanceFleet", ClusterId=cluster, InstanceFleet=wrong))[1] == (
        "Instance fleet id 'if-1' is not valid."
    )


async def test_instance_groups(emr: Emr) -> None:
    cluster = await emr.cluster(Instances={"InstanceGroups": GROUPS})
    await emr.until(cluster, "WAITING")
    _, core = (await emr.call("ListInstanceGroups", ClusterId=cluster))["InstanceGroups"]
    change = [{"InstanceGroupId": core["Id"], "InstanceCount": 5}]
    await emr.call("ModifyInstanceGroups", ClusterId=cluster, InstanceGroups=change)
    _, core = (await emr.call("ListInstanceGroups", ClusterId=cluster))["InstanceGroups"]
    assert (core["RequestedInstanceCount"], core["RunningInstanceCount"]) == (5, 5)
    instances = (await emr.call("ListInstances", ClusterId=cluster, InstanceGroupTypes=["CORE"]))["Instances"]
    assert len({each["Id"] for each in instances}) == 5


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"Name": "c"}, "ValidationException"),
        ({"Name": "c", "Instances": {"InstanceFleets": FLEETS, "InstanceGroups": GROUPS}}, "ValidationException"),
        ({"Name": "c", "Instances": {}, "StepConcurrencyLevel": 257}, "ValidationException"),
        ({"Name": ["c"], "Instances": {}}, "SerializationException"),
    ],
)
async def test_what_cannot_be_made_is_refused(emr: Emr, members: dict[str, Any], error: str) -> None:
    assert (await emr.error("RunJobFlow", **members))[0] == error
    assert (await emr.call("ListClusters"))["Clusters"] == []


async def test_what_is_not_served_says_so(emr: Emr) -> None:
    told = await emr.error("ListStudios")
    assert told == ("NotImplementedException", "Treadle does not implement the operation ListStudios of emr yet.")
