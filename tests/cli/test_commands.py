"""The commands end to end: real processes, a real server, real functions, real signals."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Treadle = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]

EXAMPLE = Path(__file__).parents[2] / "examples" / "order"


def _order(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> str:
    order = json.loads((EXAMPLE / "order.json").read_text())
    change(order)
    file = tmp_path / "order.json"
    file.write_text(json.dumps(order))
    return str(file)


def _definition(tmp_path: Path, **definition: Any) -> str:
    file = tmp_path / "workflow.asl.json"
    file.write_text(json.dumps(definition))
    return str(file)


def _line_with(process: subprocess.Popen[str], text: str) -> str:
    """The first line of stdout that holds `text`: the process got that far."""
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return line
    raise AssertionError(f"{text!r} never came; stderr: {process.stderr and process.stderr.read()}")


def test_demo_runs_the_order_and_finds_it_again(treadle: Treadle) -> None:
    first = treadle("demo", "--exit", "--port", "0")
    assert (first.returncode, first.stderr) == (0, "")
    assert "order-processing, no earlier executions." in first.stdout
    for line in ("✔ ValidatePayment", "✔ CheckPayment", "✔ ProcessAllItems [5/5]", "✔ SendOrderSummary"):
        assert line in first.stdout
    output = json.loads(first.stdout[first.stdout.index("\n{") :])
    processed = output["detail"]["processedItems"]
    ordered = output["detail"]["items"]
    assert [item["productName"] for item in processed] == [item["productName"] for item in ordered]
    assert [item["delivery"]["status"] for item in processed] == ["onItsWay"] * 5
    assert output["detail"]["summary"]["total"] == 338.0

    second = treadle("demo", "--exit", "--port", "0")
    assert second.returncode == 0
    assert "order-processing, 1 earlier execution." in second.stdout


def test_demo_goes_through_payment_failed(treadle: Treadle, tmp_path: Path) -> None:
    order = _order(tmp_path, lambda order: order["detail"].update(paymentMethod="declinedCard"))
    done = treadle("demo", "--exit", "--port", "0", "--input", order)
    assert (done.returncode, done.stderr) == (0, "")
    assert "✔ PaymentFailed" in done.stdout
    assert "ProcessAllItems" not in done.stdout
    assert json.loads(done.stdout[done.stdout.index("\n{") :])["payment"] == "Declined"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_keeps_serving_until_told_to_stop(start: Start, number: signal.Signals) -> None:
    process = start("demo", "--port", "0")
    _line_with(process, "Ctrl-C stops Treadle")
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def test_start_announces_itself_and_stops(start: Start) -> None:
    process = start("start", "--port", "0")
    assert "http://127.0.0.1:" in _line_with(process, "Treadle")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def test_signals_that_come_together_are_one(start: Start, tmp_path: Path) -> None:
    """It stops in order: what says where a server is, is gone."""
    process = start("start", "--port", "0", "--data", str(tmp_path / "data"))
    _line_with(process, "Treadle")
    assert (tmp_path / "data" / "server.json").exists()
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert not (tmp_path / "data" / "server.json").exists()


def test_run_prints_the_output_alone(treadle: Treadle) -> None:
    done = treadle(
        "run",
        str(EXAMPLE / "workflow.asl.json"),
        "--input",
        str(EXAMPLE / "order.json"),
        "--functions",
        str(EXAMPLE / "functions"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["detail"]["summary"]["products"] == 5
    assert "✔ ProcessAllItems [5/5]" in done.stderr


def test_run_shows_the_retry_ladder(treadle: Treadle, tmp_path: Path) -> None:
    order = _order(
        tmp_path, lambda order: order["detail"]["items"][1].update(simulate={"timeOuts": 2, "in": str(tmp_path)})
    )
    functions = str(EXAMPLE / "functions")
    workflow = str(EXAMPLE / "workflow.asl.json")
    done = treadle("run", workflow, "--input", order, "--functions", functions)
    assert done.returncode == 0, done.stderr
    assert "2 retries after 1.0 s, 2.0 s (TimeOut)" in done.stderr


def test_run_tells_a_failure(treadle: Treadle, tmp_path: Path) -> None:
    file = _definition(tmp_path, StartAt="No", States={"No": {"Type": "Fail", "Error": "Bad", "Cause": "why"}})
    done = treadle("run", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("FAILED: Bad: why\n")


def test_run_ends_when_events_have_reached_their_functions(treadle: Treadle, tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    reached = tmp_path / "reached"
    code = f"    time.sleep(1)\n    pathlib.Path({str(reached)!r}).touch()\n"
    (tmp_path / "functions" / "tell.py").write_text(f"import pathlib, time\ndef handler(event, context):\n{code}")
    parameters = {"FunctionName": "tell", "InvocationType": "Event"}
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": parameters, "End": True}
    workflow = _definition(tmp_path, StartAt="Tell", States={"Tell": state})
    done = treadle("run", workflow, "--functions", str(tmp_path / "functions"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["StatusCode"] == 202
    assert reached.exists()


def test_run_tells_what_is_wrong_with_a_definition(treadle: Treadle, tmp_path: Path) -> None:
    file = _definition(tmp_path, StartAt="Nowhere", States={"A": {"Type": "Pass", "Next": "B"}})
    done = treadle("run", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert "InvalidDefinition" in done.stderr
    assert "/StartAt" in done.stderr
    assert "/States/A/Next" in done.stderr


def test_run_refuses_input_that_is_not_json(treadle: Treadle, tmp_path: Path) -> None:
    file = _definition(tmp_path, StartAt="A", States={"A": {"Type": "Pass", "End": True}})
    (tmp_path / "input.json").write_text("{")
    done = treadle("run", file, "--input", "input.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "InvalidExecutionInput" in done.stderr


def test_run_that_is_interrupted_says_so_by_its_status(start: Start, tmp_path: Path) -> None:
    wait = {"Type": "Wait", "Seconds": 3600, "Next": "C"}
    states = {"A": {"Type": "Pass", "Next": "B"}, "B": wait, "C": {"Type": "Pass", "End": True}}
    process = start("run", _definition(tmp_path, StartAt="A", States=states))
    assert process.stderr is not None
    assert "✔ A" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_the_users_own_aws_configuration_does_not_matter(treadle: Treadle, tmp_path: Path) -> None:
    file = _definition(tmp_path, StartAt="A", States={"A": {"Type": "Pass", "End": True}})
    elsewhere = "http://127.0.0.1:1"
    done = treadle(
        "run",
        file,
        AWS_PROFILE="nobody",
        AWS_ENDPOINT_URL=elsewhere,
        HTTP_PROXY=elsewhere,
        http_proxy=elsewhere,
        AWS_CONFIG_FILE=file,
    )
    assert (done.returncode, done.stdout) == (0, "{}\n"), done.stderr


def _taken_port(tmp_path: Path) -> list[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    _open_sockets.append(listener)
    return ["--port", str(listener.getsockname()[1])]


def _data_is_a_file(tmp_path: Path) -> list[str]:
    (tmp_path / "file").write_text("")
    return ["--port", "0", "--data", "file"]


def _damaged_database(tmp_path: Path) -> list[str]:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "treadle.db").write_bytes(b"this is not a database, " * 1_000)
    return ["--port", "0", "--data", "data"]


def _keys_file(tmp_path: Path) -> str:
    file = tmp_path / "keys"
    file.write_text("[me]\naws_access_key_id=A\naws_secret_access_key=s\n")
    return str(file)


_open_sockets: list[socket.socket] = []

CANNOT_START = {
    "port taken": (_taken_port, "is taken"),
    "data folder is a file": (_data_is_a_file, "the data folder file"),
    "damaged database": (_damaged_database, "treadle.db"),
    "an open door": (lambda folder: ["--port", "0", "--host", "0.0.0.0"], "nobody would be asked for credentials"),
    "keys that nobody asks for": (
        lambda folder: ["--port", "0", "--host", "0.0.0.0", "--keys-file", _keys_file(folder), "--no-authentication"],
        "nobody would be asked for credentials",
    ),
    "no certificate": (lambda folder: ["--port", "0", "--tls-certificate", "no.pem"], "No such file or directory"),
    "a certificate that is none": (
        lambda folder: ["--port", "0", "--tls-certificate", _keys_file(folder)],
        "cannot be used: [SSL]",
    ),
}


@pytest.mark.parametrize("name", CANNOT_START)
def test_what_prevents_a_start_is_told_in_one_line(treadle: Treadle, tmp_path: Path, name: str) -> None:
    prepare, message = CANNOT_START[name]
    done = treadle("start", *prepare(tmp_path))
    while _open_sockets:
        _open_sockets.pop().close()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("treadle: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_two_servers_do_not_share_a_database(start: Start, treadle: Treadle) -> None:
    first = start("start", "--port", "0")
    _line_with(first, "Treadle")
    second = treadle("start", "--port", "0")
    assert second.returncode == 1
    assert second.stderr.startswith("treadle: ")
    assert second.stderr.count("\n") == 1


USAGE = {
    "no such workflow": (["run", "nowhere.json"], "nowhere.json"),
    "a bad port": (["demo", "--port", "x"], "--port is 'x'"),
}


@pytest.mark.parametrize("name", USAGE)
def test_wrong_usage_is_told(treadle: Treadle, name: str) -> None:
    arguments, message = USAGE[name]
    done = treadle(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_version(treadle: Treadle) -> None:
    assert treadle("--version").stdout.startswith("treadle 0.")
