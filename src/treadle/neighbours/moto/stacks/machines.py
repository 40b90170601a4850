"""State machines of stacks, their versions and aliases, and activities, made over the API of Step Functions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from treadle.neighbours.moto.stacks.shapes import (
    Kind,
    Made,
    Place,
    Properties,
    ResourceFailed,
    first_lower,
    lower_names,
    retag,
    suffix,
)

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9_]+)\}")
_MACHINE_MEMBERS = ("LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration")


def _create_machine(place: Place, properties: Properties) -> Made:
    request = {
        "name": properties.get("StateMachineName") or place.name(suffix()),
        "type": properties.get("StateMachineType", "STANDARD"),
        "tags": lower_names(properties.get("Tags") or []),
        **_machine_settings(place, properties),
    }
    return _machine(place, place.client("stepfunctions").create_state_machine(**request)["stateMachineArn"])


def _update_machine(place: Place, made: Made, old: Properties, new: Properties) -> Made | None:
    if any(old.get(name) != new.get(name) for name in ("StateMachineName", "StateMachineType")):
        return None
    client = place.client("stepfunctions")
    client.update_state_machine(stateMachineArn=made.id, **_machine_settings(place, new))
    retag(client, made.id, old.get("Tags") or [], new.get("Tags") or [])
    return _machine(place, made.id)


def _machine_settings(place: Place, properties: Properties) -> dict[str, Any]:
    settings = {first_lower(name): lower_names(properties[name]) for name in _MACHINE_MEMBERS if properties.get(name)}
    return {"definition": _definition(place, properties), "roleArn": properties.get("RoleArn", ""), **settings}


def _definition(place: Place, properties: Properties) -> str:
    location = properties.get("DefinitionS3Location")
    if properties.get("DefinitionString") is not None:
        text = str(properties["DefinitionString"])
    elif properties.get("Definition") is not None:
        text = json.dumps(properties["Definition"])
    elif location:
        version = {"VersionId": location["Version"]} if location.get("Version") else {}
        answer = place.client("s3").get_object(Bucket=location["Bucket"], Key=location["Key"], **version)
        text = _as_json(answer["Body"].read().decode(), location["Key"])
    else:
        raise ResourceFailed("Property Definition, DefinitionString or DefinitionS3Location is required")
    values = properties.get("DefinitionSubstitutions") or {}

    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            return found[0]
        return values[found[1]] if isinstance(values[found[1]], str) else json.dumps(values[found[1]])

    return _PLACEHOLDER.sub(value, text)


def _as_json(text: str, key: str) -> str:
    if not key.endswith((".yaml", ".yml")):
        return text
    import yaml

    return json.dumps(yaml.safe_load(text))


def _machine(place: Place, arn: str) -> Made:
    told = place.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
    revision = told.get("revisionId", "INITIAL")
    return Made(arn, {"Arn": arn, "Name": told["name"], "StateMachineRevisionId": revision})


def _delete_machine(place: Place, made: Made) -> None:
    place.client("stepfunctions").delete_state_machine(stateMachineArn=made.id)


def _create_machine_version(place: Place, properties: Properties) -> Made:
    request = {"stateMachineArn": properties["StateMachineArn"]}
    if properties.get("StateMachineRevisionId"):
        request["revisionId"] = properties["StateMachineRevisionId"]
    if properties.get("Description"):
        request["description"] = properties["Description"]
    answer = place.client("stepfunctions").publish_state_machine_version(**request)
    arn = answer["stateMachineVersionArn"]
    return Made(arn, {"Arn": arn})


def _delete_machine_version(place: Place, made: Made) -> None:
    place.client("stepfunctions").delete_state_machine_version(stateMachineVersionArn=made.id)


def _create_machine_alias(place: Place, properties: Properties) -> Made:
    name = properties.get("Name") or place.name(suffix())
    answer = place.client("stepfunctions").create_state_machine_alias(name=name, **_alias_settings(properties))
    arn = answer["stateMachineAliasArn"]
    return Made(arn, {"Arn": arn})


def _update_machine_alias(place: Place, made: Made, old: Properties, new: Properties) -> Made | None:
    if old.get("Name") != new.get("Name"):
        return None
    place.client("stepfunctions").update_state_machine_alias(stateMachineAliasArn=made.id, **_alias_settings(new))
    return made


def _alias_settings(properties: Properties) -> dict[str, Any]:
    """A DeploymentPreference is a shift of traffic over time: here all of it goes at once."""
    routes = properties.get("RoutingConfiguration")
    preference = properties.get("DeploymentPreference")
    if not routes and preference:
        routes = [{"StateMachineVersionArn": preference["StateMachineVersionArn"], "Weight": 100}]
    described = {"description": properties["Description"]} if properties.get("Description") else {}
    routing = [{**lower_names(route), "weight": int(route["Weight"])} for route in routes or []]
    return {"routingConfiguration": routing, **described}


def _delete_machine_alias(place: Place, made: Made) -> None:
    place.client("stepfunctions").delete_state_machine_alias(stateMachineAliasArn=made.id)


def _create_activity(place: Place, properties: Properties) -> Made:
    tags = lower_names(properties.get("Tags") or [])
    answer = place.client("stepfunctions").create_activity(name=properties["Name"], tags=tags)
    return Made(answer["activityArn"], {"Arn": answer["activityArn"], "Name": properties["Name"]})


def _delete_activity(place: Place, made: Made) -> None:
    place.client("stepfunctions").delete_activity(activityArn=made.id)


KINDS: Mapping[str, Kind] = {
    "AWS::StepFunctions::StateMachine": Kind(
        _create_machine, _delete_machine, _update_machine, ("Arn", "Name", "StateMachineRevisionId")
    ),
    "AWS::StepFunctions::StateMachineVersion": Kind(
        _create_machine_version, _delete_machine_version, attributes=("Arn",)
    ),
    "AWS::StepFunctions::StateMachineAlias": Kind(
        _create_machine_alias, _delete_machine_alias, _update_machine_alias, ("Arn",)
    ),
    "AWS::StepFunctions::Activity": Kind(_create_activity, _delete_activity, attributes=("Arn", "Name")),
}
