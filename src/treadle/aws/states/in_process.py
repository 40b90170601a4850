"""Step Functions as tasks call it: the operations of the API, without the wire."""

from __future__ import annotations

import asyncio
from typing import Any

from treadle.aws.arns import execution_arn, split_machine_arn
from treadle.aws.errors import ApiError
from treadle.aws.random_ids import random_id
from treadle.aws.service import Caller
from treadle.aws.states.service import StatesService
from treadle.runtime.ends import Ends
from treadle.runtime.errors import RuntimeClosed
from treadle.store.contract import StoreUnavailable, StoreUnusable
from treadle.tasks.contract import ServiceAnswer, ServiceFault


class InProcess:
    """Implements `tasks.contract.StepFunctions`."""

    def __init__(self, service: StatesService, ends: Ends) -> None:
        self._service = service
        self._ends = ends

    async def call(self, operation: str, request: dict[str, Any], *, account: str, region: str) -> ServiceAnswer:
        caller = Caller(account, region, random_id())
        try:
            members = await self._service.serve(operation, request, caller)
        except ApiError as error:
            raise ServiceFault(error.body["__type"], error.body["message"], error.status, caller.request_id) from error
        except (RuntimeClosed, StoreUnavailable, StoreUnusable) as error:
            raise _unavailable(error, caller.request_id) from error
        return ServiceAnswer(members, caller.request_id)

    def execution_arn(self, machine_arn: str, name: str) -> str:
        return execution_arn(split_machine_arn(machine_arn)[0], name)

    def watch_end(self, execution_arn: str) -> asyncio.Future[Any]:
        return self._ends.watch(execution_arn)

    async def wait_for_end(self, execution_arn: str, end: asyncio.Future[Any]) -> None:
        try:
            exists = await end is not None
        except (RuntimeClosed, StoreUnavailable, StoreUnusable) as error:
            raise _unavailable(error, random_id()) from error
        if not exists:
            text = f"Execution Does Not Exist: '{execution_arn}'"
            raise ServiceFault("ExecutionDoesNotExist", text, 400, random_id())

    async def stop(self, execution_arn: str) -> None:
        if not self._ends.closed:
            _, _, _, region, account, *_ = execution_arn.split(":")
            await self.call("StopExecution", {"executionArn": execution_arn}, account=account, region=region)


def _unavailable(error: Exception, request_id: str) -> ServiceFault:
    return ServiceFault("ServiceUnavailable", str(error), 503, request_id)
