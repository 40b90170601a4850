"""`treadle keys`: the access keys that clients sign with.

Whoever may read the data folder may do this. While a server uses the folder, it is asked, and what changes
counts at once; otherwise the database is opened here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from treadle.cli.settings import load_settings, settings_flags
from treadle.config import Settings

if TYPE_CHECKING:
    from treadle.aws.access_keys import Keyring

_ACCOUNT = click.option("--account", metavar="ID", help="Twelve digits: whose resources it sees. [--account-id]")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def keys() -> None:
    """Access keys: make, list and revoke them.

    Once there is a key, every request has to be signed with one.
    """


@keys.command()
@_ACCOUNT
@click.option("--description", default="", metavar="TEXT", help="What it is for.")
@_JSON
@settings_flags("data_dir", "store", "account_id")
def create(account: str | None, description: str, as_json: bool, **flags: str | None) -> None:
    """Make an access key, and print its secret: this once, and never again."""
    from treadle.aws.extension.keys import with_secret

    settings = load_settings(flags)
    account = account or settings.account_id
    if not (account.isascii() and account.isdigit() and len(account) == 12):
        raise click.UsageError(f"--account is {account!r}, but takes twelve digits")

    async def in_database(keyring: Keyring) -> dict[str, Any]:
        return with_secret(await keyring.create(account, description))

    made = _ask(settings, in_database, "POST", "keys", {"account": account, "description": description})
    if as_json:
        click.echo(json.dumps(made, indent=2))
        return
    click.echo(f"Key {made['accessKeyId']} for account {made['account']}. Its secret is shown only now:\n")
    click.echo(f"export AWS_ACCESS_KEY_ID={made['accessKeyId']}")
    click.echo(f"export AWS_SECRET_ACCESS_KEY={made['secretAccessKey']}")


@keys.command("list")
@_JSON
@settings_flags("data_dir", "store")
def list_(as_json: bool, **flags: str | None) -> None:
    """List the access keys of the database, without their secrets."""
    from treadle.aws.extension.keys import shown

    async def in_database(keyring: Keyring) -> dict[str, Any]:
        return {"keys": [shown(key) for key in await keyring.list()]}

    found = _ask(_existing(flags), in_database, "GET", "keys")["keys"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for key in found:
        state = "in use" if key["revokeDate"] is None else f"revoked {_day(key['revokeDate'])}"
        columns = (key["accessKeyId"], key["account"], f"made {_day(key['createDate'])}", state, key["description"])
        click.echo("  ".join(filter(None, columns)))


@keys.command()
@click.argument("key_id")
@settings_flags("data_dir", "store")
def revoke(key_id: str, **flags: str | None) -> None:
    """Take the access key KEY_ID out of use, for good."""
    from treadle.aws.extension.keys import shown

    async def in_database(keyring: Keyring) -> dict[str, Any]:
        return shown(await keyring.revoke(key_id))

    revoked = _ask(_existing(flags), in_database, "DELETE", f"keys/{quote(key_id, safe='')}")
    click.echo(f"Key {revoked['accessKeyId']} is revoked.")


def _existing(flags: dict[str, str | None]) -> Settings:
    """To look into a folder is no reason to make a database there."""

    settings = load_settings(flags)
    if settings.store is None and not settings.database.exists():
        raise click.ClickException(f"there is no database in {settings.data_dir}; --data names another folder")
    return settings


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _ask(
    settings: Settings,
    in_database: Callable[[Keyring], Awaitable[dict[str, Any]]],
    method: str,
    path: str,
    body: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The answer of the database, or of the server that uses it; both are of the same form."""
    from treadle.aws import administrator
    from treadle.aws.errors import ApiError
    from treadle.cli.client import ask_extension
    from treadle.store.contract import StoreUnavailable, StoreUnusable

    try:
        try:
            return asyncio.run(_open(settings, in_database))
        except StoreUnusable as in_use:
            server = administrator.find(settings.data_dir)
            if server is None:
                raise
            try:
                return ask_extension(server, settings.region, method, path, body)
            except ConnectionError:  # a server that was killed left the file behind
                raise in_use from None
    except ApiError as error:
        raise click.ClickException(error.body["message"]) from error
    except (StoreUnusable, StoreUnavailable, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error


async def _open(settings: Settings, act: Callable[[Keyring], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    from treadle.aws.access_keys import Keyring
    from treadle.clock import SystemClock
    from treadle.store.opening import store_at

    store = store_at(settings.store, settings.database)
    await store.open()
    try:
        return await act(Keyring(store, SystemClock(), settings.limits))
    finally:
        await store.close()
