"""The configuration objects of a state machine: their rules, their defaults, and how they are kept.

They are kept as JSON text in one fixed form, with the defaults that AWS shows filled in: two configurations
are the same if their texts are. Source: api.md section 12, the recorded cases under api_logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle import document
from treadle.aws.errors import ApiError, not_implemented


def logging_text(given: Mapping[str, Any]) -> str:
    """loggingConfiguration as it is kept. Raises InvalidLoggingConfiguration."""
    level = given.get("level", "OFF")
    kept = {"level": level, "includeExecutionData": given.get("includeExecutionData", False)}
    destinations = given.get("destinations")
    if destinations is not None:
        kept["destinations"] = destinations
    if level != "OFF":
        if len(destinations or ()) != 1:
            text = "Invalid Logging Configuration: Must specify exactly one Log Destination."
            raise ApiError("InvalidLoggingConfiguration", text)
        raise not_implemented(f"loggingConfiguration.level {level}: it delivers no execution logs")
    return document.encode(kept)


def tracing_text(given: Mapping[str, Any]) -> str:
    """tracingConfiguration as it is kept."""
    if given.get("enabled"):
        raise not_implemented("tracingConfiguration.enabled: it writes no traces")
    return document.encode({"enabled": False})


def encryption_text(given: Mapping[str, Any]) -> str:
    """encryptionConfiguration as it is kept: empty if the caller gave none. Most recorded answers do not show
    the default, so Treadle shows the member to those who set it. Raises InvalidEncryptionConfiguration."""
    if not given:
        return "{}"
    if given["type"] != "AWS_OWNED_KEY":
        raise not_implemented("encryptionConfiguration.type CUSTOMER_MANAGED_KMS_KEY")
    if "kmsKeyId" in given or "kmsDataKeyReusePeriodSeconds" in given:
        text = "Invalid Encryption Configuration: a key may only be named with CUSTOMER_MANAGED_KMS_KEY."
        raise ApiError("InvalidEncryptionConfiguration", text)
    return document.encode({"type": "AWS_OWNED_KEY"})


def check_versioning(request: Mapping[str, Any]) -> None:
    """`publish` and `versionDescription` of a request that creates or updates. Raises ValidationException."""
    if request.get("publish"):
        raise not_implemented("state machine versions (publish)")
    if "versionDescription" in request:
        raise ApiError("ValidationException", "Version description can only be set when publish is true")


def tags(given: list[Mapping[str, str]], most: int) -> dict[str, str]:
    """Tags by key. Raises TooManyTags, ValidationException."""
    kept = {tag["key"]: tag.get("value", "") for tag in given if "key" in tag}
    if len(kept) > most:
        raise ApiError("TooManyTags", f"A resource can have at most {most} tags, not {len(kept)}.")
    for key in kept:
        if key.lower().startswith("aws:"):
            text = f"Invalid tag key '{key}': the prefix aws: is reserved."
            raise ApiError("ValidationException", text)
    return kept
