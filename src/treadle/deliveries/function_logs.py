"""The output of functions, brought to CloudWatch Logs, and the metrics in it to CloudWatch.

Whoever writes only appends to a backlog in memory; a task sends it, a second after something was written, in requests
as large as PutLogEvents takes them.  A request to either service, from whomever, first waits for what was written
before it (`flush`), so that nobody who asks for logs is too early.

The emulator of these services is not started because a function logged something: as long as it does not run, the
backlog waits, until it is started for another reason, or because somebody asks for logs.  The backlog is bounded: the
oldest lines are dropped, and one in their stream says how many.  What the emulator holds is bounded too, because it
holds it in memory for ever: the oldest streams are deleted.  The log files have everything in any case.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from treadle.deliveries.embedded_metrics import metrics_in
from treadle.functions.logs import LogStream, unix_lines
from treadle.limits import Limits
from treadle.neighbours.catalogue import catalogue
from treadle.neighbours.contract import EmulatorMissing, NeighbourUnavailable
from treadle.neighbours.directory import Neighbours, UnknownNeighbour
from treadle.tasks.contract import ServiceFault
from treadle.tasks.service_calls import ServiceCalls
from treadle.tasks.service_models import load

LOGS, METRICS = "logs", "cloudwatch"
"""botocore's names of the services."""

_EVENT_OVERHEAD = 26
"""What PutLogEvents counts for each event besides its text, in bytes (its API reference)."""
_BATCH_EVENTS, _BATCH_BYTES = 10_000, 1_048_576
"""Of one request, likewise."""
_DATA_AT_ONCE = 500
"""Metrics of one request; PutMetricData takes 1,000."""

_log = logging.getLogger(__name__)


class _Chunk(Struct, frozen=True):
    """What was written at one time: lines, which nobody has looked at yet."""

    milliseconds: int
    text: str


class _Event(Struct, frozen=True):
    milliseconds: int
    text: str
    size: int
    """As PutLogEvents counts it."""


class FunctionLogs:
    """Implements `functions.logs.LogSink`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._services: ServiceCalls | None = None
        self._neighbours: Neighbours
        self._backlog: dict[LogStream, deque[_Chunk]] = {}
        self._characters = 0
        self._dropped: dict[LogStream, int] = defaultdict(int)
        self._metrics: dict[tuple[str, str, str], deque[dict[str, Any]]] = {}
        """By account, region and namespace."""
        self._held: dict[LogStream, int] = {}
        """Bytes that the emulator holds, the oldest stream first."""
        self._timer: asyncio.TimerHandle | None = None
        self._shipping: asyncio.Task[None] | None = None
        self._told = False
        self._complained: set[str] = set()

    def connect(self, services: ServiceCalls, neighbours: Neighbours) -> None:
        self._services, self._neighbours = services, neighbours
        for service in (LOGS, METRICS):
            neighbours.before(service, self.flush)

    def wrote(self, stream: LogStream, text: str) -> None:
        now = time.time_ns() // 1_000_000
        chunks = self._backlog.get(stream)
        if chunks is None:
            chunks = self._backlog[stream] = deque()
        chunks.append(_Chunk(now, text))
        self._characters += len(text)
        while self._characters > self._limits.function_logs_backlog_characters:
            self._drop()
        if self._timer is None and self._services is not None:
            seconds = self._limits.function_logs_milliseconds / 1_000
            self._timer = asyncio.get_running_loop().call_later(seconds, self._due)

    async def flush(self) -> None:
        """Wait until all that was written until now is where it belongs, or was found not to get there."""
        if self._services is None or asyncio.current_task() is self._shipping:
            return  # it is our own request that this was to be done before
        if self._shipping is not None:
            await asyncio.shield(self._shipping)
        if self._backlog:
            await asyncio.shield(self._ship())

    async def close(self) -> None:
        """What cannot be sent soon is given up: it is in the files. The emulator will be gone, too."""
        if self._timer is not None:
            self._timer.cancel()
        if self._services is not None and not self._services.emulated(LOGS):
            try:
                await asyncio.wait_for(self.flush(), self._limits.function_logs_close_seconds)
            except TimeoutError:
                _log.warning("CloudWatch Logs took too long for the last output of functions")
        self._services = None
        if self._shipping is not None:
            self._shipping.cancel()

    def _drop(self) -> None:
        """The oldest lines."""
        stream, chunks = next(iter(self._backlog.items()))
        dropped = chunks.popleft()
        self._characters -= len(dropped.text)
        self._dropped[stream] += dropped.text.count("\n")
        if not chunks:
            del self._backlog[stream]

    # -- sending -------------------------------------------------------------------------------------------

    def _due(self) -> None:
        self._timer = None
        if self._answers():
            self._ship()

    def _answers(self) -> bool:
        """Whether somebody is there whom nobody has to start."""
        return self._services is not None and self._neighbours.is_there(catalogue().services[LOGS])

    def _ship(self) -> asyncio.Task[None]:
        if self._shipping is None:
            self._shipping = asyncio.get_running_loop().create_task(self._send_all())
            self._shipping.add_done_callback(self._shipped)
        return self._shipping

    def _shipped(self, task: asyncio.Task[None]) -> None:
        self._shipping = None
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("The output of functions could not be brought to CloudWatch Logs", exc_info=error)

    async def _send_all(self) -> None:
        try:
            while self._backlog:
                stream, chunks = next(iter(self._backlog.items()))
                del self._backlog[stream]
                self._characters -= sum(len(chunk.text) for chunk in chunks)
                for batch in _batches(chunks, self._dropped.pop(stream, 0)):
                    await self._put(stream, batch)
            self._dropped.clear()  # of streams of which nothing was left
            while self._metrics:
                (account, region, namespace), data = next(iter(self._metrics.items()))
                del self._metrics[account, region, namespace]
                await self._put_metrics(account, region, namespace, list(data))
        except (NeighbourUnavailable, UnknownNeighbour) as error:
            level = logging.DEBUG if self._told or isinstance(error, EmulatorMissing) else logging.WARNING
            self._told = True
            _log.log(level, "The output of functions is in files only: %s", error)

    async def _put(self, stream: LogStream, batch: list[_Event]) -> None:
        events = [{"timestamp": event.milliseconds, "message": event.text} for event in batch]
        try:
            await self._call(stream, "PutLogEvents", logEvents=events)
        except ServiceFault as fault:
            if fault.code != "ResourceNotFoundException":
                self._complain(stream.function, f"CloudWatch Logs refused its output: {fault}")
                return
            await self._make(stream)
            try:
                await self._call(stream, "PutLogEvents", logEvents=events)
            except ServiceFault as again:
                self._complain(stream.function, f"CloudWatch Logs refused its output: {again}")
                return
        for event in batch:
            for namespace, datum in metrics_in(event.text):
                key = stream.account, stream.region, namespace
                self._metrics.setdefault(key, deque(maxlen=_BATCH_EVENTS)).append(datum)
        await self._bound_emulator(stream, sum(event.size for event in batch))

    async def _make(self, stream: LogStream) -> None:
        """The group and the stream, as far as they are not there."""
        for operation, names in (
            ("CreateLogGroup", {"logGroupName": stream.group}),
            ("CreateLogStream", {"logGroupName": stream.group, "logStreamName": stream.name}),
        ):
            try:
                await self._request(stream.account, stream.region, LOGS, operation, names)
            except ServiceFault as fault:
                if fault.code != "ResourceAlreadyExistsException":
                    self._complain(stream.function, f"{operation} of {stream.group} was refused: {fault}")

    async def _bound_emulator(self, stream: LogStream, size: int) -> None:
        assert self._services is not None
        if not self._services.emulated(LOGS):
            return
        self._held[stream] = self._held.get(stream, 0) + size
        while sum(self._held.values()) > self._limits.function_logs_emulated_bytes:
            oldest = next(iter(self._held))
            del self._held[oldest]
            try:
                await self._call(oldest, "DeleteLogStream")
            except ServiceFault:  # somebody else has deleted it
                continue

    async def _put_metrics(self, account: str, region: str, namespace: str, data: list[dict[str, Any]]) -> None:
        for at in range(0, len(data), _DATA_AT_ONCE):
            members = {"Namespace": namespace, "MetricData": data[at : at + _DATA_AT_ONCE]}
            try:
                await self._request(account, region, METRICS, "PutMetricData", members)
            except ServiceFault as fault:
                self._complain(namespace, f"CloudWatch refused these metrics: {fault}")

    def _complain(self, whose: str, what: str) -> None:
        """Once for each function or namespace: what is refused now mostly is the next time, too."""
        if whose not in self._complained:
            self._complained.add(whose)
            _log.warning("Function logs, %s: %s", whose, what)

    async def _call(self, stream: LogStream, operation: str, **members: Any) -> None:
        names = {"logGroupName": stream.group, "logStreamName": stream.name}
        await self._request(stream.account, stream.region, LOGS, operation, {**names, **members})

    async def _request(self, account: str, region: str, client: str, operation: str, members: dict[str, Any]) -> None:
        assert self._services is not None
        await self._services.call(load(client).operation_model(operation), members, account=account, region=region)


def _batches(chunks: Iterable[_Chunk], dropped: int) -> Iterator[list[_Event]]:
    """What one request after the other holds. `dropped`: so many lines there were before these."""
    batch: list[_Event] = []
    size = 0
    for event in _events(chunks, dropped):
        if batch and (len(batch) == _BATCH_EVENTS or size + event.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += event.size
    if batch:
        yield batch


def _events(chunks: Iterable[_Chunk], dropped: int) -> Iterator[_Event]:
    for chunk in chunks:
        lines = chunk.text.split("\n")
        if dropped:
            lines.insert(0, f"{dropped} lines before this one were dropped: too many waited for CloudWatch Logs")
            dropped = 0
        for line in lines:
            if line:
                text = unix_lines(line) + "\n"
                yield _Event(chunk.milliseconds, text, len(text.encode("utf-8", "replace")) + _EVENT_OVERHEAD)
