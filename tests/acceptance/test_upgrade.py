"""What `treadle start` does with a database of an older Treadle, and with one of a newer."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.acceptance.rules import check_history
from tests.acceptance.server import Server, create_machine, ended_execution, folder_with_functions, history, poll
from treadle.store.sqlite.database import APPLICATION_ID, migrate
from treadle.store.sqlite.sql import MIGRATIONS

DEFINITION = json.dumps(
    {
        "StartAt": "Before",
        "States": {
            "Before": {"Type": "Pass", "Next": "Wait"},
            "Wait": {"Type": "Wait", "Seconds": 3, "Next": "After"},
            "After": {"Type": "Pass", "End": True},
        },
    }
)
TABLES = ("meta", "machine_arn", "revision", "machine", "machine_tag", "execution", "execution_input", "journal")
OLDEST_WITH_MAP_RUNS = 7


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [name for (name,) in connection.execute(f"SELECT name FROM pragma_table_info('{table}')")]


def as_older(path: Path, version: int) -> None:
    """Make the database one of that schema version, with the same rows."""
    newer = path.with_name("newer")
    path.rename(newer)
    with opened(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, MIGRATIONS[:version])
        connection.execute("ATTACH ? AS newer", [str(newer)])
        connection.execute("DELETE FROM meta")
        for table in TABLES:
            names = ", ".join(columns(connection, table))
            connection.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM newer.{table}")
        # Inserting an execution that runs has counted it once more.
        connection.execute("UPDATE main.meta SET executions_open = (SELECT executions_open FROM newer.meta)")
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    newer.unlink()


@pytest.mark.parametrize("version", [OLDEST_WITH_MAP_RUNS, 12, len(MIGRATIONS) - 1])
def test_older_database_is_brought_up_to_date_and_goes_on(tmp_path: Path, version: int) -> None:
    folder = folder_with_functions(tmp_path)
    database = folder / "data" / "treadle.db"
    with Server(folder) as server:
        api = server.api()
        machine = create_machine(api, "waits", DEFINITION)
        runs = [api.call("StartExecution", stateMachineArn=machine)["executionArn"] for _ in range(3)]
        assert ended_execution(api, runs[0])["status"] == "SUCCEEDED"
        runs.append(api.call("StartExecution", stateMachineArn=machine)["executionArn"])
        poll(lambda: True if len(history(api, runs[-1])) > 3 else None)
        assert server.stop() == 0
    as_older(database, version)
    with Server(folder) as server:
        api = server.api()
        for arn in runs:
            assert ended_execution(api, arn)["status"] == "SUCCEEDED"
            check_history(history(api, arn))
        assert server.stop() == 0
    with opened(database) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert connection.execute("SELECT executions_open FROM meta").fetchone() == (0,)


def test_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = folder_with_functions(tmp_path)
    database = folder / "data" / "treadle.db"
    with Server(folder) as server:
        create_machine(server.api(), "waits", DEFINITION)
        assert server.stop() == 0
    newer = len(MIGRATIONS) + 1
    with opened(database) as connection:
        connection.execute(f"PRAGMA user_version = {newer}")
    before = database.read_bytes()
    with Server(folder) as server:
        assert server.ended() == 1
        said = server.stderr()
    expected = (
        rf"treadle: \S+/treadle\.db has schema version {newer}; this Treadle knows versions up to {newer - 1}: .*\n"
    )
    assert re.fullmatch(expected, said), said
    assert database.read_bytes() == before
    assert not (folder / "data" / "server.json").exists()
