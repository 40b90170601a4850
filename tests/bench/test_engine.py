"""The machines that are measured are valid, and do what is counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.definitions import call, chain, inline_map
from bench.workloads import engine
from treadle.engine.history import HistoryEvent
from treadle.engine.program import compile_definition
from treadle.limits import DEFAULT_LIMITS


@pytest.mark.parametrize("definition", [chain(1), chain(500), chain(5, call("echo")), inline_map()])
def test_definitions_are_valid(definition: dict[str, Any]) -> None:
    compiled = compile_definition(json.dumps(definition), "STANDARD", DEFAULT_LIMITS, lambda resource: None)
    assert compiled.program is not None, compiled.diagnostics


def test_transitions_are_as_many_as_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[HistoryEvent] = []
    monkeypatch.setattr(engine, "encode_events", events.extend)
    for name, definition, data, transitions in engine.machines():
        program = engine.compiled(definition, "STANDARD")
        events.clear()
        engine.run(program, json.dumps(data), encoded=True)
        assert sum(event.type.endswith("StateEntered") for event in events) == transitions, name
