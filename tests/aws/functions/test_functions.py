"""Functions over the API: made, shown, changed, deleted, listed; and what is refused, which changes nothing."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from msgspec.structs import replace

from tests.functions.zips import archive, handler

from .conftest import ARN, CALLER, ROLE, Lambda

INVALID = "InvalidParameterValueException"
MISSING = "ResourceNotFoundException"
ENVIRONMENT = {"Variables": {"STAGE": "test", "EMPTY": ""}}


async def test_what_was_made_is_shown(aws: Lambda) -> None:
    code = handler()
    made = await aws.create(
        code=code,
        Description="pays",
        Timeout=7,
        MemorySize=256,
        Environment=ENVIRONMENT,
        Tags={"team": "blue"},
        Architectures=["arm64"],
        TracingConfig={"Mode": "Active"},
    )
    assert (
        made.items()
        >= {
            "FunctionName": "pay",
            "FunctionArn": ARN + "pay",
            "Runtime": "python3.12",
            "Role": ROLE,
            "Handler": "app.handler",
            "Description": "pays",
            "Timeout": 7,
            "MemorySize": 256,
            "CodeSize": len(code),
            "Version": "$LATEST",
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": "Zip",
            "CodeSha256": base64.b64encode(hashlib.sha256(code).digest()).decode(),
        }.items()
    )
    assert (made["Environment"], made["Architectures"], made["TracingConfig"]) == (
        ENVIRONMENT,
        ["arm64"],
        {"Mode": "Active"},
    )
    assert made["LastModified"].endswith("+0000")
    shown = await aws.call("GetFunction", FunctionName="pay")
    assert (shown["Configuration"], shown["Tags"]) == (made, {"team": "blue"})
    assert shown["Code"]["Location"].startswith("http://treadle/_treadle/code/")
    assert await aws.call("GetFunctionConfiguration", FunctionName=ARN + "pay") == made
    latest = await aws.call("GetFunctionConfiguration", FunctionName="pay", Qualifier="$LATEST")
    assert latest == {**made, "FunctionArn": ARN + "pay:$LATEST"}


async def test_defaults(aws: Lambda) -> None:
    made = await aws.create()
    assert (made["Timeout"], made["MemorySize"], made["Description"]) == (3, 128, "")
    assert made["EphemeralStorage"] == {"Size": 512}
    assert "Environment" not in made
    assert "Tags" not in await aws.call("GetFunction", FunctionName="pay")


@pytest.mark.parametrize("name", ["pay", ARN + "pay", "123456789012:function:pay", "function:pay"])
async def test_a_name_is_taken_once(aws: Lambda, name: str) -> None:
    made = await aws.create()
    again: dict[str, Any] = {
        "Runtime": "python3.9",
        "Role": ROLE,
        "Handler": "a.b",
        "Code": {"ZipFile": handler("pass")},
    }
    error = await aws.error("CreateFunction", FunctionName=name, **again)
    assert error == ("ResourceConflictException", "Function already exist: pay")
    assert await aws.call("GetFunctionConfiguration", FunctionName="pay") == made


UNUSABLE: list[tuple[str, dict[str, Any], str, str]] = [
    ("no zip file", {"Code": {"ZipFile": b"no"}}, INVALID, "Could not unzip uploaded file. "),
    ("empty", {"Code": {"ZipFile": b""}}, INVALID, "Uploaded file must be a non-empty zip"),
    ("no code", {"Code": {}}, INVALID, "Please provide a source for function code."),
    ("no entries", {"Code": {"ZipFile": archive({})}}, INVALID, "Could not unzip uploaded file. "),
    ("not Base64", {"Code": {"ZipFile": "%%%"}}, "SerializationException", "The value of 'code.zipFile' is not Base64"),
    ("leads out", {"Code": {"ZipFile": archive({"../app.py": ""})}}, INVALID, "Could not unzip uploaded file. "),
    ("S3, half of it", {"Code": {"S3Bucket": "bucket"}}, INVALID, "Please provide S3Key with the code in S3."),
    ("image", {"PackageType": "Image"}, "NotImplementedException", "Treadle does not implement a function's Package"),
    (
        "image without a runtime",
        {"PackageType": "Image", "Runtime": None, "Handler": None, "Code": {"ImageUri": "pay:latest"}},
        "NotImplementedException",
        "Treadle does not implement a function's Package",
    ),
    (
        "layers",
        {"Layers": ["arn:aws:lambda:eu-west-1:123456789012:layer:a:1"]},
        INVALID,
        "Layer version arn:aws:lambda:eu-west-1:123456789012:layer:a:1 does not exist.",
    ),
    (
        "vpc",
        {"VpcConfig": {"SubnetIds": ["subnet-0123456789abcdef0"]}},
        "NotImplementedException",
        "Treadle does not implement",
    ),
    ("a runtime that nothing here runs", {"Runtime": "java21"}, INVALID, "Treadle does not run the runtime java21"),
    ("no runtime", {"Runtime": None}, INVALID, "Runtime is mandatory"),
    ("no such runtime", {"Runtime": "cobol"}, "ValidationException", "1 validation error detected: Value 'cobol' at"),
    ("no bootstrap", {"Runtime": "provided.al2023"}, INVALID, "the runtime provided.al2023 needs an executable file"),
    ("a reserved variable", {"Environment": {"Variables": {"AWS_REGION": "x"}}}, INVALID, "Lambda was unable to conf"),
    ("a variable's name", {"Environment": {"Variables": {"A=B": "x"}}}, INVALID, "Lambda was unable to configure"),
    ("much environment", {"Environment": {"Variables": {"LONG": "x" * 4_096}}}, INVALID, "Lambda was unable to conf"),
    ("time-out", {"Timeout": 901}, "ValidationException", "1 validation error detected: Value '901' at 'timeout'"),
    ("no time-out", {"Timeout": 0}, "ValidationException", "1 validation error detected: Value '0' at 'timeout'"),
    ("memory", {"MemorySize": 64}, "ValidationException", "1 validation error detected: Value '64' at 'memorySize'"),
    ("role", {"Role": "admin"}, "ValidationException", "1 validation error detected: Value 'admin' at 'role'"),
    ("name", {"FunctionName": "a b"}, "ValidationException", "1 validation error detected: Value 'a b' at 'functionN"),
    ("long name", {"FunctionName": "n" * 65}, "ValidationException", "1 validation error detected: Value 'nnn"),
    ("a qualifier", {"FunctionName": "pay:live"}, INVALID, "The function name must not have a qualifier"),
    ("a tag", {"Tags": {"aws:x": "y"}}, INVALID, "The tag 'aws:x' is not valid"),
    ("tags", {"Tags": {str(at): "" for at in range(51)}}, INVALID, "Number of tags exceeds resource tag limit"),
    (
        "another account",
        {"FunctionName": ARN.replace("123456789012", "210987654321") + "pay"},
        "AccessDeniedException",
        "User: arn:aws:iam::123456789012:root is not authorized to perform: lambda:CreateFunction",
    ),
    (
        "another region",
        {"FunctionName": ARN.replace("eu-west-1", "us-east-2") + "pay"},
        MISSING,
        "Functions from 'us-east-2' are not reachable in this region ('eu-west-1')",
    ),
]


@pytest.mark.parametrize(
    ("changes", "name", "message"), [row[1:] for row in UNUSABLE], ids=[row[0] for row in UNUSABLE]
)
async def test_a_function_that_cannot_be_made(aws: Lambda, changes: dict[str, Any], name: str, message: str) -> None:
    request = {
        "FunctionName": "pay",
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "app.handler",
        "Code": {"ZipFile": handler()},
        **changes,
    }
    error = await aws.error("CreateFunction", **request)
    assert error[0] == name
    assert error[1].startswith(message)
    assert await aws.call("ListFunctions") == {"Functions": []}


async def test_code_changes(aws: Lambda) -> None:
    made = await aws.create(code=handler("return 1"))
    assert (await aws.call("Invoke", FunctionName="pay"))["Payload"] == b"1"
    code = handler("return 2")
    tried = await aws.call("UpdateFunctionCode", FunctionName="pay", ZipFile=code, DryRun=True)
    assert tried["CodeSha256"] != made["CodeSha256"]
    assert await aws.call("GetFunctionConfiguration", FunctionName="pay") == made
    changed = await aws.call("UpdateFunctionCode", FunctionName="pay", ZipFile=code, RevisionId=made["RevisionId"])
    assert changed["RevisionId"] != made["RevisionId"]
    assert changed["LastUpdateStatus"] == "Successful"
    assert (await aws.call("Invoke", FunctionName="pay"))["Payload"] == b"2"
    published = await aws.call("UpdateFunctionCode", FunctionName="pay", ZipFile=handler("return 3"), Publish=True)
    assert (published["Version"], published["FunctionArn"]) == ("1", ARN + "pay:1")


async def test_configuration_changes(aws: Lambda) -> None:
    await aws.create(Environment=ENVIRONMENT, code=handler("import os; return os.environ.get('STAGE')"))
    assert (await aws.call("Invoke", FunctionName="pay"))["Payload"] == b'"test"'
    changed = await aws.call(
        "UpdateFunctionConfiguration", FunctionName="pay", Timeout=9, Environment={"Variables": {"STAGE": "new"}}
    )
    assert (changed["Timeout"], changed["MemorySize"], changed["Environment"]) == (
        9,
        128,
        {"Variables": {"STAGE": "new"}},
    )
    assert (await aws.call("Invoke", FunctionName="pay"))["Payload"] == b'"new"'


@pytest.mark.parametrize(
    ("operation", "members"),
    [("UpdateFunctionCode", {"ZipFile": handler("pass")}), ("UpdateFunctionConfiguration", {"Timeout": 5})],
)
async def test_changes_that_are_refused(aws: Lambda, operation: str, members: dict[str, Any]) -> None:
    made = await aws.create()
    error = await aws.error(operation, FunctionName="pay", RevisionId="another", **members)
    assert error[0] == "PreconditionFailedException"
    assert (await aws.error(operation, FunctionName="pay:1", **members))[0] == INVALID
    assert await aws.error(operation, FunctionName="none", **members) == (MISSING, f"Function not found: {ARN}none")
    assert await aws.call("GetFunctionConfiguration", FunctionName="pay") == made


async def test_delete(aws: Lambda) -> None:
    await aws.create()
    await aws.call("PublishVersion", FunctionName="pay")
    assert await aws.call("DeleteFunction", FunctionName="pay") == {"StatusCode": 204}
    for operation in ("GetFunction", "DeleteFunction", "Invoke", "GetFunctionConfiguration"):
        assert await aws.error(operation, FunctionName="pay") == (MISSING, f"Function not found: {ARN}pay")
    assert (await aws.create())["Version"] == "$LATEST"


async def test_list_page_by_page(aws: Lambda) -> None:
    for name in ("d", "b", "a"):
        await aws.create(name)
    aws.folder.mkdir()
    (aws.folder / "c.py").write_text("def handler(event, context): return 'folder'")
    names: list[str] = []
    marker: dict[str, Any] = {}
    while True:
        page = await aws.call("ListFunctions", MaxItems=2, **marker)
        assert len(page["Functions"]) == 2
        names += [each["FunctionName"] for each in page["Functions"]]
        if "NextMarker" not in page:
            break
        marker = {"Marker": page["NextMarker"]}
    assert names == ["a", "b", "c", "d"]
    assert (await aws.error("ListFunctions", Marker="made up"))[0] == INVALID
    elsewhere = replace(CALLER, region="us-east-1")
    found = await aws.call("ListFunctions", elsewhere)
    assert [each["FunctionArn"] for each in found["Functions"]] == ["arn:aws:lambda:us-east-1:123456789012:function:c"]


async def test_functions_of_the_folder(aws: Lambda) -> None:
    await aws.create("c", code=handler("return 'made'"))
    aws.folder.mkdir()
    (aws.folder / "c.py").write_text("def handler(event, context): return 'folder'")
    assert (await aws.call("Invoke", FunctionName="c"))["Payload"] == b'"folder"'
    shown = await aws.call("GetFunction", FunctionName="c")
    assert shown["Configuration"]["Handler"] == "c.handler"
    assert shown["Code"]["Location"] == (aws.folder / "c.py").as_uri()
    assert [each["Handler"] for each in (await aws.call("ListFunctions"))["Functions"]] == ["c.handler"]
    error = ("ResourceConflictException", "c is a function of Treadle's functions folder: change it there.")
    assert await aws.error("DeleteFunction", FunctionName="c") == error
    assert await aws.error("UpdateFunctionConfiguration", FunctionName="c", Timeout=5) == error
    (aws.folder / "c.py").unlink()
    assert (await aws.call("Invoke", FunctionName="c"))["Payload"] == b'"made"'


async def test_accounts_and_regions_are_apart(aws: Lambda) -> None:
    await aws.create()
    for caller in (replace(CALLER, account="210987654321"), replace(CALLER, region="us-east-1")):
        assert (await aws.error("GetFunction", caller, FunctionName="pay"))[0] == MISSING
        assert (await aws.error("Invoke", caller, FunctionName="pay"))[0] == MISSING
        assert await aws.call("ListFunctions", caller) == {"Functions": []}


async def test_account_settings(aws: Lambda) -> None:
    code = handler()
    await aws.create(code=code)
    await aws.call("PutFunctionConcurrency", FunctionName="pay", ReservedConcurrentExecutions=10)
    settings = await aws.call("GetAccountSettings")
    assert settings["AccountUsage"] == {"TotalCodeSize": len(code), "FunctionCount": 1}
    limit = settings["AccountLimit"]
    assert (limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]) == (1_000, 990)


async def test_what_is_not_served_says_so(aws: Lambda) -> None:
    error = await aws.error("CreateCapacityProvider", CapacityProviderName="x")
    assert error == ("NotImplementedException", "Treadle does not implement the operation CreateCapacityProvider yet.")


@pytest.mark.parametrize(
    ("configs", "shown"),
    [
        ([], {"LogFormat": "Text"}),
        ([{"LogGroup": "/mine"}], {"LogFormat": "Text", "LogGroup": "/mine"}),
        (
            [{"LogFormat": "JSON"}],
            {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"},
        ),
        (
            [{"LogFormat": "JSON", "SystemLogLevel": "WARN"}, {"ApplicationLogLevel": "DEBUG"}],
            {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "WARN"},
        ),
        (
            [{"LogFormat": "JSON", "LogGroup": "/mine"}, {"LogFormat": "Text"}],
            {"LogFormat": "Text", "LogGroup": "/mine"},
        ),
    ],
)
async def test_logging_config(aws: Lambda, configs: list[dict[str, str]], shown: dict[str, str]) -> None:
    created = await aws.create()
    for config in configs:
        created = await aws.call("UpdateFunctionConfiguration", FunctionName="pay", LoggingConfig=config)
    assert created["LoggingConfig"] == {"LogGroup": "/aws/lambda/pay", **shown}


async def test_log_levels_need_json(aws: Lambda) -> None:
    await aws.create()
    config = {"SystemLogLevel": "WARN"}
    code, text = await aws.error("UpdateFunctionConfiguration", FunctionName="pay", LoggingConfig=config)
    assert (code, text) == ("InvalidParameterValueException", "SystemLogLevel can be set only if LogFormat is JSON.")
