"""Expressions on their own, each kind against the libraries that Python users would take for it.

Every expression is compiled once and evaluated many times, ours as the engine evaluates it: over `$` in JSONPath,
over `$states.input` in JSONata. The libraries have the data as their input. None of them has payload templates,
choice rules or intrinsic functions: for the first two, the Python that one would write around python-jsonpath's
compiled paths is measured. The samples of one expression are taken in turns, so that what disturbs the machine
disturbs all alike.

A library that is not installed, or cannot do a kind, is a dash.
"""

from __future__ import annotations

import importlib
import timeit
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.figures import Figure
from bench.rig import Rig
from treadle.expressions.bindings import Bindings
from treadle.expressions.choice import compile_choice
from treadle.expressions.jsonata import compile_jsonata
from treadle.expressions.paths import compile_path
from treadle.expressions.template import compile_template

_SAMPLE_SECONDS = 0.04

_ORDER: dict[str, Any] = {
    "order": {"id": 817, "total": 250.75, "status": "paid", "customer": {"name": "Ada", "city": "London"}},
    "items": [{"sku": f"S{number}", "price": number * 7, "inStock": number % 2 == 0} for number in range(20)],
}
_bindings = Bindings(_ORDER)

_TEMPLATE = {"kind": "receipt", "to.$": "$.order.customer.name", "sum.$": "$.order.total", "of": {"id.$": "$.order.id"}}
_INTRINSIC = {"text.$": "States.Format('{} of {}', $.order.id, $.order.customer.name)"}
_CHOICE = {
    "And": [
        {"Variable": "$.order.status", "StringEquals": "paid"},
        {"Variable": "$.order.total", "NumericGreaterThan": 100},
    ]
}

Evaluate = Callable[[], Any]
Compile = Callable[[str], Evaluate]


def _library(module: str, attribute: str = "") -> Any:
    """A module or what it offers; None if it is not installed."""
    try:
        found = importlib.import_module(module)
    except ImportError:
        return None
    return getattr(found, attribute) if attribute else found


def _python_jsonpath() -> Compile | None:
    library = _library("jsonpath")
    if library is None:
        return None

    def compile_text(path: str) -> Evaluate:
        find = library.compile(path).findall
        return lambda: find(_ORDER)

    return compile_text


def _jsonpath_ng() -> Compile | None:
    parse = _library("jsonpath_ng.ext", "parse")
    if parse is None:
        return None

    def compile_text(path: str) -> Evaluate:
        find = parse(path).find
        return lambda: [match.value for match in find(_ORDER)]

    return compile_text


def _jsonata_python() -> Compile | None:
    compile_expression = _library("jsonata", "Jsonata")
    return _over_the_order(compile_expression) if compile_expression is not None else None


def _jsonatapy() -> Compile | None:
    compile_expression = _library("jsonatapy", "compile")
    return _over_the_order(compile_expression) if compile_expression is not None else None


def _over_the_order(compile_expression: Callable[[str], Any]) -> Compile:
    def compile_text(text: str) -> Evaluate:
        evaluate = compile_expression(text).evaluate
        return lambda: evaluate(_ORDER)

    return compile_text


@dataclass
class Kind:
    """One kind of expression: ours, and theirs by library, None for a library that is not there."""

    name: str
    ours: Evaluate
    theirs: dict[str, Evaluate | None] = field(default_factory=dict)


def _paths() -> Iterator[Kind]:
    """A definite path's value is the one that the libraries find."""
    libraries = {"python-jsonpath": _python_jsonpath(), "jsonpath-ng": _jsonpath_ng()}
    for name, ours, theirs in (
        ("JSONPath, definite", "$.order.customer.city", "$.order.customer.city"),
        ("JSONPath, indefinite over 20 items", "$.items[*].sku", "$.items[*].sku"),
        ("JSONPath, filter over 20 items", "$.items[?(@.price > 70)].sku", "$.items[?@.price > 70].sku"),
    ):
        path = compile_path(ours)
        one = "definite" in name and "indefinite" not in name
        yield Kind(
            name,
            partial(_alone, path) if one else partial(path, _bindings),
            {library: _try(compile_text, theirs) for library, compile_text in libraries.items()},
        )


def _alone(path: Callable[[Bindings], Any]) -> list[Any]:
    return [path(_bindings)]


def _try(compile_text: Compile | None, text: str) -> Evaluate | None:
    return compile_text(text) if compile_text is not None else None


def _states() -> Iterator[Kind]:
    """What states make of paths."""
    template, choice, intrinsic = compile_template(_TEMPLATE), compile_choice(_CHOICE), compile_template(_INTRINSIC)
    by_hand = _python_jsonpath()
    theirs: list[Evaluate | None] = [None, None]
    if by_hand is not None:
        name, total, number, status = map(
            by_hand, ("$.order.customer.name", "$.order.total", "$.order.id", "$.order.status")
        )
        theirs = [
            lambda: {"kind": "receipt", "to": name()[0], "sum": total()[0], "of": {"id": number()[0]}},
            lambda: status()[0] == "paid" and total()[0] > 100,
        ]
    yield Kind("template with three paths", lambda: template(_bindings), {"python-jsonpath, by hand": theirs[0]})
    yield Kind("choice rule of two comparisons", lambda: choice(_bindings), {"python-jsonpath, by hand": theirs[1]})
    yield Kind("intrinsic function (States.Format)", lambda: intrinsic(_bindings))


def _jsonata() -> Iterator[Kind]:
    libraries = {"jsonata-python": _jsonata_python(), "jsonatapy (Rust)": _jsonatapy()}
    for name, text in (
        ("path", "{}order.customer.city"),
        ("path over 20 items", "{}items.sku"),
        ("filter over 20 items", "{}items[price > 70].sku"),
        ("arithmetic", "{}order.total * 2 + {}order.id - 1"),
        ("function", "$uppercase({}order.customer.name) & '!'"),
        ("lambda over 20 items", "$map({}items, function($item) {{ $item.price * 2 }})"),
        ("object constructor", "{{'to': {}order.customer.name, 'of': {{'id': {}order.id}}, 'kind': 'receipt'}}"),
    ):
        evaluate = compile_jsonata(text.replace("{}", "$states.input.").replace("{{", "{").replace("}}", "}"))
        theirs = text.replace("{}", "").replace("{{", "{").replace("}}", "}")
        yield Kind(
            f"JSONata, {name}",
            partial(evaluate, _bindings),
            {library: _try(compile_text, theirs) for library, compile_text in libraries.items()},
        )


def expressions(rig: Rig) -> Iterator[Figure]:
    rounds = rig.size(11, 5)
    for kinds in (_paths(), _states(), _jsonata()):
        for kind in kinds:
            yield from _figures(kind, rounds)


def _figures(kind: Kind, rounds: int) -> Iterator[Figure]:
    there = {name: evaluate for name, evaluate in kind.theirs.items() if evaluate is not None}
    expected = kind.ours()
    for name, evaluate in there.items():
        if evaluate() != expected:
            raise RuntimeError(f"{kind.name}: {name} gives {evaluate()!r}, not {expected!r}")
    samples = _nanoseconds({"": kind.ours, **there}, rounds)
    ours = Figure(f"expression: {kind.name}", "ns", samples[""])
    yield ours
    for name in kind.theirs:
        theirs = Figure(f"  {name}", "ns", samples.get(name, []))
        ratio = f"{theirs.median / ours.median:.1f} times ours" if theirs.samples else ""
        yield Figure(theirs.name, theirs.unit, theirs.samples, note=ratio)


def _nanoseconds(evaluates: dict[str, Evaluate], rounds: int) -> dict[str, list[float]]:
    """Samples of each, taken in turns."""
    timers = {name: timeit.Timer(evaluate) for name, evaluate in evaluates.items()}
    counts = {}
    for name, timer in timers.items():
        calls, seconds = timer.autorange()
        counts[name] = max(1, int(calls / seconds * _SAMPLE_SECONDS))
    samples: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(rounds):
        for name, timer in timers.items():
            samples[name].append(timer.timeit(counts[name]) / counts[name] * 1e9)
    return samples
