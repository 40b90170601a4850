"""Templates of CloudFormation before anything is made of them: transforms, unknown types, and the order of resources.

`AWS::Serverless-2016-10-31` is translated by AWS's own translator (aws-sam-translator). Other transforms are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from typing import Any

Template = dict[str, Any]

_SERVERLESS = "AWS::Serverless-2016-10-31"
_SUBSTITUTED = re.compile(r"\$\{([^!}][^}]*)\}")


class InvalidTemplate(Exception):
    """The message is for whoever sent it."""


def prepare(template: Template, parameters: Mapping[str, Any], place: tuple[str, str], made: Container[str]) -> str:
    """The template as it is carried out, in JSON. `place`: account and region. `made`: types of resources that can be
    made, all of the custom ones aside. Raises InvalidTemplate."""
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict) or not template["Resources"]:
        raise InvalidTemplate("Template format error: At least one Resources member must be defined.")
    template = _transformed(template, parameters, place)
    types = {name: str(each.get("Type")) for name, each in template["Resources"].items()}
    unknown = sorted({type_ for type_ in types.values() if not (is_custom(type_) or type_ in made)})
    if unknown:
        listed = ", ".join(unknown)
        text = f"Template format error: Unrecognized resource types: [{listed}] (nothing here makes them)"
        raise InvalidTemplate(text)
    order(template)
    return json.dumps(template, default=str)


def is_custom(type_: str) -> bool:
    return type_.startswith("Custom::") or type_ == "AWS::CloudFormation::CustomResource"


def order(template: Template) -> list[str]:
    """The names of all resources, each after those that it refers to. Raises InvalidTemplate."""
    resources = template["Resources"]
    graph = {name: {found for found in references(each) if found in resources} for name, each in resources.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        names = ", ".join(sorted(set(error.args[1])))
        raise InvalidTemplate(f"Circular dependency between resources: [{names}]") from error


def references(value: Any) -> Iterator[str]:
    """Names that something refers to: resources, parameters and pseudo parameters."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key == "Ref":
            yield str(inner)
        elif key == "Fn::GetAtt":
            yield str(inner[0] if isinstance(inner, list) else inner).partition(".")[0]
        elif key == "DependsOn":
            yield from [inner] if isinstance(inner, str) else inner
        else:
            if key == "Fn::Sub":
                text, given = (inner[0], inner[1]) if isinstance(inner, list) else (inner, {})
                for name in _SUBSTITUTED.findall(str(text)):
                    if name not in given:
                        yield name.partition(".")[0]
            yield from references(inner)


def _transformed(template: Template, parameters: Mapping[str, Any], place: tuple[str, str]) -> Template:
    named = template.get("Transform") or []
    for name in [named] if isinstance(named, str | dict) else named:
        if name != _SERVERLESS:
            raise InvalidTemplate(f"No transform named {name if isinstance(name, str) else name.get('Name')} found.")
        template = _serverless(template, parameters, place)
    return template


def _serverless(template: Template, parameters: Mapping[str, Any], place: tuple[str, str]) -> Template:
    try:
        translator: Any = import_module("samtranslator.translator.transform")
    except ImportError as error:
        raise InvalidTemplate("aws-sam-translator is not installed; pip install 'treadle[moto]' does it") from error
    account, region = place
    exceptions: Any = import_module("samtranslator.model.exceptions")
    values = {**parameters, "AWS::Region": region, "AWS::Partition": "aws", "AWS::AccountId": account}
    try:
        made: Template = translator.transform(template, values, _ManagedPolicies(account))
    except exceptions.InvalidDocumentException as error:
        causes = ". ".join(cause.message for cause in error.causes)
        raise InvalidTemplate(f"Transform {_SERVERLESS} failed with: {error.message} {causes}") from error
    made.pop("Transform", None)
    return made


class _ManagedPolicies:
    """As the translator asks for them."""

    def __init__(self, account: str) -> None:
        self._account = account

    def load(self) -> dict[str, str]:
        backend: Any = import_module("moto.iam.models").iam_backends[self._account]["aws"]
        return {policy.name: policy.arn for policy in backend.managed_policies.values()}
