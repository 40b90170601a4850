"""`treadle start`: serve until told to stop."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import click

from treadle import __version__
from treadle.cli.settings import load_settings, settings_flags
from treadle.config import Settings

if TYPE_CHECKING:
    from treadle.app import App


@click.command()
@settings_flags()
def start(**flags: str | None) -> None:
    """Serve the Step Functions API until Ctrl-C."""
    settings = load_settings(flags)
    from treadle.cli.hosting import host

    def announce(app: App, stop: threading.Event) -> None:
        click.echo(banner(settings, app.url))

    sys.exit(host(settings, announce) or 0)


def banner(settings: Settings, url: str) -> str:
    """What a server says when it is ready."""
    return (
        f"Treadle {__version__} at {url}, data in {settings.data_dir}, "
        f"functions in {settings.functions_dir}. Ctrl-C stops it."
    )
