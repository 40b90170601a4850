"""A server with moto beside it, and a function `note`, which writes down what its event source brings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from tests.acceptance.server import ACCOUNT, DEADLINE_SECONDS, REGION, Server


class Noting:
    def __init__(self, folder: Path, server: Server) -> None:
        self.server = server
        self._notes = folder / "notes"
        self._session = boto3.session.Session()
        self._clients: list[Any] = []
        self.functions = self.client("lambda")
        self.queues = self.client("sqs")

    def client(self, service: str) -> Any:
        """One that asks once, and is closed with the others."""
        client = self._session.client(
            service,
            endpoint_url=self.server.url,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="x",
            config=Config(retries={"max_attempts": 0}, read_timeout=DEADLINE_SECONDS),
        )
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def noted(self) -> list[list[Any]]:
        return [json.loads(line) for line in self._notes.read_text().splitlines()] if self._notes.exists() else []


W = TypeVar("W", bound=Noting)


def folder_with(handler: str, folder: Path) -> Path:
    """For a server with the function. `handler`: its code; `{path!r}` in it is the file of the notes."""
    (folder / "functions").mkdir()
    (folder / "functions" / "note.py").write_text(handler.format(path=str(folder / "notes")))
    return folder


@contextmanager
def noting(world: Callable[[Path, Server], W], folder: Path, survival_seconds: int = 1) -> Iterator[W]:
    """`survival_seconds`: how long moto waits for another server when this one has died."""
    with Server(folder, TREADLE_LIMIT_NEIGHBOUR_SURVIVAL_SECONDS=str(survival_seconds)) as server:
        made = world(folder, server)
        yield made
        made.close()
