"""Operations on functions: make, show, change, delete, list."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from treadle.aws.errors import ApiError, not_implemented
from treadle.aws.functions.call import Call, new_revision, other_revision
from treadle.aws.functions.code import Archive, given_archive, location
from treadle.aws.functions.configuration import changed_settings, shown, shown_of_folder
from treadle.aws.functions.layers import NO_LAYERS, ChosenLayers, chosen_layers
from treadle.aws.functions.tag_rules import check_tags
from treadle.aws.functions.versions import delete_version, latest_of
from treadle.functions.archives import ArchiveError
from treadle.functions.created import FunctionSettings, settings_of, version_number
from treadle.functions.runtimes import RuntimeMissingError, check_code
from treadle.store.contract import Conflict
from treadle.store.function_contract import LATEST, FunctionVersion

_FOLDER = "Folder"
"""What GetFunction calls the repository of code that lies on this machine."""


async def create_function(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """The function is Active when this answers: its code has been unpacked, and is on disk with all else."""
    backend = call.backend
    named = call.named(request)
    if named.qualifier is not None:
        text = f"The function name must not have a qualifier: '{request['FunctionName']}'."
        raise ApiError("InvalidParameterValueException", text)
    tags = check_tags(request.get("Tags", {}), backend.limits)
    if request.get("PackageType") == "Image":  # has neither of these
        raise not_implemented("a function's PackageType")
    for member in ("Runtime", "Handler"):
        if member not in request:
            text = f"{member} is mandatory for functions whose code is an archive."
            raise ApiError("InvalidParameterValueException", text)
    code = await given_archive(call, request["Code"])
    blank = FunctionSettings(runtime=request["Runtime"], handler=request["Handler"], role=request["Role"])
    settings = changed_settings(blank, request, backend.limits, backend.created.runtimes)
    async with backend.changes:
        if call.in_folder(named.name) or await backend.store.function_get(named.arn) is not None:
            raise ApiError("ResourceConflictException", f"Function already exist: {named.name}")
        layers = await chosen_layers(call, request.get("Layers", ()), NO_LAYERS)
        latest = FunctionVersion(
            function_arn=named.arn,
            number=LATEST,
            revision_id=new_revision(),
            settings=replace(settings, layers=layers.uses).text,
            code_sha256=code.sha256,
            code_bytes=len(code.content),
            modified=backend.clock.now(),
            layers=layers.archives,
        )
        await _check_code(call, latest, code)
        publish = replace(latest, revision_id=new_revision()) if request.get("Publish") else None
        try:
            number = await backend.store.function_create(latest, code.content, tags, publish)
        except Conflict as error:  # another node was faster
            raise ApiError("ResourceConflictException", f"Function already exist: {named.name}") from error
        backend.changed(named.arn)
    return shown(_answered(latest, publish, number), qualified=False)


def _answered(latest: FunctionVersion, publish: FunctionVersion | None, number: int | None) -> FunctionVersion:
    """What an operation shows that may have published a version."""
    return latest if publish is None or number is None else replace(publish, number=number)


async def _check_code(call: Call, version: FunctionVersion, code: Archive | None = None) -> None:
    """So that a function is never made of code that cannot be run. `code`: its archive, if the store may not have it
    yet. Raises InvalidParameterValueException."""
    created = call.backend.created
    try:
        if code is not None:
            await created.unpack(code.sha256, [code.content])
        layers = await created.layers_of(version)
        check_code(settings_of(version).runtime, await created.folder_of(version), layers)
        unpacked = 0 if layers is None else await created.unpacked_bytes(version)
    except ArchiveError as error:
        text = f"Could not unzip uploaded file. Please check your file, then try to upload again. ({error})"
        raise ApiError("InvalidParameterValueException", text) from error
    except RuntimeMissingError as error:
        raise ApiError("InvalidParameterValueException", f"{error}.") from error
    most = call.backend.limits.function_code_bytes
    if unpacked > most:
        text = (
            f"Function code combined with layers exceeds the maximum allowed size of {most} bytes. The actual size is "
            f"{unpacked} bytes."
        )
        raise ApiError("InvalidParameterValueException", text)


async def get_function(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Code.Location is a URL of this server with the archive; of a function of the folder it is that folder."""
    named = call.named(request)
    backend = call.backend
    function = backend.functions.in_folder(named.name)
    if function is not None:
        code = {"RepositoryType": _FOLDER, "Location": function.code.as_uri()}
        return {"Configuration": shown_of_folder(function, named.arn), "Code": code}
    version = await call.version(named)
    answer: dict[str, Any] = {
        "Configuration": shown(version, qualified=named.qualifier is not None),
        "Code": {"RepositoryType": "S3", "Location": location(call, version.code_sha256)},
    }
    tags = await backend.store.function_tags(named.arn)
    if tags:
        answer["Tags"] = dict(tags)
    reserved = backend.created.reserved.get(named.arn)
    if reserved is not None:
        answer["Concurrency"] = {"ReservedConcurrentExecutions": reserved}
    return answer


async def get_function_configuration(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    named = call.named(request)
    function = call.backend.functions.in_folder(named.name)
    if function is not None:
        return shown_of_folder(function, named.arn)
    return shown(await call.version(named), qualified=named.qualifier is not None)


async def update_function_code(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    backend = call.backend
    named = call.changeable(request)
    code = await given_archive(call, request)
    async with backend.changes:
        latest = await latest_of(call, named, request)
        settings = changed_settings(
            settings_of(latest), _only(request, "Architectures", "PublishTo"), backend.limits, backend.created.runtimes
        )
        changed = _changed(call, latest, settings=settings.text, code_sha256=code.sha256, code_bytes=len(code.content))
        await _check_code(call, changed, code)
        if request.get("DryRun"):
            return shown(changed, qualified=False)
        return await _write(call, latest, changed, code.content, publish=request.get("Publish", False))


async def update_function_configuration(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    backend = call.backend
    named = call.changeable(request)
    async with backend.changes:
        latest = await latest_of(call, named, request)
        settings = changed_settings(settings_of(latest), request, backend.limits, backend.created.runtimes)
        layers = ChosenLayers(settings.layers, latest.layers)
        if "Layers" in request:
            layers = await chosen_layers(call, request["Layers"], layers)
        settings = replace(settings, layers=layers.uses)
        changed = _changed(call, latest, settings=settings.text, layers=layers.archives)
        await _check_code(call, changed)
        return await _write(call, latest, changed, None, publish=False)


def _only(request: dict[str, Any], *members: str) -> dict[str, Any]:
    return {name: request[name] for name in members if name in request}


def _changed(call: Call, latest: FunctionVersion, **changes: Any) -> FunctionVersion:
    return replace(latest, revision_id=new_revision(), modified=call.backend.clock.now(), **changes)


async def _write(
    call: Call, latest: FunctionVersion, changed: FunctionVersion, archive: bytes | None, *, publish: bool
) -> dict[str, Any]:
    backend = call.backend
    published = replace(changed, revision_id=new_revision()) if publish else None
    try:
        number = await backend.store.function_update(changed, latest.revision_id, archive, published)
    except Conflict as error:  # another node was faster
        raise other_revision() from error
    backend.functions.retire(latest.function_arn, LATEST)
    backend.changed(latest.function_arn)
    return shown(_answered(changed, published, number), qualified=False)


async def delete_function(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """The function with all its versions and aliases, or one version."""
    backend = call.backend
    named = call.changeable(request)
    async with backend.changes:
        await call.latest(named)
        if named.qualifier is None:
            await backend.store.function_delete(named.arn)
            backend.created.set_reserved(named.arn, None)
            backend.functions.retire(named.arn)
        else:
            await delete_version(call, named)
            backend.functions.retire(named.arn, version_number(named.qualifier))
        backend.changed(named.arn)
    return {"StatusCode": 204}


async def list_functions(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Those of the functions folder and those that were made, by name."""
    backend, prefix, size = call.backend, call.arn_prefix, call.page_items(request)
    position = call.position(request)
    after = None if position is None else (str(position[0]), int(position[1]))
    every_version = request.get("FunctionVersion") == "ALL"
    names = backend.functions.names_in_folder()
    found: list[tuple[str, int, dict[str, Any]]] = []
    for name in names:
        function = backend.functions.in_folder(name)
        if function is not None and (after is None or (prefix + name, LATEST) > after):
            found.append((prefix + name, LATEST, shown_of_folder(function, prefix + name)))
    hidden = {prefix + name for name in names}
    made = 0
    while made <= size:
        page = await backend.store.function_list(prefix, after, size + 1, every_version)
        for version in page:
            if version.function_arn not in hidden:
                made += 1
                found.append((version.function_arn, version.number, shown(version, qualified=every_version)))
        if len(page) <= size:
            break
        after = page[-1].function_arn, page[-1].number
    found.sort(key=lambda each: each[:2])
    return call.page(request, "Functions", found, lambda each: each[2], lambda each: [each[0], each[1]])
