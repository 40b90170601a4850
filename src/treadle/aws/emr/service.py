"""EMR as the door sees it: the table of its operations. Every other one answers that it is not implemented yet."""

from __future__ import annotations

from collections.abc import Mapping

from treadle.aws.emr import clusters, instances, steps
from treadle.aws.emr.call import Backend, Call
from treadle.aws.emr.life import Clusters
from treadle.aws.table_service import Operation, TableService
from treadle.aws.tokens import PageTokens

OPERATIONS: Mapping[str, Operation[Call]] = {
    "AddInstanceFleet": instances.add_instance_fleet,
    "AddInstanceGroups": instances.add_instance_groups,
    "AddJobFlowSteps": steps.add_job_flow_steps,
    "AddTags": clusters.add_tags,
    "CancelSteps": steps.cancel_steps,
    "DescribeCluster": clusters.describe_cluster,
    "DescribeStep": steps.describe_step,
    "ListBootstrapActions": clusters.list_bootstrap_actions,
    "ListClusters": clusters.list_clusters,
    "ListInstanceFleets": instances.list_instance_fleets,
    "ListInstanceGroups": instances.list_instance_groups,
    "ListInstances": instances.list_instances,
    "ListSteps": steps.list_steps,
    "ModifyCluster": clusters.modify_cluster,
    "ModifyInstanceFleet": instances.modify_instance_fleet,
    "ModifyInstanceGroups": instances.modify_instance_groups,
    "RemoveTags": clusters.remove_tags,
    "RunJobFlow": clusters.run_job_flow,
    "SetKeepJobFlowAliveWhenNoSteps": clusters.set_keep_job_flow_alive_when_no_steps,
    "SetTerminationProtection": clusters.set_termination_protection,
    "SetVisibleToAllUsers": clusters.set_visible_to_all_users,
    "TerminateJobFlows": clusters.terminate_job_flows,
}


def emr_service(made: Clusters, tokens: PageTokens) -> TableService[Call]:
    backend = Backend(clusters=made, tokens=tokens)
    return TableService("emr", OPERATIONS, lambda caller: Call(backend, caller))
