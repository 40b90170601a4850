"""The REST-JSON protocol: which operation a request asks for, its members, and the answer, all by botocore's model.

A model says of each operation its method and its path, a template such as `/2015-03-31/functions/{FunctionName}`,
and of each member where it is: in the path, the query, a header, or the JSON body; one member may be the whole body
(`payload`). Everything here is compiled from that once: the templates to a tree of path segments, so that finding an
operation takes as many steps as its path has segments; the members to small readers and writers.

Errors have the name in the header x-amzn-errortype and in the body the members that the model gives the error.
What a service means by its operations is its own business (`RestService`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from msgspec import Struct

from treadle.aws import model
from treadle.aws.admission import Admission, writes
from treadle.aws.errors import ApiError
from treadle.aws.event_stream import EventStream
from treadle.aws.messages import Answer, Request, decoded, encode
from treadle.aws.names_on_the_wire import has_other_names, renamed
from treadle.aws.service import Asked, Caller, RestService

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel, Shape

_JSON = b"application/json"
_LABEL = re.compile(r"\{(\w+)\}")

_STATUS = {
    "AccessDeniedException": 403,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    "UnrecognizedClientException": 403,
    "UnknownOperationException": 404,
}
"""HTTP status of errors that have another one in this protocol than in AWS JSON (AWS's common errors)."""

_LARGE_BYTES = 1_048_576
"""Larger bodies are read on a thread of their own: an archive with code takes tenths of a second."""

_BOOLEANS = {"true": True, "false": False}


class _Route(Struct, frozen=True):
    operation: str
    labels: tuple[str, ...]
    """Names of the path's variable segments, from left to right."""
    fixed: frozenset[tuple[str, str]]
    """What the query must hold for this operation: operations may share a path."""


class _Node:
    """A place in the tree of paths: what follows it."""

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.variable: _Node | None = None
        self.routes: dict[str, list[_Route]] = {}
        """By method; those whose query is fixed come first."""


class _Found(Struct, frozen=True):
    route: _Route
    values: tuple[str, ...]
    """Of the labels, decoded."""
    query: list[tuple[str, str]]


class RestJson:
    """One service behind it."""

    def __init__(self, service: RestService, admission: Admission | None = None) -> None:
        self._service = service
        self.admission = admission
        self.signing_name = service.signing_name

    @cached_property
    def _model(self) -> ServiceModel:
        return model.load(self._service.model_name)

    @cached_property
    def _tree(self) -> _Node:
        """Made with the first request: it reads the model of the service."""
        tree = _Node()
        for name in self._model.operation_names:
            _plant(tree, self._model.operation_model(name))
        return tree

    def speaks(self, request: Request) -> bool:
        """Whether its method and path are those of an operation."""
        return self._find(request) is not None

    def operation(self, request: Request) -> str | None:
        """The name of the operation whose method and path it has."""
        found = self._find(request)
        return None if found is None else found.route.operation

    def find(self, request: Request) -> Asked:
        """Raises ApiError (UnknownOperationException)."""
        found = self._find(request)
        if found is None:
            text = f"{request.method} {request.path} is no operation of {self._service.model_name}."
            raise ApiError("UnknownOperationException", text, status=404)
        return _Asked(self, self._service, self._model.operation_model(found.route.operation), found, request)

    def _find(self, request: Request) -> _Found | None:
        segments = _segments(request.raw_path.decode("latin-1"))
        query = parse_qsl(request.query.decode("latin-1"), keep_blank_values=True)
        given = frozenset(query)
        for node, values in _walk(self._tree, segments, ()):
            for route in node.routes.get(request.method, ()):
                if route.fixed <= given:
                    return _Found(route, values, query)
        return None

    def refusal(self, error: ApiError) -> Answer:
        """Raises nothing: an error that the model does not know has its message alone."""
        name = error.body["__type"]
        members = {key: value for key, value in error.body.items() if key != "__type"}
        shape = self._model.shape_for_error_code(name)
        if shape is not None:
            if "Message" in shape.members:
                members["Message"] = members.pop("message")
            if "Type" in shape.members:
                members["Type"] = "User" if error.status < 500 else "Server"
        status = _STATUS.get(name, error.status)
        return Answer(status, _JSON, encode(members), headers=((b"x-amzn-errortype", name.encode()),))


def _plant(tree: _Node, operation: OperationModel) -> None:
    path, _, query = operation.http["requestUri"].partition("?")
    node, labels = tree, []
    for segment in _segments(path):
        label = _LABEL.fullmatch(segment)
        if label is None:
            if "{" in segment:
                raise TypeError(f"the path segment {segment!r} of {operation.name} is of no known kind")
            node = node.literal.setdefault(segment, _Node())
        else:
            labels.append(label[1])
            node.variable = node.variable or _Node()
            node = node.variable
    route = _Route(operation.name, tuple(labels), frozenset(parse_qsl(query, keep_blank_values=True)))
    routes = node.routes.setdefault(operation.http["method"], [])
    routes.append(route)
    routes.sort(key=lambda each: -len(each.fixed))


def _segments(path: str) -> list[str]:
    """Without the empty ones: SDKs have written a slash at the end of some paths, or not."""
    return [segment for segment in path.split("/") if segment]


def _walk(node: _Node, segments: list[str], values: tuple[str, ...]) -> Iterator[tuple[_Node, tuple[str, ...]]]:
    """The places to which the segments lead, what is literal first. As deep as the longest path of the model."""
    if not segments:
        yield node, values
        return
    head, rest = segments[0], segments[1:]
    if head in node.literal:
        yield from _walk(node.literal[head], rest, values)
    if node.variable is not None:
        yield from _walk(node.variable, rest, (*values, unquote(head)))


class _Asked:
    def __init__(
        self, protocol: RestJson, service: RestService, operation: OperationModel, found: _Found, request: Request
    ) -> None:
        self.signing_name = protocol.signing_name
        self.body_bytes: int | None = service.body_bytes(operation.name)
        self.refusal = protocol.refusal
        self._service = service
        self._operation = operation
        self._found = found
        self._request = request
        self._admission = protocol.admission if writes(operation.name) else None

    async def answer(self, body: bytes, caller: Caller) -> Answer:
        if self._admission is not None:
            self._admission.check_room()
        large = len(body) > _LARGE_BYTES
        members = await asyncio.to_thread(self._members, body) if large else self._members(body)
        answered = await self._service.serve(self._operation.name, members, caller)
        return _written(self._operation, answered)

    def _members(self, body: bytes) -> dict[str, Any]:
        """The members of the request, those of the body not looked at yet. Raises SerializationException."""
        shape = self._operation.input_shape
        if shape is None:
            return {}
        payload = shape.serialization.get("payload")
        members = self._body(body, None if payload is None else shape.members[payload], payload)
        labels = dict(zip(self._found.route.labels, self._found.values, strict=True))
        query: dict[str, list[str]] = {}
        for key, value in self._found.query:
            query.setdefault(key, []).append(value)
        for name, member in shape.members.items():
            where, key = member.serialization.get("location"), member.serialization.get("name", name)
            if where is None:
                continue
            # What a member has its own place for is not taken from the body, too.
            members.pop(name, None)
            given: list[str] = []
            if where == "uri":
                given = [labels[key]]
            elif where == "querystring":
                given = query.get(key, [])
            elif where == "header":
                header = self._request.header(key.lower().encode()).decode("latin-1")
                given = [header] if header else []
            else:
                raise TypeError(f"the place {where!r} of {name} is of no known kind")
            if given:
                members[name] = _value(member, given)
        return members

    def _body(self, body: bytes, payload: Shape | None, name: str | None) -> dict[str, Any]:
        if payload is not None and payload.type_name in ("blob", "string"):
            assert name is not None
            return {name: body} if body else {}
        value = decoded(body) if body else {}
        shape = payload or self._operation.input_shape
        if has_other_names(shape):
            value = renamed(shape, value, wire=False)
        if name is not None:
            return {name: value}
        if type(value) is not dict:
            raise ApiError("SerializationException", "The request body must be a JSON object.")
        return value


def _value(shape: Shape, given: list[str]) -> Any:
    """Text of a path, query or header as a value of the shape. Raises SerializationException."""
    if shape.type_name == "list":
        return [_value(shape.member, [item]) for item in given]
    text = given[-1]
    try:
        match shape.type_name:
            case "integer" | "long":
                return int(text)
            case "float" | "double":
                return float(text)
            case "boolean":
                return _BOOLEANS[text.lower()]
    except (ValueError, KeyError):
        kind = {"integer": "an Integer", "long": "a Long", "boolean": "a Boolean"}.get(shape.type_name, "a Float")
        text = f"STRING_VALUE can not be converted to {kind}"
        raise ApiError("SerializationException", text) from None
    return text


def _written(operation: OperationModel, answered: dict[str, Any]) -> Answer:
    """The answer with each member in its place."""
    shape = operation.output_shape
    status = operation.http.get("responseCode", 200)
    if shape is None:
        return Answer(status, _JSON, b"" if status == 204 else b"{}")
    payload = shape.serialization.get("payload")
    headers: list[tuple[bytes, bytes]] = []
    body: dict[str, Any] = {}
    for name, value in answered.items():
        place = shape.members[name].serialization
        if place.get("location") == "statusCode":
            status = value
        elif place.get("location") == "header":
            headers.append((place["name"].lower().encode(), str(value).encode("latin-1")))
        elif name != payload:
            body[name] = value
    stream = None if payload is None else answered.get(payload)
    if isinstance(stream, EventStream):
        return stream.answer(shape.members[payload], status, tuple(headers))
    if status == 204:
        content = b""
    elif payload is None:
        content = encode(renamed(shape, body, wire=True) if has_other_names(shape) else body)
    elif shape.members[payload].type_name == "blob":
        content = answered.get(payload, b"")
    else:
        content = encode(answered.get(payload, {}))
    return Answer(status, _JSON, content, headers=tuple(headers))
