"""Operations on instance fleets and groups. What is asked for counts as there, as long as the cluster is up."""

from __future__ import annotations

import hashlib
from typing import Any

from msgspec.structs import replace

from treadle.aws.emr.call import Call
from treadle.aws.emr.cluster import CHANGEABLE, FLEET_TARGETS, Cluster, host_name, invalid, new_id, seconds
from treadle.aws.emr.clusters import change
from treadle.aws.errors import ApiError

_UP = frozenset({"RUNNING", "WAITING"})


async def list_instance_fleets(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    cluster = await call.cluster(request["ClusterId"])
    if cluster.groups:
        raise invalid("Instance fleets and instance groups are mutually exclusive. The cluster has instance groups.")
    return {"InstanceFleets": [_fleet(cluster, fleet) for fleet in cluster.fleets]}


async def list_instance_groups(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    cluster = await call.cluster(request["ClusterId"])
    if cluster.fleets:
        raise invalid("Instance fleets and instance groups are mutually exclusive. The cluster has instance fleets.")
    return {"InstanceGroups": [_group(cluster, group) for group in cluster.groups]}


async def add_instance_fleet(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    fleet = {**request["InstanceFleet"], "Id": new_id("if")}
    cluster = await _changeable(call, request["ClusterId"])
    if cluster.groups:
        raise invalid("Instance fleets and instance groups are mutually exclusive. The cluster has instance groups.")
    await change(call, [cluster.id], lambda each: replace(each, fleets=[*each.fleets, fleet]))
    return {"ClusterId": cluster.id, "InstanceFleetId": fleet["Id"], "ClusterArn": cluster.arn}


async def add_instance_groups(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    groups = [{**group, "Id": new_id("ig")} for group in request["InstanceGroups"]]
    cluster = await _changeable(call, request["JobFlowId"])
    if cluster.fleets:
        raise invalid("Instance fleets and instance groups are mutually exclusive. The cluster has instance fleets.")
    await change(call, [cluster.id], lambda each: replace(each, groups=[*each.groups, *groups]))
    return {
        "JobFlowId": cluster.id,
        "InstanceGroupIds": [group["Id"] for group in groups],
        "ClusterArn": cluster.arn,
    }


async def modify_instance_fleet(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    cluster = await _changeable(call, request["ClusterId"])
    wanted = request["InstanceFleet"]
    id = wanted["InstanceFleetId"]
    if all(fleet["Id"] != id for fleet in cluster.fleets):
        raise invalid(f"Instance fleet id '{id}' is not valid.")
    changes = {name: value for name, value in wanted.items() if name != "InstanceFleetId"}
    await change(call, [cluster.id], lambda each: replace(each, fleets=_with(each.fleets, id, changes)))
    return {}


async def modify_instance_groups(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    wanted = request.get("InstanceGroups", [])
    if "ClusterId" not in request:
        raise ApiError("ValidationException", "ClusterId is missing: Treadle finds instance groups by their cluster.")
    cluster = await _changeable(call, request["ClusterId"])
    known = {group["Id"] for group in cluster.groups}
    for each in wanted:
        if each["InstanceGroupId"] not in known:
            raise invalid(f"Instance group id '{each['InstanceGroupId']}' is not valid.")

    def changed(cluster: Cluster) -> Cluster:
        groups = cluster.groups
        for each in wanted:
            changes = {name: value for name, value in each.items() if name in ("InstanceCount", "Configurations")}
            groups = _with(groups, each["InstanceGroupId"], changes)
        return replace(cluster, groups=groups)

    await change(call, [cluster.id], changed)
    return {}


async def list_instances(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    cluster = await call.cluster(request["ClusterId"])
    roles, states = request.get("InstanceGroupTypes"), request.get("InstanceStates")
    listed = []
    for group in cluster.groups:
        if (roles and group["InstanceRole"] not in roles) or _is_other(request, "InstanceGroupId", group):
            continue
        if "InstanceFleetType" in request or "InstanceFleetId" in request:
            continue
        for number in range(group["InstanceCount"]):
            listed.append(_instance(cluster, group, group["InstanceType"], number, {"InstanceGroupId": group["Id"]}))
    for fleet in cluster.fleets:
        if request.get("InstanceFleetType") not in (None, fleet["InstanceFleetType"]) or roles:
            continue
        if _is_other(request, "InstanceFleetId", fleet) or "InstanceGroupId" in request:
            continue
        types = fleet.get("InstanceTypeConfigs") or [{"InstanceType": "m5.xlarge"}]
        for number in range(sum(fleet.get(target, 0) for target in FLEET_TARGETS)):
            listed.append(_instance(cluster, fleet, types[0]["InstanceType"], number, {"InstanceFleetId": fleet["Id"]}))
    return {"Instances": [each for each in listed if not states or each["Status"]["State"] in states]}


async def _changeable(call: Call, id: str) -> Cluster:
    cluster = await call.cluster(id)
    if cluster.state not in CHANGEABLE:
        text = "A job flow that is shutting down, terminated, or finished may not be modified."
        raise ApiError("ValidationException", text)
    return cluster


def _with(those: list[dict[str, Any]], id: str, changes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**each, **changes} if each["Id"] == id else each for each in those]


def _is_other(request: dict[str, Any], member: str, one: dict[str, Any]) -> bool:
    return member in request and request[member] != one["Id"]


# -- as the API shows them -----------------------------------------------------------------------------------


def _status(cluster: Cluster) -> dict[str, Any]:
    state = "RUNNING" if cluster.state in _UP else "PROVISIONING" if cluster.ready is None else "TERMINATED"
    timeline = {"CreationDateTime": seconds(cluster.created)}
    if cluster.ready is not None:
        timeline["ReadyDateTime"] = seconds(cluster.ready)
    if cluster.ended is not None:
        timeline["EndDateTime"] = seconds(cluster.ended)
    return {"State": state, "StateChangeReason": {"Message": ""}, "Timeline": timeline}


def _fleet(cluster: Cluster, fleet: dict[str, Any]) -> dict[str, Any]:
    on_demand, spot = (fleet.get(target, 0) for target in FLEET_TARGETS)
    up = cluster.state in _UP
    return {
        **({"Name": fleet["Name"]} if "Name" in fleet else {}),
        "Id": fleet["Id"],
        "Status": _status(cluster),
        "InstanceFleetType": fleet["InstanceFleetType"],
        "TargetOnDemandCapacity": on_demand,
        "TargetSpotCapacity": spot,
        "ProvisionedOnDemandCapacity": on_demand if up else 0,
        "ProvisionedSpotCapacity": spot if up else 0,
        "InstanceTypeSpecifications": [
            {"InstanceType": each["InstanceType"], "WeightedCapacity": each.get("WeightedCapacity", 1)}
            for each in fleet.get("InstanceTypeConfigs", [])
        ],
    }


def _group(cluster: Cluster, group: dict[str, Any]) -> dict[str, Any]:
    count = group["InstanceCount"]
    return {
        "Id": group["Id"],
        "Name": group.get("Name", group["InstanceRole"].capitalize()),
        "Market": group.get("Market", "ON_DEMAND"),
        "InstanceGroupType": group["InstanceRole"],
        "InstanceType": group["InstanceType"],
        "RequestedInstanceCount": count,
        "RunningInstanceCount": count if cluster.state in _UP else 0,
        "Status": _status(cluster),
        "Configurations": group.get("Configurations", []),
        "EbsBlockDevices": [],
        "ShrinkPolicy": {},
    }


def _instance(
    cluster: Cluster, of: dict[str, Any], instance_type: str, number: int, belongs: dict[str, str]
) -> dict[str, Any]:
    """The same ids on every listing."""
    digest = hashlib.sha256(f"{of['Id']} {number}".encode()).hexdigest()
    return {
        "Id": f"ci-{digest[:12].upper()}",
        "Ec2InstanceId": f"i-{digest[:17]}",
        "PublicDnsName": host_name(cluster, digest),
        "PrivateDnsName": host_name(cluster, digest),
        "Status": _status(cluster),
        "InstanceType": instance_type,
        "Market": of.get("Market", "ON_DEMAND"),
        **belongs,
    }
