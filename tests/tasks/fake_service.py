"""A service that speaks AWS JSON, without a network: it answers each operation as it is told."""

from __future__ import annotations

import asyncio
from typing import Any

from treadle.document import decode, encode
from treadle.limits import DEFAULT_LIMITS
from treadle.neighbours.contract import Incoming, Outgoing
from treadle.neighbours.directory import Neighbours
from treadle.tasks.service_calls import ServiceCalls

from .fake_neighbour import HOST, Reply

Answer = dict[str, Any] | int | Exception
"""Members of the answer; a status that refuses; or no answer at all."""


class FakeService:
    """Answers every operation of the AWS JSON protocol: each time with the next answer it has, or the last one."""

    is_running = True

    def __init__(self, **answers: list[Answer]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Any]] = []
        self.tokens: list[str | None] = []
        self.hold: dict[str, asyncio.Event] = {}
        """By operation: when it is answered."""
        self.arrived = asyncio.Event()

    async def send(self, asked: Outgoing) -> Incoming:
        headers = {name.decode().lower(): value.decode() for name, value in asked.headers}
        operation = headers["x-amz-target"].partition(".")[2]
        assert isinstance(asked.body, bytes)
        self.asked.append((operation, decode(asked.body)))
        self.tokens.append(headers.get("x-treadle-task-token"))
        self.arrived.set()
        if operation in self.hold:
            await self.hold[operation].wait()
        answers = self.answers[operation]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            code = {400: "InvalidParameterException", 404: "ResourceNotFoundException", 429: "ThrottlingException"}
            return Reply(answer, encode({"__type": code.get(answer, "ServerException"), "message": "No."}).encode(), {})
        return Reply(200, encode(answer).encode(), {})

    async def close(self) -> None: ...

    def times(self, operation: str) -> int:
        return sum(name == operation for name, _ in self.asked)

    @property
    def last(self) -> tuple[str, Any]:
        return self.asked[-1]

    @property
    def calls(self) -> ServiceCalls:
        return ServiceCalls(Neighbours(self, {}, DEFAULT_LIMITS), DEFAULT_LIMITS, HOST)
