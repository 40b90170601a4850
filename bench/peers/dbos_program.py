"""The workflows as a program with DBOS, which is a library: `python -m bench.peers.dbos_program DATABASE SECONDS ROUNDS
REQUESTS` in the environment of that peer writes the results as JSON. There is no request and no network in between."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from dbos import DBOS

from bench.peers.measures import STEPS, Size, Workflow, measure


@DBOS.step()
async def nothing() -> int:
    return 0


@DBOS.workflow()
async def chain(steps: int) -> int:
    for _ in range(steps):
        await nothing()
    return steps


@DBOS.workflow()
async def wide(steps: int) -> int:
    await asyncio.gather(*(nothing() for _ in range(steps)))
    return steps


async def _execute(workflow: Workflow) -> None:
    await (wide if workflow is Workflow.WIDE else chain)(STEPS[workflow])


def main() -> None:
    database, seconds, rounds, requests = sys.argv[1:]
    size = Size(float(seconds), int(rounds), int(requests))
    DBOS(
        config={
            "name": "bench",
            "system_database_url": f"sqlite:///{database}",
            "run_admin_server": False,
            "log_level": "ERROR",
        }
    )
    DBOS.launch()
    print(json.dumps(asyncio.run(measure(_execute, size, synchronous=False))), flush=True)
    os._exit(0)  # its threads need not be waited for


if __name__ == "__main__":
    main()
