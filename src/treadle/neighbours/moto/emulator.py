"""The embedded neighbour: moto in a process of its own, which emulates the services that Treadle does not serve.

It is started by the first request that needs it, and again by the first one after its end. Requests wait until
it is ready. What it holds lives in its memory: it is gone when the process ends, and ours ends it when the
server stops. A server that dies leaves it behind, for the next one of the same data folder (control.py). It
listens on a Unix socket in a folder that only the server's user may enter, so that nobody gets past the door.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from treadle.functions.logs import Output
from treadle.limits import Limits
from treadle.neighbours.contract import EmulatorMissing, Incoming, NeighbourUnavailable, NotEmulated, Outgoing
from treadle.neighbours.moto import control, lacking
from treadle.neighbours.moto.control import READY, SERVICE_SOCKET, Greeting, Settings, Whereabouts
from treadle.neighbours.moto.link import Link, LinkFailed, connect
from treadle.neighbours.transport import Transport

_ACCOUNT_HEADER = b"x-moto-account-id"
"""Where moto looks for the account first of all; otherwise it takes the one that it knows the access key from."""
_MODULES = ("moto", "flask")
_NAME = "the emulator of AWS services (moto)"
_DELIVERY_THREADS = 8

_log = logging.getLogger(__name__)


class MotoOptions(Struct, frozen=True, kw_only=True):
    data: Path
    """The data folder: what one server leaves behind is for the next one there."""
    logs: Path
    """The folder of its log file, made on first use."""
    account_id: str
    region: str
    url: str
    """Where this server takes requests from this machine: moto delivers to functions and state machines there."""
    key_of: Callable[[str], tuple[str, str]]
    """An access key of this server (id, secret) for an account."""
    inherited: Mapping[str, str]
    """What it sees of the server's own environment. Nothing else: it must never use the user's AWS credentials."""
    limits: Limits


class Moto:
    """Implements `contract.Neighbour`."""

    def __init__(self, options: MotoOptions) -> None:
        self._options = options
        self._running: _Running | None = None
        self._starting: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        """Of the last one; it may still be clearing away what the process left."""
        self._closed = False

    @property
    def pid(self) -> int | None:
        """None: it is not running."""
        return None if self._running is None else self._running.link.pid

    @property
    def is_running(self) -> bool:
        return self._running is not None

    async def open(self) -> None:
        """Take over what a server left behind that used the same data folder and died."""
        left = control.find(self._options.data)
        if left is None:
            return
        folder = Path(left.folder)
        if not control.is_private(folder):
            return  # it has ended since, and taken its folder with it
        try:
            self._belongs(await self._greet(folder, left.secret), folder, left.secret, None)
        except LinkFailed as error:
            control.withdraw(self._options.data, left.secret)
            _log.warning("%s that an earlier server started is not taken over: %s. What it held is lost", _NAME, error)

    async def send(self, request: Outgoing) -> Incoming:
        transport = await self._ready()
        headers = [(key, value) for key, value in request.headers if key.lower() != _ACCOUNT_HEADER]
        headers.append((_ACCOUNT_HEADER, request.account.encode()))
        answer = await transport.send(
            Outgoing(
                method=request.method,
                target=request.target,
                headers=headers,
                body=request.body,
                account=request.account,
            )
        )
        lacked = lacking.told(answer)
        if lacked is not None:
            answer.close()
            raise NotEmulated(f"{_NAME} does not have this: {lacked}")
        return answer

    async def close(self) -> None:
        self._closed = True
        if self._starting is not None:
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._running is not None:
            self._running.link.kill()
        if self._watching is not None:
            await self._watching

    async def _ready(self) -> Transport:
        """Raises NeighbourUnavailable."""
        if self._running is None:
            if self._closed:
                raise NeighbourUnavailable(f"{_NAME} has been stopped")
            if self._starting is None or self._starting.done():
                self._starting = asyncio.get_running_loop().create_task(self._start())
            # Others wait for the same start: whoever gives up must not end it.
            await asyncio.shield(self._starting)
        if self._running is None:
            raise NeighbourUnavailable(f"{_NAME} ended as soon as it was started")
        return self._running.transport

    async def _start(self) -> None:
        if not all(map(importlib.util.find_spec, _MODULES)):
            raise EmulatorMissing(f"{_NAME} is not installed; pip install 'treadle[moto]' installs it")
        try:
            # Not in the data folder: the path of a socket may have about a hundred characters.
            folder = Path(tempfile.mkdtemp(prefix="treadle-"))
        except OSError as error:
            raise NeighbourUnavailable(f"{_NAME} could not be started: {error}") from error
        secret = secrets.token_hex(32)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "treadle.neighbours.moto.process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            env=self._environment(),
        )
        try:
            try:
                async with asyncio.timeout(self._options.limits.neighbour_start_seconds):
                    await self._told_ready(process, self._settings(folder, secret))
                link = await self._greet(folder, secret)
                control.publish(self._options.data, Whereabouts(str(folder), secret))
            except TimeoutError as error:
                seconds = self._options.limits.neighbour_start_seconds
                raise NeighbourUnavailable(f"{_NAME} was not ready within {seconds} seconds") from error
            except (LinkFailed, OSError) as error:
                raise NeighbourUnavailable(f"{_NAME} could not be started: {error}") from error
        except NeighbourUnavailable:
            _kill(process)
            await process.wait()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._belongs(link, folder, secret, process)

    async def _told_ready(self, process: asyncio.subprocess.Process, settings: Settings) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(ConnectionError):  # it has ended already, and its output says why
            process.stdin.write(msgspec.json.encode(settings))
            process.stdin.close()
            await process.stdin.wait_closed()
        output = Output(self._options.limits.function_log_tail_bytes)
        while data := await process.stdout.read(65_536):
            if f"{READY}\n" in output.feed(data):
                return
        code = await process.wait()
        last = output.end()[1].strip().rpartition("\n")[2] or f"exit status {code}"
        raise NeighbourUnavailable(f"{_NAME} could not be started: {last}")

    async def _greet(self, folder: Path, secret: str) -> Link:
        """Raises LinkFailed."""
        options = self._options
        greeting = Greeting(secret, control.kind(options.account_id, options.region), options.url)
        return await connect(folder, greeting, options.key_of, options.limits.neighbour_connect_seconds)

    def _belongs(self, link: Link, folder: Path, secret: str, process: asyncio.subprocess.Process | None) -> None:
        """`process`: None if another server started it."""
        # The host is that of requests without one; those that come through the door bring theirs.
        transport = Transport(_NAME, "http://localhost", self._options.limits, unix_socket=str(folder / SERVICE_SOCKET))
        self._running = _Running(link, transport)
        self._watching = asyncio.get_running_loop().create_task(self._watch(link, folder, secret, process))

    async def _watch(self, link: Link, folder: Path, secret: str, process: asyncio.subprocess.Process | None) -> None:
        """Until it ends, whatever ends it, and what is to be done then."""
        await link.ended.wait()
        assert self._running is not None
        transport, self._running = self._running.transport, None
        code = "it belonged to another server first" if process is None else await process.wait()
        await transport.close()
        control.withdraw(self._options.data, secret)
        shutil.rmtree(folder, ignore_errors=True)
        if not self._closed:
            _log.warning("%s ended (%s). What it held is lost; the next request starts it anew", _NAME, code)

    def _settings(self, folder: Path, secret: str) -> Settings:
        options, limits = self._options, self._options.limits
        return Settings(
            folder=str(folder),
            data=str(options.data),
            secret=secret,
            kind=control.kind(options.account_id, options.region),
            logs=str(options.logs),
            log_bytes=limits.function_log_file_bytes,
            survival_seconds=limits.neighbour_survival_seconds,
            deliveries=limits.neighbour_deliveries,
            delivery_threads=_DELIVERY_THREADS,
            delivery_seconds=limits.neighbour_delivery_seconds,
        )

    def _environment(self) -> dict[str, str]:
        options = self._options
        return {
            **options.inherited,
            "MOTO_ACCOUNT_ID": options.account_id,
            "S3_IGNORE_SUBDOMAIN_BUCKETNAME": "true",  # the bucket is in the path, whatever the server is called
            "MOTO_DISABLE_GLOBAL_CORS": "true",  # it would let every web page in
            "AWS_DEFAULT_REGION": options.region,
            "AWS_ACCESS_KEY_ID": "moto",
            "AWS_SECRET_ACCESS_KEY": "moto",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


class _Running(Struct):
    link: Link
    transport: Transport


def _kill(process: asyncio.subprocess.Process) -> None:
    """There is nothing that it could save. It may have died already."""
    with suppress(ProcessLookupError):
        process.kill()
