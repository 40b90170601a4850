from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress

import pytest

from treadle.functions.guardian import Bounds, Guardian
from treadle.functions.scratch import Scratch


@pytest.fixture
def scratch() -> Scratch:
    return Scratch()


async def sleeper() -> asyncio.subprocess.Process:
    arguments = ["-I", "-S", "-c", "import time; time.sleep(3600)"]
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, start_new_session=True)


async def test_kills_what_it_watches_and_nothing_else(scratch: Scratch) -> None:
    guardian = Guardian(scratch)
    await guardian.start()
    watched, dropped = await sleeper(), await sleeper()
    guardian.watch(watched.pid)
    guardian.watch(dropped.pid)
    guardian.unwatch(dropped.pid)
    (scratch.make() / "left").write_text("behind")
    await guardian.close()  # its pipe ends, as it does when the server dies
    assert await asyncio.wait_for(watched.wait(), 20) == -signal.SIGKILL
    assert dropped.returncode is None
    assert not scratch.folder.exists()
    dropped.kill()
    await dropped.wait()


async def test_is_started_once_and_only_if_it_is_needed(scratch: Scratch) -> None:
    guardian = Guardian(scratch)
    await guardian.close()
    assert not hasattr(scratch, "folder")
    guardian = Guardian(scratch)
    await asyncio.gather(guardian.start(), guardian.start())
    first, folder = guardian.pid, scratch.folder
    await guardian.start()
    assert (guardian.pid, scratch.folder) == (first, folder)
    await guardian.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_ignores_what_a_terminal_sends(scratch: Scratch, number: int) -> None:
    guardian = Guardian(scratch)
    await guardian.start()
    watched = await sleeper()
    guardian.watch(watched.pid)
    assert guardian.pid is not None
    os.kill(guardian.pid, number)
    await guardian.close()
    assert await asyncio.wait_for(watched.wait(), 20) == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="it looks at workers on Linux only")
async def test_looks_at_workers_however_often_others_come_and_go(scratch: Scratch) -> None:
    guardian = Guardian(scratch)
    await guardian.start()
    watched, ended = await sleeper(), asyncio.Event()
    bounds = Bounds(mark="of-no-process", folder=str(scratch.make()), storage=0, memory=None, processes=0)
    guardian.watch(watched.pid, bounds, lambda what: ended.set())
    async with asyncio.timeout(20):
        while not ended.is_set():
            guardian.unwatch(0)  # which nobody watches
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), 0.05)
    assert await asyncio.wait_for(watched.wait(), 20) == -signal.SIGKILL
    await guardian.close()


async def test_is_replaced_and_told_all_again(scratch: Scratch) -> None:
    lost = asyncio.Event()

    class Tell(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lost.set()

    logger, handler = logging.getLogger("treadle.functions.guardian"), Tell()
    logger.addHandler(handler)
    guardian = Guardian(scratch)
    await guardian.start()
    watched = await sleeper()
    guardian.watch(watched.pid)
    assert guardian.pid is not None
    os.kill(guardian.pid, signal.SIGKILL)
    await asyncio.wait_for(lost.wait(), 20)
    logger.removeHandler(handler)
    await guardian.close()
    assert await asyncio.wait_for(watched.wait(), 20) == -signal.SIGKILL
