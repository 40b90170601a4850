"""Operations on clusters: make, show, list, end, and change what can be changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from treadle.aws.emr.call import Call
from treadle.aws.emr.cluster import (
    KIND,
    Cluster,
    check_size,
    cluster_of,
    made_of,
    parent_of,
    record_of,
    seconds,
    shown,
    summary_of,
)
from treadle.aws.emr.steps import steps_of
from treadle.aws.errors import ApiError


async def run_job_flow(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    clusters, token = call.clusters, call.caller.task_token
    async with clusters.changes:
        before = [] if token is None else await clusters.store.job_records_of_token(KIND, token)
        if before:
            cluster = cluster_of(before[0])
        else:
            now = clusters.ledger.now()
            made = made_of(request, call.caller.account, call.caller.region, now)
            cluster = check_size(made, clusters.limits.emr_instances)
            steps = steps_of(request.get("Steps", []), cluster, now)
            await clusters.ledger.add(steps, token, created=[record_of(cluster, token)])
    clusters.advance_soon(cluster.id)
    return {"JobFlowId": cluster.id, "ClusterArn": cluster.arn}


async def describe_cluster(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    return {"Cluster": shown(await call.cluster(request["ClusterId"]))}


async def list_clusters(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """The newest first."""
    states = request.get("ClusterStates")
    after, until = request.get("CreatedAfter", float("-inf")), request.get("CreatedBefore", float("inf"))
    before = call.position("clusters", request)
    parent = parent_of(call.caller.account, call.caller.region)
    found = []
    for record in await call.clusters.store.job_records_list(KIND, parent, before):
        cluster = cluster_of(record)
        if (not states or cluster.state in states) and after < seconds(cluster.created) < until:
            found.append((record.number, summary_of(cluster)))
    return call.page("Clusters", "clusters", request, found)


async def terminate_job_flows(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    found = [await call.cluster(id) for id in request["JobFlowIds"]]
    if any(cluster.protected and cluster.open for cluster in found):
        text = "Could not shut down one or more job flows since they are termination protected."
        raise ApiError("ValidationException", text)

    def end(cluster: Cluster) -> Cluster:
        if not cluster.open or cluster.state == "TERMINATING":
            return cluster
        reason = "Terminated by user request"
        return replace(cluster, state="TERMINATING", reason_code="USER_REQUEST", reason=reason)

    await change(call, request["JobFlowIds"], end)
    return {}


async def set_termination_protection(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    protected = request["TerminationProtected"]
    await change(call, request["JobFlowIds"], lambda cluster: replace(cluster, protected=protected))
    return {}


async def set_visible_to_all_users(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    visible = request["VisibleToAllUsers"]
    await change(call, request["JobFlowIds"], lambda cluster: replace(cluster, visible=visible))
    return {}


async def set_keep_job_flow_alive_when_no_steps(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    keep = request["KeepJobFlowAliveWhenNoSteps"]
    await change(call, request["JobFlowIds"], lambda cluster: replace(cluster, keep_alive=keep))
    return {}


async def modify_cluster(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    concurrency = request.get("StepConcurrencyLevel", 1)
    if not 1 <= concurrency <= 256:
        raise ApiError("ValidationException", "StepConcurrencyLevel should be between 1 and 256.")
    await change(call, [request["ClusterId"]], lambda cluster: replace(cluster, concurrency=concurrency))
    return {"StepConcurrencyLevel": concurrency}


async def add_tags(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    tags = {tag["Key"]: tag.get("Value", "") for tag in request["Tags"] if "Key" in tag}
    cluster = await call.cluster_of_arn(request["ResourceId"])
    await change(call, [cluster.id], lambda each: replace(each, tags={**each.tags, **tags}))
    return {}


async def remove_tags(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    keys = frozenset(request["TagKeys"])
    cluster = await call.cluster_of_arn(request["ResourceId"])

    def without(each: Cluster) -> Cluster:
        return replace(each, tags={key: value for key, value in each.tags.items() if key not in keys})

    await change(call, [cluster.id], without)
    return {}


async def list_bootstrap_actions(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    cluster = await call.cluster(request["ClusterId"])
    actions = cluster.request.get("BootstrapActions", [])
    return {
        "BootstrapActions": [
            {
                "Name": action["Name"],
                "ScriptPath": action["ScriptBootstrapAction"]["Path"],
                "Args": action["ScriptBootstrapAction"].get("Args", []),
            }
            for action in actions
        ]
    }


async def change(call: Call, ids: list[str], changed: Callable[[Cluster], Cluster]) -> None:
    """All of these clusters, or none; and let them do what is due then. Raises ApiError."""
    clusters = call.clusters
    async with clusters.changes:
        found = [await call.cluster(id) for id in dict.fromkeys(ids)]
        most = clusters.limits.emr_instances
        records = [record_of(check_size(changed(cluster), most)) for cluster in found]
        await clusters.store.job_records_write([], records)
    for cluster in found:
        clusters.advance_soon(cluster.id)
