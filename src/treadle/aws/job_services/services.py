"""The way to the services whose jobs Treadle runs: from outside through the door, and from tasks in process.

Such a service is a table of operations. If the table is all of the service (EMR), whatever else is asked of it answers
that it is not implemented. Otherwise what is not in the table is passed on as if Treadle served nothing of the service:
definitions (task definitions, job queues, projects) are the neighbour's, which is moto.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from treadle.aws.aws_json import AwsJson
from treadle.aws.credentials import scope_of
from treadle.aws.errors import ApiError
from treadle.aws.job_services.rest import RestPart
from treadle.aws.messages import Answer, Request
from treadle.aws.rest_json import RestJson
from treadle.aws.service import Asked, Caller
from treadle.aws.table_service import TableService
from treadle.limits import Limits
from treadle.neighbours.contract import Headers, Incoming, NeighbourUnavailable, Outgoing
from treadle.tasks.service_calls import TASK_TOKEN_HEADER

ELSEWHERE = "of the nodes that share a database one runs jobs at a time, and that is another one; try again"


class JobServices:
    """Implements `neighbours.contract.OwnServices`."""

    def __init__(
        self,
        whole: Iterable[TableService[Any]],
        parts: Iterable[TableService[Any]],
        rest: Iterable[RestPart[Any]],
        limits: Limits,
    ) -> None:
        """`whole`: served as a whole; `parts` and `rest`: some operations of services behind AWS JSON and REST-JSON."""
        self._whole = {service.target_prefix: service for service in whole}
        self._json = {**self._whole, **{service.target_prefix: service for service in parts}}
        self._rest = {part.signing_name: part for part in rest}
        self._protocols: dict[str, AwsJson | RestJson] = {}
        self._limits = limits
        self.at_work = False
        """Whether jobs are run here, and not by another node."""
        self.names = frozenset(
            [*(each.name for each in self._json.values()), *(each.model_name for each in self._rest.values())]
        )

    @property
    def operations(self) -> Mapping[str, tuple[str, ...]]:
        """What is served of each, by signing name."""
        served: list[TableService[Any] | RestPart[Any]] = [*self._json.values(), *self._rest.values()]
        return {service.signing_name: service.operations for service in served}

    @property
    def whole(self) -> frozenset[str]:
        """Signing names of those of which everything is served that there is."""
        return frozenset(service.signing_name for service in self._whole.values())

    def find(self, request: Request) -> Asked | None:
        """The operation that a request asks for; None: it is not one of those here. Raises ApiError."""
        asked = self._find(request)
        if asked is not None and not self.at_work:
            raise ApiError("ServiceUnavailable", ELSEWHERE)
        return asked

    def _find(self, request: Request) -> Asked | None:
        prefix, _, operation = request.header(b"x-amz-target").decode("latin-1").partition(".")
        service = self._json.get(prefix)
        if service is not None:
            if prefix not in self._whole and operation not in service.operations:
                return None
            return self._json_protocol(service).find(request)
        # With this header, no web page sends it unasked (door.py).
        authorization = request.header(b"authorization")
        scope = scope_of(authorization, b"")
        part = None if scope is None else self._rest.get(scope.service)
        if part is None:
            return None
        protocol = self._rest_protocol(part)
        return protocol.find(request) if protocol.operation(request) in part.operations else None

    def _json_protocol(self, service: TableService[Any]) -> AwsJson:
        protocol = self._protocols.setdefault(service.signing_name, AwsJson([service]))
        assert isinstance(protocol, AwsJson)
        return protocol

    def _rest_protocol(self, part: RestPart[Any]) -> RestJson:
        if part.signing_name not in self._protocols:
            self._protocols[part.signing_name] = RestJson(part)
        protocol = self._protocols[part.signing_name]
        assert isinstance(protocol, RestJson)
        return protocol

    # -- from tasks ----------------------------------------------------------------------------------------

    def serves(self, request: Outgoing) -> bool:
        try:
            return self.find(_request(request, self._limits)) is not None
        except ApiError:
            return True

    async def send(self, request: Outgoing) -> Incoming:
        """Nothing of it is verified: it comes from this process. Raises NeighbourUnavailable."""
        if not self.at_work:
            raise NeighbourUnavailable(ELSEWHERE)
        incoming = _request(request, self._limits)
        asked: Asked | None = None
        try:
            asked = self.find(incoming)
            assert asked is not None
            assert request.body is None or isinstance(request.body, bytes)
            scope = scope_of(incoming.header(b"authorization"), b"")
            token = incoming.header(TASK_TOKEN_HEADER.lower()).decode("latin-1")
            caller = Caller(
                account=request.account, region=scope.region if scope else "", request_id="", task_token=token or None
            )
            answer = await asked.answer(request.body or b"", caller)
        except ApiError as error:
            if asked is None:
                raise
            answer = asked.refusal(error)
        return _Answered(answer)


def _request(outgoing: Outgoing, limits: Limits) -> Request:
    path, _, query = outgoing.target.partition("?")
    scope = {
        "method": outgoing.method,
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "headers": [(name.lower(), value) for name, value in outgoing.headers],
    }
    return Request(scope, _nothing, limits)


async def _nothing() -> dict[str, object]:
    return {"type": "http.disconnect"}


class _Answered:
    """Implements `neighbours.contract.Incoming`."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.headers: Headers = [(b"content-type", answer.content_type), *answer.headers]
        self._body = answer.body

    async def pieces(self) -> AsyncIterator[bytes]:
        yield self._body

    async def read(self, most: int) -> bytes | None:
        return self._body if len(self._body) <= most else None

    def close(self) -> None:
        return
