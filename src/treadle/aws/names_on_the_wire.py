"""Members whose name in JSON is another one than in botocore's model: `Settings` is `settings` to MediaConvert."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.model import Shape


@lru_cache(maxsize=256)
def has_other_names(shape: Shape) -> bool:
    """Whether there are such members in it, at any depth."""
    return _has(shape, set())


def _has(shape: Shape, seen: set[str]) -> bool:
    if shape.name in seen:
        return False
    seen.add(shape.name)
    if shape.type_name == "structure":
        return any(_wire_name(member, name) != name or _has(member, seen) for name, member in shape.members.items())
    if shape.type_name == "list":
        return _has(shape.member, seen)
    return shape.type_name == "map" and _has(shape.value, seen)


def _wire_name(member: Shape, name: str) -> str:
    """Members outside of the body have names of other kinds (`location`)."""
    serialization = member.serialization
    return name if "location" in serialization else str(serialization.get("name", name))


def renamed(shape: Shape, value: Any, *, wire: bool) -> Any:
    """A value of this shape with its members called as on the wire, or as in the model. What is no such value, and
    what the model does not know, stays as it is."""
    if shape.type_name == "structure" and isinstance(value, dict):
        names = {name: _wire_name(member, name) for name, member in shape.members.items()}
        known = names if wire else {on_the_wire: name for name, on_the_wire in names.items()}
        called = {given: known.get(given, given) for given in value}
        return {
            called[given]: renamed(shape.members[given if wire else called[given]], each, wire=wire)
            if given in known
            else each
            for given, each in value.items()
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [renamed(shape.member, each, wire=wire) for each in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: renamed(shape.value, each, wire=wire) for key, each in value.items()}
    return value
