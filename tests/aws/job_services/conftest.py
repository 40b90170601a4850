"""The services whose jobs Treadle runs, on a real store and a real runner, asked as tasks ask them: by requests in
process. Definitions come from a neighbour that answers each operation with what a test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.aws.wire import check_shape
from treadle.aws import model
from treadle.aws.job_services.composition import JobRoom
from treadle.clock import SystemClock
from treadle.jobs.options import JobOptions
from treadle.limits import Limits
from treadle.neighbours.contract import Headers, Incoming, Outgoing
from treadle.neighbours.directory import Neighbours
from treadle.store.sqlite.store import SqliteStore
from treadle.tasks.contract import ServiceFault
from treadle.tasks.service_calls import ServiceCalls

ACCOUNT, REGION = "123456789012", "eu-west-1"


class Definitions:
    """The neighbour. It answers by the name of the operation, which X-Amz-Target or the path tells."""

    is_running = True

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []

    async def send(self, request: Outgoing) -> Incoming:
        target = next((value for name, value in request.headers if name.lower() == b"x-amz-target"), b"").decode()
        asked = target.rpartition(".")[2] or f"{request.method} {request.target}"
        self.asked.append(asked)
        return _Answer(json.dumps(self.answers.get(asked, {})).encode())

    async def close(self) -> None: ...


class _Answer:
    def __init__(self, body: bytes) -> None:
        self.status = 200
        self.headers: Headers = [(b"content-type", b"application/json")]
        self._body = body

    async def pieces(self) -> AsyncIterator[bytes]:
        yield self._body

    async def read(self, most: int) -> bytes | None:
        return self._body

    def close(self) -> None: ...


class Services:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.definitions = Definitions()
        self._store = SqliteStore(folder / "treadle.db")
        self._neighbours = Neighbours(self.definitions, {}, Limits())
        self._calls = ServiceCalls(self._neighbours, Limits(), "127.0.0.1:4566")
        self._room: JobRoom

    async def open(self) -> None:
        await self._store.open()
        options = JobOptions(
            rules=self.folder / "jobs.toml",
            logs=self.folder / "logs",
            endpoint_url="http://127.0.0.1:1",
            key_of=lambda account: ("key", "secret"),
        )
        self._room = JobRoom(self._store, SystemClock(), options, self._failed)
        self._neighbours.connect(await self._room.open(self._calls, ()))
        await self._room.begin()

    async def close(self) -> None:
        await self._room.close()
        await self._store.close()

    def _failed(self, error: Exception) -> None:
        raise AssertionError(error)

    def rules(self, text: str) -> None:
        (self.folder / "jobs.toml").write_text(text)

    async def call(self, service: str, operation: str, token: str | None = None, /, **members: Any) -> Any:
        """The answer, whose members have the model's types. Raises ServiceFault."""
        answer = await self.ask(service, operation, token, **members)
        shape = model.load(service).operation_model(operation).output_shape
        if shape is not None:
            check_shape(shape, answer, operation)
        return answer

    async def ask(self, service: str, operation: str, token: str | None = None, /, **members: Any) -> Any:
        """The answer, whoever gives it. Raises ServiceFault, NeighbourUnavailable."""
        shape = model.load(service).operation_model(operation)
        answered = await self._calls.call(shape, members, account=ACCOUNT, region=REGION, token=token)
        return answered.members

    async def error(self, service: str, operation: str, /, **members: Any) -> tuple[str, str]:
        with pytest.raises(ServiceFault) as raised:
            await self.call(service, operation, **members)
        return raised.value.code, raised.value.message

    async def until(self, service: str, operation: str, path: str, *states: str, **members: Any) -> Any:
        """The answer, once what is at the path is one of these states."""
        found = None
        try:
            async with asyncio.timeout(30):
                while True:
                    answer = found = await self.call(service, operation, **members)
                    for step in path.split("."):
                        found = found[int(step) if step.isdecimal() else step]
                    if found in states:
                        return answer
                    await asyncio.sleep(0.01)
        except TimeoutError:
            pytest.fail(f"it stays {found}")


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    made = Services(tmp_path)
    await made.open()
    yield made
    await made.close()
