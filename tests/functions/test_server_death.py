"""A server that is killed takes its workers along: idle, starting and busy ones, and what they started."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from .gate import Gate

TESTS = Path(__file__).parents[1]
FUNCTIONS = {
    "idle": "line = arrive('idle')\ndef handler(event, context): ...",
    "starting": "wait(arrive('starting'))",
    "busy": "def handler(event, context): child('child'); wait(arrive('busy'))",
    "deaf": "def handler(event, context):\n    line = arrive('deaf')\n    while True: time.sleep(3600)",
}


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_no_worker_outlives_the_server(tmp_path: Path, gate: Gate, loop: str) -> None:
    for name, code in FUNCTIONS.items():
        (tmp_path / f"{name}.py").write_text(gate.prelude + code)
    arguments = ["-m", "functions.dying_server", loop, str(tmp_path), *FUNCTIONS]
    server = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=TESTS)
    visitors = await gate.visitors(len(FUNCTIONS) + 1)
    assert set(visitors) == {*FUNCTIONS, "child"}
    server.kill()
    await server.wait()
    for visitor in visitors.values():
        await visitor.gone()
