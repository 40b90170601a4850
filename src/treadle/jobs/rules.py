"""jobs.toml: what is run for the jobs of each service, by their names.

    [[job]]
    service = "emr"
    match = "Nightly *"
    run = ["sh", "-c", "./nightly.sh {step_id}"]

The first table counts whose `service` is the job's and whose `match` (a pattern as shells have them; without: every
name) is true of its name. Each says either `run` or `outcome`; docs/JOBS.md has all of it. The file is read again when
it has changed.
"""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from treadle.jobs.contract import Work

SERVICES = (
    "athena",
    "batch",
    "bedrock",
    "codebuild",
    "databrew",
    "ecs",
    "emr",
    "emr-containers",
    "emr-serverless",
    "glue",
    "mediaconvert",
    "sagemaker",
)
"""Whose jobs there are, by botocore's names."""


class JobsFileError(Exception):
    """What the file holds cannot be used, or says nothing about a job. The message is for people."""


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    service: str
    match: str = "*"
    run: Literal["command", "builtin"] | list[str] | None = None
    """A command with its arguments; "command": the job's own; "builtin": what Treadle would run without a rule."""
    outcome: Literal["succeed", "fail"] | None = None
    """Nothing is run: the job ends so after `after` seconds."""
    after: float = 0.0
    message: str = ""
    answer: dict[str, Any] = {}
    """Members that the description of the job has when it has ended, where its service has such jobs (plain.py)."""
    environment: dict[str, str] = {}
    directory: str | None = None
    """Where it runs, from the folder of the file; None: in an empty folder of its own."""
    timeout: float | None = None
    """Seconds, if the job itself has no time-out."""

    def __post_init__(self) -> None:
        if self.service not in SERVICES:
            raise ValueError(f"service is {self.service!r}, but is one of {', '.join(SERVICES)}")
        if (self.run is None) == (self.outcome is None):
            raise ValueError('either run = [...] or outcome = "succeed" or "fail" has to be there')
        if isinstance(self.run, list) and not self.run:
            raise ValueError("run is an empty command")
        if self.after < 0 or (self.timeout is not None and self.timeout <= 0):
            raise ValueError("after and timeout are seconds, and not negative")


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    job: list[Rule] = []


class Rules:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_at: tuple[int, int] | None = None
        self._rules: list[Rule] = []

    def check(self) -> None:
        """Raises JobsFileError, if the file is there and cannot be used."""
        self._load()

    def of(self, work: Work) -> Rule:
        """Raises JobsFileError."""
        self._load()
        for rule in self._rules:
            if rule.service == work.service and fnmatchcase(work.name, rule.match):
                return rule
        if work.builtin:
            return Rule(service=work.service, run="builtin")
        raise JobsFileError(self._nothing_about(work))

    def _load(self) -> None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._read_at, self._rules = None, []
            return
        except OSError as error:
            raise JobsFileError(f"{self.path} cannot be read: {error.strerror}") from error
        if self._read_at == (status.st_mtime_ns, status.st_size):
            return
        self._rules = _read(self.path)
        self._read_at = (status.st_mtime_ns, status.st_size)

    def _nothing_about(self, work: Work) -> str:
        there = "has no table for it" if self._read_at is not None else "does not exist"
        name = msgspec.json.encode(work.name).decode()
        return (
            f"Treadle is not told how to run this job: {self.path} {there}. "
            f'It takes a table [[job]] with service = "{work.service}", match = {name}, and either run = ["COMMAND", '
            '"ARGUMENT", ...] or outcome = "succeed" or "fail"'
        )


def _read(path: Path) -> list[Rule]:
    try:
        content: Any = tomllib.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(content, _File).job
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise JobsFileError(f"{path} cannot be used: {error}") from error
