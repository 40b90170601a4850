"""Executions that ended long ago leave a server's database, and what has not ended so long ago stays."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.acceptance.server import (
    Api,
    Refused,
    Server,
    create_machine,
    ended_execution,
    folder_with_functions,
    history,
    poll,
)

DAY = 86_400_000
MAP = json.dumps(
    {
        "StartAt": "Each",
        "States": {
            "Each": {
                "Type": "Map",
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "One",
                    "States": {"One": {"Type": "Pass", "End": True}},
                },
                "End": True,
            }
        },
    }
)


def start(api: Api, machine: str, name: str) -> str:
    answer = api.call("StartExecution", stateMachineArn=machine, name=name, input=json.dumps(list(range(30))))
    return str(answer["executionArn"])


def until_gone(api: Api, arn: str) -> None:
    def look() -> bool | None:
        try:
            api.call("DescribeExecution", executionArn=arn)
        except Refused as error:
            assert error.type == "ExecutionDoesNotExist"
            return True
        return None

    poll(look)


def age(database: Path, names: list[str], days: int) -> None:
    """As if these executions had ended so many days earlier."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for name in names:
            connection.execute("UPDATE execution SET stopped = stopped - ? WHERE name = ?", [days * DAY, name])


def rows(database: Path, table: str) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_old_executions_go_and_their_names_are_free(tmp_path: Path) -> None:
    folder = folder_with_functions(tmp_path)
    database = folder / "data" / "treadle.db"
    with Server(folder) as server:
        api = server.api()
        machine = create_machine(api, "maps", MAP)
        arns = {name: start(api, machine, name) for name in ("old", "older", "young")}
        for arn in arns.values():
            assert ended_execution(api, arn)["status"] == "SUCCEEDED"
        kept = history(api, arns["young"])
        assert server.stop() == 0
    assert rows(database, "execution") == 3 * 31
    age(database, ["old", "older"], 31)
    with Server(folder, "--retention-days", "30", TREADLE_LIMIT_RETENTION_PASS_SECONDS="1") as server:
        api = server.api()
        for name in ("old", "older"):
            until_gone(api, arns[name])
        listed = api.call("ListExecutions", stateMachineArn=machine)["executions"]
        assert [each["name"] for each in listed] == ["young"]
        assert history(api, arns["young"]) == kept
        again = start(api, machine, "old")
        assert again == arns["old"]
        assert ended_execution(api, again)["status"] == "SUCCEEDED"
        poll(lambda: True if rows(database, "removal") == 0 else None)
        assert server.stop() == 0
    for table, each in {"execution": 31, "execution_input": 31, "map_run": 1}.items():
        assert rows(database, table) == 2 * each
    with closing(sqlite3.connect(database)) as connection:
        left = connection.execute("SELECT count(*) FROM journal WHERE execution_id NOT IN (SELECT id FROM execution)")
        assert left.fetchone() == (0,)
