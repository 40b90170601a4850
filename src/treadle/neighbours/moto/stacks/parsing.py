"""Resources of CloudFormation's stacks as moto's parser makes them: ours among its own.

moto works out references by looking resources up in a map, which makes those that are not there yet. Here a resource
that is in the tables of resources.py is made by Treadle instead.
"""

from __future__ import annotations

import threading
from importlib import import_module
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from treadle.neighbours.moto.stacks import custom_resources
from treadle.neighbours.moto.stacks.resources import FINISHES, KINDS
from treadle.neighbours.moto.stacks.shapes import Kind, Made, Place
from treadle.neighbours.moto.stacks.templates import is_custom


def correct_parsing(parsing: Any, models: Any) -> None:
    """moto's lazy map of resources makes ours, and only for the thread that works at the stack."""
    responses: Any = import_module("moto.cloudformation.responses")
    models.get_stack_from_s3_url = responses.get_stack_from_s3_url = _template_at
    class_of, create = parsing.resource_class_from_type, parsing.parse_and_create_resource
    look_up = parsing.ResourceMap.__getitem__

    def class_from_type(type_: str) -> Any:
        kind = kind_of(type_)
        return class_of(type_) if kind is None else _Type(kind)

    def created(name: str, resource: dict[str, Any], resources: Any, account_id: str, region_name: str) -> Any:
        if kind_of(resource["Type"]) is None:
            made = create(name, resource, resources, account_id, region_name)
            return _finished(made, name, resource, resources)
        if resource.get("Condition") and not resources.lazy_condition_map[resource["Condition"]]:
            return None
        return _make(parsing, name, resource, resources)

    def item(self: Any, key: str) -> Any:
        owner = getattr(self, "worked_at_by", None)
        if key in self._parsed_resources or owner in (None, threading.current_thread()):
            return look_up(self, key)
        if key not in self._resource_json_map:
            raise KeyError(key)
        return None

    parsing.resource_class_from_type = class_from_type
    parsing.parse_and_create_resource = created
    parsing.ResourceMap.__getitem__ = item


class _Type(Struct, frozen=True):
    """As much of a model class as moto's check of outputs asks for."""

    kind: Kind

    def has_cfn_attr(self, name: str) -> bool:
        return not self.kind.attributes or name in self.kind.attributes


def kind_of(type_: str) -> Kind | None:
    return custom_resources.kind(type_) if is_custom(type_) else KINDS.get(type_)


def _template_at(template_url: str, account_id: str, partition: str) -> str:
    """In place of moto's function, which takes only the URLs of AWS: here the bucket is in the path, too, or before
    `.s3.` in the name of the host."""
    parts = urlsplit(template_url)
    before, virtual, _ = (parts.hostname or "").partition(".s3")
    bucket, _, key = parts.path.lstrip("/").partition("/")
    if virtual and before:
        bucket, key = before, parts.path.lstrip("/")
    s3: Any = import_module("moto.s3.models").s3_backends[account_id][partition]
    found = s3.get_object(bucket, unquote(key))
    if found is None:
        models: Any = import_module("moto.cloudformation.models")
        raise models.ValidationError(message=f"S3 error: The specified key does not exist: {template_url}")
    return str(found.value.decode())


class Resource:
    """One that Treadle has made, as moto's parser sees it."""

    def __init__(self, kind: Kind, place: Place, made: Made, properties: dict[str, Any], type_: str) -> None:
        self.kind, self.place, self.made, self.properties = kind, place, made, properties
        self.type = self.cf_resource_type = type_
        self.logical_resource_id = place.logical_id

    @property
    def physical_resource_id(self) -> str:
        return self.made.id

    def is_created(self) -> bool:
        return True

    def get_cfn_attribute(self, name: str) -> Any:
        if name in self.made.attributes:
            return self.made.attributes[name]
        raise import_module("moto.cloudformation.exceptions").UnformattedGetAttTemplateException

    def delete(self, account_id: str, region_name: str) -> None:
        self.kind.delete(self.place, self.made)


def _make(parsing: Any, name: str, resource: dict[str, Any], resources: Any) -> Resource:
    kind, properties = kind_of(resource["Type"]), properties_of(parsing, resource, resources)
    assert kind is not None
    place = _place(name, resources)
    return Resource(kind, place, kind.create(place, properties), properties, resource["Type"])


def change(stack: Any, name: str, resource: dict[str, Any]) -> None:
    """One that is there already and has other properties now. Raises whatever comes."""
    parsing: Any = import_module("moto.cloudformation.parsing")
    resources = stack.resource_map
    old = resources._parsed_resources[name]
    if not isinstance(old, Resource) or old.type != resource["Type"]:
        changed = parsing.parse_and_update_resource(name, resource, resources, stack.account_id, stack.region_name)
        if changed is not None:
            resources._parsed_resources[name] = _finished(changed, name, resource, resources)
        return
    properties = properties_of(parsing, resource, resources)
    made = old.kind.update(old.place, old.made, old.properties, properties) if old.kind.update else None
    if made is not None and made.id == old.made.id:
        old.made, old.properties = made, properties
        return
    if made is None:
        made = old.kind.create(old.place, properties)
    resources._parsed_resources[name] = Resource(old.kind, old.place, made, properties, old.type)
    if made.id != old.made.id:
        old.delete(stack.account_id, stack.region_name)


def _finished(made: Any, name: str, resource: dict[str, Any], resources: Any) -> Any:
    """What moto has made, with what moto leaves out."""
    finish = FINISHES.get(resource["Type"])
    if made is not None and finish is not None:
        parsing: Any = import_module("moto.cloudformation.parsing")
        finish(_place(name, resources), made.physical_resource_id, properties_of(parsing, resource, resources))
    return made


def properties_of(parsing: Any, resource: dict[str, Any], resources: Any) -> dict[str, Any]:
    """With references worked out. Unlike moto's, a null stays where it is: ResultPath has it."""

    def resolved(value: Any) -> Any:
        if isinstance(value, list):
            return [each for each in map(resolved, value) if each is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            key = next(iter(value))
            if value == {"Ref": "AWS::NoValue"}:
                return _NO_VALUE
            if key == "Fn::If":
                condition, yes, no = value[key]
                return resolved(yes if resources.lazy_condition_map[condition] else no)
            if key == "Ref" or key.startswith("Fn::"):
                return parsing.clean_json(value, resources)
        each = {name: resolved(inner) for name, inner in value.items()}
        return {name: inner for name, inner in each.items() if inner is not _NO_VALUE}

    found: dict[str, Any] = resolved(resource.get("Properties") or {})
    return found


_NO_VALUE = object()


def _place(name: str, resources: Any) -> Place:
    known = resources._parsed_resources
    return Place(known["AWS::AccountId"], known["AWS::Region"], known["AWS::StackId"], known["AWS::StackName"], name)
