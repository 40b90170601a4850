"""Operations on event source mappings.

What a mapping may say depends on the kind of its source: `SOURCES` of deliveries/event_sources.py has a line for each.
A mapping is at work when an operation answers; that its State is `Creating`, `Updating` and so on is what Lambda says
then.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any
from uuid import uuid4

from msgspec import json
from msgspec.structs import replace

from treadle.aws.errors import ApiError, not_implemented
from treadle.aws.functions.call import Call
from treadle.aws.functions.names import FunctionName, read_name
from treadle.aws.functions.tag_rules import check_tags
from treadle.deliveries.event_sources import Source, SourceUnusable, settings_of, source_of
from treadle.deliveries.source import SourceSettings
from treadle.deliveries.targets import Arn
from treadle.functions.created import settings_of as settings_of_function
from treadle.neighbours.event_patterns import PatternError
from treadle.store.contract import Conflict
from treadle.store.event_source_contract import EventSourceMapping

_EVERY_MAPPING = frozenset({"BatchSize", "Enabled", "EventSourceArn", "FilterCriteria", "FunctionName", "Tags", "UUID"})
_LATER = frozenset({"KMSKeyArn", "LoggingConfig", "MetricsConfig", "ProvisionedPollerConfig"})
"""Members that sources may have on Lambda, and not here."""
_ONLY = {"ParallelizationFactor": 1, "TumblingWindowInSeconds": 0}
"""Members that streams may have on Lambda, and that have this value here."""
_SOURCES_ELSEWHERE = frozenset({"kafka", "kinesis", "mq", "rds"})
"""Services that are event sources on Lambda. (`rds` is what DocumentDB is called in ARNs.)"""
_ARN = re.compile(r"arn:[a-z-]+:lambda:[^:]+:[^:]+:event-source-mapping:[0-9a-fA-F-]{36}")
_USER = "USER_INITIATED"


def is_mapping_arn(text: str) -> bool:
    return _ARN.fullmatch(text) is not None


async def create_event_source_mapping(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """It delivers when this answers, unless it is made disabled."""
    backend = call.backend
    arn, source = _source(call, request)
    named = await _function(call, request["FunctionName"])
    settings = _settings(call, request, source, SourceSettings(batch_size=source.batch_size))
    tags = check_tags(request.get("Tags", {}), backend.limits)
    mapping = EventSourceMapping(
        arn=_arn(call, str(uuid4())),
        function_arn=named.qualified_arn,
        source_arn=arn,
        enabled=request.get("Enabled", True),
        settings=json.encode(settings).decode(),
        tags=json.encode(tags).decode(),
        modified=backend.clock.now(),
    )
    await _check(call, source, mapping, settings, named)
    async with backend.changes:
        await _room(call)
        try:
            await backend.store.mapping_create(mapping)
        except Conflict as error:
            raise await _duplicate(call, source, mapping, named) from error
        backend.sources.follow(mapping)
    await backend.sources.begun(mapping.arn)
    return _shown(call, mapping, "Creating")


async def get_event_source_mapping(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    return _shown(call, await find_mapping(call, _arn(call, request["UUID"])))


async def update_event_source_mapping(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """What the request does not say stays; an empty FilterCriteria or ScalingConfig removes what there was."""
    backend = call.backend
    async with backend.changes:
        known = await find_mapping(call, _arn(call, request["UUID"]))
        source = source_of(known.source_arn)
        if source is None:  # of a later version of Treadle
            raise not_implemented(f"event sources like {known.source_arn}")
        named = await _function(call, request.get("FunctionName", known.function_arn))
        settings = _settings(call, request, source, settings_of(known))
        mapping = replace(
            known,
            function_arn=named.qualified_arn,
            enabled=request.get("Enabled", known.enabled),
            settings=json.encode(settings).decode(),
            modified=backend.clock.now(),
        )
        if mapping.settings != known.settings or mapping.function_arn != known.function_arn:
            await _check(call, source, mapping, settings, named)
        try:
            await backend.store.mapping_replace(mapping)
        except Conflict as error:
            raise await _duplicate(call, source, mapping, named) from error
        backend.sources.follow(mapping)
    if mapping.enabled == known.enabled:
        return _shown(call, mapping, "Updating")
    return _shown(call, mapping, "Enabling" if mapping.enabled else "Disabling")


async def delete_event_source_mapping(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """It takes no more messages when this answers; what it has taken is still dealt with."""
    backend = call.backend
    async with backend.changes:
        mapping = await find_mapping(call, _arn(call, request["UUID"]))
        await backend.store.mapping_delete(mapping.arn)
        backend.sources.forget(mapping.arn)
    return _shown(call, mapping, "Deleting")


async def list_event_source_mappings(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    function_arn = None
    if request.get("FunctionName"):
        function_arn = read_name(request["FunctionName"], None, call.caller, call.operation).qualified_arn
    found = await call.backend.store.mapping_list(
        _arn(call, ""),
        call.after(request),
        call.page_items(request) + 1,
        function_arn=function_arn,
        source_arn=request.get("EventSourceArn") or None,
    )
    return call.page(request, "EventSourceMappings", found, partial(_shown, call), lambda mapping: [mapping.arn])


# -- the parts of a request --------------------------------------------------------------------------------


def _arn(call: Call, uuid: str) -> str:
    return call.arn_prefix.removesuffix("function:") + f"event-source-mapping:{uuid}"


async def find_mapping(call: Call, arn: str) -> EventSourceMapping:
    """Raises ResourceNotFoundException."""
    found = await call.backend.store.mapping_get(arn)
    if found is None or not arn.startswith(_arn(call, "")):
        raise ApiError("ResourceNotFoundException", "The resource you requested does not exist.")
    return found


def _source(call: Call, request: dict[str, Any]) -> tuple[str, Source]:
    """Raises ApiError."""
    if request.get("SelfManagedEventSource"):
        raise not_implemented("self-managed event sources")
    arn = request.get("EventSourceArn", "")
    read = Arn.read(arn)
    if read is None:
        raise _invalid("Unrecognized event source.")
    source = source_of(arn)
    if source is None:
        if read.service in _SOURCES_ELSEWHERE:
            there = "there are queues (sqs) and streams of tables (dynamodb) only"
            raise not_implemented(f"event sources of the service '{read.service}': {there}")
        raise _invalid("Unrecognized event source.")
    if read.region != call.caller.region:
        raise _invalid(f"The event source {arn} must be in the region of the function, {call.caller.region}.")
    return arn, source


async def _function(call: Call, given: str) -> FunctionName:
    """Raises ApiError."""
    named = read_name(given, None, call.caller, call.operation)
    if not await call.backend.functions.exists(named.qualified_arn):
        raise _invalid("Function does not exist")
    return named


def _settings(call: Call, request: dict[str, Any], source: Source, known: SourceSettings) -> SourceSettings:
    """As the request changes them. Raises ApiError."""
    for member, value in request.items():
        if member in _EVERY_MAPPING or member in source.takes or _is_empty(value):
            continue
        if member in _LATER:
            raise not_implemented(f"the member {member} of event source mappings")
        raise _invalid(f"{member} is not supported for event sources of this kind.")
    for member, only in _ONLY.items():
        if request.get(member, only) != only:
            raise not_implemented(f"a {member} other than {only}")
    filters = known.filters
    if "FilterCriteria" in request:
        filters = [_pattern(source, each) for each in request["FilterCriteria"].get("Filters", [])]
    most = call.backend.limits.event_source_filters
    if len(filters) > most:
        raise _invalid(f"An event source mapping has at most {most} filters.")
    responses = request.get("FunctionResponseTypes")
    scaling = request.get("ScalingConfig")
    destinations = request.get("DestinationConfig")
    return replace(
        known,
        batch_size=request.get("BatchSize", known.batch_size),
        window_seconds=request.get("MaximumBatchingWindowInSeconds", known.window_seconds),
        filters=filters,
        report_failures=known.report_failures if responses is None else bool(responses),
        concurrency=known.concurrency if scaling is None else scaling.get("MaximumConcurrency"),
        starting_position=request.get("StartingPosition", known.starting_position),
        retries=request.get("MaximumRetryAttempts", known.retries),
        record_age_seconds=request.get("MaximumRecordAgeInSeconds", known.record_age_seconds),
        bisect=request.get("BisectBatchOnFunctionError", known.bisect),
        on_failure=known.on_failure if destinations is None else _on_failure(destinations),
    )


def _on_failure(destinations: dict[str, Any]) -> str:
    """Raises InvalidParameterValueException."""
    if not _is_empty(destinations.get("OnSuccess", {})):
        raise _invalid("OnSuccess is not supported for event source mappings.")
    return str(destinations.get("OnFailure", {}).get("Destination", ""))


def _is_empty(value: Any) -> bool:
    return all(map(_is_empty, value.values())) if isinstance(value, dict) else value in ("", [])


def _pattern(source: Source, given: dict[str, Any]) -> str:
    """Raises InvalidParameterValueException."""
    pattern = str(given.get("Pattern", ""))
    try:
        source.compile_filter(pattern)
    except PatternError as error:
        raise _invalid(f"Invalid filter pattern definition. ({error})") from error
    return pattern


async def _check(
    call: Call, source: Source, mapping: EventSourceMapping, settings: SourceSettings, named: FunctionName
) -> None:
    """Raises InvalidParameterValueException."""
    timeout = None
    if not call.in_folder(named.name):  # those of the folder have the longest time-out there is, if none is set
        timeout = settings_of_function(await call.version(named)).timeout_seconds
    try:
        await source.check(call.backend.sources, mapping.source_arn, settings, timeout)
    except SourceUnusable as error:
        raise _invalid(str(error)) from error


async def _room(call: Call) -> None:
    """Raises InvalidParameterValueException."""
    most = call.backend.limits.event_source_mappings
    if len(await call.backend.store.mapping_list(_arn(call, ""), None, most)) >= most:
        raise _invalid(f"There are {most} event source mappings, which is the most that there may be.")


async def _duplicate(call: Call, source: Source, mapping: EventSourceMapping, named: FunctionName) -> ApiError:
    others = await call.backend.store.mapping_list(
        _arn(call, ""), None, 1, function_arn=mapping.function_arn, source_arn=mapping.source_arn
    )
    uuid = others[0].arn.rpartition(":")[2] if others else ""
    known = source.duplicate.format(source=mapping.source_arn, function=named.name)
    text = f"{known} Please update or delete the existing mapping with UUID {uuid}"
    return ApiError("ResourceConflictException", text)


def _invalid(text: str) -> ApiError:
    return ApiError("InvalidParameterValueException", text)


# -- the answer --------------------------------------------------------------------------------------------


def _shown(call: Call, mapping: EventSourceMapping, state: str | None = None) -> dict[str, Any]:
    """An EventSourceMappingConfiguration."""
    settings, sources = settings_of(mapping), call.backend.sources
    shown: dict[str, Any] = {
        "UUID": mapping.arn.rpartition(":")[2],
        "EventSourceMappingArn": mapping.arn,
        "EventSourceArn": mapping.source_arn,
        "FunctionArn": mapping.function_arn,
        "BatchSize": settings.batch_size,
        "MaximumBatchingWindowInSeconds": settings.window_seconds,
        "FunctionResponseTypes": ["ReportBatchItemFailures"] if settings.report_failures else [],
        "LastModified": mapping.modified / 1_000,
        "State": state or sources.state(mapping),
        "StateTransitionReason": _USER,
    }
    if settings.filters:
        shown["FilterCriteria"] = {"Filters": [{"Pattern": pattern} for pattern in settings.filters]}
    if settings.concurrency is not None:
        shown["ScalingConfig"] = {"MaximumConcurrency": settings.concurrency}
    if settings.starting_position:
        shown |= _shown_of_stream(settings)
    problem = sources.problem(mapping)
    if problem is not None and state is None:
        shown["LastProcessingResult"] = f"PROBLEM: {problem}"
    return shown


def _shown_of_stream(settings: SourceSettings) -> dict[str, Any]:
    return {
        "StartingPosition": settings.starting_position,
        "BisectBatchOnFunctionError": settings.bisect,
        "DestinationConfig": {"OnFailure": {"Destination": settings.on_failure} if settings.on_failure else {}},
        "MaximumRecordAgeInSeconds": settings.record_age_seconds,
        "MaximumRetryAttempts": settings.retries,
        **_ONLY,
    }
