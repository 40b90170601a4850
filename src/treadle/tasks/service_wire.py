"""Requests to services written, and answers read, by botocore's models, as they are in every SDK of AWS.

Its clients are not used, because they block, do more than the SDK for Java does, and take their settings from the
environment. So a call is a few tenths of a millisecond of work, waits without a thread, and ends at once when it is
cancelled.

Importing botocore takes longer than all else that a server does before it is ready, so nothing that it starts with
imports this module: who calls a service does, with its first call.
"""

from __future__ import annotations

import base64
import http.client
import re
import uuid
import zlib
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import botocore.auth
from botocore.awsrequest import AWSRequest, HeadersDict, create_request_object, prepare_request_dict
from botocore.exceptions import BotoCoreError
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import ResponseParserError, ResponseParserFactory
from botocore.serialize import create_serializer
from botocore.utils import parse_timestamp

from treadle.document import decode
from treadle.neighbours.catalogue import AwsService
from treadle.neighbours.contract import Incoming, NeighbourUnavailable, Outgoing
from treadle.tasks.contract import Answered, Credentials, ServiceFault

_HOST_ID = re.compile(rb"<HostId>([^<]*)</HostId>")
_REQUEST_IDS = ("x-amzn-requestid", "x-amz-request-id")

# -- the request -------------------------------------------------------------------------------------------


def written(
    operation: OperationModel,
    members: dict[str, Any],
    url: str | None,
    host: str,
    account: str,
    region: str,
    credentials: Credentials,
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


def _sign(request: AWSRequest, model: ServiceModel, credentials: Credentials, region: str) -> None:
    kind = botocore.auth.S3SigV4Auth if model.service_name in ("s3", "s3control") else botocore.auth.SigV4Auth
    request.context["signing"] = {"disableDoubleEncoding": True}
    kind(credentials, model.signing_name, region).add_auth(request)


def signed_headers(
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]],
    body: bytes | None,
    service: str,
    key: Credentials,
    region: str,
) -> list[tuple[str, str]]:
    """Those that sign a request that no model writes, to put behind its own. `service`: as it is signed for."""
    request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
    botocore.auth.SigV4Auth(key, service, region).add_auth(request)
    return [(name, value) for name, value in request.headers.items() if (name, value) not in headers]


def presigned_url(url: str, headers: dict[str, str], service: str, key: Credentials, region: str, seconds: int) -> str:
    """Of a GET with these headers, which whoever sends it sends, too; good for so long."""
    request = AWSRequest(method="GET", url=url, headers=headers)
    botocore.auth.SigV4QueryAuth(key, service, region, expires=seconds).add_auth(request)
    return str(request.url)


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8")


@lru_cache(maxsize=1)
def _session() -> Any:
    import botocore.session  # botocore's clients come with it: only whoever has endpoints of his own needs it

    return botocore.session.get_session()


def own_credentials() -> Credentials | None:
    """The server's, as botocore finds them, and renewed if they have run out. Raises NeighbourUnavailable."""
    try:
        found = _session().get_credentials()
        if found is None:
            return None
        frozen = found.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)
    except BotoCoreError as error:
        raise NeighbourUnavailable(f"the server's AWS credentials cannot be used: {error}") from error


def _serializer(model: ServiceModel) -> Any:
    return create_serializer(model.resolved_protocol, include_validation=False)


# -- the answer --------------------------------------------------------------------------------------------


def read(operation: OperationModel, service: AwsService, incoming: Incoming, body: bytes, emulated: bool) -> Answered:
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
