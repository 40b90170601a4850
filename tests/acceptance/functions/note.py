"""Writes down that it was called, and then does what the event asks for.

The line goes out in one write to a file opened with O_APPEND, so that it is there, and whole, whoever is killed.
"""

import os
from pathlib import Path
from typing import Any

NOTES = Path(__file__).resolve().parents[1] / "notes"


class Flaky(Exception):
    """This attempt was to fail."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    line = " ".join(
        [context.aws_request_id, event["execution"], event["state"], str(event["item"]), str(event["attempt"])]
    )
    notes = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(notes, f"{line}\n".encode())
    finally:
        os.close(notes)
    if event["attempt"] < event["failures"]:
        raise Flaky(f"attempt {event['attempt']} of {event['state']}")
    return {"state": event["state"], "item": event["item"]}
