from __future__ import annotations

import json
from typing import Any

import pytest

from treadle.deliveries.embedded_metrics import metrics_in

AT = {"Timestamp": 1_700_000_000_000}
LATENCY: dict[str, Any] = {"Name": "Latency", "Unit": "Milliseconds"}
MADE: dict[str, Any] = {
    "Timestamp": 1_700_000_000.0,
    "MetricName": "Latency",
    "Dimensions": [],
    "Value": 3,
    "Unit": "Milliseconds",
}
PAY = [{"Name": "Service", "Value": "pay"}]


def document(metrics: Any, dimensions: Any = None, namespace: Any = "Shop", **values: Any) -> str:
    directive = {"Namespace": namespace, "Metrics": metrics}
    if dimensions is not None:
        directive["Dimensions"] = dimensions
    return json.dumps({"_aws": {**AT, "CloudWatchMetrics": [directive]}, **values})


CASES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "one": (document([LATENCY], Latency=3), [MADE]),
    "an empty set of dimensions": (document([LATENCY], [[]], Latency=3), [MADE]),
    "several values": (
        document([LATENCY], Latency=[1, 2.5]),
        [{**{name: value for name, value in MADE.items() if name != "Value"}, "Values": [1, 2.5]}],
    ),
    "two sets": (
        document([LATENCY], [["Service"], []], Latency=3, Service="pay"),
        [{**MADE, "Dimensions": PAY}, MADE],
    ),
    "a dimension that is no text": (document([LATENCY], [["Service"], []], Latency=3, Service=1), [MADE]),
    "a dimension that is not there": (document([LATENCY], [["Service"]], Latency=3), []),
    "no unit": (document([{"Name": "Latency"}], Latency=3), [{**MADE, "Unit": "None"}]),
    "no unit of CloudWatch": (document([{**LATENCY, "Unit": "Miles"}], Latency=3), [{**MADE, "Unit": "None"}]),
    "high resolution": (
        document([{**LATENCY, "StorageResolution": 1}], Latency=3),
        [{**MADE, "StorageResolution": 1}],
    ),
    "no value": (document([LATENCY]), []),
    "a text": (document([LATENCY], Latency="3"), []),
    "a truth": (document([LATENCY], Latency=True), []),
    "too many values": (document([LATENCY], Latency=[1] * 101), []),
    "no namespace": (document([LATENCY], namespace=None, Latency=3), []),
    "metrics that are none": (document([1, None, {}, {"Name": 3}], Latency=3), []),
    "no list": (document({"Name": "Latency"}, Latency=3), []),
    "no directives": (json.dumps({"_aws": AT}), []),
    "no time": (json.dumps({"_aws": {"CloudWatchMetrics": []}}), []),
    "no object": ('["_aws"]', []),
    "no JSON": ('{"_aws": ', []),
    "another line": ("hello", []),
}


@pytest.mark.parametrize(("message", "data"), CASES.values(), ids=CASES)
def test_metrics(message: str, data: list[dict[str, Any]]) -> None:
    assert list(metrics_in(message)) == [("Shop", datum) for datum in data]
