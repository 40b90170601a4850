"""`treadle run`: run one workflow to its end, with no server to start or clean up after."""

from __future__ import annotations

import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click
from msgspec.structs import replace

from treadle.cli.settings import load_settings, settings_flags

if TYPE_CHECKING:
    from treadle.app import App
    from treadle.aws.administrator import Endpoint

_EXIT_FAILED = 1
_EXIT_INVALID = 2
_EXIT_INTERRUPTED = 130
_LOOK_SECONDS = 0.1
"""Between two looks at whether events wait."""
_ROLE = "treadle-run"
_REJECTIONS = ("InvalidDefinition", "InvalidExecutionInput", "ValidationException", "InvalidName")
"""API errors that say the workflow or its input is not right: the caller's to mend."""


@click.command()
@click.argument("workflow", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--input", "input_file", type=click.File("rb"), help="JSON file, or - for stdin. [{}]")
@settings_flags("functions_dir", "account_id", "region", "log_level")
def run(workflow: Path, input_file: BinaryIO | None, **flags: str | None) -> None:
    """Run WORKFLOW (a file of Amazon States Language) to its end.

    Progress goes to stderr, the output to stdout. Exit status: 0 if the execution succeeded, 1 if it did not,
    2 if the workflow or its input is not valid. Nothing is kept; it ends when all events have reached their functions.
    """
    definition = _text(workflow.read_bytes(), str(workflow))
    document = "{}" if input_file is None else _text(input_file.read(), "the input")
    from treadle.cli.hosting import host

    with tempfile.TemporaryDirectory(prefix="treadle-run-") as folder:
        given = load_settings({**flags, "data_dir": folder, "host": "127.0.0.1", "port": "0"})
        settings = replace(given, store=None)

        def work(app: App, stop: threading.Event) -> int | None:
            return _work(app.own, settings.account_id, settings.region, definition, document, stop)

        status = host(settings, work)
    sys.exit(_EXIT_INTERRUPTED if status is None else status)


def _text(content: bytes, what: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{what} is not UTF-8 text: {error}") from None


def _work(
    server: Endpoint, account: str, region: str, definition: str, document: str, stop: threading.Event
) -> int | None:
    from botocore.exceptions import ClientError
    from rich.console import Console

    from treadle.cli.client import states_client
    from treadle.cli.follow import follow
    from treadle.cli.terminal import progress_display

    console = Console(stderr=True, highlight=False)
    client = states_client(server, region)
    try:
        role = f"arn:aws:iam::{account}:role/{_ROLE}"
        machine = client.create_state_machine(name="run", definition=definition, roleArn=role)
        execution = client.start_execution(stateMachineArn=machine["stateMachineArn"], input=document)
    except ClientError as error:
        return _rejected(error)
    with progress_display(console) as display:
        ended = follow(client, execution["executionArn"], display, stop)
    if ended is None:
        return None
    status = _report(ended)
    _await_events(server, region, stop)
    return status


def _await_events(server: Endpoint, region: str, stop: threading.Event) -> None:
    """What the workflow sent to functions without waiting for them is delivered before the server ends."""
    from treadle.cli.client import ask_extension

    looks = 0
    while waiting := ask_extension(server, region, "GET", "info")["counts"]["deliveries"]:
        if looks == 1:
            click.echo(f"Waiting for events that functions have not had yet ({waiting}); Ctrl-C leaves them.", err=True)
        looks += 1
        if stop.wait(_LOOK_SECONDS):
            return


def _rejected(error: Any) -> int:
    refusal = error.response["Error"]
    click.echo(f"{refusal['Code']}: {refusal['Message']}", err=True)
    return _EXIT_INVALID if refusal["Code"] in _REJECTIONS else _EXIT_FAILED


def _report(ended: dict[str, Any]) -> int:
    if ended["status"] == "SUCCEEDED":
        sys.stdout.buffer.write(ended["output"].encode() + b"\n")
        sys.stdout.flush()
        return 0
    click.echo(": ".join(filter(None, (ended["status"], ended.get("error"), ended.get("cause")))), err=True)
    return _EXIT_FAILED
