"""One worker process: starts it, gives it invocations one at a time, reads its output, ends it.

    starting ──poll──▶ idle ──begin──▶ busy ──response or error──▶ settling ──poll──▶ idle
        │                │               │                            │
        └────────────────┴── exit, time-out, kill: gone, for good ────┴──▶ gone

Every state has a deadline: starting and settling must not take long, an idle worker is not kept for ever, and
an invocation has its time-out.  A worker is never repaired: whenever something is wrong, its whole process
group is killed, so that what a handler started goes with it (unless that made a session of its own).

Standard output and error share one pipe, read without blocking.  A response can overtake the output that was
written before it, so the pipe is emptied before an invocation ends.  A worker that floods the pipe is read
only so many bytes a second; it waits, and the server has time for the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

from treadle.functions import failures, processes, runtime_api
from treadle.functions.answer_stream import AnswerStream
from treadle.functions.bounds import bound, guarded
from treadle.functions.contract import Invocation
from treadle.functions.function import Function
from treadle.functions.guardian import Guardian
from treadle.functions.logs import LogSink, LogStream
from treadle.functions.memory import Memory
from treadle.functions.options import FunctionOptions
from treadle.functions.platform_lines import Report, Status
from treadle.functions.processes import Start
from treadle.functions.runtime_api import Answer, Poll, RuntimeApi
from treadle.functions.scratch import Scratch
from treadle.functions.variables import worker_variables
from treadle.functions.worker_log import WorkerLog
from treadle.functions.zygote import Zygote

State = Literal["starting", "idle", "busy", "settling", "gone"]

_READ_BYTES = 65_536
"""What a pipe holds: one read empties it unless the worker goes on writing."""
_THROTTLE_SECONDS = 0.1


class Request(Struct, frozen=True, kw_only=True):
    """What a worker is asked to do."""

    payload: bytes
    request_id: str
    function_arn: str
    timeout_seconds: float
    trace_id: str
    client_context: str | None = None
    stream: AnswerStream | None = None
    """Where the answer goes as it comes, if the handler streams it."""


class Run:
    """One invocation on its way: waiting for a worker, or in one."""

    __slots__ = ("begun", "future", "request", "sequence", "worker")

    def __init__(self, request: Request, sequence: int) -> None:
        self.request = request
        self.sequence = sequence
        self.future: asyncio.Future[Invocation] = asyncio.get_running_loop().create_future()
        self.worker: Worker | None = None
        self.begun = 0.0

    def end(self, payload: bytes, failed: bool, log: str = "") -> None:
        if not self.future.done():  # the caller may have gone
            error = "Unhandled" if failed else None
            self.future.set_result(
                Invocation(payload=payload, request_id=self.request.request_id, function_error=error, log=log)
            )


class Owner(Protocol):
    """Who decides what a worker does next (the pool)."""

    def worker_idle(self, worker: Worker) -> None: ...

    def worker_gone(self, worker: Worker) -> None:
        """It takes no more part. Told once, and at once: the process may take a moment longer, see
        `Worker.exited`."""
        ...


class Surroundings(Struct, frozen=True, kw_only=True):
    """What all workers of a server share."""

    options: FunctionOptions
    api: RuntimeApi
    guardian: Guardian
    zygote: Zygote
    scratch: Scratch
    log: LogSink


class Worker:
    def __init__(self, function: Function, surroundings: Surroundings, owner: Owner, again: bool = False) -> None:
        """`again`: another one did not start within the init phase, so this is started under the time-out of the
        invocation that waits for it."""
        self.function = function
        self.state: State = "starting"
        self.overran = again
        """Its start took longer than the init phase, as far as that is known."""
        self._again = again
        self.failure_of_start: Callable[[str], bytes] | None = None
        """Why it never became ready: makes the error document of a request id. None: it did, or was
        killed."""
        self._start_report: tuple[Status, str | None, str | None] = "error", None, None
        self.idle_since = 0.0
        self._around = surroundings
        self._limits = surroundings.options.limits
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = self._loop.create_future()
        """Done when the process is no more."""
        self._api_address = surroundings.api.seat(self)
        self._pid: int | None = None
        self._scratch: Path | None = None
        self._pipe = -1
        options = surroundings.options
        stream = LogStream.of_new_worker(function, options.account, options.region)
        self._log = WorkerLog(function, stream, surroundings.log, self._limits.function_log_tail_bytes)
        self._began = time.perf_counter()
        self._init_milliseconds: float | None = None
        """Until the first invocation has told it."""
        self._memory = Memory()
        self._window_bytes = 0
        self._window_end = 0.0
        self._poll: Poll | None = None
        self._run: Run | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._expect(self._init_seconds())
        self._starting = self._loop.create_task(self._start())

    # -- its life ------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        if self.state == "gone":
            self._exit()
            return
        self._log.init_started()
        self._pipe, write_end = os.pipe()
        os.set_blocking(self._pipe, False)
        self._loop.add_reader(self._pipe, self._readable)
        try:
            await self._around.guardian.start()
            self._scratch = self._around.scratch.make()
            start = Start(
                command=self.function.command,
                environment=worker_variables(
                    self.function, self._around.options, self._api_address, self._scratch, self._log.stream
                ),
                folder=self.function.root,
                output=write_end,
            )
            if not await self._around.zygote.start(start, self):
                await processes.start(start, self)
        except (OSError, subprocess.SubprocessError) as error:
            self.failure_of_start = partial(failures.not_started, reason=f"no worker could be started: {error}")
            self._leave()
            self._exit()
        finally:
            os.close(write_end)

    def started(self, pid: int) -> None:
        """The process runs."""
        self._pid = pid
        assert self._scratch is not None
        mark = self._api_address.rpartition("/")[2]
        bounds = guarded(self.function, self._limits, mark, self._scratch)
        self._around.guardian.watch(pid, bounds, self._log.ended_for)
        bound(pid, self.function, self._limits)
        if self.state == "gone":  # killed while it was being started
            self._kill_group()

    def begin(self, run: Run) -> None:
        """Give the idle worker its next invocation."""
        assert self.state == "idle"
        assert self._poll is not None
        self.state, self._run, run.worker, run.begun = "busy", run, self, time.perf_counter()
        request = run.request
        spent = 0.0
        if self._again and self._init_milliseconds is not None:
            spent, self._init_milliseconds = self._init_milliseconds / 1_000, None
            run.begun = self._began
        poll, self._poll = self._poll, None
        poll.deliver(event_headers(request, spent), request.payload)
        # Behind that, because the worker is at work meanwhile; what it writes is read later still.
        self._log.started(request.request_id)
        self._expect(request.timeout_seconds - spent, request.timeout_seconds)

    def abandon(self, run: Run) -> None:
        """Nobody waits for `run` any more: end the worker if it is still at it."""
        if self._run is run:
            self._leave()

    def end(self) -> None:
        """End it now. An invocation in it ends because the server shuts down."""
        if self._run is not None:
            self._end_run(failures.shut_down(self._run.request.request_id), "error")
        self._leave()

    def ended(self, return_code: int) -> None:
        """The process is no more."""
        assert self._pid is not None
        if self._run is not None:
            reason = failures.reason_of_exit(return_code)
            document = failures.exited(self._run.request.request_id, return_code)
            self._end_run(document, "failure", failures.EXITED, reason)
        elif self.state == "starting":
            self.failure_of_start = partial(failures.exited, return_code=return_code)
            self._start_report = "failure", failures.EXITED, failures.reason_of_exit(return_code)
        self._leave()
        self._kill_group()  # what the handler started and left behind
        self._around.guardian.unwatch(self._pid)
        self._exit()

    def _exit(self) -> None:
        """There is no process, or none any more."""
        if self._scratch is not None:
            self._around.scratch.remove(self._scratch)
        self.exited.set_result(None)

    # -- the runtime API (called for this worker only) -----------------------------------------------------

    def polled(self, poll: Poll) -> Answer | None:
        if self.state not in ("starting", "settling"):
            return runtime_api.INVALID_STATE
        if self.state == "starting":
            self._init_milliseconds = (time.perf_counter() - self._began) * 1_000
            self.overran = self._init_milliseconds > self._limits.function_init_seconds * 1_000
        self.state, self._poll, self.idle_since = "idle", poll, self._loop.time()
        self._expect(self._limits.function_idle_seconds)
        self._owner.worker_idle(self)
        return None

    def unpolled(self) -> None:
        if self.state == "idle":
            self._leave()

    def responded(self, request_id: str, body: bytes | None) -> Answer:
        return self._answered(request_id, body, failed=False)

    def failed(self, request_id: str, body: bytes | None) -> Answer:
        return self._answered(request_id, body, failed=True)

    def streams(self, request_id: str) -> AnswerStream | None:
        run = self._run
        return None if run is None or run.request.request_id != request_id else run.request.stream

    def streamed_too_much(self, request_id: str) -> None:
        if self._run is not None and self._run.request.request_id == request_id:
            self._end_run(failures.too_large(self._limits.function_stream_bytes), "error")
            self._leave()

    def init_failed(self, body: bytes | None) -> Answer:
        if self.state != "starting":
            return runtime_api.INVALID_STATE
        document = self._error_document(body)
        self.failure_of_start = lambda request_id: document
        self._loop.call_soon(self._leave)  # behind the answer
        return runtime_api.ACCEPTED if body is not None else runtime_api.TOO_LARGE

    def _answered(self, request_id: str, body: bytes | None, failed: bool) -> Answer:
        if self._run is None or self._run.request.request_id != request_id:
            return runtime_api.INVALID_REQUEST_ID
        self.state = "settling"
        self._expect(self._limits.function_init_seconds)
        if failed or body is None:
            self._end_run(self._error_document(body), "error")
        else:
            self._end_run(body, "success")
        return runtime_api.ACCEPTED if body is not None else runtime_api.TOO_LARGE

    def _error_document(self, body: bytes | None) -> bytes:
        if body is None:
            return failures.too_large(self._limits.function_request_bytes)
        return failures.with_lambda_paths(body, self.function.root)

    # -- ends ----------------------------------------------------------------------------------------------

    def _end_run(
        self, payload: bytes, status: Status, error_type: str | None = None, reason: str | None = None
    ) -> None:
        """`error_type` and `reason`: for the log, of what was not the handler's own doing."""
        run, self._run = self._run, None
        assert run is not None
        self._drain()
        self._finish(run, payload, (status, error_type, reason), (time.perf_counter() - run.begun) * 1_000)

    def refuse(self, run: Run) -> None:
        """End an invocation that nobody will begin, because the worker for it could not start."""
        assert self.failure_of_start is not None
        self._log.started(run.request.request_id)
        document = self.failure_of_start(run.request.request_id)
        self._finish(run, document, self._start_report, (time.perf_counter() - self._began) * 1_000)

    def _finish(
        self, run: Run, payload: bytes, how: tuple[Status, str | None, str | None], milliseconds: float
    ) -> None:
        status, error_type, reason = how
        init, self._init_milliseconds = self._init_milliseconds, None
        report = Report(
            request_id=run.request.request_id,
            milliseconds=milliseconds,
            status=status,
            error_type=error_type,
            reason=reason,
            init_milliseconds=init,
            memory_megabytes=self._memory.most(self._pid),
        )
        run.end(payload, status != "success", self._log.ended(report))

    def _init_seconds(self) -> float:
        """How long the start may take (the Lambda developer guide on the execution environment's lifecycle)."""
        if self.function.provisioned:
            return max(self._limits.function_provisioned_init_seconds, self.function.timeout_seconds)
        return self.function.timeout_seconds if self._again else self._limits.function_init_seconds

    def _expect(self, seconds: float, time_out: float | None = None) -> None:
        """Something must happen within `seconds`, or the worker is ended. `time_out`: as it is told, if that differs
        (what the start has taken of it is spent)."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._loop.call_later(seconds, self._overdue, time_out or seconds)

    def _overdue(self, seconds: float) -> None:
        if self._run is not None:
            reason = failures.reason_of_time_out(seconds)
            document = failures.timed_out(self._run.request.request_id, seconds)
            self._end_run(document, "timeout", failures.TIMED_OUT, reason)
        elif self.state == "starting" and not self._again and not self.function.provisioned:
            self.overran = True
            self._log.init_timed_out(seconds)
        elif self.state == "starting":
            self.failure_of_start = partial(failures.timed_out, seconds=seconds)
            self._start_report = "timeout", failures.TIMED_OUT, failures.reason_of_time_out(seconds)
        self._leave()

    def _leave(self) -> None:
        """Be gone: take no more part in anything, and end the process."""
        if self.state == "gone":
            return
        self.state = "gone"
        if self._deadline is not None:
            self._deadline.cancel()
        self._drain()
        self._close_pipe()
        self._around.api.unseat(self._api_address)
        self._kill_group()
        self._owner.worker_gone(self)
        self._log.closed()

    def _kill_group(self) -> None:
        # The group exists as long as any process is in it. Before the worker is reaped its number can be
        # nobody else's; after that it is used once more, at once, for what the worker left behind.
        if self._pid is not None and not self.exited.done():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)

    # -- output --------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        now = self._loop.time()
        if now >= self._window_end:
            self._window_bytes, self._window_end = 0, now + _THROTTLE_SECONDS
        self._window_bytes += self._read()
        if self._window_bytes > self._limits.function_output_bytes_per_second * _THROTTLE_SECONDS and self._pipe >= 0:
            self._loop.remove_reader(self._pipe)
            self._loop.call_at(self._window_end, self._read_on)

    def _read_on(self) -> None:
        if self._pipe >= 0:
            self._loop.add_reader(self._pipe, self._readable)

    def _drain(self) -> None:
        """Read what has been written until now; twice a pipe's size is surely all of it."""
        for _ in range(2):
            if self._read() < _READ_BYTES:
                break

    def _read(self) -> int:
        """Read once; gives the number of bytes."""
        if self._pipe < 0:
            return 0
        try:
            data = os.read(self._pipe, _READ_BYTES)
        except BlockingIOError:
            return 0
        if not data:  # the worker and all it started have closed it
            self._close_pipe()
            return 0
        self._log.wrote(data)
        return len(data)

    def _close_pipe(self) -> None:
        if self._pipe >= 0:
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = -1


def event_headers(request: Request, spent: float = 0) -> Iterator[tuple[str, str]]:
    """The headers of an event, as the Runtime API page has them. What callers choose must not break the
    head. `spent`: seconds of the time-out that are over."""
    deadline = time.time_ns() // 1_000_000 + int((request.timeout_seconds - spent) * 1_000)
    for name, value in (
        ("Lambda-Runtime-Aws-Request-Id", request.request_id),
        ("Lambda-Runtime-Deadline-Ms", str(deadline)),
        ("Lambda-Runtime-Invoked-Function-Arn", request.function_arn),
        ("Lambda-Runtime-Trace-Id", request.trace_id),
        ("Lambda-Runtime-Client-Context", request.client_context),
    ):
        if value is not None and value.isascii() and value.isprintable():
            yield name, value
