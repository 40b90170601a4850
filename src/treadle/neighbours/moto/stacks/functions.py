"""Functions of stacks and what belongs to them, made over the API of Lambda."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from treadle.neighbours.moto.stacks.shapes import Kind, Made, Place, Properties, members, retag, suffix, tag_map

_UNSET_OF_MAPPING: Mapping[str, Any] = {
    "BisectBatchOnFunctionError": False,
    "DestinationConfig": {},
    "Enabled": True,
    "FilterCriteria": {},
    "FunctionResponseTypes": [],
    "MaximumBatchingWindowInSeconds": 0,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "ScalingConfig": {},
}
"""What an event source mapping gets that has lost a property. BatchSize stays: its default is the source's."""
_RESPONSE_MODULES = Path(__file__).with_name("cfn_response")


def _create_function(place: Place, properties: Properties) -> Made:
    client = place.client("lambda")
    name = properties.get("FunctionName") or place.name(suffix())
    request = members(client, "CreateFunction", properties) | {
        "FunctionName": name,
        "Code": _code(properties),
        "Tags": tag_map(properties.get("Tags") or []),
    }
    told = client.create_function(**request)
    _limit_function(client, name, properties)
    return Made(name, {"Arn": told["FunctionArn"]})


def _update_function(place: Place, made: Made, old: Properties, new: Properties) -> Made | None:
    if any(old.get(name) != new.get(name) for name in ("FunctionName", "PackageType")):
        return None
    client = place.client("lambda")
    if old.get("Code") != new.get("Code") or old.get("Runtime") != new.get("Runtime"):
        client.update_function_code(FunctionName=made.id, **_code(new))
    settings = members(client, "UpdateFunctionConfiguration", new)
    client.update_function_configuration(**settings | {"FunctionName": made.id})
    _limit_function(client, made.id, new)
    retag(client, made.attributes["Arn"], old.get("Tags") or [], new.get("Tags") or [])
    return made


def _limit_function(client: Any, name: str, properties: Properties) -> None:
    reserved = properties.get("ReservedConcurrentExecutions")
    if reserved is not None:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(reserved))


def _code(properties: Properties) -> dict[str, Any]:
    """Of functions whose code stands in the template, an archive; otherwise where it is in S3."""
    code = properties.get("Code") or {}
    if "ZipFile" not in code:
        return {name: code[name] for name in ("S3Bucket", "S3Key", "S3ObjectVersion", "ImageUri") if name in code}
    node = str(properties.get("Runtime", "")).startswith("nodejs")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("index.js" if node else "index.py", code["ZipFile"])
        # As on AWS, the module with which such code answers as a custom resource lies beside it.
        module = "cfn-response.js" if node else "cfnresponse.py"
        archive.writestr(module, (_RESPONSE_MODULES / f"{module}.txt").read_text(encoding="utf-8"))
    return {"ZipFile": packed.getvalue()}


def _delete_function(place: Place, made: Made) -> None:
    place.client("lambda").delete_function(FunctionName=made.id)


def _create_permission(place: Place, properties: Properties) -> Made:
    client = place.client("lambda")
    statement = f"{place.stack_name}-{place.logical_id}-{suffix()}"
    client.add_permission(**members(client, "AddPermission", properties) | {"StatementId": statement})
    return Made(f"{properties['FunctionName']}|{statement}", {"Id": statement})


def _delete_permission(place: Place, made: Made) -> None:
    function, _, statement = made.id.partition("|")
    place.client("lambda").remove_permission(FunctionName=function, StatementId=statement)


def _create_version(place: Place, properties: Properties) -> Made:
    client = place.client("lambda")
    told = client.publish_version(**members(client, "PublishVersion", properties))
    return Made(told["FunctionArn"], {"Version": told["Version"], "FunctionArn": told["FunctionArn"]})


def _delete_version(place: Place, made: Made) -> None:
    place.client("lambda").delete_function(FunctionName=made.id)


def _create_alias(place: Place, properties: Properties) -> Made:
    client = place.client("lambda")
    told = client.create_alias(**members(client, "CreateAlias", properties) | _weights(properties))
    return Made(told["AliasArn"], {"AliasArn": told["AliasArn"]})


def _update_alias(place: Place, made: Made, old: Properties, new: Properties) -> Made | None:
    if any(old.get(name) != new.get(name) for name in ("FunctionName", "Name")):
        return None
    client = place.client("lambda")
    client.update_alias(**members(client, "UpdateAlias", new) | _weights(new))
    return made


def _weights(properties: Properties) -> dict[str, Any]:
    routes = (properties.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or []
    weights = {route["FunctionVersion"]: float(route["FunctionWeight"]) for route in routes}
    return {"RoutingConfig": {"AdditionalVersionWeights": weights}}


def _delete_alias(place: Place, made: Made) -> None:
    function, _, name = made.id.rpartition(":")
    place.client("lambda").delete_alias(FunctionName=function, Name=name)


def _create_mapping(place: Place, properties: Properties) -> Made:
    client = place.client("lambda")
    request = members(client, "CreateEventSourceMapping", properties)
    request["Tags"] = tag_map(properties.get("Tags") or [])
    told = client.create_event_source_mapping(**request)
    return Made(told["UUID"], {"Id": told["UUID"], "EventSourceMappingArn": told.get("EventSourceMappingArn")})


def _update_mapping(place: Place, made: Made, old: Properties, new: Properties) -> Made | None:
    if any(old.get(name) != new.get(name) for name in ("EventSourceArn", "StartingPosition")):
        return None
    client = place.client("lambda")
    dropped = {name: value for name, value in _UNSET_OF_MAPPING.items() if name in old and name not in new}
    settings = members(client, "UpdateEventSourceMapping", new)
    client.update_event_source_mapping(**dropped | settings | {"UUID": made.id})
    retag(client, made.attributes["EventSourceMappingArn"], old.get("Tags") or [], new.get("Tags") or [])
    return made


def _delete_mapping(place: Place, made: Made) -> None:
    place.client("lambda").delete_event_source_mapping(UUID=made.id)


def _create_layer(place: Place, properties: Properties) -> Made:
    client = place.client("lambda")
    name = properties.get("LayerName") or place.name(suffix())
    told = client.publish_layer_version(**members(client, "PublishLayerVersion", properties) | {"LayerName": name})
    return Made(told["LayerVersionArn"], {"LayerVersionArn": told["LayerVersionArn"]})


def _delete_layer(place: Place, made: Made) -> None:
    layer, _, version = made.id.rpartition(":")
    place.client("lambda").delete_layer_version(LayerName=layer, VersionNumber=int(version))


def _create_url(place: Place, properties: Properties) -> Made:
    client = place.client("lambda")
    request = members(client, "CreateFunctionUrlConfig", properties)
    told = client.create_function_url_config(**request | {"FunctionName": properties["TargetFunctionArn"]})
    return Made(told["FunctionArn"], {"FunctionArn": told["FunctionArn"], "FunctionUrl": told["FunctionUrl"]})


def _delete_url(place: Place, made: Made) -> None:
    place.client("lambda").delete_function_url_config(FunctionName=made.id)


def _create_invoke_config(place: Place, properties: Properties) -> Made:
    client = place.client("lambda")
    client.put_function_event_invoke_config(**members(client, "PutFunctionEventInvokeConfig", properties))
    return Made(f"{properties['FunctionName']}|{properties['Qualifier']}")


def _delete_invoke_config(place: Place, made: Made) -> None:
    function, _, qualifier = made.id.partition("|")
    place.client("lambda").delete_function_event_invoke_config(FunctionName=function, Qualifier=qualifier)


KINDS: Mapping[str, Kind] = {
    "AWS::Lambda::Function": Kind(_create_function, _delete_function, _update_function, ("Arn",)),
    "AWS::Lambda::Permission": Kind(_create_permission, _delete_permission, attributes=("Id",)),
    "AWS::Lambda::Version": Kind(_create_version, _delete_version, attributes=("Version", "FunctionArn")),
    "AWS::Lambda::Alias": Kind(_create_alias, _delete_alias, _update_alias, ("AliasArn",)),
    "AWS::Lambda::EventSourceMapping": Kind(
        _create_mapping, _delete_mapping, _update_mapping, ("Id", "EventSourceMappingArn")
    ),
    "AWS::Lambda::LayerVersion": Kind(_create_layer, _delete_layer, attributes=("LayerVersionArn",)),
    "AWS::Lambda::Url": Kind(_create_url, _delete_url, attributes=("FunctionArn", "FunctionUrl")),
    "AWS::Lambda::EventInvokeConfig": Kind(_create_invoke_config, _delete_invoke_config),
}
