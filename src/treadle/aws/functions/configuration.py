"""A function's configuration: from the members of a request to the settings that are kept, and back.

Members that stand for something Treadle does not have are taken if they ask for nothing (an empty list of file
systems), and refused otherwise: a function that needs its file system would fail later, and say less.
"""

from __future__ import annotations

import base64
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from treadle.aws.errors import ApiError, not_implemented
from treadle.aws.functions.names import version_arn
from treadle.deliveries.targets import kind_of
from treadle.functions.created import FunctionArn, FunctionSettings, settings_of, version_qualifier
from treadle.functions.function import Function, Logging
from treadle.functions.runtimes import Code, RuntimeMissingError, Runtimes
from treadle.functions.variables import RESERVED_VARIABLES
from treadle.limits import Limits
from treadle.store.function_contract import LATEST, FunctionVersion

_ENVIRONMENT_BYTES = 4_096
_LOG_LEVELS = frozenset({"ApplicationLogLevel", "SystemLogLevel"})
_VARIABLE_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")

_ABSENT: dict[str, Any] = {
    "AcceleratorConfig": None,
    "CapacityProviderConfig": None,
    "CodeSigningConfigArn": "",
    "DurableConfig": None,
    "FileSystemConfigs": [],
    "ImageConfig": {},
    "KMSKeyArn": "",
    "PackageType": "Zip",
    "PublishTo": None,
    "RuntimeConfig": None,
    "SnapStart": {"ApplyOn": "None"},
    "TenancyConfig": None,
}
"""Members for something that is not there, each with the value that asks for nothing; so does an empty one."""


def changed_settings(
    settings: FunctionSettings, request: dict[str, Any], limits: Limits, runtimes: Runtimes
) -> FunctionSettings:
    """The settings with what a request says of them. Raises ApiError."""
    for member, nothing in _ABSENT.items():
        if request.get(member) and request[member] != nothing:
            raise not_implemented(f"a function's {member}")
    vpc = request.get("VpcConfig", {})
    if vpc.get("SubnetIds") or vpc.get("SecurityGroupIds"):
        raise not_implemented("a function's VpcConfig")
    changes: dict[str, Any] = {
        name: request[member]
        for name, member in (
            ("runtime", "Runtime"),
            ("handler", "Handler"),
            ("role", "Role"),
            ("description", "Description"),
            ("timeout_seconds", "Timeout"),
            ("memory_megabytes", "MemorySize"),
        )
        if member in request
    }
    if "Environment" in request:
        changes["environment"] = _environment(request["Environment"].get("Variables", {}))
    if "Architectures" in request:
        changes["architecture"] = request["Architectures"][0]
    if "EphemeralStorage" in request:
        changes["ephemeral_megabytes"] = request["EphemeralStorage"]["Size"]
    if "DeadLetterConfig" in request:
        changes["dead_letter"] = _dead_letter(request["DeadLetterConfig"].get("TargetArn", ""))
    if "TracingConfig" in request:
        changes["tracing"] = request["TracingConfig"].get("Mode", "PassThrough")
    if "LoggingConfig" in request:
        changes["logging"] = _logging(settings.logging, request["LoggingConfig"])
    made = replace(settings, **changes)
    _check(made, limits, runtimes)
    return made


def _check(settings: FunctionSettings, limits: Limits, runtimes: Runtimes) -> None:
    if settings.timeout_seconds > limits.function_timeout_seconds:
        text = (
            f"1 validation error detected: Value '{settings.timeout_seconds}' at 'timeout' failed to satisfy "
            f"constraint: Member must have value less than or equal to {limits.function_timeout_seconds}"
        )
        raise ApiError("ValidationException", text)
    try:
        runtimes.command(
            Code(
                runtime=settings.runtime,
                handler=settings.handler,
                root=Path(),
                memory_megabytes=settings.memory_megabytes,
            )
        )
    except RuntimeMissingError as error:
        raise ApiError("InvalidParameterValueException", f"{error}.") from error


def _logging(now: Logging, config: dict[str, Any]) -> Logging:
    """Raises InvalidParameterValueException. (The words of its text are ours.)"""
    format = config.get("LogFormat", now.format)
    group = config.get("LogGroup", now.group)
    if format == "Text":
        if given := sorted(_LOG_LEVELS.intersection(config)):
            text = f"{' and '.join(given)} can be set only if LogFormat is JSON."
            raise ApiError("InvalidParameterValueException", text)
        return Logging(group=group)
    return Logging(
        format=format,
        application_level=config.get("ApplicationLogLevel", now.application_level or "INFO"),
        system_level=config.get("SystemLogLevel", now.system_level),
        group=group,
    )


def _dead_letter(arn: str) -> str:
    """Raises InvalidParameterValueException."""
    if arn and (kind_of(arn) not in ("sqs", "sns") or arn.endswith(".fifo")):
        text = f"The dead-letter target must be a standard SQS queue or SNS topic, not '{arn}'."
        raise ApiError("InvalidParameterValueException", text)
    return arn


def _environment(variables: dict[str, str]) -> dict[str, str]:
    """Texts as AWS's, where users have quoted them."""
    what = "Lambda was unable to configure your environment variables because the environment variables you have"
    for name, value in variables.items():
        if not _VARIABLE_NAME.fullmatch(name):
            text = f"{what} provided contains an invalid name: '{name}'; it must match {_VARIABLE_NAME.pattern}"
            raise ApiError("InvalidParameterValueException", text)
        if "\0" in value:
            raise ApiError("InvalidParameterValueException", f"{what} provided contains a NUL in '{name}'")
    reserved = sorted(RESERVED_VARIABLES.intersection(variables))
    if reserved:
        text = (
            f"{what} provided contains reserved keys that are currently not supported for modification. Reserved keys "
            f"used in this request: {', '.join(reserved)}"
        )
        raise ApiError("InvalidParameterValueException", text)
    measured = msgspec.json.encode(variables)
    if len(measured) > _ENVIRONMENT_BYTES:
        text = f"{what} provided exceeded the 4KB limit. String measured: {measured.decode()}"
        raise ApiError("InvalidParameterValueException", text)
    return variables


# -- what is shown -----------------------------------------------------------------------------------------


def shown(version: FunctionVersion, *, qualified: bool) -> dict[str, Any]:
    """A FunctionConfiguration. `qualified`: with the version in its ARN, as published versions always have it."""
    arn = version.function_arn
    if qualified or version.number != LATEST:
        arn = version_arn(arn, version.number)
    return {
        **_settings_shown(FunctionArn.read(version.function_arn).name, settings_of(version)),
        "FunctionArn": arn,
        "CodeSize": version.code_bytes,
        "CodeSha256": base64.b64encode(bytes.fromhex(version.code_sha256)).decode(),
        "LastModified": written_time(version.modified),
        "Version": version_qualifier(version.number),
        "RevisionId": version.revision_id,
    }


def _settings_shown(name: str, settings: FunctionSettings) -> dict[str, Any]:
    environment = {"Environment": {"Variables": settings.environment}} if settings.environment else {}
    layers = [{"Arn": use.arn, "CodeSize": use.code_bytes} for use in settings.layers]
    dead_letter = {"DeadLetterConfig": {"TargetArn": settings.dead_letter}} if settings.dead_letter else {}
    return {
        "FunctionName": name,
        "Runtime": settings.runtime,
        "Role": settings.role,
        "Handler": settings.handler,
        "Description": settings.description,
        "Timeout": settings.timeout_seconds,
        "MemorySize": settings.memory_megabytes,
        **environment,
        **dead_letter,
        **({"Layers": layers} if layers else {}),
        "TracingConfig": {"Mode": settings.tracing},
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": [settings.architecture],
        "EphemeralStorage": {"Size": settings.ephemeral_megabytes},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": _logging_shown(name, settings.logging),
    }


def _logging_shown(name: str, logging: Logging) -> dict[str, Any]:
    levels = {"ApplicationLogLevel": logging.application_level, "SystemLogLevel": logging.system_level}
    return {
        "LogFormat": logging.format,
        **(levels if logging.format == "JSON" else {}),
        "LogGroup": logging.group or f"/aws/lambda/{name}",
    }


def shown_of_folder(function: Function, arn: str) -> dict[str, Any]:
    """A FunctionConfiguration of a function in the functions folder: what there is to tell of it. Nobody gave it a
    role; a code hash and a size are those of an archive, which it has not."""
    settings = FunctionSettings(
        runtime=function.runtime,
        handler=function.handler,
        role="",
        description=f"From {function.code}",
        timeout_seconds=function.timeout_seconds,
        memory_megabytes=function.memory_megabytes,
        environment=function.environment,
        architecture="arm64" if sys.platform == "darwin" else "x86_64",
    )
    members = _settings_shown(function.name, settings)
    del members["Role"]
    return {
        **members,
        "FunctionArn": arn,
        "LastModified": written_time(_modified(function.code)),
        "Version": "$LATEST",
        "RevisionId": function.version,
    }


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns // 1_000_000
    except OSError:  # removed meanwhile
        return 0


def written_time(milliseconds: int) -> str:
    """As Lambda writes times: 2026-01-02T03:04:05.678+0000."""
    moment = datetime.fromtimestamp(milliseconds // 1_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1_000:03d}+0000"
