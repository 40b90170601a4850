"""What the functions of one server need to know. The composition root fills it in; nothing here reads the
environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from treadle.functions.runtimes import Runtimes
from treadle.limits import DEFAULT_LIMITS, Limits

INHERITED_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
"""Variables of the server's own environment that workers see: what a process needs to run at all, no
secrets."""


class FunctionOptions(Struct, frozen=True, kw_only=True):
    folder: Path
    """The functions folder. It need not exist yet."""
    logs: Path
    """Folder of the log files, one per function. Made when first needed."""
    endpoint_url: str
    """Where boto3 inside a handler finds Treadle: AWS_ENDPOINT_URL."""
    access_key_id: str = "test"
    secret_access_key: str = "test"  # noqa: S105 - what a server that checks no signatures is sent
    """What boto3 inside a handler signs with, unless the function brings its own."""
    key_of: Callable[[str], tuple[str, str]] | None = None
    """The same for a function that belongs to an account: that account's key; None: the same key for all."""
    region: str = "us-east-1"
    account: str = "000000000000"
    """Where functions of the folder log to."""
    runtimes: Runtimes = Runtimes()
    inherited: Mapping[str, str] = {}
    """Values of INHERITED_VARIABLES, as far as they are set."""
    limits: Limits = DEFAULT_LIMITS
    rescan_seconds: float = 0.1
    """The folder is looked at for changes at most this often (seconds of real time).
    0: for each invocation."""
