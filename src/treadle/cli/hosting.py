"""Run the server in this process, and perhaps something beside it: what start, demo and run share.

What runs beside the server is a client of its API, in a thread of its own, so that the event loop stays free.
The first Ctrl-C (or SIGTERM) stops in order: no new requests, commits finished, workers ended, store closed.
A second one exits at once; the store is built for that. Those that come together are one: a terminal and a supervisor
may both mean to stop the server, and neither of them in a hurry.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable

import click
import uvloop

from treadle.app import App
from treadle.cli.output import TerminalOutput
from treadle.config import Settings
from treadle.listening import ServerError

Beside = Callable[[App, threading.Event], int | None]
"""Given the server, started, and an event that asks it to stop. A status ends the server; None does not."""

_EXIT_ERROR = 1
_YOUNG_OBJECTS = 10_000
"""So many more objects than before, and the collector looks at the new ones. Python's own number is 700."""
_PREPARE_SECONDS = 0.2
_EXIT_AT_ONCE = 130
"""What shells report of a command that Ctrl-C killed."""
_TOGETHER_SECONDS = 1.0
"""Signals to stop that come within this time of the first are one."""


def host(settings: Settings, beside: Beside) -> int | None:
    """Serve until stopped. The exit status, or None if it was Ctrl-C or SIGTERM that stopped it."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_host(settings, beside))
    except ServerError as error:
        click.echo(f"treadle: {error}", err=True)
        return _EXIT_ERROR


async def _host(settings: Settings, beside: Beside) -> int | None:
    stopping = _stop_on_signals()
    app = App(settings, [TerminalOutput()] if settings.verbose else [])
    try:
        await app.start()
        _spare_the_collector()
        preparing = asyncio.create_task(_prepare(app))
        try:
            return await _until_done(app, beside, stopping)
        finally:
            preparing.cancel()
            await asyncio.wait([preparing])
    finally:
        await app.close()


async def _prepare(app: App) -> None:
    """After a moment, so that whoever has waited for the server is answered first."""
    await asyncio.sleep(_PREPARE_SECONDS)
    await app.prepare()
    _spare_the_collector()


def _spare_the_collector() -> None:
    """Python's cyclic garbage collector looks at all that may be garbage, again and again. What a server has made by
    now (in the end botocore's models, most of all) is none, and most of what executions leave is freed without it.
    (Measured: it took a fifth of the time of a map run.)"""
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)


async def _until_done(app: App, beside: Beside, stopping: asyncio.Event) -> int | None:
    """Wait for whichever comes first: a signal, a fatal error (raised), or an exit status from beside."""
    stop = threading.Event()
    work = asyncio.create_task(asyncio.to_thread(beside, app, stop))
    signalled = asyncio.create_task(stopping.wait())
    failed = asyncio.create_task(app.failure())
    waiting = {work, signalled, failed}
    try:
        while True:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if failed in done:
                failed.result()
            if signalled in done:
                return None
            if work.result() is not None:
                return work.result()
    finally:
        stop.set()
        for task in (signalled, failed):
            task.cancel()
        await asyncio.gather(work, signalled, failed, return_exceptions=True)


def _stop_on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    first = 0.0

    def stop() -> None:
        nonlocal first
        if not stopping.is_set():
            first = loop.time()
            stopping.set()
        elif loop.time() - first > _TOGETHER_SECONDS:
            sys.stderr.flush()
            os._exit(_EXIT_AT_ONCE)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    return stopping
