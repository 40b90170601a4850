"""Limits that are small enough to be reached."""

from __future__ import annotations

from msgspec.structs import replace

from treadle.limits import DEFAULT_LIMITS

LIMITS = replace(
    DEFAULT_LIMITS,
    execution_seconds_standard=1_500,
    history_events=400,
    transitions_per_turn=7,
    map_runs_open=3,
    node_look_milliseconds=10_000,
    node_silence_seconds=30,
    node_answer_seconds=60,
)

SHARDS = 4
"""So few that executions which have nothing to do with each other are in the same one."""
