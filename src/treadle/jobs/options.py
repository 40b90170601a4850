"""What the runner of one server needs to know. The composition root fills it in; nothing here reads the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from treadle.limits import DEFAULT_LIMITS, Limits


class JobOptions(Struct, frozen=True, kw_only=True):
    rules: Path
    """jobs.toml. It need not exist."""
    logs: Path
    """Folder of the log files, one for each job in a folder for each service. Made when first needed."""
    endpoint_url: str
    """Where a job finds Treadle: AWS_ENDPOINT_URL."""
    key_of: Callable[[str], tuple[str, str]]
    """The access key that jobs of an account sign with, and its secret."""
    inherited: Mapping[str, str] = {}
    """What jobs see of the server's own environment."""
    limits: Limits = DEFAULT_LIMITS
