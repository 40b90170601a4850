"""A process that commits in a loop, to be killed or starved. For every commit that was acknowledged it prints
the id of the first of two executions and the event that both have reached:

    python -m store.crashing commit|fill <database>
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from msgspec.structs import replace

from tests.store.builders import ARN, created, entry, execution, machine
from treadle.store.contract import Commit, Store, StoreUnusable
from treadle.store.sqlite import SqliteStore

FILE_BYTES = 2_000_000


async def commit_pairs(store: Store) -> None:
    """New pairs of executions, each pair advanced a few times; both of a pair are always in one batch."""
    while True:
        pair = [execution(store, "orders", wake=1) for _ in range(2)]
        await store.commit([created(run, entry(1, 1)) for run in pair])
        acknowledge(pair[0].id, 1)
        for event in range(2, 6):
            await store.commit([Commit(execution=replace(run, wake=event), entry=entry(event, event)) for run in pair])
            acknowledge(pair[0].id, event)


def acknowledge(number: int, event: int) -> None:
    sys.stdout.write(f"{number} {event}\n")
    sys.stdout.flush()


async def main(what: str, path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    if await store.machine_get(ARN + "orders") is None:
        await store.machine_create(machine("orders"), {})
    if what == "fill":
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    answers = await asyncio.gather(*(commit_pairs(store) for _ in range(8)), return_exceptions=True)
    assert all(isinstance(answer, StoreUnusable) for answer in answers), answers
    await store.close()
    sys.stdout.write(f"refused {answers[0]}\n")


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
