"""The simulated disk keeps the store's contract, as far as the simulation needs it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any, cast

import pytest

from tests.store.builders import machine
from tests.store.machine_suite import MachineSuite, Reopen
from tests.store.map_run_suite import MapRunSuite
from tests.store.suite import StoreSuite
from treadle.store.contract import Store

from .disk import Disk

_LEFT_OUT = (
    *("tag", "alias", "version", "published", "access_key", "activity", "pages_hold", "machine_pages", "prefix"),
    *("readers", "broken", "cancelled"),
)
"""In the names of tests: of what the simulation has none, and of those for which a write must take time."""


class AtOnce:
    """A store that has what it is asked for at hand."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self._ids = itertools.count(disk.last_id + 1)

    def execution_id(self, beside: int | None = None) -> int:
        return next(self._ids)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        carry_out = getattr(self.disk, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return carry_out(*args, **kwargs)

        return call


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    disk = Disk(Random(1))
    disk.machine_create(machine("orders"), {})
    yield cast("Store", AtOnce(disk))


@pytest.fixture
def reopen() -> Reopen:
    async def again(store: Store) -> Store:
        return cast("Store", AtOnce(cast("AtOnce", store).disk))

    return again


class TestSuite:
    """What the simulation needs of the suite."""


for suite in (MachineSuite, MapRunSuite, StoreSuite):
    for name, test in vars(suite).items():
        if name.startswith("test_") and not any(word in name for word in _LEFT_OUT):
            setattr(TestSuite, name, test)
