from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.aws.door import Door
from treadle.aws.states.call import StatesOptions
from treadle.aws.states.service import states_service
from treadle.language.resources import Resource
from treadle.limits import Limits
from treadle.runtime.runtime import Runtime
from treadle.store.sqlite.store import SqliteStore
from treadle.tasks.contract import TaskOutcome, TaskRequest

from .wire import Wire, machine


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

    def refuses(self, resource: Resource) -> str | None:
        return None


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
async def door(clock: SettableClock, limits: Limits, tmp_path: Path) -> AsyncIterator[Door]:
    store = SqliteStore(tmp_path / "treadle.db")
    await store.open()
    runtime = Runtime(store=store, tasks=NoTasks(), clock=clock, limits=limits)
    await runtime.start()
    service = await states_service(runtime=runtime, store=store, clock=clock, options=StatesOptions(limits=limits))
    yield Door([service], limits)
    await runtime.close()
    await store.close()


@pytest.fixture
def wire(door: Door) -> Wire:
    return Wire(door)


@pytest.fixture
async def arn(wire: Wire) -> str:
    """A Standard machine with one Pass state."""
    created = await wire.ok("CreateStateMachine", machine())
    return str(created["stateMachineArn"])
