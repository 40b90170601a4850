"""One frozen Settings object, and the only place that reads the environment and command-line flags.

A flag beats its environment variable, which beats the default.  Every setting is a line of SETTINGS; a limit
of `limits.py` is set by `TREADLE_LIMIT_<NAME>`.  An unknown TREADLE_ variable is refused: a misspelt one
would otherwise be ignored in silence.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from treadle.functions.options import INHERITED_VARIABLES
from treadle.limits import DEFAULT_LIMITS, Limits

PREFIX = "TREADLE_"
LIMIT_PREFIX = "TREADLE_LIMIT_"
LOG_LEVELS = ("debug", "info", "warning", "error")


class SettingsError(Exception):
    """A setting cannot be used. The message names the flag or variable, what it holds and what it takes."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    host: str = "127.0.0.1"
    port: int = 4566
    """0: any free port."""
    data_dir: Path = Path(".treadle")
    functions_dir: Path = Path("functions")
    """It need not exist yet."""
    account_id: str = "000000000000"
    region: str = "us-east-1"
    """Of requests that are not signed for a region."""
    log_level: str = "warning"
    insecure_listen: bool = False
    limits: Limits = DEFAULT_LIMITS
    inherited: Mapping[str, str] = {}
    """What functions see of the server's own environment (INHERITED_VARIABLES, as far as they are set)."""


class Setting(msgspec.Struct, frozen=True):
    """How one field of Settings is given from outside."""

    field: str
    flag: str
    parse: Callable[[str], Any]
    """Text to value; ValueError says what the setting takes."""
    metavar: str
    meaning: str

    @property
    def is_switch(self) -> bool:
        return self.parse is _switch

    @property
    def variable(self) -> str:
        return PREFIX + self.field.upper()


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65_535:
        raise ValueError("a port from 0 to 65535 (0: any free one)")
    return int(text)


def _text(pattern: str, takes: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(takes)
        return text

    return parse


def _directory(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError("the path of a folder")
    return Path(text)


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("0 or 1")
    return text == "1"


def _limit(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) == 0:
        raise ValueError("a whole number from 1 up")
    return int(text)


SETTINGS = (
    Setting("host", "--host", _text(r"[^\s/]+", "a host name or address"), "HOST", "Address to listen on."),
    Setting("port", "--port", _port, "N", "Port to listen on; 0 takes any free one."),
    Setting("data_dir", "--data", _directory, "DIR", "Folder of the database, made if it is missing."),
    Setting("functions_dir", "--functions", _directory, "DIR", "Folder of functions. It need not exist yet."),
    Setting("account_id", "--account-id", _text(r"[0-9]{12}", "twelve digits"), "ID", "Account in every ARN."),
    Setting(
        "region",
        "--region",
        _text(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}", "a region such as us-west-2"),
        "NAME",
        "Region of requests that are not signed for one.",
    ),
    Setting(
        "log_level",
        "--log-level",
        _text("|".join(LOG_LEVELS), "one of " + ", ".join(LOG_LEVELS)),
        "LEVEL",
        "How much to log on stderr: " + ", ".join(LOG_LEVELS) + ".",
    ),
    Setting(
        "insecure_listen",
        "--insecure-listen",
        _switch,
        "",
        "Listen on an address that other machines reach, although nobody is asked for credentials.",
    ),
)

_limit_fields = {LIMIT_PREFIX + name.upper(): name for name in Limits.__struct_fields__}


def load(flags: Mapping[str, str | None], environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process. `flags` maps fields to text, or to None where the flag is not given.

    Raises SettingsError.
    """
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        for source, text in _sources(setting, flags, environ):
            values.setdefault(setting.field, _parsed(source, text, setting.parse))
    values["inherited"] = {name: environ[name] for name in INHERITED_VARIABLES if name in environ}
    values["limits"] = msgspec.structs.replace(DEFAULT_LIMITS, **_limits(environ))
    settings = Settings(**values)
    _refuse_unknown(environ)
    _refuse_open_door(settings)
    return settings


def _sources(
    setting: Setting, flags: Mapping[str, str | None], environ: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Where the setting was given, strongest first."""
    flag = flags.get(setting.field)
    if flag is not None:
        yield setting.flag, flag
    if setting.variable in environ:
        yield setting.variable, environ[setting.variable]


def _limits(environ: Mapping[str, str]) -> dict[str, int]:
    return {
        field: _parsed(variable, environ[variable], _limit)
        for variable, field in _limit_fields.items()
        if variable in environ
    }


def _parsed(source: str, text: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise SettingsError(f"{source} is {text!r}, but takes {error}") from None


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {setting.variable for setting in SETTINGS} | set(_limit_fields)
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            raise SettingsError(f"{variable} is not a setting of Treadle (see Configuration in README.md)")


def _refuse_open_door(settings: Settings) -> None:
    if not settings.insecure_listen and not _is_loopback(settings.host):
        raise SettingsError(
            f"Treadle does not check credentials yet: whoever reaches {settings.host} could run your "
            "functions. Listen on 127.0.0.1, or say --insecure-listen if the network around it is closed"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
