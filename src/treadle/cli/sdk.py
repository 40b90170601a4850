"""`treadle sdk`: AWS's SDK for JavaScript, for functions in Node.js.

On Lambda it is part of the runtime. Here it is fetched from npm's registry when somebody says so, and never otherwise:
a server fetches nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import click

from treadle.cli.settings import load_settings, settings_flags

_OLD_PACKAGES = ("aws-sdk@2",)
_NEW_PACKAGES = tuple(
    f"@aws-sdk/{name}@3"
    for name in (
        "client-cloudwatch",
        "client-cloudwatch-logs",
        "client-dynamodb",
        "client-eventbridge",
        "client-kinesis",
        "client-lambda",
        "client-s3",
        "client-secrets-manager",
        "client-sfn",
        "client-sns",
        "client-sqs",
        "client-ssm",
        "client-sts",
        "lib-dynamodb",
        "lib-storage",
        "s3-request-presigner",
        "util-dynamodb",
    )
)
"""What handlers use most. Lambda has a client for each of AWS's services, which are some hundreds."""


@click.command()
@click.argument("packages", nargs=-1, metavar="[PACKAGE]...")
@click.option("--only", type=click.Choice(["2", "3"]), help="Version 2 (to Node.js 16) or version 3 (from 18) alone.")
@settings_flags("data_dir", "sdk_dir", "node")
def sdk(packages: tuple[str, ...], only: str | None, **flags: str | None) -> None:
    """Fetch AWS's SDK for JavaScript from npm, for functions in Node.js.

    Functions find it as on Lambda, without bringing it along: version 2 (aws-sdk) with nodejs16.x and older, version 3
    (the clients that are used most) with newer ones. PACKAGE names others of version 3: client-bedrock-runtime.
    """
    from treadle.functions.runtimes import NEW_SDK, OLD_SDK

    settings = load_settings(flags)
    npm = _npm(settings.node)
    more = tuple(name if name.startswith("@") else f"@aws-sdk/{name}" for name in packages)
    for version, folder, wanted in (("2", OLD_SDK, _OLD_PACKAGES), ("3", NEW_SDK, (*_NEW_PACKAGES, *more))):
        if only in (None, version):
            place = settings.sdk_folder / folder
            place.mkdir(parents=True, exist_ok=True)
            _install(npm, place, wanted)
            click.echo(f"Version {version} of the SDK is in {place}.")


def _npm(node: Path | None) -> list[str]:
    """The command: what came with the Node.js of the settings, or what is on the PATH."""
    if node is not None:
        program = node.absolute().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if program.exists():
            return [str(node.absolute()), str(program)]
    found = shutil.which("npm")
    if found is None:
        raise click.ClickException("there is no npm on the PATH; it comes with Node.js (https://nodejs.org)")
    return [found]


def _install(npm: list[str], place: Path, packages: tuple[str, ...]) -> None:
    environment = dict(os.environ)
    # What npm starts looks for Node.js on the PATH.
    environment["PATH"] = os.pathsep.join([str(Path(npm[0]).parent), environment.get("PATH", os.defpath)])
    flags = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    done = subprocess.run(  # noqa: S603 - npm, with names of packages from the table above or from the command line
        [*npm, "install", *flags, "--prefix", str(place), "--", *packages], env=environment, check=False
    )
    if done.returncode != 0:
        raise click.ClickException(f"npm could not install {' '.join(packages)} (status {done.returncode})")
