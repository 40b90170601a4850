"""What commands leave behind for tests to see."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path


async def began(path: Path) -> str:
    """What a command writes there, once it has."""
    return await asyncio.to_thread(_began, path)


def _began(path: Path) -> str:
    while not path.exists() or not path.read_text().endswith("\n"):
        time.sleep(0.01)
    return path.read_text().strip()
