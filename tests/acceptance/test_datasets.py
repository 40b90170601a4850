"""Distributed Maps over data: read from S3 or from files, and written there, with moto beside the server."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.acceptance.server import ACCOUNT, REGION, Api, Server, create_machine, ended_execution, history, poll
from tests.acceptance.server import folder_with_functions as prepared
from tests.acceptance.test_map_run_kill import map_run

ROWS = 3_000
KILLS = 4
CSV = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}


def s3_of(server: Server) -> Any:
    keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "any", "region_name": REGION}
    return boto3.session.Session().client("s3", endpoint_url=server.url, **keys)


def definition(bucket: str, key: str, config: dict[str, Any] = CSV, **fields: Any) -> str:
    """Each child gives what it is given; the results are written beside what is read."""
    inner = fields.pop("inner", {"Type": "Pass", "End": True})
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": fields.pop("children", "EXPRESS")}}
    each = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": config,
            "Parameters": {"Bucket": bucket, "Key": key},
        },
        "ItemProcessor": {**processor, "StartAt": "Work", "States": {"Work": inner}},
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": bucket, "Prefix": "results"},
            "WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSON"},
        },
        "End": True,
        **fields,
    }
    return json.dumps({"StartAt": "Each", "States": {"Each": each}})


def rows(count: int) -> bytes:
    return b"id,name\n" + b"".join(b"%d,name %d\n" % (number, number) for number in range(count))


def begin(api: Api, name: str, text: str) -> str:
    machine = create_machine(api, name, text)
    return str(api.call("StartExecution", stateMachineArn=machine)["executionArn"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whose files may be read and written."""
    return tmp_path_factory.mktemp("data with spaces")


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(prepared(tmp_path_factory.mktemp("datasets")), "--dataset-folders", str(folder)) as server:
        s3_of(server).create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": REGION})
        yield server
        assert server.stop() == 0
        assert server.stderr() == ""


def test_from_s3_to_s3(server: Server) -> None:
    s3, api = s3_of(server), server.api()
    s3.put_object(Bucket="data", Key="rows.csv", Body=rows(ROWS))
    execution = begin(api, "s3", definition("data", "rows.csv"))
    ended = ended_execution(api, execution)
    assert ended["status"] == "SUCCEEDED", ended
    output = json.loads(ended["output"])
    run = output["MapRunArn"]
    assert output["ResultWriterDetails"]["Bucket"] == "data"
    manifest = json.loads(s3.get_object(Bucket="data", Key=output["ResultWriterDetails"]["Key"])["Body"].read())
    assert (manifest["DestinationBucket"], manifest["MapRunArn"]) == ("data", run)
    assert (manifest["ResultFiles"]["FAILED"], manifest["ResultFiles"]["PENDING"]) == ([], [])
    (file,) = manifest["ResultFiles"]["SUCCEEDED"]
    content = s3.get_object(Bucket="data", Key=file["Key"])["Body"].read()
    assert len(content) == file["Size"]
    assert json.loads(content) == [{"id": str(number), "name": f"name {number}"} for number in range(ROWS)]
    counts = api.call("DescribeMapRun", mapRunArn=run)["itemCounts"]
    assert (counts["succeeded"], counts["total"], counts["resultsWritten"]) == (ROWS, ROWS, ROWS)


def test_from_files_to_files(server: Server, folder: Path) -> None:
    (folder / "rows.csv").write_bytes(rows(50))
    ended = ended_execution(server.api(), begin(server.api(), "files", definition(folder.as_uri(), "rows.csv")))
    assert ended["status"] == "SUCCEEDED", ended
    manifest = json.loads((folder / json.loads(ended["output"])["ResultWriterDetails"]["Key"]).read_text())
    (file,) = manifest["ResultFiles"]["SUCCEEDED"]
    assert [row["id"] for row in json.loads((folder / file["Key"]).read_text())] == [str(n) for n in range(50)]


@pytest.mark.parametrize(
    ("bucket", "key", "cause"),
    [("data", "missing.csv", "Error Code: NoSuchKey"), ("missing", "rows.csv", "Error Code: NoSuchBucket")],
)
def test_what_is_not_there(server: Server, bucket: str, key: str, cause: str) -> None:
    text = json.loads(definition(bucket, key))
    del text["States"]["Each"]["ResultWriter"]
    api = server.api()
    execution = begin(api, f"not-{bucket}", json.dumps(text))
    ended = ended_execution(api, execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ItemReaderFailed")
    assert cause in ended["cause"]
    types = [event["type"] for event in history(api, execution)]
    assert types[-3:] == ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]


LINE = 100 * 1_048_576


def long(before: bytes, after: bytes) -> Callable[[], bytes]:
    return lambda: before + b"x" * LINE + after


BAD: dict[str, tuple[bytes | Callable[[], bytes], dict[str, Any], Any]] = {
    "duplicate headers": (b"a,b,a\n1,2,3\n", CSV, "CSV headers cannot contain duplicates."),
    "ragged rows": (b"a,b\n1\n1,2,3\n", CSV, [{"a": "1", "b": ""}, {"a": "1", "b": "2"}]),
    "not UTF-8": (b"a\n\xff\xfe\n", CSV, str),
    "an empty JSON object": (b"", {"InputType": "JSON"}, str),
    "a CSV object with nothing but its header": (b"a,b\n", CSV, []),
    "JSON that breaks off": (b"[1, 2", {"InputType": "JSON"}, str),
    "JSON that is no array": (b'{"a": 1}', {"InputType": "JSON"}, "Attempting to map over non-iterable node."),
    "gzip where there should be CSV": (gzip.compress(b"a\n" + b"1\n" * 1_000), CSV, str),
    "a line of 100 MB": (long(b"a\n", b"\n"), CSV, str),
    "an item of 100 MB": (long(b'["', b'"]'), {"InputType": "JSON"}, str),
    "a header of 100 MB": (long(b"", b"\n"), CSV, str),
    "Parquet that is none": (b"PAR1 no, not really", {"InputType": "PARQUET"}, str),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_data(server: Server, folder: Path, name: str) -> None:
    """Either the items, or States.ItemReaderFailed with this cause (`str`: with any). Nothing is half written, and the
    server goes on without having read it into memory."""
    content, config, expected = BAD[name]
    (folder / "bad").write_bytes(content if isinstance(content, bytes) else content())
    text = definition(folder.as_uri(), "bad", config)
    before = peak_bytes(server)
    api = server.api()
    ended = ended_execution(api, begin(api, f"bad{list(BAD).index(name)}", text))
    if isinstance(expected, list):
        manifest = json.loads((folder / json.loads(ended["output"])["ResultWriterDetails"]["Key"]).read_text())
        files = [json.loads((folder / file["Key"]).read_text()) for file in manifest["ResultFiles"]["SUCCEEDED"]]
        assert [row for file in files for row in file] == expected
    else:
        assert (ended["status"], ended["error"]) == ("FAILED", "States.ItemReaderFailed"), ended
        assert ended["cause"] if expected is str else ended["cause"] == expected
        assert len(ended["cause"]) < 1_000
    assert peak_bytes(server) - before < LINE // 2


def peak_bytes(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/status")
    if not status.exists():  # Only Linux tells.
        return 0
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1_024


WAIT = {"Type": "Wait", "Seconds": 3_600, "End": True}


def test_limits_are_changed_while_it_runs(server: Server) -> None:
    s3, api = s3_of(server), server.api()
    s3.put_object(Bucket="data", Key="few.csv", Body=rows(40))
    text = definition("data", "few.csv", MaxConcurrency=2, inner=WAIT, children="STANDARD")
    execution = begin(api, "update", text)
    run = map_run(api, execution)

    def running(wanted: int) -> bool | None:
        return api.call("DescribeMapRun", mapRunArn=run)["itemCounts"]["running"] == wanted or None

    poll(lambda: running(2))
    api.call("UpdateMapRun", mapRunArn=run, maxConcurrency=30)
    poll(lambda: running(30))
    assert api.call("DescribeMapRun", mapRunArn=run)["maxConcurrency"] == 30
    api.call("StopExecution", executionArn=execution)

    def stopped() -> dict[str, Any] | None:
        answer = api.call("DescribeMapRun", mapRunArn=run)
        return answer if answer["status"] == "ABORTED" else None

    counts = poll(stopped)["itemCounts"]
    assert (counts["aborted"], counts["running"], counts["pending"]) == (30, 0, 10)
    children = list(api.pages("ListExecutions", "executions", mapRunArn=run))
    assert {child["status"] for child in children} == {"ABORTED"}


def test_a_redrive_of_what_failed(server: Server) -> None:
    """Some of the objects that the rows name are not there yet. After a redrive the result files hold all of them."""
    s3, api = s3_of(server), server.api()
    s3.put_object(Bucket="data", Key="named.csv", Body=rows(30))
    late = [number for number in range(30) if number % 10 == 7]
    for number in set(range(30)) - set(late):
        s3.put_object(Bucket="data", Key=f"name {number}", Body=f"{number}".encode())
    read = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Parameters": {"Bucket": "data", "Key.$": "$.name"},
        "OutputPath": "$.Body",
        "End": True,
    }
    text = definition("data", "named.csv", inner=read, children="STANDARD", MaxConcurrency=5, ToleratedFailureCount=1)
    execution = begin(api, "redrive", text)
    ended = ended_execution(api, execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    run = map_run(api, execution)
    before = {row["executionArn"]: row for row in succeeded(api, run)}
    assert len(before) < len(set(range(30)) - set(late))
    for number in late:
        s3.put_object(Bucket="data", Key=f"name {number}", Body=f"{number}".encode())
    api.call("RedriveExecution", executionArn=execution)
    ended = ended_execution(api, execution)
    assert ended["status"] == "SUCCEEDED", ended
    described = api.call("DescribeMapRun", mapRunArn=run)
    assert (described["status"], described["redriveCount"]) == ("SUCCEEDED", 1)
    assert (described["itemCounts"]["succeeded"], described["itemCounts"]["resultsWritten"]) == (30, 30)
    after = {row["executionArn"]: row for row in succeeded(api, run)}
    assert {arn: after[arn] for arn in before} == before
    manifest = json.loads(
        s3.get_object(Bucket="data", Key=json.loads(ended["output"])["ResultWriterDetails"]["Key"])["Body"].read()
    )
    assert manifest["ResultFiles"]["FAILED"] == manifest["ResultFiles"]["PENDING"] == []
    (file,) = manifest["ResultFiles"]["SUCCEEDED"]
    written = json.loads(s3.get_object(Bucket="data", Key=file["Key"])["Body"].read())
    assert written == [str(number) for number in range(30)]


def succeeded(api: Api, run: str) -> Iterator[dict[str, Any]]:
    return api.pages("ListExecutions", "executions", mapRunArn=run, statusFilter="SUCCEEDED", maxResults=1_000)


def test_each_row_once_after_kills(tmp_path: Path) -> None:
    """From S3 to S3; moto outlives the server."""
    folder = prepared(tmp_path)
    with Server(folder, TREADLE_LIMIT_NEIGHBOUR_SURVIVAL_SECONDS="60") as server:
        s3 = s3_of(server)
        s3.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="data", Key="rows.csv", Body=rows(ROWS))
        execution = begin(server.api(), "kills", definition("data", "rows.csv", MaxConcurrency=20))
        run = map_run(server.api(), execution)
        _kill_at(server, run, ROWS // (KILLS + 1))
    for number in range(2, KILLS + 1):
        with Server(folder, TREADLE_LIMIT_NEIGHBOUR_SURVIVAL_SECONDS="60") as server:
            _kill_at(server, run, number * ROWS // (KILLS + 1))
    with Server(folder) as server:
        ended = ended_execution(server.api(), execution)
        assert ended["status"] == "SUCCEEDED", ended
        s3, details = s3_of(server), json.loads(ended["output"])["ResultWriterDetails"]
        manifest = json.loads(s3.get_object(Bucket="data", Key=details["Key"])["Body"].read())
        files = [s3.get_object(Bucket="data", Key=file["Key"]) for file in manifest["ResultFiles"]["SUCCEEDED"]]
        written = [row["id"] for file in files for row in json.loads(file["Body"].read())]
        assert written == [str(number) for number in range(ROWS)]
        assert server.stop() == 0


@pytest.mark.parametrize("children", ["STANDARD", "EXPRESS"])
def test_a_redrive_survives_kills(tmp_path: Path, children: str) -> None:
    """An execution is stopped in the middle and redriven, and its server killed again and again: each row once."""
    folder = prepared(tmp_path)
    data = folder / "datasets"
    data.mkdir()
    (data / "rows.csv").write_bytes(rows(ROWS))
    arguments = ("--dataset-folders", str(data))
    with Server(folder, *arguments) as server:
        api = server.api()
        text = definition(data.as_uri(), "rows.csv", MaxConcurrency=20, children=children)
        execution = begin(api, "redrive", text)
        run = map_run(api, execution)
        poll(lambda: api.call("DescribeMapRun", mapRunArn=run)["itemCounts"]["succeeded"] >= ROWS // 5 or None)
        api.call("StopExecution", executionArn=execution)
        api.call("RedriveExecution", executionArn=execution)
        _kill_at(server, run, 2 * ROWS // 5)
    with Server(folder, *arguments) as server:
        _kill_at(server, run, 3 * ROWS // 5)
    with Server(folder, *arguments) as server:
        ended = ended_execution(server.api(), execution)
        assert (ended["status"], ended["redriveCount"]) == ("SUCCEEDED", 1), ended
        described = server.api().call("DescribeMapRun", mapRunArn=run)
        assert (described["redriveCount"], described["itemCounts"]["succeeded"]) == (1, ROWS)
        manifest = json.loads((data / json.loads(ended["output"])["ResultWriterDetails"]["Key"]).read_text())
        files = [json.loads((data / file["Key"]).read_text()) for file in manifest["ResultFiles"]["SUCCEEDED"]]
        assert [row["id"] for file in files for row in file] == [str(number) for number in range(ROWS)]
        assert server.stop() == 0
        assert server.stderr() == ""


def _kill_at(server: Server, run: str, items: int) -> None:
    api = server.api()
    poll(lambda: api.call("DescribeMapRun", mapRunArn=run)["itemCounts"]["succeeded"] >= items or None)
    server.kill()


def test_an_object_that_changes_while_the_server_is_away(tmp_path: Path) -> None:
    """What has been read of the old content is not mixed with the new."""
    folder = prepared(tmp_path)
    data = folder / "datasets"
    data.mkdir()
    (data / "rows.csv").write_bytes(rows(ROWS))
    arguments = ("--dataset-folders", str(data))
    with Server(folder, *arguments) as server:
        text = definition(data.as_uri(), "rows.csv", MaxConcurrency=20)
        execution = begin(server.api(), "changes", text)
        _kill_at(server, map_run(server.api(), execution), ROWS // 5)
    (data / "rows.csv").write_bytes(rows(ROWS + 1))
    with Server(folder, *arguments) as server:
        ended = ended_execution(server.api(), execution)
        assert (ended["status"], ended["error"]) == ("FAILED", "States.ItemReaderFailed")
        assert "has changed since its items were read" in ended["cause"]
