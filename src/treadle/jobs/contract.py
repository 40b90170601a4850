"""What a job is, in the words that all services share: what it is to do, what became of it, and how it stands."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from msgspec import Struct

JobState = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "STOPPED", "TIMED_OUT"]
"""PENDING: it waits for its service to start it."""

Ending = Literal["SUCCEEDED", "FAILED", "STOPPED", "TIMED_OUT"]


class Work(Struct, frozen=True, kw_only=True):
    """One thing to be done: a command, and what it may want to know."""

    service: str
    """As jobs.toml calls it: botocore's name."""
    name: str
    """What jobs.toml matches."""
    account: str
    region: str
    command: tuple[str, ...] = ()
    """The job's own, as its service was told. It runs only where jobs.toml says so."""
    builtin: tuple[str, ...] = ()
    """What Treadle itself runs for such a job if jobs.toml says nothing about it; empty: it does not know how."""
    variables: dict[str, str] = {}
    """Of its environment, as its service was told."""
    facts: dict[str, str] = {}
    """Names and ids: `{step_id}` in a command of jobs.toml, JOB_STEP_ID in its environment."""
    timeout_seconds: float | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    ending: Ending
    message: str = ""
    """Why, for people; empty if it succeeded."""
    exit_status: int | None = None
    """Negative: the signal that ended it. None: no process ran."""
    answer: dict[str, Any] = {}
    """What jobs.toml adds to the job's description."""


class Part(Struct, frozen=True, kw_only=True):
    """Of a job: what runs beside the other parts."""

    name: str
    work: Work
    essential: bool = True
    """Whether the job ends with it."""
    outcome: Outcome | None = None


class Job(Struct, frozen=True, kw_only=True):
    id: str
    kind: str
    """Such as `emr.step`."""
    parent: str
    """What it is listed under."""
    parts: tuple[Part, ...]
    created: int
    """Milliseconds since the epoch, as every time here."""
    state: JobState = "PENDING"
    started: int | None = None
    ended: int | None = None
    attempts: int = 1
    """How often it is run at most, until it succeeds."""
    attempt: int = 0
    stop_reason: str | None = None
    """Why it is to be stopped, once somebody has asked for that."""
    detail: dict[str, Any] = {}
    """What its service keeps of the request."""

    @property
    def open(self) -> bool:
        return self.state in ("PENDING", "RUNNING")

    @property
    def outcome(self) -> Outcome | None:
        """Of the essential part that has not succeeded, or else of the first."""
        ended = [part.outcome for part in self.parts if part.essential and part.outcome is not None]
        return next((each for each in ended if each.ending != "SUCCEEDED"), ended[0] if ended else None)


class Stop:
    """How a running job is told to end."""

    def __init__(self) -> None:
        self.asked: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        """Done when it is to end: how many seconds it may take for that."""

    def ask(self, grace_seconds: float) -> None:
        if not self.asked.done():
            self.asked.set_result(grace_seconds)
