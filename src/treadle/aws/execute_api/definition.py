"""A REST API as it is called: its resources and methods, and which of them a request is for.

What moto keeps of an API is read for each call, so that a change counts at once; on AWS it counts when it has been
deployed. A path matches the resource that names most of it: a segment in letters before one in braces, and both
before `{name+}`, which takes the rest (developer guide, "Set up a proxy resource").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

_VARIABLE = re.compile(r"\{([^{}+]+)(\+?)\}")


class ApiMethod(Struct, frozen=True):
    resource_id: str
    resource_path: str
    """As the API has it: `/orders/{id}`."""
    variables: dict[str, str]
    settings: Mapping[str, Any]
    """As GetResources describes it."""


def find_method(resources: Iterable[Mapping[str, Any]], method: str, path: str) -> ApiMethod | None:
    """`resources`: the items of GetResources. None: the API has no such method there."""
    segments = _segments(path)
    best: tuple[tuple[int, ...], ApiMethod] | None = None
    for resource in resources:
        methods = resource.get("resourceMethods") or {}
        found = methods.get(method) or methods.get("ANY")
        matched = _match(_segments(resource.get("path", "")), segments)
        if found is None or matched is None:
            continue
        rank, variables = matched
        if best is None or rank < best[0]:
            best = rank, ApiMethod(resource.get("id", ""), resource.get("path", ""), variables, found)
    return None if best is None else best[1]


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def _match(pattern: list[str], segments: list[str]) -> tuple[tuple[int, ...], dict[str, str]] | None:
    """How well it matches, smallest first, and the variables; None: not at all."""
    rank: list[int] = []
    variables: dict[str, str] = {}
    for at, part in enumerate(pattern):
        variable = _VARIABLE.fullmatch(part)
        if at >= len(segments):
            return None
        if variable is None:
            if part != segments[at]:
                return None
            rank.append(0)
        elif variable[2]:
            variables[variable[1]] = "/".join(segments[at:])
            return (*rank, 2), variables
        else:
            variables[variable[1]] = segments[at]
            rank.append(1)
    return (tuple(rank), variables) if len(pattern) == len(segments) else None
