from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from . import fakes

if importlib.util.find_spec("treadle.runtime.runtime") is None:
    fakes.install()

from treadle.aws.door import Door
from treadle.aws.states.call import StatesOptions
from treadle.aws.states.service import states_service
from treadle.limits import Limits
from treadle.store.sqlite.store import SqliteStore

from .wire import Wire, machine


class SettableClock:
    def __init__(self) -> None:
        self.time = 1_700_000_000_123

    def now(self) -> int:
        self.time += 1
        return self.time

    def call_at(self, when: int, callback: Any) -> Any:
        raise AssertionError


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
    runtime: Any = fakes.FakeRuntime(store, clock)
    service = await states_service(
        runtime=runtime, store=store, clock=clock, options=StatesOptions(limits=limits)
    )
    yield Door([service], limits)
    await store.close()


@pytest.fixture
def wire(door: Door) -> Wire:
    return Wire(door)


@pytest.fixture
async def arn(wire: Wire) -> str:
    """A Standard machine with one Pass state."""
    created = await wire.ok("CreateStateMachine", machine())
    return str(created["stateMachineArn"])
