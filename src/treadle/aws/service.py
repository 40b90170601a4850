"""What the door asks of services and protocols, and what it tells one about a request."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from treadle.aws.errors import ApiError
from treadle.aws.messages import Answer
from treadle.runtime.waiting import Wait, patiently


class Caller(Struct, frozen=True):
    """What every operation may know of a request beside its members."""

    account: str
    region: str
    request_id: str
    trace_header: str | None = None
    """Of the header X-Amzn-Trace-Id."""
    task_token: str | None = None
    """Of the task whose request it is: one that comes again after a restart has the same."""
    url: str = ""
    """Of this server, as the client called it: `http://127.0.0.1:4566`."""
    wait_for: Wait = patiently
    """How an operation waits that may take long."""


class JsonService(Protocol):
    """One AWS service that Treadle serves itself, behind the AWS JSON protocol (aws_json.py)."""

    target_prefix: str
    """What X-Amz-Target begins with, before the dot."""
    signing_name: str
    content_type: str
    """Of requests and answers, as the version of the protocol wants it."""
    begin_executions: frozenset[str]
    """The operations that bring executions into memory, and those that wait for more than the server (admission.py)."""
    wait_for_others: frozenset[str]

    def has_operation(self, operation: str) -> bool: ...

    async def serve(self, operation: str, body: Any, caller: Caller) -> dict[str, Any]:
        """The answer to a request with this decoded body. Raises ApiError."""
        ...


class RestService(Protocol):
    """One AWS service that Treadle serves itself, behind the REST-JSON protocol (rest_json.py), which reads its
    requests and writes its answers by botocore's model of it."""

    model_name: str
    """botocore's name of the service."""
    signing_name: str

    def body_bytes(self, operation: str) -> int:
        """The largest body that the operation takes."""
        ...

    async def serve(self, operation: str, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """The members of the answer to a request of these members, whose types and constraints are checked.
        Raises ApiError."""
        ...


class Asked(Protocol):
    """The operation that one request asks for, in the protocol of its service."""

    signing_name: str
    body_bytes: int | None
    """The largest body that it takes; None: what any request may have."""

    async def answer(self, body: bytes, caller: Caller) -> Answer:
        """Carry it out. Raises ApiError."""
        ...

    def refusal(self, error: ApiError) -> Answer:
        """The error in the protocol's form."""
        ...
