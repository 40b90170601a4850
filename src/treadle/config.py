"""One frozen Settings object, and the only place that reads the environment and command-line flags.

A flag beats its environment variable, which beats the default.  Every setting is a line of SETTINGS; a limit
of `limits.py` is set by `TREADLE_LIMIT_<NAME>`, access keys by `TREADLE_ACCESS_KEYS`.  An unknown TREADLE_
variable is refused: a misspelt one would otherwise be ignored in silence.
"""

from __future__ import annotations

import configparser
import ipaddress
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from treadle.aws.access_keys import Credentials
from treadle.functions.options import INHERITED_VARIABLES
from treadle.limits import DEFAULT_LIMITS, Limits
from treadle.neighbours.catalogue import catalogue

PREFIX = "TREADLE_"
LIMIT_PREFIX = "TREADLE_LIMIT_"
KEYS_VARIABLE = "TREADLE_ACCESS_KEYS"
"""There is no flag for it: other users of a machine see the flags of a process."""

_PROXIES = ("http", "https", "no")
LOG_LEVELS = ("debug", "info", "warning", "error")


class SettingsError(Exception):
    """A setting cannot be used. The message names the flag or variable, what it holds and what it takes."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    host: str = "127.0.0.1"
    port: int = 4566
    """0: any free port."""
    data_dir: Path = Path(".treadle")
    store: str | None = None
    """The URL of the PostgreSQL database that holds everything; None: a file in the folder does."""
    functions_dir: Path = Path("functions")
    """It need not exist yet."""
    node: Path | None = None
    """The Node.js that runs functions; None: the `node` on the PATH."""
    sdk_dir: Path | None = None
    """Of AWS's SDK for JavaScript, for functions; None: `sdk` in the data folder."""
    jobs: Path = Path("jobs.toml")
    """What runs the jobs of EMR and others. It need not exist."""
    account_id: str = "000000000000"
    region: str = "us-east-1"
    """Of requests that are not signed for a region."""
    retention_days: int = 90
    """How long an execution is kept after its end. 0: for ever."""
    log_level: str = "warning"
    verbose: bool = False
    """The output of functions goes to the terminal, too."""
    insecure_listen: bool = False
    no_authentication: bool = False
    """Nobody is asked for a signature, even if there are access keys."""
    keys_file: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    """None: it stands in the file of the certificate."""
    keys: tuple[Credentials, ...] = ()
    """Access keys of the environment and of the file."""
    limits: Limits = DEFAULT_LIMITS
    endpoints: Mapping[str, str] = {}
    """Base URLs of services that others serve, by botocore's names of them."""
    dataset_folders: tuple[Path, ...] = ()
    """Folders whose files a Distributed Map may read and write."""
    assume_roles: bool = False
    """Tasks call endpoints as the role of their machine."""
    plain_http: frozenset[str] = frozenset()
    """Hosts that HTTP tasks may call without TLS, beside this machine; `*`: any."""
    proxies: Mapping[str, str] = {}
    """Proxies of the environment for HTTP tasks, by scheme, and under `no` the hosts that need none."""
    inherited: Mapping[str, str] = {}
    """What functions see of the server's own environment (INHERITED_VARIABLES, as far as they are set)."""

    @property
    def database(self) -> Path:
        """The file, if it is one."""
        return self.data_dir / "treadle.db"

    @property
    def sdk_folder(self) -> Path:
        """Absolute, whether there is something in it or not."""
        return (self.sdk_dir or self.data_dir / "sdk").absolute()


class Setting(msgspec.Struct, frozen=True):
    """How one field of Settings is given from outside."""

    field: str
    flag: str
    parse: Callable[[str], Any]
    """Text to value; ValueError says what the setting takes."""
    metavar: str
    meaning: str
    secret: bool = False
    """What it is set to is not to be shown."""

    @property
    def is_switch(self) -> bool:
        return self.parse is _switch

    @property
    def default(self) -> str:
        """As text, for people."""
        value = getattr(Settings(), self.field)
        return "off" if self.is_switch else "none" if value in (None, {}, (), frozenset()) else str(value)

    @property
    def variable(self) -> str:
        return PREFIX + self.field.upper()


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65_535:
        raise ValueError("a port from 0 to 65535 (0: any free one)")
    return int(text)


def _days(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text):
        raise ValueError("a number of days (0: for ever)")
    return int(text)


def _text(pattern: str, takes: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(takes)
        return text

    return parse


def _path(takes: str) -> Callable[[str], Path]:
    def parse(text: str) -> Path:
        if not text or "\0" in text:
            raise ValueError(takes)
        return Path(text)

    return parse


_directory = _path("the path of a folder")
_file = _path("the path of a file")


def _postgres(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("postgresql", "postgres") or len(parts.path) < 2:
        raise ValueError("a URL such as postgresql://user:password@host:5432/database")
    return text


def _endpoint(text: str) -> str:
    """Without slashes at its end."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("an http or https URL without user, query and fragment")
    return text.rstrip("/")


def _endpoints(text: str) -> dict[str, str]:
    endpoints = {}
    for pair in filter(None, text.split(",")):
        name, _, url = pair.strip().partition("=")
        if name not in catalogue().services:
            raise ValueError(f"SERVICE=URL with commas between, the services as in boto3, unlike {name!r}")
        endpoints[name] = _endpoint(url)
    return endpoints


def _folders(text: str) -> tuple[Path, ...]:
    return tuple(_directory(folder).absolute() for folder in text.split(os.pathsep))


def _hosts(text: str) -> frozenset[str]:
    hosts = frozenset(filter(None, (host.strip().lower() for host in text.split(","))))
    if not all(re.fullmatch(r"[a-z0-9._:-]+|\*", host) for host in hosts):
        raise ValueError("hosts with commas between, or *")
    return hosts


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
    Setting(
        "store",
        "--store",
        _postgres,
        "URL",
        "PostgreSQL database that holds everything, in place of the one in the folder.",
        secret=True,
    ),
    Setting("functions_dir", "--functions", _directory, "DIR", "Folder of functions. It need not exist yet."),
    Setting("node", "--node", _file, "FILE", "The Node.js for functions, if not the node on the PATH."),
    Setting("jobs", "--jobs", _file, "FILE", "What runs the jobs of EMR, ECS, Batch and others. It need not exist."),
    Setting("sdk_dir", "--sdk", _directory, "DIR", "AWS's SDK for JavaScript, for functions; DATA/sdk if not set."),
    Setting("account_id", "--account-id", _text(r"[0-9]{12}", "twelve digits"), "ID", "Account in every ARN."),
    Setting(
        "region",
        "--region",
        _text(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}", "a region such as us-west-2"),
        "NAME",
        "Region of requests that are not signed for one.",
    ),
    Setting(
        "retention_days",
        "--retention-days",
        _days,
        "N",
        "Days for which an execution is kept after its end; 0 keeps all for ever.",
    ),
    Setting(
        "log_level",
        "--log-level",
        _text("|".join(LOG_LEVELS), "one of " + ", ".join(LOG_LEVELS)),
        "LEVEL",
        "How much to log on stderr: " + ", ".join(LOG_LEVELS) + ".",
    ),
    Setting("verbose", "--verbose", _switch, "", "Show in the terminal what functions write."),
    Setting(
        "insecure_listen",
        "--insecure-listen",
        _switch,
        "",
        "Listen on an address that other machines reach, although nobody is asked for credentials.",
    ),
    Setting(
        "no_authentication",
        "--no-authentication",
        _switch,
        "",
        "Ask nobody for a signature, although there are access keys.",
    ),
    Setting("keys_file", "--keys-file", _file, "FILE", "Access keys, in the form of AWS's credentials file."),
    Setting("tls_certificate", "--tls-certificate", _file, "FILE", "Serve HTTPS with this certificate chain (PEM)."),
    Setting(
        "endpoints",
        "--endpoints",
        _endpoints,
        "SERVICE=URL,...",
        "Where services answer that are not to be emulated, such as s3=http://127.0.0.1:9000.",
    ),
    Setting(
        "dataset_folders",
        "--dataset-folders",
        _folders,
        f"DIR{os.pathsep}...",
        "Folders that a Distributed Map may use like buckets, as file:///DIR.",
    ),
    Setting(
        "assume_roles",
        "--assume-roles",
        _switch,
        "",
        "Let tasks call endpoints as the role of their machine, which the endpoint of sts gives them.",
    ),
    Setting(
        "plain_http",
        "--plain-http",
        _hosts,
        "HOST,...",
        "Hosts that HTTP tasks may call without TLS, beside this machine; * for any.",
    ),
    Setting("tls_key", "--tls-key", _file, "FILE", "Its private key (PEM), if that is in a file of its own."),
)

_limit_fields = {LIMIT_PREFIX + name.upper(): name for name in Limits.__struct_fields__}


def load(flags: Mapping[str, str | None], environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process. `flags` maps fields to text, or to None where the flag is not given.

    Raises SettingsError.
    """
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        for source, text in _sources(setting, flags, environ):
            values.setdefault(setting.field, _parsed(source, text, setting.parse, setting.secret))
    values["inherited"] = {name: environ[name] for name in INHERITED_VARIABLES if name in environ}
    values["limits"] = msgspec.structs.replace(DEFAULT_LIMITS, **_limits(environ))
    values["endpoints"] = {**_endpoints_of_variables(environ), **values.get("endpoints", {})}
    values["proxies"] = _proxies(environ)
    _refuse_unknown(environ)
    settings = Settings(**values)
    if settings.assume_roles and "sts" not in settings.endpoints:
        raise SettingsError("--assume-roles is of no use without an endpoint for sts (AWS_ENDPOINT_URL_STS)")
    if settings.tls_key is not None and settings.tls_certificate is None:
        raise SettingsError("--tls-key is of no use without --tls-certificate")
    keys = (*_keys_of_variable(environ, settings.account_id), *_keys_of_file(settings))
    if len({key.access_key_id for key in keys}) < len(keys):
        raise SettingsError(f"an access key is given twice, in {KEYS_VARIABLE} or the file of --keys-file")
    return msgspec.structs.replace(settings, keys=keys)


def _sources(
    setting: Setting, flags: Mapping[str, str | None], environ: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Where the setting was given, strongest first."""
    flag = flags.get(setting.field)
    if flag is not None:
        yield setting.flag, flag
    if setting.variable in environ:
        yield setting.variable, environ[setting.variable]


def _endpoints_of_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """AWS_ENDPOINT_URL_SQS and the like, as AWS's SDKs know them. AWS_ENDPOINT_URL itself, for all services, does not
    count: where it is set, it names this server."""
    return {
        service.name: _parsed(service.variable, environ[service.variable], _endpoint)
        for service in catalogue().services.values()
        if service.variable in environ
    }


def _proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """As curl and Python know them, small letters first."""
    given = {name: environ.get(f"{name}_proxy") or environ.get(f"{name}_proxy".upper()) for name in _PROXIES}
    return {name: value for name, value in given.items() if value}


def _limits(environ: Mapping[str, str]) -> dict[str, int]:
    return {
        field: _parsed(variable, environ[variable], _limit)
        for variable, field in _limit_fields.items()
        if variable in environ
    }


def _parsed(source: str, text: str, parse: Callable[[str], Any], secret: bool = False) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise SettingsError(
            f"{source} takes {error}" if secret else f"{source} is {text!r}, but takes {error}"
        ) from None


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {setting.variable for setting in SETTINGS} | set(_limit_fields) | {KEYS_VARIABLE}
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            raise SettingsError(f"{variable} is not a setting of Treadle (see Configuration in README.md)")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# -- access keys ---------------------------------------------------------------------------------------------


def _keys_of_variable(environ: Mapping[str, str], account: str) -> list[Credentials]:
    """KEYS_VARIABLE holds `ID:SECRET` or `ID:SECRET:ACCOUNT`, several of them with commas between."""
    keys = []
    for number, text in enumerate(filter(None, environ.get(KEYS_VARIABLE, "").split(",")), 1):
        fields = text.strip().split(":")
        if len(fields) not in (2, 3):
            # The text itself may hold a secret.
            raise SettingsError(f"entry {number} of {KEYS_VARIABLE} is not ID:SECRET or ID:SECRET:ACCOUNT")
        keys.append(_key(f"entry {number} of {KEYS_VARIABLE}", fields[0], fields[1], (*fields, account)[2]))
    return keys


def _keys_of_file(settings: Settings) -> list[Credentials]:
    """AWS's credentials file: a section for each key. `aws_account_id` is AWS's, too."""
    file = settings.keys_file
    if file is None:
        return []
    parser = configparser.RawConfigParser(default_section="")
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise SettingsError(f"the keys file {file} cannot be read: {reason}") from None
    if not parser.sections():
        raise SettingsError(f"the keys file {file} holds no key")
    keys = []
    for name, section in parser.items():
        if not name:
            continue
        what = f"section [{name}] of {file}"
        missing = [field for field in ("aws_access_key_id", "aws_secret_access_key") if field not in section]
        if missing:
            raise SettingsError(f"{what} has no {missing[0]}")
        keys.append(
            _key(
                what,
                section["aws_access_key_id"],
                section["aws_secret_access_key"],
                section.get("aws_account_id", settings.account_id),
                section.get("aws_session_token"),
            )
        )
    return keys


def _key(what: str, key_id: str, secret: str, account: str, token: str | None = None) -> Credentials:
    if not re.fullmatch(r"\w{1,128}", key_id, re.ASCII):
        raise SettingsError(f"the access key id in {what} is not made of letters, digits and underscores")
    if not secret or not secret.isascii():
        raise SettingsError(f"the secret in {what} is empty, or not ASCII")
    if not re.fullmatch(r"[0-9]{12}", account):
        raise SettingsError(f"the account in {what} is {account!r}, but takes twelve digits")
    return Credentials(access_key_id=key_id, secret=secret, account=account, session_token=token)
