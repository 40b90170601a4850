"""What carries out tasks, as the runtime sees it. (Activities are not for it: workers outside poll for those.)

The runtime commits, then hands each RunTask command over as a TaskRequest and forgets it; when the task ends,
the outcome comes back through `report`.  A request may come twice (after a crash): `token` is the same then,
and integrations pass it on where the service has an idempotency token.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from treadle.document import Document
from treadle.language.resources import Resource


def role_account(role_arn: str) -> str | None:
    """None: it is not the ARN of a role."""
    parts = role_arn.split(":", 5)
    is_role = len(parts) == 6 and parts[2] == "iam" and re.fullmatch(r"[0-9]{12}", parts[4]) is not None
    return parts[4] if is_role and parts[5].startswith("role/") else None


class TaskRequest(Struct, frozen=True, kw_only=True):
    token: str
    """The task token: names this attempt of this task, the same on every delivery. Whoever has it may answer."""
    resource: Resource
    input: Document
    timeout_seconds: int
    state_name: str
    execution_arn: str
    machine_arn: str
    role_arn: str
    """Of the state machine."""
    region: str
    """Of the state machine."""
    task_role_arn: str | None = None
    """What the state's Credentials name: the role as which the task works, assumed by the machine's."""
    again_since: int | None = None
    """Of a request that may have come before, to a server that ended: when its attempt was scheduled, in milliseconds
    since the epoch. What was begun since then may be this task's own work."""
    submitted: Document | None = None
    """With the pattern .sync: what the service answered then. The work is under way, and only to be waited for."""

    @property
    def account(self) -> str:
        """Where the task works: that of the role in its Credentials, or else of the state machine."""
        role = None if self.task_role_arn is None else role_account(self.task_role_arn)
        return role or self.machine_arn.split(":")[4]


class HttpExchange(Struct, frozen=True, kw_only=True):
    """What an HTTP task sent and got, in the form of TestState's inspection data."""

    request: dict[str, str]
    """As the state has it, without what its connection adds."""
    request_with_secrets: dict[str, str]
    response: dict[str, str] | None
    """None: there was none."""


class TaskOutcome(Struct, frozen=True, kw_only=True):
    """Success with `output`, or failure with `error` (and perhaps `cause`). With the pattern .waitForTaskToken, the
    service's answer to the request: the task is done when somebody says so who has its token."""

    output: Document | None = None
    error: str | None = None
    cause: str | None = None
    submitted: bool = False
    """With the pattern .sync: this is the service's answer to the request, and the outcome of the work follows."""
    exchange: HttpExchange | None = None
    """Of an HTTP task."""


class TaskRunner(Protocol):
    def run(self, request: TaskRequest, report: Callable[[TaskOutcome], None]) -> None:
        """Begin the task and return at once. `report` is called once, in the event loop, unless cancelled; with the
        pattern .sync before that once more, with what was submitted."""
        ...

    def cancel(self, token: str) -> None:
        """Nobody waits any more: end the work if that is possible. Unknown tokens are ignored."""
        ...

    def abandon(self, token: str) -> None:
        """The task ends here, but not the work: what was begun elsewhere goes on, and is waited for again when the
        request comes again, perhaps to another node. Unknown tokens are ignored."""
        ...

    def refuses(self, resource: Resource) -> str | None:
        """Why this server cannot run tasks of `resource` at all, or None if it can. Asked when a definition
        is checked, so that nobody learns it in the middle of a run."""
        ...

    def unusable(self, resource: Resource, parameters: Document) -> str | None:
        """What Step Functions itself has against the parameters of a task, before it calls anybody, or None. Asked
        before the task is scheduled, so that the requests which are run have been found usable."""
        ...

    def close(self) -> None:
        """The server is about to end: every task ends here, but the work of none. What was begun elsewhere goes on,
        and is waited for again when the requests come again."""
        ...


class ServiceFault(Exception):
    """A service has refused a request."""

    def __init__(
        self,
        code: str,
        message: str,
        status: int,
        request_id: str,
        *,
        shape: str | None = None,
        extended_request_id: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        """As the service names it: `ExecutionAlreadyExists`."""
        self.message = message
        self.status = status
        """Of HTTP."""
        self.request_id = request_id
        self.shape = shape or code
        """The error's name in the service's model, if that is another than the code; else the code."""
        self.extended_request_id = extended_request_id
        """S3's second id of a request."""


class Credentials(NamedTuple):
    """What requests are signed with."""

    access_key: str
    secret_key: str
    token: str | None = None

    @classmethod
    def unverified(cls, account: str) -> Credentials:
        """For who verifies nothing, but takes the access key for the account."""
        return cls(account, "none")


class Answered(Struct, frozen=True):
    """What a neighbour has answered."""

    members: dict[str, Any]
    """By their names in the service's model; times are seconds since the epoch."""
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    request_id: str


class ServiceAnswer(Struct, frozen=True):
    members: dict[str, Any]
    """By their names in the service's model; times are seconds since the epoch."""
    request_id: str


class OwnService(Protocol):
    """A service that this server is itself, as tasks call it: what its API does, without the wire."""

    async def call(self, operation: str, request: dict[str, Any], *, account: str, region: str) -> ServiceAnswer:
        """Carry out an operation; the effect is on disk when this returns. Raises ServiceFault."""
        ...


class StepFunctions(OwnService, Protocol):
    """Step Functions itself."""

    def execution_arn(self, machine_arn: str, name: str) -> str:
        """Of the Standard execution of this name. `machine_arn` may have a version or an alias."""
        ...

    def watch_end(self, execution_arn: str) -> asyncio.Future[Any]:
        """Done when the execution has ended, which may be in a year: it need not be in memory for that, and nobody has
        to wait meanwhile. What it says is for `wait_for_end`."""
        ...

    async def wait_for_end(self, execution_arn: str, end: asyncio.Future[Any]) -> None:
        """Until the execution has ended, by what `watch_end` gave. Raises ServiceFault."""
        ...

    async def stop(self, execution_arn: str) -> None:
        """End the execution if it still runs; nothing happens if this server is itself about to end."""
        ...


class ApiCall(Struct, frozen=True, kw_only=True):
    """A request to an API of API Gateway that this server's users have made."""

    account: str | None
    """Whose API it is; None: the request does not say."""
    region: str | None
    api_id: str
    stage: str
    method: str
    path: str
    """Behind the stage, decoded, with a slash at its beginning."""
    query: list[tuple[str, str]]
    headers: list[tuple[str, str]]
    body: bytes
    signed: bool
    """Somebody has proved who sends it, or nobody asks for that."""
    source: str
    """The address that it comes from."""


class ApiAnswer(Struct, frozen=True, kw_only=True):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Apis(Protocol):
    """The APIs of API Gateway, as they are called."""

    async def invoke(self, call: ApiCall) -> ApiAnswer:
        """Whatever goes wrong is an answer, as from API Gateway."""
        ...


class EventInvocations(Protocol):
    """Asynchronous invocations of functions, as tasks make them."""

    async def accept(
        self,
        payload: bytes,
        *,
        function_arn: str,
        request_id: str,
        trace_id: str | None = None,
        client_context: str | None = None,
    ) -> None:
        """Have a function invoked, with JSON text of at most `event_payload_bytes`. It is on disk when this returns.
        Raises FunctionNotFound, StoreUnusable."""
        ...
