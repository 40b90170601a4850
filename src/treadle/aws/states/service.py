"""Step Functions as the door sees it: the table of its operations, each with its checker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from treadle.aws import model
from treadle.aws.errors import not_implemented
from treadle.aws.model import Checker
from treadle.aws.service import Caller
from treadle.aws.states import (
    activities,
    aliases,
    executions,
    history,
    machines,
    map_runs,
    redrives,
    tags,
    test_state,
    validation,
    versions,
)
from treadle.aws.states.call import Backend, Call, StatesOptions
from treadle.aws.states.locks import ExecutionLocks
from treadle.aws.states.ownership import check_owner
from treadle.aws.tokens import PageTokens
from treadle.clock import Clock
from treadle.runtime.runtime import Runtime
from treadle.runtime.trials import Trials
from treadle.store.contract import Store

Operation = Callable[[Call, dict[str, Any]], Awaitable[dict[str, Any]]]

OPERATIONS: dict[str, Operation] = {
    "CreateActivity": activities.create_activity,
    "CreateStateMachine": machines.create_state_machine,
    "CreateStateMachineAlias": aliases.create_state_machine_alias,
    "DeleteActivity": activities.delete_activity,
    "DeleteStateMachine": machines.delete_state_machine,
    "DeleteStateMachineAlias": aliases.delete_state_machine_alias,
    "DeleteStateMachineVersion": versions.delete_state_machine_version,
    "DescribeActivity": activities.describe_activity,
    "DescribeExecution": executions.describe_execution,
    "DescribeMapRun": map_runs.describe_map_run,
    "DescribeStateMachine": machines.describe_state_machine,
    "DescribeStateMachineAlias": aliases.describe_state_machine_alias,
    "DescribeStateMachineForExecution": executions.describe_state_machine_for_execution,
    "GetActivityTask": activities.get_activity_task,
    "GetExecutionHistory": history.get_execution_history,
    "ListActivities": activities.list_activities,
    "ListExecutions": executions.list_executions,
    "ListMapRuns": map_runs.list_map_runs,
    "ListStateMachineAliases": aliases.list_state_machine_aliases,
    "ListStateMachineVersions": versions.list_state_machine_versions,
    "ListStateMachines": machines.list_state_machines,
    "ListTagsForResource": tags.list_tags_for_resource,
    "PublishStateMachineVersion": versions.publish_state_machine_version,
    "RedriveExecution": redrives.redrive_execution,
    "SendTaskFailure": activities.send_task_failure,
    "SendTaskHeartbeat": activities.send_task_heartbeat,
    "SendTaskSuccess": activities.send_task_success,
    "StartExecution": executions.start_execution,
    "StartSyncExecution": executions.start_sync_execution,
    "StopExecution": executions.stop_execution,
    "TagResource": tags.tag_resource,
    "TestState": test_state.test_state,
    "UntagResource": tags.untag_resource,
    "UpdateMapRun": map_runs.update_map_run,
    "UpdateStateMachine": machines.update_state_machine,
    "UpdateStateMachineAlias": aliases.update_state_machine_alias,
    "ValidateStateMachineDefinition": validation.validate_state_machine_definition,
}
"""All operations of the model. One that a newer botocore brings answers that it is not implemented yet."""

_TAKE_TRACE_HEADER = frozenset({"StartExecution", "StartSyncExecution"})


async def states_service(
    *, runtime: Runtime, trials: Trials, store: Store, clock: Clock, options: StatesOptions
) -> StatesService:
    """The service, on a store that is open."""
    backend = Backend(
        runtime=runtime,
        trials=trials,
        store=store,
        clock=clock,
        options=options,
        tokens=PageTokens(await store.secret()),
        changes=asyncio.Lock(),
        redrives=ExecutionLocks(),
    )
    return StatesService(backend)


class StatesService:
    model_name = "stepfunctions"
    target_prefix = "AWSStepFunctions"
    signing_name = "states"
    content_type = "application/x-amz-json-1.0"
    begin_executions = frozenset({"StartExecution", "StartSyncExecution"})
    wait_for_others = frozenset({"GetActivityTask", "StartSyncExecution", "TestState"})

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._checker = cache(self._compiled)

    def has_operation(self, operation: str) -> bool:
        return operation in OPERATIONS or operation in model.load(self.model_name).operation_names

    def prepare(self) -> None:
        """Compile what checks requests, which the first request of each kind would wait for."""
        for operation in OPERATIONS:
            self._checker(operation)

    async def serve(self, operation: str, body: Any, caller: Caller) -> dict[str, Any]:
        carry_out = OPERATIONS.get(operation)
        if carry_out is None:
            raise not_implemented(f"the operation {operation}")
        if caller.trace_header is not None and operation in _TAKE_TRACE_HEADER and isinstance(body, dict):
            body["traceHeader"] = caller.trace_header  # the HTTP header wins (api.md section 8)
        request = self._checker(operation)(body)
        check_owner(request, operation, caller)
        return await carry_out(Call(operation, self._backend, caller.account, caller.region, caller.wait_for), request)

    def _compiled(self, operation: str) -> Checker:
        shape = model.load(self.model_name).operation_model(operation).input_shape
        return model.compile_checker(shape, model.step_functions_bounds(self._backend.options.limits))
