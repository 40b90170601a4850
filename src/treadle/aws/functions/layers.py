"""Operations on layers, and the layers that a function names."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from treadle.aws.errors import ApiError
from treadle.aws.functions.call import Call
from treadle.aws.functions.code import given_archive, location
from treadle.aws.functions.configuration import written_time
from treadle.functions.archives import ArchiveError
from treadle.functions.created import LayerUse
from treadle.store.layer_contract import LayerVersion

_NAME = re.compile(
    r"(?P<prefix>arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:layer:)?(?P<name>[a-zA-Z0-9-_]+)", re.ASCII
)
_VERSION_ARN = re.compile(
    r"(?P<arn>arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:layer:[a-zA-Z0-9-_]+):(?P<number>\d{1,9})", re.ASCII
)
_NAME_CHARACTERS = 140


class LayerSettings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the store keeps as the settings of a version."""

    description: str = ""
    license: str | None = None
    runtimes: tuple[str, ...] | None = None
    architectures: tuple[str, ...] | None = None


# -- how requests name layers ------------------------------------------------------------------------------


def layer_prefix(call: Call) -> str:
    """What the ARNs of the layers begin with that a caller sees."""
    return call.arn_prefix.removesuffix("function:") + "layer:"


def layer_arn(call: Call, given: str) -> str:
    """Of a name or an ARN. Raises ApiError."""
    match = _NAME.fullmatch(given)
    if match is None or len(match["name"]) > _NAME_CHARACTERS:
        text = (
            f"1 validation error detected: Value '{given}' at 'layerName' failed to satisfy constraint: Member must "
            f"satisfy regular expression pattern: {_NAME.pattern}"
        )
        raise ApiError("ValidationException", text)
    prefix = layer_prefix(call)
    if match["prefix"] not in (None, prefix):
        raise _denied(call, given)
    return prefix + match["name"]


def _denied(call: Call, given: str) -> ApiError:
    text = (
        f"User: arn:aws:iam::{call.caller.account}:root is not authorized to perform: lambda:{call.operation} on "
        f"resource: {given} because no resource-based policy allows the lambda:{call.operation} action. (Treadle does "
        "not fetch layers from AWS or from other accounts: publish the layer here.)"
    )
    return ApiError("AccessDeniedException", text, status=403)


async def layer_version(call: Call, request: dict[str, Any]) -> LayerVersion:
    """Of LayerName and VersionNumber. Raises ResourceNotFoundException."""
    return await _existing(call, layer_arn(call, request["LayerName"]), request["VersionNumber"])


async def _existing(call: Call, arn: str, number: int) -> LayerVersion:
    found = await call.backend.store.layer_get(arn, number)
    if found is None:
        raise ApiError("ResourceNotFoundException", "The resource you requested does not exist.")
    return found


# -- the operations ----------------------------------------------------------------------------------------


async def publish_layer_version(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    arn = layer_arn(call, request["LayerName"])
    archive = await given_archive(call, request["Content"])
    try:
        await call.backend.created.check(archive.content)
    except ArchiveError as error:
        text = f"Could not unzip uploaded file. Please check your file, then try to upload again. ({error})"
        raise ApiError("InvalidParameterValueException", text) from error
    settings = LayerSettings(
        description=request.get("Description", ""),
        license=request.get("LicenseInfo"),
        runtimes=request.get("CompatibleRuntimes"),
        architectures=request.get("CompatibleArchitectures"),
    )
    made = LayerVersion(
        layer_arn=arn,
        number=0,
        settings=msgspec.json.encode(settings).decode(),
        code_sha256=archive.sha256,
        code_bytes=len(archive.content),
        created=call.backend.clock.now(),
    )
    async with call.backend.changes:
        number = await call.backend.store.layer_publish(made, archive.content)
    return await get_layer_version(call, {"LayerName": arn, "VersionNumber": number})


async def get_layer_version(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    return _with_content(call, await layer_version(call, request))


async def get_layer_version_by_arn(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    match = _VERSION_ARN.fullmatch(request["Arn"])
    if match is None:
        text = (
            f"1 validation error detected: Value '{request['Arn']}' at 'arn' failed to satisfy constraint: Member must "
            f"satisfy regular expression pattern: {_VERSION_ARN.pattern}"
        )
        raise ApiError("ValidationException", text)
    return _with_content(call, await _existing(call, layer_arn(call, match["arn"]), int(match["number"])))


async def list_layer_versions(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """The newest first."""
    arn, size = layer_arn(call, request["LayerName"]), call.page_items(request)
    found = [version async for version in _matching(call, arn, call.after(request), request, size + 1)]
    return call.page(request, "LayerVersions", found, _shown, lambda version: [version.number])


async def list_layers(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """By name, each with the newest version that fits the runtime and the architecture that are asked for."""
    store, size, after = call.backend.store, call.page_items(request), call.after(request)
    found: list[LayerVersion] = []
    while len(found) <= size:
        page = await store.layer_list(layer_prefix(call), after, size + 1)
        for arn in page:
            found += [version async for version in _matching(call, arn, None, request, 1)]
        if len(page) <= size:
            break
        after = page[-1]
    return call.page(request, "Layers", found, _with_latest, lambda version: [version.layer_arn])


def _with_latest(version: LayerVersion) -> dict[str, Any]:
    """A layer, with its newest version."""
    return {
        "LayerName": version.layer_arn.rpartition(":")[2],
        "LayerArn": version.layer_arn,
        "LatestMatchingVersion": _shown(version),
    }


async def _matching(
    call: Call, arn: str, before: int | None, request: dict[str, Any], most: int
) -> AsyncIterator[LayerVersion]:
    """Versions that fit the runtime and the architecture that a listing is to show, the newest first."""
    runtime, architecture = request.get("CompatibleRuntime"), request.get("CompatibleArchitecture")
    while most > 0:
        page = await call.backend.store.layer_versions(arn, before, call.backend.limits.page_items)
        for version in page:
            settings = layer_settings(version)
            fits = runtime is None or runtime in (settings.runtimes or ())
            if most > 0 and fits and (architecture is None or architecture in (settings.architectures or ())):
                most -= 1
                yield version
        if not page:
            return
        before = page[-1].number


async def delete_layer_version(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Functions that have it keep it. A version that is not there is deleted, too."""
    arn = layer_arn(call, request["LayerName"])
    async with call.backend.changes:
        await call.backend.store.layer_delete(arn, request["VersionNumber"])
    return {}


# -- what is shown -----------------------------------------------------------------------------------------


def layer_settings(version: LayerVersion) -> LayerSettings:
    return msgspec.json.decode(version.settings, type=LayerSettings)


def _shown(version: LayerVersion) -> dict[str, Any]:
    settings = layer_settings(version)
    shown = {
        "LayerVersionArn": f"{version.layer_arn}:{version.number}",
        "Version": version.number,
        "Description": settings.description,
        "CreatedDate": written_time(version.created),
        "CompatibleRuntimes": settings.runtimes,
        "CompatibleArchitectures": settings.architectures,
        "LicenseInfo": settings.license,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _with_content(call: Call, version: LayerVersion) -> dict[str, Any]:
    content = {
        "Location": location(call, version.code_sha256),
        "CodeSha256": base64.b64encode(bytes.fromhex(version.code_sha256)).decode(),
        "CodeSize": version.code_bytes,
    }
    return {"Content": content, "LayerArn": version.layer_arn, **_shown(version)}


# -- the layers of a function ------------------------------------------------------------------------------


class ChosenLayers(Struct, frozen=True):
    uses: tuple[LayerUse, ...]
    """For the function's settings."""
    archives: tuple[str, ...]
    """Their hashes."""


async def chosen_layers(call: Call, arns: Sequence[str], before: ChosenLayers) -> ChosenLayers:
    """What a function is to have, in this order; what it had `before` it may keep, also if it was deleted since. Raises
    InvalidParameterValueException."""
    most = call.backend.limits.function_layers
    if len(arns) > most:
        raise ApiError("InvalidParameterValueException", f"Cannot reference more than {most} layers.")
    kept = {use.arn: (use, archive) for use, archive in zip(before.uses, before.archives, strict=True)}
    chosen: dict[str, tuple[LayerUse, str]] = {}
    for given in arns:
        match = _VERSION_ARN.fullmatch(given)
        if match is None:
            text = f"Layer version {given} is no ARN of a version of a layer."
            raise ApiError("InvalidParameterValueException", text)
        arn = layer_arn(call, match["arn"])
        if arn in chosen:
            text = (
                "Two different versions of the same layer are not allowed to be referenced in the same function. "
                f"{chosen[arn][0].arn} and {given}."
            )
            raise ApiError("InvalidParameterValueException", text)
        version = await call.backend.store.layer_get(arn, int(match["number"]))
        if version is not None:
            chosen[arn] = LayerUse(f"{arn}:{version.number}", version.code_bytes), version.code_sha256
        elif given in kept:
            chosen[arn] = kept[given]
        else:
            raise ApiError("InvalidParameterValueException", f"Layer version {given} does not exist.")
    return ChosenLayers(tuple(use for use, _ in chosen.values()), tuple(archive for _, archive in chosen.values()))


NO_LAYERS = ChosenLayers((), ())
