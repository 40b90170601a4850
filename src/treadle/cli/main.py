"""The `treadle` command. Whatever is slow to import is imported by the command that needs it."""

from __future__ import annotations

import click

from treadle.cli.backup import backup
from treadle.cli.demo import demo
from treadle.cli.fork import fork
from treadle.cli.keys import keys
from treadle.cli.run import run
from treadle.cli.sdk import sdk
from treadle.cli.start import start
from treadle.cli.validate import validate


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="treadle", message="treadle %(version)s")
def main() -> None:
    """AWS Step Functions that you run yourself."""


main.add_command(start)
main.add_command(demo)
main.add_command(run)
main.add_command(fork)
main.add_command(backup)
main.add_command(keys)
main.add_command(sdk)
main.add_command(validate)
