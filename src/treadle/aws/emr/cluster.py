"""A cluster of EMR: what is kept of it, how it is written to the store, and how the API shows it.

No machines stand behind it. Its instance fleets and groups are what was asked for, and count as provisioned as long as
the cluster is up; bootstrap actions are listed and not run. What really runs are its steps.
"""

from __future__ import annotations

import hashlib
import secrets
import string
from typing import Any, Literal

import msgspec
from msgspec import Struct

from treadle.aws.errors import ApiError
from treadle.store.job_contract import JobRecord

KIND = "emr.cluster"

ClusterState = Literal[
    "STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"
]
ENDED = frozenset({"TERMINATED", "TERMINATED_WITH_ERRORS"})
CHANGEABLE = frozenset({"STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"})
"""In which steps can be added."""

FLEET_TARGETS = ("TargetOnDemandCapacity", "TargetSpotCapacity")
_ID_CHARACTERS = string.ascii_uppercase + string.digits


class Cluster(Struct, frozen=True, kw_only=True):
    id: str
    account: str
    region: str
    state: ClusterState = "STARTING"
    reason_code: str = ""
    reason: str = ""
    created: int
    ready: int | None = None
    ended: int | None = None
    failed: bool = False
    """Whether it ends with errors."""
    failures: list[str] = []
    """Ids of the failed steps that have had their effect on it."""
    keep_alive: bool
    protected: bool
    visible: bool
    concurrency: int
    """How many steps run at once."""
    tags: dict[str, str] = {}
    fleets: list[dict[str, Any]] = []
    """As InstanceFleetConfig has them, each with its Id."""
    groups: list[dict[str, Any]] = []
    """As InstanceGroupConfig has them, each with its Id."""
    request: dict[str, Any] = {}
    """RunJobFlow's, without its steps."""

    @property
    def arn(self) -> str:
        return f"arn:aws:elasticmapreduce:{self.region}:{self.account}:cluster/{self.id}"

    @property
    def open(self) -> bool:
        return self.state not in ENDED


def new_id(prefix: str, characters: int = 13) -> str:
    return f"{prefix}-" + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(characters))


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Cluster).decode


def record_of(cluster: Cluster, token: str | None = None) -> JobRecord:
    return JobRecord(
        id=cluster.id,
        kind=KIND,
        parent=parent_of(cluster.account, cluster.region),
        open=cluster.open,
        content=_encode(cluster).decode(),
        token=token,
    )


def cluster_of(record: JobRecord) -> Cluster:
    return _decode(record.content)


def parent_of(account: str, region: str) -> str:
    return f"{account}/{region}"


def invalid(text: str) -> ApiError:
    return ApiError("InvalidRequestException", text)


def seconds(milliseconds: int) -> float:
    return milliseconds / 1_000


def made_of(request: dict[str, Any], account: str, region: str, now: int) -> Cluster:
    """The cluster that RunJobFlow asks for. Raises ApiError."""
    instances = request["Instances"]
    fleets, groups = instances.get("InstanceFleets", []), instances.get("InstanceGroups", [])
    if fleets and (groups or "InstanceCount" in instances):
        raise ApiError("ValidationException", "Instance fleets and instance groups are mutually exclusive.")
    if not fleets and not groups and "InstanceCount" in instances:
        groups = _plain_groups(instances)
    concurrency = request.get("StepConcurrencyLevel", 1)
    if not 1 <= concurrency <= 256:
        raise ApiError("ValidationException", "StepConcurrencyLevel should be between 1 and 256.")
    return Cluster(
        id=new_id("j"),
        account=account,
        region=region,
        created=now,
        keep_alive=instances.get("KeepJobFlowAliveWhenNoSteps", False),
        protected=instances.get("TerminationProtected", False),
        visible=request.get("VisibleToAllUsers", True),
        concurrency=concurrency,
        tags={tag["Key"]: tag.get("Value", "") for tag in request.get("Tags", []) if "Key" in tag},
        fleets=[{**fleet, "Id": new_id("if")} for fleet in fleets],
        groups=[{**group, "Id": new_id("ig")} for group in groups],
        request={name: value for name, value in request.items() if name != "Steps"},
    )


def check_size(cluster: Cluster, most: int) -> Cluster:
    """The cluster, if its instances can be counted. Raises ValidationException."""
    counts = [group.get("InstanceCount", 0) for group in cluster.groups]
    counts += [fleet.get(target, 0) for fleet in cluster.fleets for target in FLEET_TARGETS]
    if any(count < 0 for count in counts) or sum(counts) > most:
        raise ApiError(
            "ValidationException", f"A cluster has no more than {most} instances, and no group fewer than 0."
        )
    return cluster


def _plain_groups(instances: dict[str, Any]) -> list[dict[str, Any]]:
    """Of a request that tells a number of instances and their types."""
    count = instances["InstanceCount"]
    master = instances.get("MasterInstanceType", instances.get("SlaveInstanceType", "m5.xlarge"))
    groups = [{"InstanceRole": "MASTER", "InstanceType": master, "InstanceCount": 1}]
    if count > 1:
        core = instances.get("SlaveInstanceType", master)
        groups.append({"InstanceRole": "CORE", "InstanceType": core, "InstanceCount": count - 1})
    return groups


# -- as the API shows it -------------------------------------------------------------------------------------


def status_of(cluster: Cluster) -> dict[str, Any]:
    timeline = {"CreationDateTime": seconds(cluster.created)}
    if cluster.ready is not None:
        timeline["ReadyDateTime"] = seconds(cluster.ready)
    if cluster.ended is not None:
        timeline["EndDateTime"] = seconds(cluster.ended)
    reason = {"Code": cluster.reason_code, "Message": cluster.reason} if cluster.reason_code else {}
    if not reason and cluster.state == "WAITING":
        reason = {"Message": "Cluster ready to run steps."}
    if not reason and cluster.state == "RUNNING":
        reason = {"Message": "Running step"}
    return {"State": cluster.state, "StateChangeReason": reason, "Timeline": timeline}


def summary_of(cluster: Cluster) -> dict[str, Any]:
    return {
        "Id": cluster.id,
        "Name": cluster.request["Name"],
        "Status": status_of(cluster),
        "NormalizedInstanceHours": 0,
        "ClusterArn": cluster.arn,
    }


_AS_ASKED = (
    *("LogUri", "LogEncryptionKmsKeyId", "ReleaseLabel", "ServiceRole", "SecurityConfiguration", "AutoScalingRole"),
    *(
        "ScaleDownBehavior",
        "CustomAmiId",
        "EbsRootVolumeSize",
        "RepoUpgradeOnBoot",
        "KerberosAttributes",
        "OSReleaseLabel",
    ),
)


def shown(cluster: Cluster) -> dict[str, Any]:
    """As DescribeCluster shows it."""
    request, instances = cluster.request, cluster.request["Instances"]
    placement = instances.get("Placement", {})
    attributes = {
        "Ec2KeyName": instances.get("Ec2KeyName"),
        "Ec2SubnetId": instances.get("Ec2SubnetId"),
        "RequestedEc2SubnetIds": instances.get("Ec2SubnetIds", []),
        "Ec2AvailabilityZone": placement.get("AvailabilityZone", f"{cluster.region}a"),
        "RequestedEc2AvailabilityZones": placement.get("AvailabilityZones", []),
        "IamInstanceProfile": request.get("JobFlowRole"),
        "EmrManagedMasterSecurityGroup": instances.get("EmrManagedMasterSecurityGroup"),
        "EmrManagedSlaveSecurityGroup": instances.get("EmrManagedSlaveSecurityGroup"),
    }
    versioned = [{"Name": each["Name"], **each} for each in request.get("Applications", []) if "Name" in each]
    return {
        **summary_of(cluster),
        **{name: request[name] for name in _AS_ASKED if name in request},
        "Ec2InstanceAttributes": {name: value for name, value in attributes.items() if value is not None},
        "InstanceCollectionType": "INSTANCE_FLEET" if cluster.fleets else "INSTANCE_GROUP",
        "AutoTerminate": not cluster.keep_alive,
        "TerminationProtected": cluster.protected,
        "VisibleToAllUsers": cluster.visible,
        "Applications": versioned,
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(cluster.tags.items())],
        "Configurations": request.get("Configurations", []),
        "MasterPublicDnsName": host_name(cluster, "master"),
        "StepConcurrencyLevel": cluster.concurrency,
        "PlacementGroups": request.get("PlacementGroupConfigs", []),
    }


def host_name(cluster: Cluster, of: str) -> str:
    """A name that belongs to nothing: it ends in a domain that is kept for that (RFC 2606)."""
    digest = hashlib.sha256(f"{cluster.id} {of}".encode()).hexdigest()
    return f"ip-{digest[:8]}.{cluster.region}.compute.invalid"
