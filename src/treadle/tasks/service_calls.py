"""Calls of other services' operations, each one a request to the neighbour of the service.

botocore's models say how a request is written and an answer read, as they do in every SDK of AWS; its clients are not
used, because they block, do more than the SDK for Java does, and take their settings from the environment. So a call
is a few tenths of a millisecond of work, waits without a thread, and ends at once when it is cancelled.

What the model marks as an idempotency token is filled from the task's own token if the task gives none: a request
that comes again after a restart then counts once. Services that come with Treadle are told the task's token itself.

Requests are signed with the account as the access key, as for a server that verifies nothing; requests to an endpoint
that the settings name are signed with the server's own AWS credentials, if it has any (botocore's usual places), or
with those of a role that the task has assumed (roles.py).
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import re
import uuid
import zlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Container
from copy import copy
from datetime import datetime
from functools import lru_cache
from typing import Any

import botocore.auth
import botocore.session
from botocore.awsrequest import AWSRequest, HeadersDict, create_request_object, prepare_request_dict
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import ResponseParserError, ResponseParserFactory
from botocore.serialize import create_serializer
from botocore.utils import parse_timestamp
from msgspec import Struct

from treadle.document import decode, encode
from treadle.jobs.rules import SERVICES as JOB_SERVICES
from treadle.limits import Limits
from treadle.neighbours.catalogue import AwsService, catalogue
from treadle.neighbours.contract import Incoming, NeighbourUnavailable, NotEmulated, Outgoing
from treadle.neighbours.directory import Neighbours, is_known
from treadle.tasks.contract import ServiceFault

_TOKENS = uuid.UUID("0d0a6a5e-6d3c-4a53-9f0c-7b8a2f9f5b0e")
"""The namespace of the idempotency tokens that we make."""
TASK_TOKEN_HEADER = b"X-Treadle-Task-Token"
"""With requests of tasks to the services that come with Treadle: one that comes again after a restart has the same."""
_HOST_ID = re.compile(rb"<HostId>([^<]*)</HostId>")
_REQUEST_IDS = ("x-amzn-requestid", "x-amz-request-id")


class Answered(Struct, frozen=True):
    members: dict[str, Any]
    """By their names in the service's model; times are seconds since the epoch."""
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    request_id: str


def answered(client: str, endpoints: Container[str]) -> bool:
    """Whether anybody answers for a service where only those of `endpoints` have one set. All by botocore's names."""
    service = catalogue().services.get(client)
    return service is not None and (is_known(service, endpoints) or client in JOB_SERVICES)


Credentials = Callable[[], Awaitable[ReadOnlyCredentials | None]]


class ServiceCalls:
    def __init__(self, neighbours: Neighbours, limits: Limits, host: str) -> None:
        """`host`: the server's own, with its port: in the URLs that services give out."""
        self._neighbours = neighbours
        self._limits = limits
        self._host = host
        self._credentials: Credentials = _found_credentials
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(limits.neighbour_calls)
        )
        """By the URL of a neighbour; the emulator's is empty."""

    def signed_with(self, credentials: Credentials) -> ServiceCalls:
        """The same calls, signed otherwise."""
        others = copy(self)
        others._credentials = credentials
        return others

    async def credentials(self) -> ReadOnlyCredentials | None:
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
        return _read(operation, service, incoming, body, emulated)

    def _turn(self, operation: OperationModel) -> asyncio.Semaphore:
        service = catalogue().services[operation.service_model.service_name]
        return self._turns[self._neighbours.endpoint(service) or ""]

    async def stream(
        self, operation: OperationModel, members: dict[str, Any], *, account: str, region: str, token: str | None
    ) -> Incoming:
        """The same for an operation that answers with a body of any length: that of S3's GetObject. The caller closes
        it. Raises ServiceFault, NeighbourUnavailable."""
        service, incoming, emulated = await self._send(operation, members, account, region, token)
        if incoming.status < 300:
            return incoming
        _read(operation, service, incoming, await self._whole(service, incoming), emulated)
        raise NeighbourUnavailable(f"the answer of {service.name} makes no sense: status {incoming.status}")

    async def _send(
        self, operation: OperationModel, members: dict[str, Any], account: str, region: str, token: str | None
    ) -> tuple[AwsService, Incoming, bool]:
        """The answer, whose body is not read yet, and whether it is that of an emulator."""
        service = catalogue().services[operation.service_model.service_name]
        filled = _with_tokens(operation, members, token)
        _check_required(operation, filled)
        url = self._neighbours.endpoint(service)
        credentials = ReadOnlyCredentials(account, "none", None)
        if url is not None:
            credentials = await self.credentials() or credentials
        outgoing = _written(operation, filled, url, self._host, account, region, credentials)
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


# -- the request -------------------------------------------------------------------------------------------


def _written(
    operation: OperationModel,
    members: dict[str, Any],
    url: str | None,
    host: str,
    account: str,
    region: str,
    credentials: ReadOnlyCredentials,
) -> Outgoing:
    model = operation.service_model
    written = _serializer(model).serialize_to_request(members, operation)
    prepare_request_dict(written, endpoint_url=url or f"http://{host}", context={}, user_agent="Treadle")
    request = create_request_object(written)
    if model.service_name == "s3":
        _as_an_object(request, operation)
    if operation.auth_type != "none":
        _sign(request, model, credentials, region)
    prepared = request.prepare()
    # Behind the endpoint, whose own path the transport puts before it.
    target = prepared.url.removeprefix(url or f"http://{host}")
    headers = [(str(name).encode("latin-1"), _bytes(value)) for name, value in prepared.headers.items()]
    if not any(name.lower() == b"host" for name, _ in headers) and url is None:
        headers.append((b"Host", host.encode()))
    body = prepared.body
    content = body.encode() if isinstance(body, str) else bytes(body) if body else None
    return Outgoing(method=prepared.method, target=target or "/", headers=headers, body=content, account=account)


def _as_an_object(request: AWSRequest, operation: OperationModel) -> None:
    """What the SDK for Java says of a body that is text: its type, and unless something else is said a CRC-32
    (recorded: services/aws_sdk_task_service--s3_put_object--*)."""
    if not isinstance(request.data, bytes) or not operation.has_streaming_input:
        return
    if "Content-Type" not in request.headers:
        request.headers["Content-Type"] = "text/plain; charset=UTF-8"
    summed = any(name.lower().startswith("x-amz-checksum-") for name in request.headers)
    if operation.http_checksum.get("requestAlgorithmMember") and not summed:
        checksum = zlib.crc32(request.data).to_bytes(4, "big")
        request.headers["x-amz-sdk-checksum-algorithm"] = "CRC32"
        request.headers["x-amz-checksum-crc32"] = base64.b64encode(checksum).decode()


def _sign(request: AWSRequest, model: ServiceModel, credentials: ReadOnlyCredentials, region: str) -> None:
    kind = botocore.auth.S3SigV4Auth if model.service_name in ("s3", "s3control") else botocore.auth.SigV4Auth
    request.context["signing"] = {"disableDoubleEncoding": True}
    kind(credentials, model.signing_name, region).add_auth(request)


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8")


@lru_cache(maxsize=1)
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


async def _found_credentials() -> ReadOnlyCredentials | None:
    """In a thread, because looking for them may mean asking a metadata service."""
    return await asyncio.to_thread(_own_credentials)


def _own_credentials() -> ReadOnlyCredentials | None:
    """The server's, as botocore finds them, and renewed if they have run out. Raises NeighbourUnavailable."""
    try:
        found = _session().get_credentials()
        return None if found is None else found.get_frozen_credentials()
    except BotoCoreError as error:
        raise NeighbourUnavailable(f"the server's AWS credentials cannot be used: {error}") from error


def _serializer(model: ServiceModel) -> Any:
    return create_serializer(model.resolved_protocol, include_validation=False)


# -- the answer --------------------------------------------------------------------------------------------


def _read(operation: OperationModel, service: AwsService, incoming: Incoming, body: bytes, emulated: bool) -> Answered:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in incoming.headers}
    # The emulator's own ids do not look like AWS's.
    named = None if emulated else next((headers[name] for name in _REQUEST_IDS if name in headers), None)
    request_id = named or str(uuid.uuid4())
    try:
        parsed = _parsed(operation, incoming.status, headers, body)
    except (ResponseParserError, ValueError, LookupError, TypeError, AttributeError) as error:
        # botocore's parsers take it for granted that services keep to their models.
        raise NeighbourUnavailable(f"the answer of {service.name} makes no sense: {type(error).__name__}") from error
    parsed.pop("ResponseMetadata", None)
    if "Error" in parsed or incoming.status >= 300:
        told = parsed.get("Error", {})
        # QueryErrorCode: of a service that had another protocol before, with other codes for its errors.
        shape = operation.service_model.shape_for_error_code(told.get("QueryErrorCode") or told.get("Code") or "")
        page = headers.get("content-type", "").startswith("text/html")
        raise ServiceFault(
            str(told.get("Code") or incoming.status),
            http.client.responses.get(incoming.status, "") if page else told.get("Message") or "",
            incoming.status,
            request_id,
            shape=None if shape is None else shape.name,
            extended_request_id=_host_id(headers, body) if service.name == "s3" else None,
        )
    return Answered(parsed, incoming.status, headers, body, request_id)


def _parsed(operation: OperationModel, status: int, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    model, shape = operation.service_model, operation.output_shape
    payload = None if shape is None else shape.serialization.get("payload")
    # Of a body that is a member as it is, botocore would make text.
    is_member = status < 300 and payload is not None and shape.members[payload].type_name == "blob"
    if model.resolved_protocol == "json" and body and status < 300 and not isinstance(decode(body), dict):
        raise ValueError("no object")
    response = {
        "headers": HeadersDict(headers),
        "status_code": status,
        "body": memoryview(body) if is_member else body,
        "context": {"operation_name": operation.name},
    }
    parsed: dict[str, Any] = _parser(model.resolved_protocol).parse(response, shape)
    if is_member and payload is not None:
        parsed[payload] = body
    return parsed


def _host_id(headers: dict[str, str], body: bytes) -> str | None:
    found = _HOST_ID.search(body)
    return headers.get("x-amz-id-2") or (None if found is None else found[1].decode("utf-8", "replace"))


@lru_cache(maxsize=16)
def _parser(protocol: str) -> Any:
    factory = ResponseParserFactory()
    factory.set_parser_defaults(timestamp_parser=_seconds)
    return factory.create_parser(protocol)


def _seconds(value: Any) -> float:
    moment: datetime = parse_timestamp(value)
    return moment.timestamp()
