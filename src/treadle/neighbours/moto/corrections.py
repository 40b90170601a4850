"""What moto says or does otherwise than AWS, put right where workflows see it: in moto's process, before it serves a
service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def correct(service: str) -> None:
    """`service`: as moto calls it. To be called before moto builds the service's application."""
    if service in _done:
        return
    _done.add(service)
    for other in _FIRST.get(service, ()):
        correct(other)
    for module in _CORRECTIONS.get(service, ()):
        apply: Callable[[], None] = import_module(f"{__package__}.{module}").correct
        apply()


_CORRECTIONS: Mapping[str, tuple[str, ...]] = {
    "cloudformation": ("stacks.cloudformation",),
    "codebuild": ("codebuild",),
    "connect": ("connect",),
    "dynamodb": ("streams",),
    "events": ("connections", "events"),
    "logs": ("logs",),
    "s3": ("s3",),
    "sns": ("sns",),
    "sqs": ("sqs",),
    "workspaces": ("workspaces",),
}
"""By service: modules of this package with a function `correct`."""

_FIRST: Mapping[str, tuple[str, ...]] = {
    "cloudformation": ("dynamodb", "events", "logs", "s3", "sns"),
    "dynamodbstreams": ("dynamodb",),
    "events": ("logs", "sns"),
    "s3": ("events", "sns"),
}
"""What a service makes, reads or delivers to inside moto, nobody having asked for it yet."""

_done: set[str] = set()
