"""Calls of other services' operations, each one a request to the neighbour of the service.

How a request is written and an answer read is the business of `service_wire.py`, which is imported with the first
call: it needs botocore, which takes longer to import than a server without it takes to start.

What the model marks as an idempotency token is filled from the task's own token if the task gives none: a request
that comes again after a restart then counts once. Services that come with Treadle are told the task's token itself.

Requests are signed with the account as the access key, as for a server that verifies nothing; requests to an endpoint
that the settings name are signed with the server's own AWS credentials, if it has any (botocore's usual places), or
with those of a role that the task has assumed (roles.py).
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Container
from copy import copy
from typing import TYPE_CHECKING, Any

from treadle.document import decode, encode
from treadle.jobs.rules import SERVICES as JOB_SERVICES
from treadle.limits import Limits
from treadle.neighbours.catalogue import AwsService, catalogue
from treadle.neighbours.contract import Incoming, NeighbourUnavailable, NotEmulated
from treadle.neighbours.directory import Neighbours, is_known
from treadle.tasks.contract import Answered, Credentials, ServiceFault

if TYPE_CHECKING:
    from botocore.model import OperationModel

_TOKENS = uuid.UUID("0d0a6a5e-6d3c-4a53-9f0c-7b8a2f9f5b0e")
"""The namespace of the idempotency tokens that we make."""
TASK_TOKEN_HEADER = b"X-Treadle-Task-Token"
"""With requests of tasks to the services that come with Treadle: one that comes again after a restart has the same."""


def answered(client: str, endpoints: Container[str]) -> bool:
    """Whether anybody answers for a service where only those of `endpoints` have one set. All by botocore's names."""
    service = catalogue().services.get(client)
    return service is not None and (is_known(service, endpoints) or client in JOB_SERVICES)


FindCredentials = Callable[[], Awaitable[Credentials | None]]


class ServiceCalls:
    def __init__(self, neighbours: Neighbours, limits: Limits, host: str) -> None:
        """`host`: the server's own, with its port: in the URLs that services give out."""
        self._neighbours = neighbours
        self._limits = limits
        self._host = host
        self._credentials: FindCredentials = _found_credentials
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(limits.neighbour_calls)
        )
        """By the URL of a neighbour; the emulator's is empty."""

    def signed_with(self, credentials: FindCredentials) -> ServiceCalls:
        """The same calls, signed otherwise."""
        others = copy(self)
        others._credentials = credentials
        return others

    async def credentials(self) -> Credentials | None:
        """What requests to endpoints are signed with; None: there is nothing. Raises NeighbourUnavailable."""
        return await self._credentials()

    def known(self, client: str) -> bool:
        """Whether anybody answers for the service. `client`: botocore's name of it."""
        service = catalogue().services.get(client)
        return service is not None and self._neighbours.known(service)

    def emulated(self, client: str) -> bool:
        """Whether the embedded emulator answers for the service. `client`: botocore's name of it."""
        service = catalogue().services.get(client)
        return service is not None and service.emulated and self._neighbours.endpoint(service) is None

    async def call(
        self, operation: OperationModel, members: dict[str, Any], *, account: str, region: str, token: str | None = None
    ) -> Answered:
        """`token`: the task's, of a request that is to count once. Raises ServiceFault, NeighbourUnavailable."""
        from treadle.tasks.service_wire import read

        seconds = self._limits.neighbour_call_seconds
        try:
            async with self._turn(operation), asyncio.timeout(seconds):
                service, incoming, emulated = await self._send(operation, members, account, region, token)
                body = await self._whole(service, incoming)
        except TimeoutError as error:
            name = operation.service_model.service_name
            raise NeighbourUnavailable(f"the answer of {name} was not complete after {seconds} seconds") from error
        if emulated and operation.service_model.service_name == "dynamodb":
            body = _without_capacity(members, body)
        return read(operation, service, incoming, body, emulated)

    def _turn(self, operation: OperationModel) -> asyncio.Semaphore:
        service = catalogue().services[operation.service_model.service_name]
        return self._turns[self._neighbours.endpoint(service) or ""]

    async def stream(
        self, operation: OperationModel, members: dict[str, Any], *, account: str, region: str, token: str | None
    ) -> Incoming:
        """The same for an operation that answers with a body of any length: that of S3's GetObject. The caller closes
        it. Raises ServiceFault, NeighbourUnavailable."""
        from treadle.tasks.service_wire import read

        service, incoming, emulated = await self._send(operation, members, account, region, token)
        if incoming.status < 300:
            return incoming
        read(operation, service, incoming, await self._whole(service, incoming), emulated)
        raise NeighbourUnavailable(f"the answer of {service.name} makes no sense: status {incoming.status}")

    async def _send(
        self, operation: OperationModel, members: dict[str, Any], account: str, region: str, token: str | None
    ) -> tuple[AwsService, Incoming, bool]:
        """The answer, whose body is not read yet, and whether it is that of an emulator."""
        from treadle.tasks.service_wire import written

        service = catalogue().services[operation.service_model.service_name]
        filled = _with_tokens(operation, members, token)
        _check_required(operation, filled)
        url = self._neighbours.endpoint(service)
        credentials = Credentials.unverified(account)
        if url is not None:
            credentials = await self.credentials() or credentials
        outgoing = written(operation, filled, url, self._host, account, region, credentials)
        if url is None and token is not None:
            outgoing.headers.append((TASK_TOKEN_HEADER, token.encode()))
        try:
            return service, await self._neighbours.send(service, outgoing), url is None
        except NotEmulated as error:
            # What a client of the service itself is told.
            raise ServiceFault("NotImplementedException", f"{error}", 501, str(uuid.uuid4())) from error

    async def _whole(self, service: AwsService, incoming: Incoming) -> bytes:
        try:
            body = await incoming.read(self._limits.neighbour_answer_bytes)
        finally:
            incoming.close()
        if body is None:
            most = self._limits.neighbour_answer_bytes
            raise NeighbourUnavailable(f"the answer of {service.name} has more than {most} bytes")
        return body


def _without_capacity(members: dict[str, Any], body: bytes) -> bytes:
    """moto tells the capacity that UpdateItem has consumed also to those who have not asked for it."""
    if members.get("ReturnConsumedCapacity", "NONE") != "NONE" or b"ConsumedCapacity" not in body:
        return body
    answer = decode(body)
    answer.pop("ConsumedCapacity", None)
    return encode(answer).encode()


def _check_required(operation: OperationModel, members: dict[str, Any]) -> None:
    """What a service says to a request without a member that it requires; emulators do not look. Raises ServiceFault.

    Recorded: error_handling/aws_sdk--dynamodb_invalid_param, task_service_sqs--send_message_empty_body."""
    shape = operation.input_shape
    missing = [] if shape is None else [name for name in shape.required_members if members.get(name) is None]
    if not missing:
        return
    if operation.service_model.service_name == "sqs":
        text = f"The request must contain the parameter {missing[0]}."
        raise ServiceFault("MissingParameter", text, 400, str(uuid.uuid4()))
    count = "1 validation error" if len(missing) == 1 else f"{len(missing)} validation errors"
    violations = "; ".join(
        f"Value null at '{name[:1].lower()}{name[1:]}' failed to satisfy constraint: Member must not be null"
        for name in missing
    )
    raise ServiceFault("ValidationException", f"{count} detected: {violations}", 400, str(uuid.uuid4()))


def _with_tokens(operation: OperationModel, members: dict[str, Any], token: str | None) -> dict[str, Any]:
    seed = token or uuid.uuid4()
    made = {name: str(uuid.uuid5(_TOKENS, f"{seed} {name}")) for name in operation.idempotent_members}
    return {**made, **members}


async def _found_credentials() -> Credentials | None:
    """The server's own. In a thread, because looking for them may mean asking a metadata service. Raises
    NeighbourUnavailable."""
    from treadle.tasks.service_wire import own_credentials

    return await asyncio.to_thread(own_credentials)
