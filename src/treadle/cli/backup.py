"""`treadle backup`: a copy of the database, whether a server uses it or not.

It reads the file itself instead of asking the server: so it works the same while there is no server, and the copying
is done by a process that the server does not wait for. docs/OPERATIONS.md says what is in it, and how to restore it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

import click

from treadle.cli.settings import load_settings, settings_flags

_EXIT_TERMINATED = 143
"""What shells report of a command that SIGTERM ended."""

_NICENESS = 15
"""The server comes first wherever both want the processor."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.option("--compact", is_flag=True, help="Leave out the free space of the database. It takes longer.")
@settings_flags("data_dir")
def backup(file: Path, force: bool, compact: bool, **flags: str | None) -> None:
    """Copy the database to FILE, while a server uses it or not.

    FILE holds everything whose call was answered before the backup began, is checked, and is on disk when the command
    ends. To restore it, put it as treadle.db into a new folder, and start a server with --data on that folder.
    """
    from treadle.store.sqlite.backup import BackupError, TargetExists, back_up

    settings = load_settings(flags)
    if settings.store is not None:
        raise click.ClickException("a PostgreSQL database is backed up with PostgreSQL's own tools, such as pg_dump")
    signal.signal(signal.SIGTERM, _terminated)
    os.nice(_NICENESS)
    began = time.monotonic()
    try:
        back_up(settings.database, file, replace=force, compact=compact)
    except TargetExists as error:
        raise click.ClickException(f"{error}; --force replaces it") from None
    except BackupError as error:
        raise click.ClickException(str(error)) from None
    megabytes = file.stat().st_size / 1_000_000
    click.echo(f"{settings.database} is in {file}: {megabytes:,.1f} MB, checked, in {time.monotonic() - began:.1f} s.")


def _terminated(number: int, frame: object) -> NoReturn:
    """As Ctrl-C does, end by way of what clears away the half-made copy."""
    sys.exit(_EXIT_TERMINATED)
