"""The places of findings, in JSON and in YAML, and texts of every kind."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from treadle.cli.check import Finding, check_text
from treadle.cli.json_source import json_marks
from treadle.cli.marks import Mark, Part, find
from treadle.cli.yaml_source import YamlError, read_yaml
from treadle.limits import DEFAULT_LIMITS

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
names = st.text() | st.sampled_from(["States", "a", "a/b", "a[0]", "/", "", "yes", "1", "null", "<"])
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=20)


def locations(value: Any, at: str = "") -> list[tuple[str, str]]:
    """The location of every part of a JSON value but the whole, and the JSON text that stands there."""
    if isinstance(value, dict):
        own = [(f"{at}/{name}", json.dumps(name)) for name in value]
        return own + [place for name, item in value.items() for place in locations(item, f"{at}/{name}")]
    if isinstance(value, list):
        own = [(f"{at}[{index}]", json.dumps(item)) for index, item in enumerate(value)]
        return own + [place for index, item in enumerate(value) for place in locations(item, f"{at}[{index}]")]
    return []


def text_at(text: str, mark: Mark) -> str:
    return text.split("\n")[mark.line - 1][mark.column - 1 :]


@given(values, st.sampled_from([None, 2]))
def test_every_part_of_a_json_text_is_found(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    root, faults = json_marks(text)
    assert faults == []
    assert find(root, "") == find(root, "/") == Mark(1, 1)
    places = locations(value)
    for location, shown in places:
        # Names are not escaped: several places may have one location, and the whole is at `/`.
        if location != "/" and [one for one, _ in places].count(location) == 1:
            assert text_at(text, find(root, location)).startswith(shown.split("\n")[0][: 1 if indent else None])


def in_yaml(value: Any, flow: bool = False) -> str:
    """Every scalar quoted, and tagged if it is no text: what plain scalars mean is another test."""
    return yaml.safe_dump(value, default_flow_style=flow, default_style='"', sort_keys=False)


@given(values, st.booleans())
def test_yaml_stands_for_the_same_value(value: Any, flow: bool) -> None:
    text = in_yaml(value, flow)
    read, root, faults = read_yaml(text, DEFAULT_LIMITS)
    assert json.loads(json.dumps(read)) == value
    assert faults == []
    assert isinstance(root, Part)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("[yes, No, on, off, y]", ["yes", "No", "on", "off", "y"]),
        ("[2030-01-01, 2030-01-01T00:00:00Z, 12:30:45]", ["2030-01-01", "2030-01-01T00:00:00Z", "12:30:45"]),
        ("[1, -1, +1, 007, 0x1F, 1_000]", [1, -1, 1, 7, "0x1F", "1_000"]),
        ("[1.5, .5, 1., 1e3, -1E-2, .inf, .nan]", [1.5, 0.5, 1.0, 1000.0, -0.01, ".inf", ".nan"]),
        ("['1', \"true\", !!str 1, ! 2]", ["1", "true", "1", "2"]),
        ("[!!int '1', !!float '1.5', !!bool \"true\", !!null '']", [1, 1.5, True, None]),
        ("{1: a, null: b}", {"1": "a", "null": "b"}),
        ("{a: &x [1], b: *x, c: {<<: {d: 1, e: 2}, d: 3}}", {"a": [1], "b": [1], "c": {"d": 3, "e": 2}}),
        ("{d: 3, <<: [{d: 1, e: 2}, {e: 4, f: 5}]}", {"d": 3, "e": 2, "f": 5}),
    ],
)
def test_what_yaml_means(text: str, value: Any) -> None:
    assert read_yaml(text, DEFAULT_LIMITS)[0] == value


def check(text: str, is_yaml: bool) -> list[Finding]:
    return check_text(text, "f", is_yaml, "STANDARD", DEFAULT_LIMITS)


def test_a_task_is_known_where_its_service_is() -> None:
    emulated, elsewhere = (
        {"Type": "Task", "Resource": f"arn:aws:states:::aws-sdk:{action}", "Parameters": {}}
        for action in ("sqs:listQueues", "translate:listLanguages")
    )
    states = {"Emulated": {**emulated, "Next": "Elsewhere"}, "Elsewhere": {**elsewhere, "End": True}}
    text = json.dumps({"StartAt": "Emulated", "States": states})
    (found,) = check(text, is_yaml=False)
    assert found.code == "NOT_IMPLEMENTED"
    assert found.message == (
        "Nobody answers for 'translate' at this server: AWS_ENDPOINT_URL_TRANSLATE names an endpoint for it"
    )
    assert check_text(text, "f", False, "STANDARD", DEFAULT_LIMITS, {"translate"}) == []


@given(st.text() | st.text("{}[]:,\"'&*<!|>-?#%@` \nabc1\\\t"), st.booleans())
def test_every_text_is_answered(text: str, is_yaml: bool) -> None:
    findings = check(text, is_yaml)
    assert findings
    lines = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    for finding in findings:
        assert finding.column >= 1
        assert finding.line >= 1
        assert is_yaml or finding.line <= lines
        assert "\n" not in str(finding)


@given(st.dictionaries(st.sampled_from(["StartAt", "States", "Comment", "X"]), values))
def test_findings_do_not_depend_on_the_form(definition: Any) -> None:
    from_json = check(json.dumps(definition), is_yaml=False)
    from_yaml = check(in_yaml(definition), is_yaml=True)

    def told(findings: list[Finding]) -> list[tuple[str, str, str | None]]:
        return sorted((found.code, found.message, found.location or "") for found in findings)

    assert told(from_json) == told(from_yaml)


def test_names_do_not_command_the_terminal() -> None:
    definition = {"StartAt": "\x1b[2J\n", "States": {"A": {"Type": "Fail"}}}
    lines = [str(finding) for finding in check(json.dumps(definition), is_yaml=False)]
    assert "Missing 'Next' target: \\x1b[2J\\x0a" in lines[0]


def test_many_findings_in_one_object_are_placed() -> None:
    fields = {f"{number}/[": number for number in range(20_000)}
    definition = {"StartAt": "A", "States": {"A": {"Type": "Fail", **fields}}}
    findings = check(json.dumps(definition, indent=0), is_yaml=False)
    assert [finding.line for finding in findings] == list(range(6, 20_006))


def test_a_deep_alias_is_found_in_the_place_where_it_stands() -> None:
    read, root, _ = read_yaml("a: &x\n  b: [1]\nc: *x\n", DEFAULT_LIMITS)
    assert read == {"a": {"b": [1]}, "c": {"b": [1]}}
    assert find(root, "/c") == Mark(3, 1)
    assert find(root, "/c/b[0]") == Mark(2, 7)


def test_yaml_without_end() -> None:
    with pytest.raises(YamlError):
        read_yaml("[" * 100_000, DEFAULT_LIMITS)
