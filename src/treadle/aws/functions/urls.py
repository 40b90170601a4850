"""Operations on function URLs. How they are called is in ../function_urls/."""

from __future__ import annotations

from functools import partial
from typing import Any

from msgspec.structs import replace

from treadle.aws.errors import ApiError
from treadle.aws.function_urls.settings import Cors, UrlSettings, new_id, settings_of, written_url
from treadle.aws.functions.call import Call
from treadle.aws.functions.configuration import written_time
from treadle.aws.functions.names import FunctionName
from treadle.store.contract import Conflict
from treadle.store.event_source_contract import FunctionUrl

_CORS_MEMBERS = {
    "AllowCredentials": "allow_credentials",
    "AllowHeaders": "allow_headers",
    "AllowMethods": "allow_methods",
    "AllowOrigins": "allow_origins",
    "ExposeHeaders": "expose_headers",
    "MaxAge": "max_age",
}


async def create_function_url_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    backend = call.backend
    named = await _function(call, request)
    now = backend.clock.now()
    url = FunctionUrl(
        id=new_id(),
        function_arn=named.arn,
        qualifier=named.qualifier or "",
        settings=_settings(request, None).text,
        created=now,
        modified=now,
    )
    try:
        await backend.store.function_url_create(url)
    except Conflict as error:
        text = (
            f"Failed to create function url config for [functionArn = {named.qualified_arn}]. Error message:  "
            "FunctionUrlConfig exists for this Lambda function"
        )
        raise ApiError("ResourceConflictException", text) from error
    shown = _shown(call, url)
    del shown["LastModifiedTime"]
    return shown


async def get_function_url_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    return _shown(call, await _url(call, call.named(request)))


async def update_function_url_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """What the request does not say stays; Cors is replaced as a whole, and an empty one removed."""
    backend = call.backend
    async with backend.changes:
        known = await _url(call, call.named(request))
        url = replace(known, settings=_settings(request, settings_of(known)).text, modified=backend.clock.now())
        try:
            await backend.store.function_url_replace(url)
        except Conflict as error:  # another node has deleted it
            raise _not_found() from error
    return _shown(call, url)


async def delete_function_url_config(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    named = call.named(request)
    if not await call.backend.store.function_url_delete(named.arn, named.qualifier or ""):
        raise _not_found()
    return {}


async def list_function_url_configs(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """The function's own first, then those of its aliases."""
    named = await _function(call, request)
    after, size = call.after(request), call.page_items(request)
    found = await call.backend.store.function_url_list(named.arn, after, size + 1)
    return call.page(request, "FunctionUrlConfigs", found, partial(_shown, call), lambda url: [url.qualifier])


async def _function(call: Call, request: dict[str, Any]) -> FunctionName:
    """Raises ResourceNotFoundException."""
    named = call.named(request)
    if not call.in_folder(named.name):
        await call.version(named)
    return named


async def _url(call: Call, named: FunctionName) -> FunctionUrl:
    """Raises ResourceNotFoundException."""
    found = await call.backend.store.function_url_get(named.arn, named.qualifier or "")
    if found is None:
        raise _not_found()
    return found


def _not_found() -> ApiError:
    return ApiError("ResourceNotFoundException", "The resource you requested does not exist.")


def _settings(request: dict[str, Any], known: UrlSettings | None) -> UrlSettings:
    """As the request changes them."""
    settings = known or UrlSettings(auth_type=request["AuthType"])
    cors = settings.cors
    if "Cors" in request:
        given = {_CORS_MEMBERS[member]: value for member, value in request["Cors"].items()}
        cors = Cors(**given) if given else None
    return replace(
        settings,
        auth_type=request.get("AuthType", settings.auth_type),
        invoke_mode=request.get("InvokeMode", settings.invoke_mode),
        cors=cors,
    )


def _shown(call: Call, url: FunctionUrl) -> dict[str, Any]:
    """A FunctionUrlConfig."""
    settings = settings_of(url)
    shown: dict[str, Any] = {
        "FunctionUrl": written_url(url.id, call.caller.region, call.caller.url),
        "FunctionArn": f"{url.function_arn}:{url.qualifier}" if url.qualifier else url.function_arn,
        "AuthType": settings.auth_type,
        "InvokeMode": settings.invoke_mode,
        "CreationTime": written_time(url.created),
        "LastModifiedTime": written_time(url.modified),
    }
    if settings.cors is not None:
        given = {member: getattr(settings.cors, name) for member, name in _CORS_MEMBERS.items()}
        shown["Cors"] = {
            member: value for member, value in given.items() if value is not None and value is not False and value != []
        }
    return shown
