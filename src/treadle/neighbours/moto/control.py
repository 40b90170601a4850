"""What the server and moto's process say to each other beside the requests: lines of JSON over a Unix socket.

    server                            moto's process
    Greeting (who asks, its URL)  ->
                                  <-  Welcome (its process id), or Refusal
                                  <-  KeyWanted (an account)
    Key                           ->

The connection lasts as long as the server: its end is how each side learns of the other's. A server that stops kills
the process. After a server that has died the process waits for the next one of the same data folder, which finds it
by the file `moto.json` there; the socket itself lies in a temporary folder, because its path may have about a hundred
characters only. Both are for their user alone, and the file holds a secret that the greeting must bring.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import msgspec

_FILE = "moto.json"
SERVICE_SOCKET = "moto"
CONTROL_SOCKET = "control"
READY = "ready"


class Kind(msgspec.Struct, frozen=True):
    """What must be the same for a server to take a process over: moto knows some of it from its start on."""

    treadle: str
    moto: str
    account: str
    region: str


class Settings(msgspec.Struct, frozen=True):
    """What the process gets on its standard input."""

    folder: str
    """Of its sockets."""
    data: str
    secret: str
    kind: Kind
    logs: str
    log_bytes: int
    survival_seconds: int
    deliveries: int
    delivery_threads: int
    delivery_seconds: int


class Greeting(msgspec.Struct, frozen=True, tag=True):
    secret: str
    kind: Kind
    url: str
    """Where the server takes requests without TLS from this machine."""


class Welcome(msgspec.Struct, frozen=True, tag=True):
    pid: int


class Refusal(msgspec.Struct, frozen=True, tag=True):
    reason: str


class KeyWanted(msgspec.Struct, frozen=True, tag=True):
    account: str


class Key(msgspec.Struct, frozen=True, tag=True):
    account: str
    access_key_id: str
    secret_access_key: str


class Whereabouts(msgspec.Struct, frozen=True):
    """What `moto.json` says."""

    folder: str
    secret: str


def kind(account: str, region: str) -> Kind:
    return Kind(version("treadle"), version("moto"), account, region)


def line(message: msgspec.Struct) -> bytes:
    return msgspec.json.encode(message) + b"\n"


def publish(data: Path, whereabouts: Whereabouts) -> None:
    """Raises OSError."""
    data.mkdir(parents=True, exist_ok=True)
    new = data / f"{_FILE}.new"
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(line(whereabouts))
    new.replace(data / _FILE)


def withdraw(data: Path, secret: str) -> None:
    """Unless it is another process by now that the file tells of."""
    found = find(data)
    if found is not None and found.secret == secret:
        with suppress(OSError):
            (data / _FILE).unlink(missing_ok=True)


def find(data: Path) -> Whereabouts | None:
    """None also of a file that cannot be read: then the process is as good as gone."""
    try:
        return msgspec.json.decode((data / _FILE).read_bytes(), type=Whereabouts)
    except (OSError, msgspec.MsgspecError):
        return None


def is_private(folder: Path) -> bool:
    """Whether it is a folder that only our user may enter."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
