"""Code in requests: the archive of a function or a layer, out of the request itself or out of S3; and code in answers:
a URL from which the archive can be fetched for some minutes."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from msgspec import Struct

from treadle.aws import model
from treadle.aws.errors import ApiError, not_implemented
from treadle.aws.functions.call import Call
from treadle.aws.functions.code_tokens import CODE_PATH
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.tasks.contract import ServiceFault


class Archive(Struct, frozen=True):
    content: bytes
    sha256: str


async def given_archive(call: Call, given: dict[str, Any]) -> Archive:
    """Of the members that say where code is. Raises ApiError."""
    if given.get("ImageUri"):
        raise not_implemented("function code in container images")
    content = given.get("ZipFile")
    if given.get("S3Bucket") or given.get("S3Key"):
        if content is not None:
            text = "Please do not provide other FunctionCode parameters when providing a ZipFile."
            raise ApiError("InvalidParameterValueException", text)
        content = await _fetched(call, given)
    if content is None:
        raise ApiError("InvalidParameterValueException", "Please provide a source for function code.")
    if not content:
        raise ApiError("InvalidParameterValueException", "Uploaded file must be a non-empty zip")
    most = call.backend.limits.function_archive_bytes
    if len(content) > most:
        raise _too_large(most)
    return Archive(content, await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest()))


async def _fetched(call: Call, given: dict[str, Any]) -> bytes:
    """The object in S3, as far as it may go. Raises InvalidParameterValueException."""
    members = {
        ours: given[theirs]
        for ours, theirs in (("Bucket", "S3Bucket"), ("Key", "S3Key"), ("VersionId", "S3ObjectVersion"))
        if given.get(theirs)
    }
    for member in ("Bucket", "Key"):
        if member not in members:
            raise ApiError("InvalidParameterValueException", f"Please provide S3{member} with the code in S3.")
    operation = model.load("s3").operation_model("GetObject")
    most = call.backend.limits.function_archive_bytes
    try:
        incoming = await call.backend.services.stream(
            operation, members, account=call.caller.account, region=call.caller.region, token=None
        )
        try:
            content = await incoming.read(most)
        finally:
            incoming.close()
    except ServiceFault as fault:
        text = f"Error occurred while GetObject. S3 Error Code: {fault.code}. S3 Error Message: {fault.message}"
        raise ApiError("InvalidParameterValueException", text) from fault
    except NeighbourUnavailable as error:
        text = f"Error occurred while GetObject. S3 cannot be reached: {error}"
        raise ApiError("InvalidParameterValueException", text) from error
    if content is None:
        raise _too_large(most)
    return content


def _too_large(most: int) -> ApiError:
    return ApiError("InvalidParameterValueException", f"Zipped size must be smaller than {most} bytes")


def location(call: Call, code_sha256: str) -> str:
    """A URL of this server, as the client calls it, from which anybody gets the archive for some minutes."""
    backend = call.backend
    return f"{call.caller.url}{CODE_PATH}{backend.code_tokens.issue(code_sha256, backend.clock.now())}"
