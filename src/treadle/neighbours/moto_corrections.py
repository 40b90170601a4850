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
        apply: Callable[[], None] = import_module(f"treadle.neighbours.{module}").correct
        apply()


_CORRECTIONS: Mapping[str, tuple[str, ...]] = {
    "cloudformation": ("moto_cloudformation",),
    "connect": ("moto_connect",),
    "events": ("moto_connections", "moto_events"),
    "logs": ("moto_logs",),
    "s3": ("moto_s3",),
    "sns": ("moto_sns",),
    "sqs": ("moto_sqs",),
    "workspaces": ("moto_workspaces",),
}
"""By service: modules of this package with a function `correct`."""

_FIRST: Mapping[str, tuple[str, ...]] = {
    "cloudformation": ("events", "logs", "s3", "sns"),
    "events": ("logs", "sns"),
    "s3": ("events", "sns"),
}
"""What a service delivers to inside moto, nobody having asked for it yet."""

_done: set[str] = set()
