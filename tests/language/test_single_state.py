"""A state made a machine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from treadle.language.parse import parse_definition
from treadle.language.single_state import STATE_NAME, machine_of_state

SUCCEED = {"Type": "Succeed"}
HANDLED = {
    "Type": "Task",
    "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f",
    "Catch": [{"ErrorEquals": ["A"], "Next": "One"}, {"ErrorEquals": ["B"], "Next": "Two"}],
    "Next": "Three",
}
CHOICE = {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "One"}], "Default": "Two"}


@pytest.mark.parametrize(
    ("state", "others"),
    [
        (SUCCEED, []),
        ({"Type": "Pass", "Next": "One"}, ["One"]),
        (HANDLED, ["One", "Two", "Three"]),
        (CHOICE, ["One", "Two"]),
    ],
)
def test_what_it_leads_to_ends_the_machine(state: dict[str, Any], others: list[str]) -> None:
    text = machine_of_state(json.dumps(state))
    expected = {STATE_NAME: state, **dict.fromkeys(others, SUCCEED)}
    assert json.loads(text) == {"StartAt": STATE_NAME, "States": expected}
    assert parse_definition(text, machine_type="STANDARD").machine is not None


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "3", '{"Type":'])
def test_what_is_no_object_is_for_the_reader_to_refuse(text: str) -> None:
    assert machine_of_state(text) == text


def test_a_target_that_is_no_name_is_found_where_it_stands() -> None:
    found = parse_definition(machine_of_state('{"Type": "Pass", "Next": 3}'), machine_type="STANDARD").diagnostics
    assert [finding.location for finding in found if finding.severity == "ERROR"] == [f"/States/{STATE_NAME}/Next"]
