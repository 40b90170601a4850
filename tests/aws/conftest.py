from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.world import Pieces
from treadle.aws.access_keys import Credentials, Keyring
from treadle.aws.admission import Admission
from treadle.aws.authentication import Authentication, Defaults
from treadle.aws.door import Door
from treadle.aws.extension.call import Backend
from treadle.aws.extension.routes import TreadleExtension
from treadle.aws.functions.code_tokens import CodeTokens
from treadle.aws.job_services.services import JobServices
from treadle.aws.states.call import StatesOptions
from treadle.aws.states.service import OPERATIONS, states_service
from treadle.document import Document
from treadle.language.resources import Resource
from treadle.limits import Limits
from treadle.neighbours.directory import Neighbours
from treadle.runtime.runtime import Runtime
from treadle.runtime.trials import Trials
from treadle.store.sqlite.store import SqliteStore
from treadle.tasks.contract import TaskOutcome, TaskRequest

from .wire import NoEmulator, Wire, machine, nobody_else


class SettableClock:
    def __init__(self) -> None:
        self.time = 1_700_000_000_123

    def now(self) -> int:
        self.time += 1
        return self.time

    def call_at(self, when: int, callback: Any) -> Any:
        """Waits never end in these tests."""
        return Never()


class Never:
    def cancel(self) -> None:
        pass


class NoTasks:
    """Tasks are not what these tests are about."""

    def run(self, request: TaskRequest, report: Callable[[TaskOutcome], None]) -> None:
        raise AssertionError

    def cancel(self, token: str) -> None:
        raise AssertionError

    def abandon(self, token: str) -> None:
        raise AssertionError

    def refuses(self, resource: Resource) -> str | None:
        return None

    def unusable(self, resource: Resource, parameters: Document) -> str | None:
        return None

    def close(self) -> None: ...


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def keys() -> list[Credentials]:
    """Access keys of the configuration: none, so that nobody has to sign."""
    return []


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "treadle.db")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def keyring(store: SqliteStore, clock: SettableClock, limits: Limits, keys: list[Credentials]) -> Keyring:
    keyring = Keyring(store, clock, limits, keys)
    await keyring.open()
    return keyring


@pytest.fixture
async def runtime(store: SqliteStore, clock: SettableClock, limits: Limits) -> AsyncIterator[Runtime]:
    runtime = Runtime(store=store, tasks=NoTasks(), datasets=Pieces(), clock=clock, limits=limits)
    await runtime.start()
    yield runtime
    runtime.watchers.close()
    await runtime.close()


@pytest.fixture
async def door(store: SqliteStore, keyring: Keyring, runtime: Runtime, clock: SettableClock, limits: Limits) -> Door:
    service = await states_service(
        runtime=runtime,
        trials=Trials(NoTasks(), clock),
        store=store,
        clock=clock,
        options=StatesOptions(limits=limits),
    )
    authentication = Authentication(keyring, clock, limits, Defaults())
    admission = Admission(limits, lambda: runtime.resident)
    backend = Backend(
        runtime=runtime,
        store=store,
        clock=clock,
        limits=limits,
        keyring=keyring,
        authentication=authentication,
        started=clock.now(),
        storage=lambda: {"kind": "sqlite"},
        neighbours=Neighbours(NoEmulator(), {"s3": "http://127.0.0.1:9000"}, limits),
        code_tokens=CodeTokens(await store.secret()),
        operations={"states": tuple(OPERATIONS)},
        jobs=JobServices([], [], [], limits),
        admission=admission,
    )
    passing = nobody_else(authentication, limits)
    return Door([service], limits, authentication, TreadleExtension(backend), passing, admission)


@pytest.fixture
def wire(door: Door) -> Wire:
    return Wire(door)


@pytest.fixture
async def arn(wire: Wire) -> str:
    """A Standard machine with one Pass state."""
    created = await wire.ok("CreateStateMachine", machine())
    return str(created["stateMachineArn"])
