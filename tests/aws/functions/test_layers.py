"""Layers over the API: published, listed, deleted, allowed to others; and functions that have them."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.functions.conftest import NODE
from tests.functions.zips import archive

from .conftest import ARN, CALLER, Lambda

LAYERS = ARN.replace(":function:", ":layer:")
TOOLS = LAYERS + "tools"
INVALID, MISSING, DENIED = "InvalidParameterValueException", "ResourceNotFoundException", "AccessDeniedException"


async def publish(aws: Lambda, files: dict[str, str], name: str = "tools", **members: Any) -> str:
    """The ARN of the version."""
    answer = await aws.call("PublishLayerVersion", LayerName=name, Content={"ZipFile": archive(files)}, **members)
    return str(answer["LayerVersionArn"])


async def invoke(aws: Lambda, name: str = "pay") -> Any:
    answer = await aws.call("Invoke", FunctionName=name)
    assert "FunctionError" not in answer, answer["Payload"]
    return json.loads(answer["Payload"])


async def test_what_was_published_is_shown(aws: Lambda) -> None:
    code = archive({"python/a.py": ""})
    made = await aws.call(
        "PublishLayerVersion",
        LayerName="tools",
        Description="d",
        LicenseInfo="MIT",
        CompatibleRuntimes=["python3.12"],
        CompatibleArchitectures=["arm64"],
        Content={"ZipFile": code},
    )
    content = made["Content"]
    assert (content["CodeSize"], content["CodeSha256"]) == (
        len(code),
        base64.b64encode(hashlib.sha256(code).digest()).decode(),
    )
    assert content["Location"].startswith("http://treadle/_treadle/code/")
    version = {name: value for name, value in made.items() if name not in ("Content", "LayerArn")}
    assert made["LayerArn"] == TOOLS
    assert version == {
        "LayerVersionArn": TOOLS + ":1",
        "Version": 1,
        "Description": "d",
        "LicenseInfo": "MIT",
        "CompatibleRuntimes": ("python3.12",),
        "CompatibleArchitectures": ("arm64",),
        "CreatedDate": made["CreatedDate"],
    }
    for operation, members in (
        ("GetLayerVersion", {"LayerName": "tools", "VersionNumber": 1}),
        ("GetLayerVersion", {"LayerName": TOOLS, "VersionNumber": 1}),
        ("GetLayerVersionByArn", {"Arn": TOOLS + ":1"}),
    ):
        shown = await aws.call(operation, **members)
        assert {**shown, "Content": None} == {**made, "Content": None}
    assert await aws.call("ListLayers") == {
        "Layers": [{"LayerName": "tools", "LayerArn": TOOLS, "LatestMatchingVersion": version}]
    }


async def test_nothing_is_tried_where_it_would_outlive_the_server(
    aws: Lambda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    await publish(aws, {"x": ""})
    assert list((tmp_path / "code").iterdir()) == []


async def test_listings(aws: Lambda) -> None:
    for name, runtime in (("b", "python3.12"), ("b", "nodejs22.x"), ("a", "nodejs22.x"), ("c", "nodejs22.x")):
        await publish(aws, {"x": ""}, name, CompatibleRuntimes=[runtime])

    async def pages(operation: str, member: str, key: str, **members: Any) -> list[Any]:
        found: list[Any] = []
        marker: dict[str, str] = {}
        while True:
            answer = await aws.call(operation, MaxItems=1, **members, **marker)
            found += [each[key] for each in answer[member]]
            if "NextMarker" not in answer:
                return found
            marker = {"Marker": answer["NextMarker"]}

    assert await pages("ListLayers", "Layers", "LayerName") == ["a", "b", "c"]
    assert await pages("ListLayers", "Layers", "LayerName", CompatibleRuntime="python3.12") == ["b"]
    (found,) = (await aws.call("ListLayers", CompatibleRuntime="python3.12"))["Layers"]
    assert found["LatestMatchingVersion"]["Version"] == 1
    assert await pages("ListLayerVersions", "LayerVersions", "Version", LayerName="b") == [2, 1]
    listed = await aws.call("ListLayerVersions", LayerName="b", CompatibleRuntime="nodejs22.x")
    assert [each["Version"] for each in listed["LayerVersions"]] == [2]
    assert await aws.call("ListLayerVersions", LayerName="none") == {"LayerVersions": []}


SHOW = """
import os, sys, shared, one
def handler(event, context):
    root = os.environ["LAMBDA_LAYERS_ROOT"]
    on_path = [name for name in ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH") if root in os.environ[name]]
    return [shared.text, one.text, open(root + "/data").read(), on_path]
"""


async def test_a_function_has_its_layers_and_the_later_one_wins(aws: Lambda) -> None:
    first = await publish(
        aws,
        {
            "python/shared.py": "text = 'first'",
            "python/one.py": "text = 'one'",
            "data": "first",
            "bin/x": "",
            "lib/x": "",
        },
    )
    second = await publish(
        aws, {"python/lib/python3.12/site-packages/other.py": "", "python/shared.py": "text = 'second'"}, "more"
    )
    made = await aws.create(code=archive({"app.py": SHOW}), Layers=[first, second])
    assert [layer["Arn"] for layer in made["Layers"]] == [first, second]
    on_path = ["PATH", "LD_LIBRARY_PATH", "PYTHONPATH"]
    assert await invoke(aws) == ["second", "one", "first", on_path]
    changed = await aws.call("UpdateFunctionConfiguration", FunctionName="pay", Layers=[second, first])
    assert [layer["Arn"] for layer in changed["Layers"]] == [second, first]
    assert await invoke(aws) == ["first", "one", "first", on_path]


async def test_a_layer_for_node(aws: Lambda) -> None:
    assert NODE.exists()
    layer = await publish(aws, {"nodejs/node_modules/greet/index.js": "module.exports = () => 'hello'"})
    handlers = {
        "app.js": "const greet = require('greet'); exports.handler = async () => greet()",
        "app.mjs": "import greet from 'greet'; export const handler = async () => greet()",
    }
    for name, text in handlers.items():
        function = name.replace(".", "-")
        await aws.create(function, archive({name: text}), Runtime="nodejs20.x", Layers=[layer])
        assert await invoke(aws, function) == "hello"


async def test_the_executable_of_a_provided_function_in_a_layer(aws: Lambda) -> None:
    script = '#!/bin/sh\nexec "$PYTHON" "$LAMBDA_LAYERS_ROOT/main.py"\n'
    layer = await aws.call(
        "PublishLayerVersion",
        LayerName="runtime",
        Content={"ZipFile": archive({"bootstrap": script}, executable=("bootstrap",))},
    )
    refused = await aws.error(
        "CreateFunction",
        FunctionName="pay",
        Runtime="provided.al2",
        Role="arn:aws:iam::123456789012:role/pay",
        Handler="app",
        Code={"ZipFile": archive({"x": ""})},
    )
    assert refused[0] == INVALID
    made = await aws.create(
        code=archive({"x": ""}), Runtime="provided.al2", Layers=[layer["LayerVersionArn"]], Handler="app"
    )
    assert made["State"] == "Active"


async def test_a_deleted_version_stays_with_the_functions_that_have_it(aws: Lambda) -> None:
    layer = await publish(aws, {"python/shared.py": "text = 1"})
    code = archive({"app.py": "import shared\ndef handler(event, context):\n    return shared.text"})
    await aws.create(code=code, Layers=[layer])
    for _ in range(2):
        await aws.call("DeleteLayerVersion", LayerName="tools", VersionNumber=1)
    assert (await aws.error("GetLayerVersion", LayerName="tools", VersionNumber=1))[0] == MISSING
    assert await invoke(aws) == 1
    await aws.call("UpdateFunctionConfiguration", FunctionName="pay", Layers=[layer], Description="still")
    assert await invoke(aws) == 1
    request = {"FunctionName": "other", "Runtime": "python3.12", "Role": "arn:aws:iam::123456789012:role/pay"}
    refused = await aws.error(
        "CreateFunction", **request, Handler="app.handler", Code={"ZipFile": code}, Layers=[layer]
    )
    assert refused == (INVALID, f"Layer version {layer} does not exist.")
    assert await publish(aws, {"x": ""}) == TOOLS + ":2"


async def test_what_a_function_cannot_have(aws: Lambda) -> None:
    made = await aws.create()
    layers = [await publish(aws, {"x": ""}, f"l{number}") for number in range(6)]
    again = await publish(aws, {"y": ""}, "l0")
    other = layers[0].replace("123456789012", "999999999999")
    for refused, error, text in (
        (layers, INVALID, "Cannot reference more than 5 layers."),
        ([layers[0], again], INVALID, "Two different versions of the same layer are not allowed"),
        (["arn:aws:lambda:eu-west-1:123456789012:layer:l0:99"], INVALID, "does not exist"),
        (["l0"], "ValidationException", "layers"),
        ([other], DENIED, "is not authorized to perform"),
    ):
        found, message = await aws.error("UpdateFunctionConfiguration", FunctionName="pay", Layers=refused)
        assert found in (error, INVALID), refused
        assert text in message or found == INVALID, refused
    assert await aws.call("GetFunctionConfiguration", FunctionName="pay") == made
    assert "Layers" not in await aws.call("UpdateFunctionConfiguration", FunctionName="pay", Layers=[])


@pytest.mark.parametrize("code", [b"no zip", archive({"../x": ""}), b""])
async def test_an_archive_that_cannot_be_used(aws: Lambda, code: bytes) -> None:
    error, _ = await aws.error("PublishLayerVersion", LayerName="tools", Content={"ZipFile": code})
    assert error == INVALID
    assert await aws.call("ListLayers") == {"Layers": []}


async def test_a_policy(aws: Lambda) -> None:
    await publish(aws, {"x": ""})
    named = {"LayerName": "tools", "VersionNumber": 1}
    given = {**named, "StatementId": "s", "Action": "lambda:GetLayerVersion", "Principal": "999999999999"}
    assert (await aws.error("GetLayerVersionPolicy", **named))[0] == MISSING
    added = await aws.call("AddLayerVersionPermission", **given, OrganizationId="o-1234567890")
    statement = json.loads(added["Statement"])
    assert statement == {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::999999999999:root"},
        "Action": "lambda:GetLayerVersion",
        "Resource": TOOLS + ":1",
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}},
    }
    shown = await aws.call("GetLayerVersionPolicy", **named)
    assert (json.loads(shown["Policy"])["Statement"], shown["RevisionId"]) == ([statement], added["RevisionId"])
    assert (await aws.error("AddLayerVersionPermission", **given))[0] == "ResourceConflictException"
    stale = {"StatementId": "s", "RevisionId": "x"}
    assert (await aws.error("RemoveLayerVersionPermission", **named, **stale))[0] == "PreconditionFailedException"
    await aws.call("RemoveLayerVersionPermission", **named, StatementId="s")
    assert (await aws.error("RemoveLayerVersionPermission", **named, StatementId="s"))[0] == MISSING


async def test_others_see_none_of_it(aws: Lambda) -> None:
    await publish(aws, {"x": ""})
    other = type(CALLER)("999999999999", CALLER.region, CALLER.request_id)
    assert await aws.call("ListLayers", other) == {"Layers": []}
    assert (await aws.error("GetLayerVersion", other, LayerName="tools", VersionNumber=1))[0] == MISSING
    assert (await aws.error("GetLayerVersion", other, LayerName=TOOLS, VersionNumber=1))[0] == DENIED
