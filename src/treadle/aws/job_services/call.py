"""What an operation that is about jobs has at hand, and what those of several services share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec import Struct

from treadle.aws import model
from treadle.aws.errors import ApiError, not_implemented
from treadle.aws.service import Caller
from treadle.aws.table_service import Operation
from treadle.jobs.contract import Job, Outcome
from treadle.jobs.ledger import Ledger
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.tasks.contract import ServiceFault
from treadle.tasks.service_calls import ServiceCalls

_SIGNALLED = 128
"""What shells add to the number of the signal that has ended a command."""

T = TypeVar("T")


class Backend(Struct, frozen=True, kw_only=True):
    """What all calls share."""

    ledger: Ledger
    calls: ServiceCalls


class Call(Struct, frozen=True):
    """One request."""

    backend: Backend
    caller: Caller

    @property
    def ledger(self) -> Ledger:
        return self.backend.ledger

    @property
    def place(self) -> str:
        """What is listed without being under something else is listed under this."""
        return f"{self.caller.account}/{self.caller.region}"

    async def ask(self, service: str, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        """What the neighbour says who keeps the definitions. Raises ApiError, with the neighbour's own refusal."""
        shape = model.load(service).operation_model(operation)
        caller = self.caller
        try:
            answered = await self.backend.calls.call(shape, members, account=caller.account, region=caller.region)
        except ServiceFault as fault:
            raise ApiError(fault.code, fault.message, status=fault.status) from fault
        except NeighbourUnavailable as error:
            raise ApiError("ServiceUnavailable", str(error)) from error
        return answered.members

    def token(self, given: str | None) -> str | None:
        """By which the request is known when it comes again: the task's, or else what the client gives for that."""
        return self.caller.task_token or (None if given is None else f"{self.place}/{given}")

    async def begin(self, kind: str, jobs: Sequence[Job], token: str | None) -> list[Job]:
        """Run new jobs; or, if this very request came before, those that it began then."""
        return await self.ledger.of_token(kind, token) or await self.ledger.begin(jobs, token)

    async def job(self, kind: str, id: str) -> Job | None:
        """One of the caller's own account and region."""
        found = await self.ledger.get(id)
        return found if found is not None and found.kind == kind and found.detail["place"] == self.place else None


def refused(service: str, *names: str) -> dict[str, Operation[Call]]:
    """Operations that are about jobs and are not served. The neighbour, who knows none of the jobs, must not answer."""

    def refusing(name: str) -> Operation[Call]:
        async def refuse(call: Call, request: dict[str, Any]) -> dict[str, Any]:
            raise not_implemented(f"the operation {name} of {service}")

        return refuse

    return {name: refusing(name) for name in names}


def page_of(found: Sequence[tuple[int, T]], most: int) -> tuple[list[T], str | None]:
    """The first of what was found, one at least, and the token of the page behind them, if there is more."""
    most = max(1, most)
    shown = [each for _, each in found[:most]]
    return shown, str(found[most - 1][0]) if len(found) > most else None


def position(token: str | None, invalid: str) -> int | None:
    """Of a page's token. Raises ApiError, of the name `invalid`."""
    if token is None:
        return None
    if not token.isdecimal() or len(token) > 18:
        raise ApiError(invalid, f"The token '{token}' is not valid.", status=400)
    return int(token)


def exit_code(outcome: Outcome | None) -> int | None:
    """As a container has it; None: no process has ended."""
    status = None if outcome is None else outcome.exit_status
    return status if status is None or status >= 0 else _SIGNALLED - status


def seconds(milliseconds: int) -> float:
    return milliseconds / 1_000
