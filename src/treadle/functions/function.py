"""A function that can be run: where its code is, what starts it, and what it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct

LATEST = "$LATEST"


class Logging(Struct, frozen=True, kw_only=True):
    """What a function's LoggingConfig says."""

    format: Literal["Text", "JSON"] = "Text"
    application_level: str | None = None
    """Of lines of the function's own, in JSON; what is below it the runtime leaves out. None: it is not told any."""
    system_level: str = "INFO"
    """Of Lambda's own events, in JSON."""
    group: str | None = None
    """None: /aws/lambda/NAME."""


class Function(Struct, frozen=True, kw_only=True):
    name: str
    key: str
    """Tells it from every other function of this server. Workers are shared by invocations of one key."""
    handler: str
    root: Path
    """The folder that Lambda has at /var/task: first on the handler's import path, and its working
    directory."""
    code: Path
    """The function's file or folder."""
    layers: Path | None = None
    """The folder that Lambda has at /opt: all its layers, one over the other; None: it has none."""
    command: tuple[str, ...]
    """What a worker runs; nothing if there is a `url`."""
    runtime: str
    """As Lambda names it: `python3.12`."""
    timeout_seconds: int
    memory_megabytes: int
    ephemeral_megabytes: int = 512
    """What a worker may have of temporary files."""
    environment: dict[str, str]
    version: str
    """Changes whenever the code or the settings do."""
    published_version: str = LATEST
    """What the handler's context calls function_version."""
    region: str | None = None
    account: str | None = None
    """Where the function is, and whose; None: wherever it is asked for."""
    provisioned: bool = False
    """Its worker was started before an invocation needed it."""
    logging: Logging = Logging()
    url: str | None = None
    """Somebody else's HTTP endpoint that is the function, and no worker."""
