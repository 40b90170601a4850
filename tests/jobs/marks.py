"""What commands leave behind for tests to see."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path


async def began(path: Path) -> str:
    """What a command writes there, once it has."""
    return await asyncio.to_thread(_began, path)


def _began(path: Path) -> str:
    while not path.exists() or not path.read_text().endswith("\n"):
        time.sleep(0.01)
    return path.read_text().strip()


async def gone(pid: int) -> None:
    """A process ends a moment after the signal that kills it."""
    await asyncio.to_thread(_gone, pid)


def _gone(pid: int) -> None:
    while _alive(pid):
        time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return not Path("/proc").exists() or "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except (ProcessLookupError, FileNotFoundError):
        return False
