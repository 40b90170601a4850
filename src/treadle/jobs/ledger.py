"""Jobs that are kept: one is on disk before it runs, and so is what became of it before anybody is told.

    add ──▶ PENDING ──start──▶ RUNNING ──▶ SUCCEEDED, FAILED, TIMED_OUT
                │                 │ ▲
                │                 │ └── the server died: it is run again
                └──────stop───────┴──▶ STOPPED

A job that ran when the server died is run again when it is back, under the same id: at least once, as tasks are. One
that was to be stopped is not. A job that waits (PENDING) waits on, until its service starts it.

A job has parts, which run at once (the containers of an ECS task); most have one. It ends with the first essential
part that ends, and takes the others with it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from msgspec.structs import replace

from treadle.clock import Clock
from treadle.jobs.contract import Ending, Job, Outcome, Part, Stop
from treadle.jobs.runner import Runner
from treadle.limits import Limits
from treadle.store.contract import StoreUnavailable, StoreUnusable
from treadle.store.job_contract import JobRecord, JobStore

Ended = Callable[[Job], Awaitable[None]]
"""Told of each job of a kind that has ended, after that is on disk."""

_NO_FILE_NAME = re.compile(r"[^A-Za-z0-9._-]+")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Job).decode
_log = logging.getLogger(__name__)


class Ledger:
    def __init__(
        self, store: JobStore, runner: Runner, clock: Clock, limits: Limits, on_failure: Callable[[Exception], None]
    ) -> None:
        """`on_failure` is told when the store cannot be used any more."""
        self._store = store
        self._runner = runner
        self._clock = clock
        self._limits = limits
        self._on_failure = on_failure
        self._ended: dict[str, Ended | None] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._stops: dict[str, list[Stop]] = {}
        self._changes = asyncio.Lock()
        """Held from reading a job to writing it."""

    def register(self, kind: str, ended: Ended | None = None) -> None:
        """Before `recover`. Jobs of other kinds are left alone."""
        self._ended[kind] = ended

    async def recover(self) -> None:
        """Take up what ran when the server ended, or whoever ran it before."""
        for kind in self._ended:
            for record in await self._store.job_records_open(kind):
                job = _decode(record.content)
                if job.stop_reason is not None:
                    await self._end(job, "STOPPED")
                elif job.state == "RUNNING":
                    self._run(job)

    async def halt(self) -> None:
        """End what runs, and say nothing about it: it is run again with the next `recover`, here or elsewhere."""
        runs = list(self._runs.values())
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)

    async def close(self) -> None:
        await self.halt()
        await self._runner.close()

    # -- what services ask for -----------------------------------------------------------------------------

    def now(self) -> int:
        return self._clock.now()

    async def add(
        self,
        jobs: Sequence[Job],
        token: str | None = None,
        *,
        created: Sequence[JobRecord] = (),
        changed: Sequence[JobRecord] = (),
    ) -> None:
        """Keep new jobs, which wait then; and in the same transaction other records of their service. `token`: of the
        request, which finds them with `of_token` if it comes again."""
        records = [_record(job, token) for job in jobs]
        await self._store.job_records_write([*created, *records], changed)

    async def begin(self, jobs: Sequence[Job], token: str | None = None) -> list[Job]:
        """Keep new jobs and run them; as they stand then. `token`: as for `add`."""
        begun = [replace(job, state="RUNNING", started=self._clock.now()) for job in jobs]
        await self.add(begun, token)
        for job in begun:
            self._run(job)
        return begun

    async def start(self, id: str) -> None:
        """Run a job that waits; one that does not wait any more is left as it is."""
        async with self._changes:
            job = await self.get(id)
            if job is None or job.state != "PENDING" or job.stop_reason is not None:
                return
            job = replace(job, state="RUNNING", started=self._clock.now())
            await self._write(job)
        self._run(job)

    async def stop(self, id: str, reason: str, grace_seconds: float | None = None) -> Job | None:
        """Ask a job to end, which it does in its time unless it waits still; the job as it stands then. `None`
        seconds: the limit."""
        async with self._changes:
            job = await self.get(id)
            if job is None or not job.open:
                return job
            job = replace(job, stop_reason=job.stop_reason or reason)
            await self._write(job)
        if job.state == "PENDING":
            await self._end(job, "STOPPED")
            return await self.get(id)
        grace = self._limits.job_stop_seconds if grace_seconds is None else grace_seconds
        for stop in self._stops.get(id, []):
            stop.ask(grace)
        return job

    async def get(self, id: str) -> Job | None:
        record = await self._store.job_record_get(id)
        return None if record is None else _decode(record.content)

    async def of_token(self, kind: str, token: str | None) -> list[Job]:
        """What a request with this token has added before, oldest first."""
        records = [] if token is None else await self._store.job_records_of_token(kind, token)
        return [_decode(record.content) for record in records]

    async def page(self, kind: str, parent: str, before: int | None = None, limit: int = -1) -> list[tuple[int, Job]]:
        """Newest first, each with its number, those with a smaller one than `before`, at most `limit` (-1: all)."""
        records = await self._store.job_records_list(kind, parent, before, limit)
        return [(record.number, _decode(record.content)) for record in records]

    # -- running -------------------------------------------------------------------------------------------

    def _run(self, job: Job) -> None:
        self._stops[job.id] = [Stop() for _ in job.parts]
        task = asyncio.get_running_loop().create_task(self._carry_out(job))
        self._runs[job.id] = task
        task.add_done_callback(lambda done: self._ran(job.id, done))

    def _ran(self, id: str, task: asyncio.Task[None]) -> None:
        del self._runs[id]
        del self._stops[id]
        self.ended_badly(f"the job {id} was lost", task)

    def ended_badly(self, what: str, task: asyncio.Task[None]) -> None:
        """Tell of a task that has ended with an error, if it has: nobody waits for it."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StoreUnusable):
            self._on_failure(error)
        elif isinstance(error, StoreUnavailable):
            _log.warning("%s: %s", what, error)
        elif error is not None:
            _log.error("Treadle has a bug: %s", what, exc_info=error)

    async def _carry_out(self, job: Job) -> None:
        while True:
            outcomes = await self._attempt(job)
            parts = [replace(part, outcome=each) for part, each in zip(job.parts, outcomes, strict=True)]
            job = replace(job, parts=tuple(parts), attempt=job.attempt + 1)
            ending: Ending = "FAILED" if job.outcome is None else job.outcome.ending
            if ending in ("SUCCEEDED", "STOPPED") or job.attempt >= job.attempts:
                break
        await self._end(job, ending)

    async def _attempt(self, job: Job) -> list[Outcome]:
        """Run the parts until an essential one has ended, and then all."""
        stops = self._stops[job.id]
        runs = [
            asyncio.create_task(self._runner.run(part.work, _log_name(job, part), stop))
            for part, stop in zip(job.parts, stops, strict=True)
        ]
        essential = {run for part, run in zip(job.parts, runs, strict=True) if part.essential}
        try:
            await asyncio.wait(essential or runs, return_when=asyncio.FIRST_COMPLETED)
            for stop, run in zip(stops, runs, strict=True):
                if not run.done():
                    stop.ask(self._limits.job_stop_seconds)
            return await asyncio.gather(*runs)
        finally:
            for run in runs:
                run.cancel()
            await asyncio.gather(*runs, return_exceptions=True)

    async def _end(self, job: Job, ending: Ending) -> None:
        async with self._changes:
            # Somebody may have asked for its end meanwhile.
            known = await self.get(job.id)
            reason = None if known is None else known.stop_reason
            job = replace(job, state=ending, ended=self._clock.now(), stop_reason=reason or job.stop_reason)
            await self._write(job)
        ended = self._ended[job.kind]
        if ended is not None:
            await ended(job)

    async def _write(self, job: Job) -> None:
        await self._store.job_records_write([], [_record(job)])


def _record(job: Job, token: str | None = None) -> JobRecord:
    return JobRecord(
        id=job.id, kind=job.kind, parent=job.parent, open=job.open, content=_encode(job).decode(), token=token
    )


def _log_name(job: Job, part: Part) -> str:
    """Ids of some services are ARNs."""
    name = _NO_FILE_NAME.sub("-", job.id.rpartition(":")[2])
    return name if len(job.parts) == 1 else f"{name}-{_NO_FILE_NAME.sub('-', part.name)}"
