"""Settings: flags beat the environment, which beats defaults; what cannot be used is refused in words."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from treadle import config
from treadle.aws.access_keys import Credentials
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
    "node": ({}, {"TREADLE_NODE": "/opt/node"}, "node", Path("/opt/node")),
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
    "an endpoint of a service, as the SDKs name it": (
        {},
        {"AWS_ENDPOINT_URL_DYNAMODB_STREAMS": "http://127.0.0.1:8000/"},
        "endpoints",
        {"dynamodbstreams": "http://127.0.0.1:8000"},
    ),
    "endpoints beat the SDKs' variables": (
        {"endpoints": "s3=http://127.0.0.1:9000, sqs=https://queues.example/base"},
        {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_SNS": "http://127.0.0.1:2"},
        "endpoints",
        {"s3": "http://127.0.0.1:9000", "sqs": "https://queues.example/base", "sns": "http://127.0.0.1:2"},
    ),
    "the endpoint of all services": ({}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, "endpoints", {}),
    "hosts without TLS": ({"plain_http": "Api.Internal, ::1,*"}, {}, "plain_http", {"api.internal", "::1", "*"}),
    "proxies": (
        {},
        {"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1", "NO_PROXY": "c", "HTTP_PROXY": ""},
        "proxies",
        {"https": "http://a:1", "no": "c"},
    ),
    "roles": ({"assume_roles": "1"}, {"AWS_ENDPOINT_URL_STS": "http://sts"}, "assume_roles", True),
    "what functions inherit": ({}, {"PATH": "/bin", "SECRET": "x"}, "inherited", {"PATH": "/bin"}),
}

REFUSED: dict[str, tuple[dict[str, str | None], dict[str, str], str]] = {
    "a port that is no number": ({"port": "http"}, {}, "--port is 'http', but takes a port from 0 to 65535"),
    "a port too large": ({}, {"TREADLE_PORT": "65536"}, "TREADLE_PORT is '65536'"),
    "a port in other digits": ({"port": "٤٥"}, {}, "--port"),
    "an account": ({}, {"TREADLE_ACCOUNT_ID": "123"}, "twelve digits"),
    "hosts that are URLs": ({"plain_http": "http://api.internal"}, {}, "hosts with commas between, or *"),
    "roles that nobody gives": ({"assume_roles": "1"}, {}, "without an endpoint for sts"),
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
    "a key without a certificate": ({"tls_key": "key.pem"}, {}, "--tls-key is of no use without --tls-certificate"),
    "half an access key": ({}, {"TREADLE_ACCESS_KEYS": "A:b,TOPSECRET"}, "entry 2 of TREADLE_ACCESS_KEYS is not"),
    "an access key with a slash": ({}, {"TREADLE_ACCESS_KEYS": "A/B:s"}, "letters, digits and underscores"),
    "an access key without secret": ({}, {"TREADLE_ACCESS_KEYS": "A:"}, "the secret in entry 1"),
    "an account of an access key": ({}, {"TREADLE_ACCESS_KEYS": "A:s:1"}, "'1', but takes twelve digits"),
    "an access key twice": ({}, {"TREADLE_ACCESS_KEYS": "A:s,A:t"}, "an access key is given twice"),
    "an endpoint of no service": ({"endpoints": "teleporter=http://x"}, {}, "unlike 'teleporter'"),
    "an endpoint that is no URL": ({}, {"AWS_ENDPOINT_URL_S3": "localhost:9000"}, "AWS_ENDPOINT_URL_S3 is"),
    "an endpoint with a secret": ({}, {"AWS_ENDPOINT_URL_S3": "http://a:b@x"}, "an http or https URL without user"),
    "no keys file": ({"keys_file": "/nowhere/keys"}, {}, "cannot be read: No such file or directory"),
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


def key(name: str, secret: str, account: str = "000000000000", token: str | None = None) -> Credentials:
    return Credentials(access_key_id=name, secret=secret, account=account, session_token=token)


KEYS = """
[default]
aws_access_key_id = ONE
aws_secret_access_key = a+b/c=%d
[billing]
aws_access_key_id=TWO
aws_secret_access_key=s
aws_account_id=111122223333
aws_session_token=t
region=eu-west-1
"""


def test_access_keys(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text(KEYS)
    variables = {"TREADLE_ACCESS_KEYS": "THREE:x/y+z=, FOUR:s:444455556666,", "TREADLE_ACCOUNT_ID": "999999999999"}
    assert config.load({"keys_file": str(file)}, variables).keys == (
        key("THREE", "x/y+z=", "999999999999"),
        key("FOUR", "s", "444455556666"),
        key("ONE", "a+b/c=%d", "999999999999"),
        key("TWO", "s", "111122223333", "t"),
    )


UNREADABLE_KEYS = {
    "": "holds no key",
    "aws_access_key_id = ONE": "cannot be read: MissingSectionHeaderError",
    "[a]\naws_access_key_id = ONE": "section [a] of",
    "[a]\n[a]": "cannot be read: DuplicateSectionError",
    "[a]\naws_access_key_id=A\naws_secret_access_key=s\naws_account_id=x": "takes twelve digits",
    "\0": "cannot be read",
}


@pytest.mark.parametrize("text", UNREADABLE_KEYS)
def test_a_keys_file_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    file = tmp_path / "credentials"
    file.write_text(text)
    with pytest.raises(SettingsError) as refused:
        config.load({"keys_file": str(file)}, {})
    assert UNREADABLE_KEYS[text] in str(refused.value)


def test_a_refusal_shows_no_secret() -> None:
    with pytest.raises(SettingsError) as refused:
        config.load({}, {"TREADLE_ACCESS_KEYS": "A:b,TOPSECRET"})
    assert "TOPSECRET" not in str(refused.value)


LOOPBACK = {"127.0.0.1": True, "127.9.9.9": True, "::1": True, "localhost": True}
ELSEWHERE = {"0.0.0.0": False, "::": False, "192.168.1.2": False, "example.org": False, "localhost.example.org": False}


@pytest.mark.parametrize(("host", "expected"), (LOOPBACK | ELSEWHERE).items())
def test_loopback(host: str, expected: bool) -> None:
    assert config.is_loopback(host) is expected


@pytest.mark.parametrize("field", Limits.__struct_fields__)
def test_every_limit_has_a_variable(field: str) -> None:
    limits = config.load({}, {f"TREADLE_LIMIT_{field.upper()}": "7"}).limits
    assert getattr(limits, field) == 7
    assert msgspec.structs.replace(limits, **{field: getattr(DEFAULT_LIMITS, field)}) == DEFAULT_LIMITS


def test_the_readme_lists_every_setting() -> None:
    readme = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
    for setting in config.SETTINGS:
        row = f"| `{setting.flag}` | `{setting.variable}` | `{setting.default}` | {setting.meaning} |"
        assert row in readme
