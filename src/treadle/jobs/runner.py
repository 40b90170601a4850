"""Does the work of jobs, as jobs.toml says: runs a command in a process group of its own, or plays an outcome.

A run is a coroutine. It ends with an outcome, whatever happens to the command: nothing about a job is an exception
here. It ends early in two ways. Somebody asks (Stop): the group gets SIGTERM, and SIGKILL when the time is up that it
was given. Or the run is cancelled, because the server stops: the group is killed at once, and nothing is said about the
job, which is run again when the server is back.

When the command has ended, what it has left of its group is killed. If the server is killed, the guardian kills the
groups (functions/guardian.py).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from treadle.functions.guardian import Guardian
from treadle.functions.scratch import Scratch
from treadle.jobs.contract import Outcome, Stop, Work
from treadle.jobs.log_file import LogFile
from treadle.jobs.options import JobOptions
from treadle.jobs.process import Process
from treadle.jobs.rules import JobsFileError, Rule, Rules

_STOPPED = Outcome(ending="STOPPED", message="The job was stopped")

_T = TypeVar("_T")


class Runner:
    def __init__(self, options: JobOptions) -> None:
        self._options = options
        self.rules = Rules(options.rules)
        self._room = asyncio.Semaphore(options.limits.job_processes)
        self._scratch = Scratch()
        self._guardian = Guardian(self._scratch)

    async def close(self) -> None:
        """All runs must have ended."""
        await self._guardian.close()

    def log_path(self, service: str, log: str) -> Path:
        return self._options.logs / service / f"{log}.log"

    async def run(self, work: Work, log: str, stop: Stop) -> Outcome:
        """`log`: the name of the log file, without its folder."""
        try:
            rule = self.rules.of(work)
        except JobsFileError as error:
            return Outcome(ending="FAILED", message=str(error))
        if rule.outcome is not None:
            return replace(await _play(rule, stop), answer=rule.answer)
        if not await _unless_stopped(self._room.acquire(), stop):
            return _STOPPED
        try:
            return replace(await self._execute(work, rule, log, stop), answer=rule.answer)
        except (OSError, ValueError) as error:  # ValueError: of a NUL in a name or a variable
            return Outcome(ending="FAILED", message=f"The job's command could not be started: {error}")
        finally:
            self._room.release()

    async def _execute(self, work: Work, rule: Rule, log: str, stop: Stop) -> Outcome:
        await self._guardian.start()
        command = _command(work, rule)
        if not command:
            return Outcome(ending="FAILED", message=f'jobs.toml says run = "{rule.run}", but the job has none')
        folder = self._scratch.make()
        try:
            process = await Process.prepare(
                command,
                cwd=self._folder(rule, folder),
                env=self._environment(work, rule, folder),
                log=LogFile(
                    self.log_path(work.service, log),
                    self._options.limits.job_log_bytes,
                    self._options.limits.function_log_tail_bytes,
                ),
            )
            self._guardian.watch(process.group)
            process.begin()
            try:
                seconds = work.timeout_seconds if work.timeout_seconds is not None else rule.timeout
                return await _accompany(process, seconds, stop)
            finally:
                await process.close()
                self._guardian.unwatch(process.group)
        finally:
            self._scratch.remove(folder)

    def _folder(self, rule: Rule, own: Path) -> Path:
        return own if rule.directory is None else self.rules.path.parent / rule.directory

    def _environment(self, work: Work, rule: Rule, folder: Path) -> dict[str, str]:
        key_id, secret = self._options.key_of(work.account)
        return {
            "LANG": "C.UTF-8",
            **self._options.inherited,
            "TMPDIR": str(folder),
            "AWS_ACCESS_KEY_ID": key_id,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": work.region,
            "AWS_DEFAULT_REGION": work.region,
            "AWS_ENDPOINT_URL": self._options.endpoint_url,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
            **rule.environment,
            **work.variables,
            **{f"JOB_{name.upper()}": value for name, value in _facts(work).items()},
        }


def _facts(work: Work) -> dict[str, str]:
    arguments = msgspec.json.encode(list(work.command)).decode()
    return {**work.facts, "service": work.service, "name": work.name, "command": arguments}


def _command(work: Work, rule: Rule) -> list[str]:
    """Of a list in the rule, `{name}` is the fact of that name, and `{command}` all of the job's own command."""
    if rule.run == "command":
        return list(work.command)
    if rule.run == "builtin":
        return list(work.builtin)
    facts = _facts(work)
    command: list[str] = []
    for word in rule.run or ():
        if word == "{command}":
            command += work.command
            continue
        for name, value in facts.items():
            word = word.replace(f"{{{name}}}", value)  # noqa: PLW2901 - one fact after the other
        command.append(word)
    return command


async def _play(rule: Rule, stop: Stop) -> Outcome:
    await asyncio.wait({stop.asked}, timeout=rule.after)
    if stop.asked.done():
        return _STOPPED
    if rule.outcome == "succeed":
        return Outcome(ending="SUCCEEDED")
    return Outcome(ending="FAILED", message=rule.message or "jobs.toml says that the job fails", exit_status=1)


async def _unless_stopped(waiting: Coroutine[Any, Any, _T], stop: Stop) -> _T | None:
    task = asyncio.ensure_future(waiting)
    try:
        await _first(task, stop.asked, None)
    finally:
        if not task.done():
            task.cancel()
    return task.result() if task.done() else None


async def _accompany(process: Process, seconds: float | None, stop: Stop) -> Outcome:
    """Until it has ended, within so many seconds."""
    early: Outcome | None = None
    await _first(process.ended, stop.asked, seconds)
    if not process.ended.done():
        early = _STOPPED if stop.asked.done() else _timed_out(seconds or 0)
        process.signal(signal.SIGTERM)
        await asyncio.wait({process.ended}, timeout=stop.asked.result() if stop.asked.done() else 0)
        process.signal(signal.SIGKILL)
    status = await asyncio.shield(process.ended)
    await process.close()
    return _outcome(status, process.log.tail()) if early is None else replace(early, exit_status=status)


async def _first(one: asyncio.Future[Any], other: asyncio.Future[Any], seconds: float | None) -> None:
    await asyncio.wait({one, other}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


def _timed_out(seconds: float) -> Outcome:
    return Outcome(ending="TIMED_OUT", message=f"The job did not end within {seconds:g} seconds")


def _outcome(status: int, tail: str) -> Outcome:
    if status == 0:
        return Outcome(ending="SUCCEEDED", exit_status=0)
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    last = tail.strip().rpartition("\n")[2]
    said = f"; its last words: {last}" if last else ""
    return Outcome(ending="FAILED", message=f"The job's command ended with {how}{said}", exit_status=status)
