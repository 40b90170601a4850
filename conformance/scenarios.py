"""The folder of recorded scenarios: which there are, and what each needs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

RUNNER = "run_cases.py"
_CASES = "cases"

SERVED = (
    "activity",
    "states",
    "aws-sdk:sfn",
    "lambda",
    "sqs",
    "aws-sdk:sqs",
    "sns",
    "dynamodb",
    "aws-sdk:dynamodb",
    "events",
    "apigateway",
    "cloudformation",
    "s3",
    "aws-sdk:s3",
    "aws-sdk:secretsmanager",
)
"""What scenarios may need that Treadle serves: activities, tasks that call Step Functions, functions made over Lambda's
API; and services that moto emulates beside it."""


class NoRecordings(Exception):
    """The folder does not hold what it should; the message says what."""


class Scenario(msgspec.Struct, frozen=True):
    """A line of the folder's own list."""

    file: str
    """Below the folder of cases: `<area>/<name>.json`."""
    area: str
    needs: tuple[str, ...]
    """Services that it touches beside Step Functions, IAM and STS."""

    @property
    def name(self) -> str:
        """How the list of differences calls it: `<area>/<name>`."""
        return self.file.removesuffix(".json")


class _Index(msgspec.Struct):
    cases: list[Scenario]


class Recordings:
    def __init__(self, folder: Path) -> None:
        """Raises NoRecordings."""
        if not (folder / RUNNER).is_file():
            raise NoRecordings(f"{folder} holds no {RUNNER}")
        self.runner = (folder / RUNNER).resolve()
        self.cases = (folder / _CASES).resolve()
        try:
            index = (self.cases / "index.json").read_bytes()
            self.all = msgspec.json.decode(index, type=_Index).cases
        except (OSError, msgspec.DecodeError) as error:
            raise NoRecordings(f"{self.cases} holds no list of scenarios: {error}") from error

    def chosen(self, services: Iterable[str], pattern: str = "") -> list[Scenario]:
        """Those that need no other service than these and whose name matches the regular expression."""
        served, wanted = set(services), re.compile(pattern)
        return [each for each in self.all if served.issuperset(each.needs) and wanted.search(each.name)]
