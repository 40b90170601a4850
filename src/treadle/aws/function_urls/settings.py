"""What a function URL is set to, and how it is written: http://ID.lambda-url.REGION.HOST:PORT/

Browsers, curl and most resolvers take every name that ends in `.localhost` for this machine. Where one does not, the
path `/_treadle/function-urls/ID/` of any name of the server leads to the same.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import string
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from treadle.aws.messages import Request
from treadle.store.event_source_contract import FunctionUrl

PATH = "/_treadle/function-urls/"
_CHARACTERS = string.ascii_lowercase + string.digits
_ID_CHARACTERS = 32
_HOST = re.compile(rf"(?P<id>[a-z0-9]{{{_ID_CHARACTERS}}})\.lambda-url\.[a-z0-9-]+\..+", re.IGNORECASE)
_LOCALHOST = "localhost"


class Cors(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What Lambda answers to browsers in the function's place."""

    allow_credentials: bool = False
    allow_headers: list[str] = []
    allow_methods: list[str] = []
    allow_origins: list[str] = []
    expose_headers: list[str] = []
    max_age: int | None = None
    """Seconds."""


class UrlSettings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the store keeps as the settings of a function URL."""

    auth_type: str
    invoke_mode: str = "BUFFERED"
    cors: Cors | None = None

    @property
    def text(self) -> str:
        return msgspec.json.encode(self).decode()


def settings_of(url: FunctionUrl) -> UrlSettings:
    return msgspec.json.decode(url.settings, type=UrlSettings)


def new_id() -> str:
    """Nobody can guess it, as on Lambda: a URL without authentication is as secret as its id."""
    return "".join(secrets.choice(_CHARACTERS) for _ in range(_ID_CHARACTERS))


def written_url(id: str, region: str, server_url: str) -> str:
    """`server_url`: of this server, as the client calls it. A name is kept, an address is this machine."""
    parts = urlsplit(server_url)
    host = parts.hostname or _LOCALHOST
    try:
        ipaddress.ip_address(host)
        host = _LOCALHOST
    except ValueError:
        pass
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme or 'http'}://{id}.lambda-url.{region}.{host}{port}/"


def id_of_host(name: str) -> str | None:
    """Of the function URL that has the host of this name; None: none has."""
    host = _HOST.fullmatch(name)
    return None if host is None else host["id"].lower()


def id_and_path(request: Request) -> tuple[str, str] | None:
    """Of the function URL that a request is for: its id, and the path behind it. None: it is for none."""
    raw_path = request.raw_path.decode("latin-1")
    at_host = id_of_host(request.header(b"host").decode("latin-1").partition(":")[0])
    if at_host is not None:
        return at_host, raw_path
    if not raw_path.startswith(PATH):
        return None
    id, _, rest = raw_path.removeprefix(PATH).partition("/")
    return id, f"/{rest}"
