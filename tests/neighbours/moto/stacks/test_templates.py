"""Templates before anything is made of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from treadle.neighbours.moto.stacks.templates import InvalidTemplate, order, prepare, references

PLACE = ("000000000000", "eu-west-1")
MADE = {"AWS::SNS::Topic", "AWS::StepFunctions::StateMachine", "AWS::IAM::Role"}
TOPIC = {"Type": "AWS::SNS::Topic"}


@pytest.fixture(autouse=True)
def region_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto's process has one; AWS's translator asks boto3 for it."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def test_references_are_found_wherever_they_stand() -> None:
    value = {
        "DependsOn": ["A"],
        "Properties": {
            "X": [{"Ref": "B"}, {"Fn::GetAtt": ["C", "Arn"]}, {"Fn::GetAtt": "D.Arn"}],
            "Y": {"Fn::Sub": "${E} ${F.Arn} ${!G} ${AWS::Region}"},
            "Z": {"Fn::Sub": ["${H} ${I}", {"H": {"Ref": "J"}}]},
        },
    }
    assert sorted(references(value)) == ["A", "AWS::Region", "B", "C", "D", "E", "F", "I", "J"]


def test_resources_come_after_those_that_they_refer_to() -> None:
    resources: dict[str, Any] = {"A": {**TOPIC, "DependsOn": "B"}, "B": {**TOPIC, "Properties": {"X": {"Ref": "C"}}}}
    assert order({"Resources": {**resources, "C": TOPIC}}) == ["C", "B", "A"]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ({}, "At least one Resources member"),
        ({"Resources": {"A": {"Type": "AWS::X::Y"}, "B": {"Type": "Custom::Z"}}}, r"\[AWS::X::Y\]"),
        (
            {"Resources": {"A": {**TOPIC, "DependsOn": "B"}, "B": {**TOPIC, "DependsOn": "A"}}},
            r"Circular dependency between resources: \[A, B\]",
        ),
        ({"Transform": ["Macro"], "Resources": {"A": TOPIC}}, "No transform named Macro found"),
        (
            {
                "Transform": "AWS::Serverless-2016-10-31",
                "Resources": {"A": {"Type": "AWS::Serverless::StateMachine", "Properties": {"Nonsense": 1}}},
            },
            "Transform AWS::Serverless-2016-10-31 failed",
        ),
    ],
)
def test_what_cannot_be_carried_out_is_refused(template: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidTemplate, match=text):
        prepare(template, {}, PLACE, MADE)


def test_serverless_resources_become_those_of_cloudformation() -> None:
    definition = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    machine = {"Type": "AWS::Serverless::StateMachine", "Properties": {"Definition": definition}}
    made = json.loads(
        prepare({"Transform": "AWS::Serverless-2016-10-31", "Resources": {"M": machine}}, {}, PLACE, MADE)
    )
    assert "Transform" not in made
    assert {name: each["Type"] for name, each in made["Resources"].items()} == {
        "M": "AWS::StepFunctions::StateMachine",
        "MRole": "AWS::IAM::Role",
    }
