"""What an operation of Step Functions has at hand, and the look-ups that many operations begin with."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec import Struct

from treadle.aws.arns import activity_arn_prefix, check_arn, machine_arn_prefix
from treadle.aws.errors import ApiError
from treadle.aws.pages import Pages
from treadle.aws.states.locks import ExecutionLocks
from treadle.aws.tokens import PageTokens
from treadle.clock import Clock
from treadle.document import Document, nests_deeper
from treadle.language.jackson import json_error
from treadle.limits import DEFAULT_LIMITS, Limits
from treadle.runtime.runtime import Runtime
from treadle.runtime.trials import Trials
from treadle.runtime.waiting import Wait, patiently
from treadle.store.contract import ExecutionRow, Machine, Store


class StatesOptions(Struct, frozen=True, kw_only=True):
    limits: Limits = DEFAULT_LIMITS


class Backend(Struct, frozen=True, kw_only=True):
    """What all calls share."""

    runtime: Runtime
    trials: Trials
    store: Store
    clock: Clock
    options: StatesOptions
    tokens: PageTokens
    changes: asyncio.Lock
    """Held by whoever changes a state machine: what it read still holds when it writes."""
    redrives: ExecutionLocks
    """Held by whoever is about to redrive the execution."""


class Call(Pages, Struct, frozen=True):
    """One request."""

    operation: str
    backend: Backend
    account: str
    region: str
    wait_for: Wait = patiently
    """How an operation waits that may take long."""

    @property
    def machine_arn_prefix(self) -> str:
        return machine_arn_prefix(self.region, self.account)

    @property
    def activity_arn_prefix(self) -> str:
        return activity_arn_prefix(self.region, self.account)

    @property
    def listing(self) -> str:
        """What a page token is bound to beside the request's arguments."""
        return f"{self.operation} {self.machine_arn_prefix}"

    def page_items(self, request: dict[str, Any]) -> int:
        """0 and absent stand for the default."""
        requested: int = request.get("maxResults", 0)
        return requested or self.backend.options.limits.page_items_default

    def position(self, request: dict[str, Any]) -> list[Any] | None:
        """Raises InvalidToken."""
        return self.backend.tokens.read(self.listing, request, self.backend.clock.now())

    def next_page(self, request: dict[str, Any], position: list[Any]) -> dict[str, str]:
        return {"nextToken": self.backend.tokens.issue(self.listing, request, position, self.backend.clock.now())}

    async def machine(self, arn: str) -> Machine:
        """The machine of an ARN without a qualifier. Raises InvalidArn, StateMachineDoesNotExist."""
        found = await self.backend.runtime.machines.get(check_arn(arn, "stateMachine"))
        if found is None:
            raise machine_does_not_exist(arn)
        return found

    async def active_machine(self, arn: str) -> Machine:
        """Raises InvalidArn, StateMachineDoesNotExist, StateMachineDeleting."""
        found = await self.machine(arn)
        if found.status == "DELETING":
            raise machine_is_deleting(arn)
        return found

    async def execution(self, arn: str, *, or_express_child: bool = False) -> ExecutionRow:
        """Raises InvalidArn (Express executions leave nothing to look at), ExecutionDoesNotExist.
        `or_express_child`: an Express execution that a map run started will do, as it leaves its row."""
        found = await self.backend.store.execution_get(arn)
        if found is None or found.map_run is None or not or_express_child:
            check_arn(arn, "execution")
        if found is None:
            raise ApiError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return found


def machine_does_not_exist(arn: str) -> ApiError:
    return ApiError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")


def too_many_executions() -> ApiError:
    """In the words of the service model; what AWS itself says is not known."""
    text = (
        "The maximum number of running executions has been reached. "
        "Running executions must end or be stopped before a new execution can be started."
    )
    return ApiError("ExecutionLimitExceeded", text)


def resource_does_not_exist() -> ApiError:
    """Of aliases, and of what they lead to (recorded: update_no_such_alias_arn)."""
    return ApiError("ResourceNotFound", "Request references a resource that does not exist.")


def machine_is_deleting(arn: str) -> ApiError:
    return ApiError("StateMachineDeleting", f"State Machine is being deleted: '{arn}'")


def wrong_machine_type() -> ApiError:
    text = "This operation is not supported by this type of state machine"
    return ApiError("StateMachineTypeNotSupported", text)


def read_json(call: Call, text: str, error_name: str, what: str) -> Document:
    """JSON that was sent in as text. Raises the error of this name, in the words of AWS's JSON parser."""
    return parse_json(text, call.backend.options.limits, error_name, what)


def parse_json(text: str, limits: Limits, error_name: str, what: str) -> Document:
    """The same where there is no call of Step Functions."""
    try:
        parsed = Document.parse(text)
        if not nests_deeper(text, limits.json_depth):
            return parsed
        reason = "JSON is nested too deeply"
    except ValueError as error:
        reason = str(error)
    fault = json_error(text, limits.json_depth)
    raise ApiError(error_name, f"{what}: '{reason if fault is None else fault.message}'")


def seconds(milliseconds: int) -> float:
    """A time as the API writes it: seconds since the epoch, with the milliseconds as a fraction."""
    return milliseconds / 1_000
