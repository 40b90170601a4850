"""The AWS JSON protocol: `POST /`, the operation in the header X-Amz-Target, everything else in a JSON body."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from treadle.aws.admission import Admission, writes
from treadle.aws.errors import ApiError
from treadle.aws.messages import Answer, Request, decoded, encode, error_answer
from treadle.aws.service import Asked, Caller, JsonService

_REMEMBERED = 256
"""Pairs of X-Amz-Target and content type."""


class AwsJson:
    """The services that are served behind it."""

    def __init__(self, services: Iterable[JsonService], admission: Admission | None = None) -> None:
        """Without `admission` everybody is let in."""
        self._admission = admission
        self._services = {service.target_prefix: service for service in services}
        self._asked = lru_cache(maxsize=_REMEMBERED)(self._find)
        self.signing_names = frozenset(service.signing_name for service in self._services.values())

    def serves(self, target: bytes) -> bool:
        """Whether this value of X-Amz-Target names one of the services."""
        return target.partition(b".")[0].decode("latin-1") in self._services

    def speaks(self, request: Request) -> bool:
        """Whether its header names one of the services."""
        return self.serves(request.header(b"x-amz-target"))

    def find(self, request: Request) -> Asked:
        """Raises ApiError."""
        if request.method != "POST" or request.path != "/":
            text = (
                f"{request.method} {request.path} is no AWS API request; those are POST / with the header X-Amz-Target."
            )
            raise ApiError("UnknownOperationException", text, status=404)
        return self._asked(request.header(b"x-amz-target"), request.header(b"content-type"))

    def _find(self, target: bytes, content_type: bytes) -> Asked:
        """Remembered, as there are few of these: one request after another asks for the same. Raises ApiError."""
        text = target.decode("latin-1")
        prefix, _, operation = text.partition(".")
        service = self._services.get(prefix)
        if service is None or not service.has_operation(operation):
            message = f"'{text}' is no operation." if text else "The header X-Amz-Target is missing."
            raise ApiError("UnknownOperationException", message)
        _check_content_type(content_type.decode("latin-1"), service)
        return _Asked(service, operation, self._admission)


def _check_content_type(given: str, service: JsonService) -> None:
    if given != service.content_type and given.partition(";")[0].strip().lower() != service.content_type:
        text = f"The content type must be {service.content_type}, not '{given}'."
        raise ApiError("UnknownOperationException", text, status=404)


class _Asked:
    def __init__(self, service: JsonService, operation: str, admission: Admission | None) -> None:
        self.signing_name = service.signing_name
        self.body_bytes: int | None = None
        self._service = service
        self._operation = operation
        self._admission = admission
        self._begins = operation in service.begin_executions
        self._waits = operation in service.wait_for_others
        self._writes = writes(operation)

    async def answer(self, body: bytes, caller: Caller) -> Answer:
        if self._admission is None:
            return await self._carry_out(body, caller)
        if self._writes:
            self._admission.check_room()
        if not self._admission.enter(begins=self._begins, waits=self._waits):
            raise await self._admission.refuse()
        try:
            return await self._carry_out(body, caller)
        finally:
            self._admission.leave(waits=self._waits)

    async def _carry_out(self, body: bytes, caller: Caller) -> Answer:
        answered = await self._service.serve(self._operation, decoded(body), caller)
        return Answer(200, self._service.content_type.encode(), encode(answered))

    def refusal(self, error: ApiError) -> Answer:
        return error_answer(error)
