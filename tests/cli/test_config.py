"""Settings: flags beat the environment, which beats defaults; what cannot be used is refused in words."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from treadle import config
from treadle.config import SettingsError
from treadle.limits import DEFAULT_LIMITS, Limits

DEFAULTS = config.load({}, {})

TAKEN: dict[str, tuple[dict[str, str | None], dict[str, str], str, object]] = {
    "a default": ({}, {}, "port", 4566),
    "the environment": ({}, {"TREADLE_PORT": "9000"}, "port", 9000),
    "a flag beats the environment": ({"port": "9001"}, {"TREADLE_PORT": "9000"}, "port", 9001),
    "a flag that is not given": ({"port": None}, {"TREADLE_PORT": "9000"}, "port", 9000),
    "any free port": ({"port": "0"}, {}, "port", 0),
    "a folder": ({}, {"TREADLE_DATA_DIR": "/var/lib/treadle"}, "data_dir", Path("/var/lib/treadle")),
    "functions": ({"functions_dir": "code"}, {}, "functions_dir", Path("code")),
    "an account": ({}, {"TREADLE_ACCOUNT_ID": "000000000000"}, "account_id", "000000000000"),
    "a region": ({}, {"TREADLE_REGION": "us-gov-west-1"}, "region", "us-gov-west-1"),
    "a log level": ({}, {"TREADLE_LOG_LEVEL": "debug"}, "log_level", "debug"),
    "localhost": ({"host": "localhost"}, {}, "host", "localhost"),
    "the IPv6 loopback": ({"host": "::1"}, {}, "host", "::1"),
    "an open door, said in words": (
        {"host": "0.0.0.0", "insecure_listen": "1"},
        {},
        "host",
        "0.0.0.0",
    ),
    "other people's variables": ({}, {"TREADLES": "x", "AWS_REGION": "x"}, "region", DEFAULTS.region),
    "what functions inherit": ({}, {"PATH": "/bin", "SECRET": "x"}, "inherited", {"PATH": "/bin"}),
}

REFUSED: dict[str, tuple[dict[str, str | None], dict[str, str], str]] = {
    "a port that is no number": ({"port": "http"}, {}, "--port is 'http', but takes a port from 0 to 65535"),
    "a port too large": ({}, {"TREADLE_PORT": "65536"}, "TREADLE_PORT is '65536'"),
    "a port in other digits": ({"port": "٤٥"}, {}, "--port"),
    "an account": ({}, {"TREADLE_ACCOUNT_ID": "123"}, "twelve digits"),
    "a region": ({"region": "moon"}, {}, "a region such as us-west-2"),
    "a log level": ({"log_level": "loud"}, {}, "one of debug, info, warning, error"),
    "an empty folder": ({"data_dir": ""}, {}, "--data is '', but takes the path of a folder"),
    "a switch": (
        {},
        {"TREADLE_INSECURE_LISTEN": "yes"},
        "TREADLE_INSECURE_LISTEN is 'yes', but takes 0 or 1",
    ),
    "a variable overruled by a good flag": ({"port": "1"}, {"TREADLE_PORT": "x"}, "TREADLE_PORT is 'x'"),
    "a misspelt variable": ({}, {"TREADLE_PROT": "1"}, "TREADLE_PROT is not a setting"),
    "a misspelt limit": ({}, {"TREADLE_LIMIT_PAYLOAD": "1"}, "TREADLE_LIMIT_PAYLOAD is not a setting"),
    "a limit of nothing": ({}, {"TREADLE_LIMIT_PAYLOAD_BYTES": "0"}, "a whole number from 1 up"),
    "a limit that is no number": ({}, {"TREADLE_LIMIT_PAYLOAD_BYTES": "1e6"}, "a whole number from 1 up"),
    "all addresses": ({"host": "0.0.0.0"}, {}, "does not check credentials"),
    "a name that may be anywhere": ({"host": "example.org"}, {}, "does not check credentials"),
    "an address of the network": ({}, {"TREADLE_HOST": "192.168.1.2"}, "--insecure-listen"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_taken(name: str) -> None:
    flags, environ, field, expected = TAKEN[name]
    assert getattr(config.load(flags, environ), field) == expected


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    flags, environ, message = REFUSED[name]
    with pytest.raises(SettingsError) as refused:
        config.load(flags, environ)
    assert message in str(refused.value)


@pytest.mark.parametrize("field", Limits.__struct_fields__)
def test_every_limit_has_a_variable(field: str) -> None:
    limits = config.load({}, {f"TREADLE_LIMIT_{field.upper()}": "7"}).limits
    assert getattr(limits, field) == 7
    assert msgspec.structs.replace(limits, **{field: getattr(DEFAULT_LIMITS, field)}) == DEFAULT_LIMITS


def test_the_readme_lists_every_setting() -> None:
    readme = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
    for setting in config.SETTINGS:
        default = "off" if setting.is_switch else str(getattr(config.Settings(), setting.field))
        row = f"| `{setting.flag}` | `{setting.variable}` | `{default}` | {setting.meaning} |"
        assert row in readme
