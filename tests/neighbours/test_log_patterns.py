"""Filter patterns of CloudWatch Logs: the examples of the user guide, and what is no pattern."""

from __future__ import annotations

import json

import pytest

from treadle.neighbours.log_patterns import InvalidPattern, compile_path, compile_pattern

WEB = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /apache_pb.gif HTTP/1.0" 404 1534'
CALL = json.dumps(
    {
        "eventType": "UpdateTrail",
        "sourceIPAddress": "111.111.111.111",
        "arrayKey": ["value", "another value"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
        "SomeObject": None,
        "ThisFlag": True,
        "a.b": "dotted",
    }
)


@pytest.mark.parametrize(
    ("pattern", "taken", "left"),
    [
        ("", ["anything", ""], []),
        ("ERROR", ["[ERROR 400] BAD REQUEST", "MY_ERROR"], ["[error 400]"]),
        ("ERROR ARGUMENTS", ["[ERROR 419] MISSING ARGUMENTS"], ["[ERROR 400] BAD REQUEST"]),
        ("?ERROR ?ARGUMENTS", ["[ERROR 400]", "ARGUMENTS"], ["BAD REQUEST"]),
        ("?ERROR ?ARGUMENTS REQUEST", ["INVALID REQUEST"], ["ERROR"]),
        ("ERROR -ARGUMENTS", ["[ERROR 400] BAD REQUEST"], ["[ERROR 419] MISSING ARGUMENTS"]),
        ('"INTERNAL SERVER ERROR"', ["[ERROR 500] INTERNAL SERVER ERROR"], ["INTERNAL ERROR"]),
        ('"<EventID>4720</EventID>"', ["<Event><EventID>4720</EventID></Event>"], ["<EventID>4721</EventID>"]),
        (r'"say \"x\""', ['say "x"'], ["say x"]),
        (r"%4\d\d%", ["code 404"], ["code 504"]),
        ('{ $.eventType = "UpdateTrail" }', [CALL], ['{"eventType": "x"}', "no JSON", "[1]"]),
        ("{$.eventType=Update*}", [CALL], ['{"eventType": "xUpdate"}']),
        ("{ $.sourceIPAddress != 123.123.* }", [CALL], ['{"sourceIPAddress": "123.123.1.1"}', "{}"]),
        ('{ $.arrayKey[0] = "value" }', [CALL], ['{"arrayKey": ["x", "value"]}']),
        ("{ $.objectList[1].id = 2 }", [CALL], ['{"objectList": [{"id": 2}]}']),
        ("{ $.objectList[*].id > 1 }", [CALL], ['{"objectList": [{"id": 1}]}']),
        ("{ $.['a.b'] = dotted }", [CALL], ['{"a": {"b": "dotted"}}']),
        ("{ $.SomeObject IS NULL }", [CALL], ["{}", '{"SomeObject": 1}']),
        ("{ $.SomeOtherObject NOT EXISTS }", [CALL], ['{"SomeOtherObject": null}']),
        ("{ $.ThisFlag IS TRUE }", [CALL], ['{"ThisFlag": "true"}', '{"ThisFlag": 1}']),
        ("{ $.x IS FALSE }", ['{"x": false}'], [CALL]),
        ("{ ($.n = 1 || $.n = 2) && $.m <= 3e0 }", ['{"n": 2, "m": 3}'], ['{"n": 3, "m": 3}', '{"n": 1, "m": 4}']),
        (r"{ $.x = %^a\d% }", ['{"x": "a1"}'], ['{"x": "ba1"}', '{"x": 1}']),
        ("[ip, user, username, timestamp, request, status_code, bytes]", [WEB], ["too few"]),
        ("[ip, u, n, t, r, status_code = 4*, bytes > 1000]", [WEB], [WEB.replace("404", "200"), WEB + "0 x"]),
        ("[..., status_code = 4* || status_code = 5*, bytes]", [WEB], [WEB.replace("404", "304")]),
        ('[ip, ..., request = "*.gif*", status, bytes]', [WEB], [WEB.replace("gif", "png")]),
        ("[level != DEBUG, ...]", ["INFO x y"], ["DEBUG x", ""]),
    ],
)
def test_messages_are_taken_or_left(pattern: str, taken: list[str], left: list[str]) -> None:
    matches = compile_pattern(pattern)
    assert [message for message in taken + left if matches(message)] == taken


@pytest.mark.parametrize(
    "pattern",
    ['"open', "{ $.x = }", "{ x = 1 }", "{ $.x > abc }", "{ ($.x = 1 }", "{ $.x = 1 $.y = 2 }", "{ $.x IS MAYBE }",
     "{ $.x ( 1 }", "{ $..x = 1 }", "{ $.x = %(% }", "[a, ..., b, ...]", "[a =]", '{ $.x = "open }'],
)  # fmt: skip
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidPattern, match="Invalid filter pattern"):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("path", "found"),
    [("$", [{"a": [1, {"b": 2}]}]), ("$.a[1].b", [2]), ("$.a[*]", [1, {"b": 2}]), ("$.a[7]", []), ("$.x.y", [])],
)
def test_paths(path: str, found: list[object]) -> None:
    assert compile_path(path)({"a": [1, {"b": 2}]}) == found
