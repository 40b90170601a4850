"""Resources of CloudFormation that Treadle makes itself: state machines, functions and what belongs to them.

Each is made, changed and deleted over Treadle's API, as whoever sent the template could do it. A type is a line in the
table at the end: what makes it from its properties, and perhaps what changes it. Where nothing changes it, a change
makes a new one and deletes the old one afterwards, as with properties that CloudFormation calls "Replacement".
"""

from __future__ import annotations

import base64
import io
import json
import re
import uuid
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from treadle.neighbours import moto_callback

Properties = dict[str, Any]

_LONGEST_NAME = 64
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9_]+)\}")
_RESPONSE_MODULES = Path(__file__).with_name("cfn_response")


class ResourceFailed(Exception):
    """The message is the reason that the events of the stack give."""


class Place(Struct, frozen=True):
    """Where a resource is made, and what for."""

    account: str
    region: str
    stack_id: str
    stack_name: str
    logical_id: str

    def client(self, service: str) -> Any:
        return moto_callback.treadle().client(service, self.account, self.region)

    def name(self, suffix: str) -> str:
        """For a resource that the template gives none."""
        beginning = f"{self.stack_name}-{self.logical_id}"[: _LONGEST_NAME - len(suffix) - 1]
        return f"{beginning}-{suffix}"


class Made(Struct, frozen=True):
    id: str
    """What Ref gives."""
    attributes: dict[str, Any] = field(default_factory=dict)
    """What Fn::GetAtt gives."""


class Kind(Struct, frozen=True):
    create: Callable[[Place, Properties], Made]
    delete: Callable[[Place, Made], None]
    update: Callable[[Place, Made, Properties, Properties], Made | None] | None = None
    """Of what is made, its old and its new properties. None: it has to be replaced."""
    attributes: tuple[str, ...] = ()


# -- state machines ------------------------------------------------------------------------------------------------

_MACHINE_MEMBERS = ("LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration")


def _create_machine(place: Place, properties: Properties) -> Made:
    request = {
        "name": properties.get("StateMachineName") or place.name(_suffix()),
        "type": properties.get("StateMachineType", "STANDARD"),
        "tags": _lower(properties.get("Tags") or []),
        **_machine_settings(place, properties),
    }
    return _machine(place, place.client("stepfunctions").create_state_machine(**request)["stateMachineArn"])


def _update_machine(place: Place, made: Made, old: Properties, new: Properties) -> Made | None:
    if any(old.get(name) != new.get(name) for name in ("StateMachineName", "StateMachineType")):
        return None
    client = place.client("stepfunctions")
    client.update_state_machine(stateMachineArn=made.id, **_machine_settings(place, new))
    _retag(client, made.id, old.get("Tags") or [], new.get("Tags") or [])
    return _machine(place, made.id)


def _machine_settings(place: Place, properties: Properties) -> dict[str, Any]:
    settings = {_first_lower(name): _lower(properties[name]) for name in _MACHINE_MEMBERS if properties.get(name)}
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
    name = properties.get("Name") or place.name(_suffix())
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
    routing = [{**_lower(route), "weight": int(route["Weight"])} for route in routes or []]
    return {"routingConfiguration": routing, **described}


def _delete_machine_alias(place: Place, made: Made) -> None:
    place.client("stepfunctions").delete_state_machine_alias(stateMachineAliasArn=made.id)


def _create_activity(place: Place, properties: Properties) -> Made:
    tags = _lower(properties.get("Tags") or [])
    answer = place.client("stepfunctions").create_activity(name=properties["Name"], tags=tags)
    return Made(answer["activityArn"], {"Arn": answer["activityArn"], "Name": properties["Name"]})


def _delete_activity(place: Place, made: Made) -> None:
    place.client("stepfunctions").delete_activity(activityArn=made.id)


# -- functions -----------------------------------------------------------------------------------------------------


def _create_function(place: Place, properties: Properties) -> Made:
    client = place.client("lambda")
    name = properties.get("FunctionName") or place.name(_suffix())
    request = _members(client, "CreateFunction", properties) | {
        "FunctionName": name,
        "Code": _code(properties),
        "Tags": _tag_map(properties.get("Tags") or []),
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
    settings = _members(client, "UpdateFunctionConfiguration", new)
    client.update_function_configuration(**settings | {"FunctionName": made.id})
    _limit_function(client, made.id, new)
    _retag(client, made.attributes["Arn"], old.get("Tags") or [], new.get("Tags") or [])
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
    statement = f"{place.stack_name}-{place.logical_id}-{_suffix()}"
    client.add_permission(**_members(client, "AddPermission", properties) | {"StatementId": statement})
    return Made(f"{properties['FunctionName']}|{statement}", {"Id": statement})


def _delete_permission(place: Place, made: Made) -> None:
    function, _, statement = made.id.partition("|")
    place.client("lambda").remove_permission(FunctionName=function, StatementId=statement)


def _create_version(place: Place, properties: Properties) -> Made:
    client = place.client("lambda")
    told = client.publish_version(**_members(client, "PublishVersion", properties))
    return Made(told["FunctionArn"], {"Version": told["Version"], "FunctionArn": told["FunctionArn"]})


def _delete_version(place: Place, made: Made) -> None:
    place.client("lambda").delete_function(FunctionName=made.id)


def _create_alias(place: Place, properties: Properties) -> Made:
    client = place.client("lambda")
    told = client.create_alias(**_members(client, "CreateAlias", properties) | _weights(properties))
    return Made(told["AliasArn"], {"AliasArn": told["AliasArn"]})


def _update_alias(place: Place, made: Made, old: Properties, new: Properties) -> Made | None:
    if any(old.get(name) != new.get(name) for name in ("FunctionName", "Name")):
        return None
    client = place.client("lambda")
    client.update_alias(**_members(client, "UpdateAlias", new) | _weights(new))
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
    request = _members(client, "CreateEventSourceMapping", properties)
    request["Tags"] = _tag_map(properties.get("Tags") or [])
    told = client.create_event_source_mapping(**request)
    return Made(told["UUID"], {"Id": told["UUID"], "EventSourceMappingArn": told.get("EventSourceMappingArn")})


def _delete_mapping(place: Place, made: Made) -> None:
    place.client("lambda").delete_event_source_mapping(UUID=made.id)


def _create_layer(place: Place, properties: Properties) -> Made:
    client = place.client("lambda")
    name = properties.get("LayerName") or place.name(_suffix())
    told = client.publish_layer_version(**_members(client, "PublishLayerVersion", properties) | {"LayerName": name})
    return Made(told["LayerVersionArn"], {"LayerVersionArn": told["LayerVersionArn"]})


def _delete_layer(place: Place, made: Made) -> None:
    layer, _, version = made.id.rpartition(":")
    place.client("lambda").delete_layer_version(LayerName=layer, VersionNumber=int(version))


def _create_url(place: Place, properties: Properties) -> Made:
    client = place.client("lambda")
    request = _members(client, "CreateFunctionUrlConfig", properties)
    told = client.create_function_url_config(**request | {"FunctionName": properties["TargetFunctionArn"]})
    return Made(told["FunctionArn"], {"FunctionArn": told["FunctionArn"], "FunctionUrl": told["FunctionUrl"]})


def _delete_url(place: Place, made: Made) -> None:
    place.client("lambda").delete_function_url_config(FunctionName=made.id)


def _create_invoke_config(place: Place, properties: Properties) -> Made:
    client = place.client("lambda")
    client.put_function_event_invoke_config(**_members(client, "PutFunctionEventInvokeConfig", properties))
    return Made(f"{properties['FunctionName']}|{properties['Qualifier']}")


def _delete_invoke_config(place: Place, made: Made) -> None:
    function, _, qualifier = made.id.partition("|")
    place.client("lambda").delete_function_event_invoke_config(FunctionName=function, Qualifier=qualifier)


# -- what moto has, but not in templates ---------------------------------------------------------------------------


def _create_subscription(place: Place, properties: Properties) -> Made:
    names = ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy", "DeliveryPolicy")
    attributes = {name: _text(properties[name]) for name in names if properties.get(name) is not None}
    client = place.client("sns")
    told = client.subscribe(
        TopicArn=properties["TopicArn"],
        Protocol=properties["Protocol"],
        Endpoint=properties["Endpoint"],
        Attributes=attributes,
        ReturnSubscriptionArn=True,
    )
    return Made(told["SubscriptionArn"], {"Arn": told["SubscriptionArn"]})


def _delete_subscription(place: Place, made: Made) -> None:
    place.client("sns").unsubscribe(SubscriptionArn=made.id)


def _create_subscription_filter(place: Place, properties: Properties) -> Made:
    name = properties.get("FilterName") or place.name(_suffix())
    client = place.client("logs")
    client.put_subscription_filter(
        logGroupName=properties["LogGroupName"],
        filterName=name,
        filterPattern=properties["FilterPattern"],
        destinationArn=properties["DestinationArn"],
        **({"roleArn": properties["RoleArn"]} if properties.get("RoleArn") else {}),
    )
    return Made(f"{properties['LogGroupName']}|{name}")


def _delete_subscription_filter(place: Place, made: Made) -> None:
    group, _, name = made.id.partition("|")
    place.client("logs").delete_subscription_filter(logGroupName=group, filterName=name)


def _create_queue_policy(place: Place, properties: Properties) -> Made:
    for url in properties["Queues"]:
        policy = {"Policy": _text(properties["PolicyDocument"])}
        place.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=policy)
    return Made(place.name(_suffix()))


def _create_topic_policy(place: Place, properties: Properties) -> Made:
    for arn in properties["Topics"]:
        client = place.client("sns")
        client.set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=_text(properties["PolicyDocument"])
        )
    return Made(place.name(_suffix()))


def _create_bucket_policy(place: Place, properties: Properties) -> Made:
    policy = _text(properties["PolicyDocument"])
    place.client("s3").put_bucket_policy(Bucket=properties["Bucket"], Policy=policy)
    return Made(properties["Bucket"])


def _delete_bucket_policy(place: Place, made: Made) -> None:
    place.client("s3").delete_bucket_policy(Bucket=made.id)


def _leave(place: Place, made: Made) -> None:
    """It goes with what it is of."""


# -- shapes --------------------------------------------------------------------------------------------------------


def _members(client: Any, operation: str, properties: Properties) -> dict[str, Any]:
    """Those properties that the operation has members for, with the types that these have."""
    shape = client.meta.service_model.operation_model(operation).input_shape
    return {
        name: _typed(value, shape.members[name])
        for name, value in properties.items()
        if name in shape.members and name not in ("Code", "Tags", "RoutingConfig")
    }


def _typed(value: Any, shape: Any) -> Any:
    """Templates have texts where numbers and truth values are meant."""
    if shape.type_name == "structure" and isinstance(value, dict):
        return {name: _typed(each, shape.members[name]) for name, each in value.items() if name in shape.members}
    if shape.type_name == "list" and isinstance(value, list):
        return [_typed(each, shape.member) for each in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {name: _typed(each, shape.value) for name, each in value.items()}
    if shape.type_name in ("integer", "long") and not isinstance(value, bool):
        return int(value)
    if shape.type_name == "boolean" and isinstance(value, str):
        return value.lower() == "true"
    if shape.type_name == "string" and not isinstance(value, str):
        return json.dumps(value)
    return value


def _lower(value: Any) -> Any:
    """With names as the API of Step Functions writes them."""
    if isinstance(value, dict):
        return {_first_lower(name): _lower(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_lower(each) for each in value]
    return value.lower() == "true" if value in ("true", "false") else value


def _first_lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _tag_map(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: str(tag["Value"]) for tag in tags}


def _retag(client: Any, arn: str, old: list[dict[str, str]], new: list[dict[str, str]]) -> None:
    gone = sorted(_tag_map(old).keys() - _tag_map(new).keys())
    functions = client.meta.service_model.service_name == "lambda"
    if gone and functions:
        client.untag_resource(Resource=arn, TagKeys=gone)
    elif gone:
        client.untag_resource(resourceArn=arn, tagKeys=gone)
    if new and functions:
        client.tag_resource(Resource=arn, Tags=_tag_map(new))
    elif new:
        client.tag_resource(resourceArn=arn, tags=_lower(new))


def _suffix() -> str:
    return base64.b32encode(uuid.uuid4().bytes).decode()[:12]


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
    "AWS::Lambda::Function": Kind(_create_function, _delete_function, _update_function, ("Arn",)),
    "AWS::Lambda::Permission": Kind(_create_permission, _delete_permission, attributes=("Id",)),
    "AWS::Lambda::Version": Kind(_create_version, _delete_version, attributes=("Version", "FunctionArn")),
    "AWS::Lambda::Alias": Kind(_create_alias, _delete_alias, _update_alias, ("AliasArn",)),
    "AWS::Lambda::EventSourceMapping": Kind(
        _create_mapping, _delete_mapping, attributes=("Id", "EventSourceMappingArn")
    ),
    "AWS::Lambda::LayerVersion": Kind(_create_layer, _delete_layer, attributes=("LayerVersionArn",)),
    "AWS::Lambda::Url": Kind(_create_url, _delete_url, attributes=("FunctionArn", "FunctionUrl")),
    "AWS::Lambda::EventInvokeConfig": Kind(_create_invoke_config, _delete_invoke_config),
    "AWS::SNS::Subscription": Kind(_create_subscription, _delete_subscription, attributes=("Arn",)),
    "AWS::Logs::SubscriptionFilter": Kind(_create_subscription_filter, _delete_subscription_filter),
    "AWS::SQS::QueuePolicy": Kind(_create_queue_policy, _leave),
    "AWS::SNS::TopicPolicy": Kind(_create_topic_policy, _leave),
    "AWS::S3::BucketPolicy": Kind(_create_bucket_policy, _delete_bucket_policy),
}
