"""Operations on the versions of functions."""

from __future__ import annotations

from functools import partial
from typing import Any

from msgspec.structs import replace

from treadle.aws.errors import ApiError, not_implemented
from treadle.aws.functions.call import Call, new_revision, other_revision
from treadle.aws.functions.configuration import shown, shown_of_folder
from treadle.aws.functions.names import FunctionName, function_not_found
from treadle.functions.created import settings_of, version_number, version_qualifier
from treadle.store.contract import Conflict
from treadle.store.function_contract import LATEST, FunctionVersion


async def latest_of(call: Call, named: FunctionName, request: dict[str, Any]) -> FunctionVersion:
    """The latest version, if it is the one that the request means. Raises ApiError."""
    latest = await call.latest(named)
    if version_number(named.qualifier) != LATEST:
        text = f"Only the version $LATEST can be changed, not {named.qualified_arn}."
        raise ApiError("InvalidParameterValueException", text)
    if request.get("RevisionId", latest.revision_id) != latest.revision_id:
        raise other_revision()
    return latest


async def publish_version(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """The newest version, if nothing changed since it was published; else a new one."""
    backend = call.backend
    named = call.changeable(request)
    if request.get("PublishTo"):
        raise not_implemented("PublishTo")
    async with backend.changes:
        latest = await latest_of(call, named, request)
        current = shown(latest, qualified=False)["CodeSha256"]
        if request.get("CodeSha256", current) != current:
            text = (
                f"CodeSHA256 ({request['CodeSha256']}) is different from current CodeSHA256 in $LATEST ({current}). "
                "Please try again with the CodeSHA256 in $LATEST."
            )
            raise ApiError("InvalidParameterValueException", text)
        newest = await _newest(call, named.arn)
        if newest is not None and _same(newest, latest):
            return shown(newest, qualified=True)
        settings = settings_of(latest)
        if "Description" in request:
            settings = replace(settings, description=request["Description"])
        published = replace(latest, revision_id=new_revision(), settings=settings.text)
        try:
            number = await backend.store.function_publish(published, latest.revision_id)
        except Conflict as error:  # another node was faster
            raise other_revision() from error
        return shown(replace(published, number=number), qualified=True)


async def _newest(call: Call, arn: str) -> FunctionVersion | None:
    """The version that was published last."""
    newest, after = None, LATEST
    while True:
        page = await call.backend.store.function_versions(arn, after, call.backend.limits.page_items)
        if not page:
            return newest
        newest, after = page[-1], page[-1].number


def _same(published: FunctionVersion, latest: FunctionVersion) -> bool:
    """But for the description, which a version may have of its own."""
    ours, theirs = (replace(settings_of(version), description="") for version in (published, latest))
    return (published.code_sha256, ours) == (latest.code_sha256, theirs)


async def list_versions_by_function(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """$LATEST first, then by number."""
    named = call.named(request)
    function = call.backend.functions.in_folder(named.name)
    if function is not None:
        return {"Versions": [shown_of_folder(function, f"{named.arn}:{version_qualifier(LATEST)}")]}
    await call.latest(named)
    after, size = call.after(request), call.page_items(request)
    found = await call.backend.store.function_versions(named.arn, after, size + 1)
    return call.page(request, "Versions", found, partial(shown, qualified=True), lambda version: [version.number])


async def delete_version(call: Call, named: FunctionName) -> None:
    store = call.backend.store
    number = version_number(named.qualifier)
    if number == LATEST:
        text = "$LATEST version cannot be deleted without deleting the function."
        raise ApiError("InvalidParameterValueException", text)
    if number is None:
        text = f"An alias is no version: '{named.qualifier}' cannot be deleted with DeleteFunction."
        raise ApiError("InvalidParameterValueException", text)
    try:
        found = await store.function_version_delete(named.arn, number)
    except Conflict as error:
        aliases = await store.function_alias_list(named.arn, number, None, call.backend.limits.page_items)
        names = ", ".join(alias.name for alias in aliases)
        text = f"Unable to delete version because the following aliases reference it: [{names}]"
        raise ApiError("ResourceConflictException", text) from error
    if not found:
        raise function_not_found(named.qualified_arn)
