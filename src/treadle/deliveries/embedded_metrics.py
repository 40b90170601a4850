"""Metrics that functions write into their logs: the Embedded Metric Format of CloudWatch (its specification in the
CloudWatch user guide). What does not keep to it is left out, and stays a line of the log."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from treadle.document import decode

_MARK = '"_aws"'
_METRICS, _DIMENSIONS, _VALUES = 100, 30, 100
"""The specification's bounds: metrics of a directive, dimensions of a set, values of a metric."""
_UNITS = frozenset(
    f"{unit}{per}"
    for unit in (
        *("Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes"),
        *("Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Count"),
    )
    for per in ("", "/Second")
) | {"Seconds", "Milliseconds", "Microseconds", "Percent", "None"}


def metrics_in(message: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Namespaces and members of PutMetricData's MetricDatum, of one event of a log."""
    if _MARK not in message:
        return
    try:
        root = decode(message)
    except ValueError:
        return
    about = root.get("_aws") if isinstance(root, dict) else None
    if not isinstance(about, dict) or not _is_number(about.get("Timestamp")):
        return
    for directive in _list(about.get("CloudWatchMetrics")):
        if isinstance(directive, dict) and isinstance(directive.get("Namespace"), str) and directive["Namespace"]:
            for datum in _data(root, directive):
                yield directive["Namespace"], {"Timestamp": about["Timestamp"] / 1_000, **datum}


def _data(root: dict[str, Any], directive: dict[str, Any]) -> Iterator[dict[str, Any]]:
    sets = [_dimensions(root, names) for names in _list(directive.get("Dimensions"))] or [[]]
    for metric in _list(directive.get("Metrics"))[:_METRICS]:
        name = metric.get("Name") if isinstance(metric, dict) else None
        if not isinstance(name, str) or not name:
            continue
        values = root.get(name)
        values = values if isinstance(values, list) else [values]
        if not values or len(values) > _VALUES or not all(map(_is_number, values)):
            continue
        unit, resolution = metric.get("Unit"), metric.get("StorageResolution")
        for dimensions in sets:
            if dimensions is not None:
                yield {
                    "MetricName": name,
                    "Dimensions": dimensions,
                    **({"Value": values[0]} if len(values) == 1 else {"Values": values}),
                    "Unit": unit if isinstance(unit, str) and unit in _UNITS else "None",
                    **({"StorageResolution": 1} if resolution == 1 else {}),
                }


def _dimensions(root: dict[str, Any], names: Any) -> list[dict[str, str]] | None:
    """None: it is no set of dimensions of this document."""
    if not isinstance(names, list) or len(names) > _DIMENSIONS:
        return None
    values = [root.get(name) if isinstance(name, str) else None for name in names]
    if not all(isinstance(value, str) and value for value in values):
        return None
    return [{"Name": name, "Value": str(value)} for name, value in zip(names, values, strict=True)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
