"""A client without a network: raw requests straight into the ASGI application."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from msgspec import Struct

from treadle.aws.admission import Admission
from treadle.aws.authentication import Authentication
from treadle.aws.door import Door
from treadle.aws.model import load
from treadle.aws.passing import Passing
from treadle.limits import Limits
from treadle.neighbours.contract import Incoming, NeighbourUnavailable, Outgoing
from treadle.neighbours.directory import Neighbours

CONTENT_TYPE = "application/x-amz-json-1.0"
ROLE = "arn:aws:iam::000000000000:role/example"

_model = load("stepfunctions")


class NoEmulator:
    """There is nothing beside Treadle itself."""

    is_running = False

    async def send(self, request: Outgoing) -> Incoming:
        raise NeighbourUnavailable("the emulator is switched off")

    async def close(self) -> None:
        pass


def open_to_all() -> Admission:
    """As many as the default limits let in, and no execution that would count."""
    return Admission(Limits(), lambda: 0)


def nobody_else(authentication: Authentication, limits: Limits) -> Passing:
    return Passing(Neighbours(NoEmulator(), {}, limits), authentication, limits)


def machine(name: str = "example", kind: str = "Pass", **members: Any) -> dict[str, Any]:
    """A CreateStateMachine request for a machine of one state."""
    state = {
        "Pass": {"Type": "Pass", "End": True},
        "Wait": {"Type": "Wait", "Seconds": 3600, "End": True},
        "Fail": {"Type": "Fail", "Error": "Oops", "Cause": "because"},
    }[kind]
    definition = json.dumps({"StartAt": "S", "States": {"S": state}})
    return {"name": name, "definition": definition, "roleArn": ROLE, **members}


def check_shape(shape: Shape, value: Any, path: str) -> None:
    """An answer has every member that the model requires, none that it does not know, all of their types."""
    if isinstance(shape, StructureShape):
        missing = set(shape.required_members) - value.keys()
        unknown = value.keys() - shape.members.keys()
        assert not missing and not unknown, (path, missing, unknown)
        for name, member in value.items():
            check_shape(shape.members[name], member, f"{path}.{name}")
    elif isinstance(shape, ListShape):
        for item in value:
            check_shape(shape.member, item, f"{path}[]")
    elif isinstance(shape, MapShape):
        for item in value.values():
            check_shape(shape.value, item, f"{path}{{}}")
    else:
        kinds: dict[str, type | tuple[type, ...]] = {
            "string": str,
            "boolean": bool,
            "timestamp": (int, float),
            "float": (int, float),
            "double": (int, float),
            "integer": int,
            "long": int,
        }
        assert isinstance(value, kinds[shape.type_name]), (path, value)
        assert not getattr(shape, "enum", ()) or value in shape.enum, (path, value)


class Answer(Struct):
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def error(self) -> tuple[int, str, str]:
        return self.status, self.body["__type"], self.body["message"]


def authorization(region: str = "us-east-1", service: str = "states") -> str:
    scope = f"AKIDEXAMPLE/20260101/{region}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=abc"


class Wire:
    def __init__(self, door: Door) -> None:
        self.door = door

    async def call(self, operation: str, request: Any = None, **headers: str) -> Answer:
        """An operation of Step Functions, the request as JSON; headers with `_` for `-`."""
        body = json.dumps({} if request is None else request).encode()
        given = {"x-amz-target": f"AWSStepFunctions.{operation}", "content-type": CONTENT_TYPE}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.send([body], given)

    async def ok(self, operation: str, request: Any = None, **headers: str) -> Any:
        answer = await self.call(operation, request, **headers)
        assert answer.status == 200, answer.raw
        check_shape(_model.operation_model(operation).output_shape, answer.body, operation)
        return answer.body

    async def send(
        self,
        chunks: Iterable[bytes],
        headers: dict[str, str],
        *,
        method: str = "POST",
        path: str = "/",
        query: str = "",
    ) -> Answer:
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        }
        parts = list(chunks)
        messages = [
            {"type": "http.request", "body": part, "more_body": at < len(parts)} for at, part in enumerate(parts, 1)
        ]
        waiting = iter([*messages, {"type": "http.disconnect"}])
        sent: list[Any] = []

        async def receive() -> Any:
            return next(waiting)

        async def send(message: Any) -> None:
            sent.append(message)

        await self.door(scope, receive, send)
        start, body = sent
        names = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], names, body["body"])
