"""What a resource of CloudFormation is to those who make it, and how properties become members of requests."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from treadle.neighbours.moto import callback

Properties = dict[str, Any]

_LONGEST_NAME = 64


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
        return callback.treadle().client(service, self.account, self.region)

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


def members(client: Any, operation: str, properties: Properties) -> dict[str, Any]:
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


def lower_names(value: Any) -> Any:
    """With names as the API of Step Functions writes them."""
    if isinstance(value, dict):
        return {first_lower(name): lower_names(each) for name, each in value.items()}
    if isinstance(value, list):
        return [lower_names(each) for each in value]
    return value.lower() == "true" if value in ("true", "false") else value


def first_lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def tag_map(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: str(tag["Value"]) for tag in tags}


def retag(client: Any, arn: str, old: list[dict[str, str]], new: list[dict[str, str]]) -> None:
    gone = sorted(tag_map(old).keys() - tag_map(new).keys())
    functions = client.meta.service_model.service_name == "lambda"
    if gone and functions:
        client.untag_resource(Resource=arn, TagKeys=gone)
    elif gone:
        client.untag_resource(resourceArn=arn, tagKeys=gone)
    if new and functions:
        client.tag_resource(Resource=arn, Tags=tag_map(new))
    elif new:
        client.tag_resource(resourceArn=arn, tags=lower_names(new))


def suffix() -> str:
    return base64.b32encode(uuid.uuid4().bytes).decode()[:12]
