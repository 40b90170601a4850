"""Expressions on their own, against python-jsonpath, the compiled JSONPath that Python users would take.

Both are compiled once and evaluated many times. python-jsonpath has no templates and no choice rules: there,
the Python that one would write around its compiled paths is measured.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable, Iterator
from typing import Any

import jsonpath
from figures import Figure

from treadle.expressions.bindings import Bindings
from treadle.expressions.choice import compile_choice
from treadle.expressions.paths import compile_path
from treadle.expressions.template import compile_template

_SAMPLE_SECONDS = 0.04

_ORDER: dict[str, Any] = {
    "order": {"id": 817, "total": 250.75, "status": "paid", "customer": {"name": "Ada", "city": "London"}},
    "items": [{"sku": f"S{number}", "price": number * 7, "inStock": number % 2 == 0} for number in range(20)],
}
_bindings = Bindings(_ORDER)

_DEFINITE = "$.order.customer.city"
_FILTER = "$.items[?(@.price > 70)].sku"
_RFC_FILTER = "$.items[?@.price > 70].sku"
_TEMPLATE = {"kind": "receipt", "to.$": "$.order.customer.name", "sum.$": "$.order.total", "of": {"id.$": "$.order.id"}}
_CHOICE = {
    "And": [
        {"Variable": "$.order.status", "StringEquals": "paid"},
        {"Variable": "$.order.total", "NumericGreaterThan": 100},
    ]
}


def _one(path: str) -> Callable[[], Any]:
    find = jsonpath.compile(path).findall
    return lambda: find(_ORDER)[0]


def _pairs() -> Iterator[tuple[str, Callable[[], Any], Callable[[], Any]]]:
    """Name, ours, theirs."""
    city, skus = compile_path(_DEFINITE), compile_path(_FILTER)
    template, choice = compile_template(_TEMPLATE), compile_choice(_CHOICE)
    their_skus = jsonpath.compile(_RFC_FILTER).findall
    name, total, number, status = map(_one, ("$.order.customer.name", "$.order.total", "$.order.id", "$.order.status"))
    yield "definite path", lambda: city(_bindings), _one(_DEFINITE)
    yield "filter over 20 items", lambda: skus(_bindings), lambda: their_skus(_ORDER)
    yield (
        "template with three paths",
        lambda: template(_bindings),
        lambda: {"kind": "receipt", "to": name(), "sum": total(), "of": {"id": number()}},
    )
    yield (
        "choice rule of two comparisons",
        lambda: choice(_bindings),
        lambda: status() == "paid" and total() > 100,
    )


def expressions(rounds: int) -> Iterator[Figure]:
    for name, ours, theirs in _pairs():
        if ours() != theirs():
            raise RuntimeError(f"{name}: {ours()!r} is not {theirs()!r}")
        yield Figure(f"expression: {name}", "ns", _nanoseconds(ours, rounds))
        yield Figure("  the same with python-jsonpath", "ns", _nanoseconds(theirs, rounds))


def _nanoseconds(evaluate: Callable[[], Any], rounds: int) -> list[float]:
    timer = timeit.Timer(evaluate)
    calls, seconds = timer.autorange()
    calls = max(1, int(calls / seconds * _SAMPLE_SECONDS))
    return [sample / calls * 1e9 for sample in timer.repeat(rounds, calls)]
