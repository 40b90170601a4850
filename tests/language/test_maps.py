"""What is wrong with the objects and the label of a Map state."""

from __future__ import annotations

from typing import Any

import pytest

from tests.language.builders import PASS, machine, map_state, parsed

SCHEMA = "SCHEMA_VALIDATION_FAILED"
AT = "/States/X"
GET = "arn:aws:states:::s3:getObject"


def findings(definition: Any) -> list[str]:
    return [str(found) for found in parsed(definition).diagnostics]


def reader(**config: Any) -> dict[str, Any]:
    return map_state(ItemReader={"Resource": GET, "ReaderConfig": config, "Parameters": {"Bucket": "b"}})


RIGHT = {
    "CSV": reader(InputType="CSV", CSVHeaderLocation="FIRST_ROW", CSVDelimiter="TAB", MaxItems=100_000_000),
    "CSV with headers": reader(InputType="CSV", CSVHeaderLocation="GIVEN", CSVHeaders=["a"], MaxItemsPath="$.n"),
    "JSON": reader(InputType="JSON", ItemsPointer="/a"),
    "JSON lines": reader(InputType="JSONL"),
    "manifest": reader(ManifestType="ATHENA_DATA", InputType="PARQUET"),
    "listed objects": map_state(ItemReader={"Resource": "arn:aws-cn:states:::s3:listObjectsV2", "Parameters": {}}),
    "batches": map_state(ItemBatcher={"MaxItemsPerBatch": 0, "MaxInputBytesPerBatchPath": "$.n", "BatchInput": {}}),
    "empty batcher": map_state(ItemBatcher={}),
    "written results": map_state(
        ResultWriter={
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": "b"},
            "WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSONL"},
        }
    ),
    "empty writer": map_state(ResultWriter={}),
    "tolerated failures": map_state(ToleratedFailurePercentage=12.5, ToleratedFailureCount=10**30),
    "label": map_state(Label="Map-1_é"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right(name: str) -> None:
    assert findings(RIGHT[name]) == []


WRONG: dict[str, tuple[Any, list[str]]] = {
    "reader without resource": (
        map_state(ItemReader={}),
        [f"{SCHEMA}: These fields are required: [Resource] at {AT}/ItemReader"],
    ),
    "reader of something else": (
        map_state(ItemReader={"Resource": "arn:aws:states:::s3:putObject"}),
        [f"{SCHEMA}: The field 'Resource' does not match any of the allowed values at {AT}/ItemReader/Resource"],
    ),
    "unknown field of a reader": (
        map_state(ItemReader={"Resource": GET, "Bucket": "b"}),
        [f"{SCHEMA}: Field 'Bucket' is not supported at {AT}/ItemReader"],
    ),
    "CSV without header location": (
        reader(InputType="CSV"),
        [f"{SCHEMA}: The field 'CSVHeaderLocation' is required but was missing at {AT}/ItemReader/ReaderConfig"],
    ),
    "JSON with header location": (
        reader(InputType="JSON", CSVHeaderLocation="FIRST_ROW"),
        [f"{SCHEMA}: Field 'CSVHeaderLocation' is not supported at {AT}/ItemReader/ReaderConfig"],
    ),
    "no headers": (
        reader(InputType="CSV", CSVHeaderLocation="GIVEN"),
        [f"{SCHEMA}: These fields are required: [CSVHeaders] at {AT}/ItemReader/ReaderConfig"],
    ),
    "input type": (
        reader(InputType="XML"),
        [
            f"{SCHEMA}: Value should be one of the following: [CSV, JSON, JSONL, PARQUET, MANIFEST] "
            f"at {AT}/ItemReader/ReaderConfig/InputType"
        ],
    ),
    "too many items": (
        reader(InputType="JSON", MaxItems=100_000_001),
        [f"{SCHEMA}: Maximum value is 100000000 at {AT}/ItemReader/ReaderConfig/MaxItems"],
    ),
    "items twice": (
        reader(InputType="JSON", MaxItems=1, MaxItemsPath="$.n"),
        [
            f"{SCHEMA}: There should only be one of the following fields: [MaxItems, MaxItemsPath] "
            f"at {AT}/ItemReader/ReaderConfig"
        ],
    ),
    "batch size": (
        map_state(ItemBatcher={"MaxItemsPerBatch": -1, "MaxInputBytesPerBatch": "1"}),
        [
            f"{SCHEMA}: Minimum value is 0 at {AT}/ItemBatcher/MaxItemsPerBatch",
            f"{SCHEMA}: Expected value of type Integer at {AT}/ItemBatcher/MaxInputBytesPerBatch",
        ],
    ),
    "writer to something else": (
        map_state(ResultWriter={"Resource": GET}),
        [f"{SCHEMA}: The field 'Resource' does not match any of the allowed values at {AT}/ResultWriter/Resource"],
    ),
    "form of results": (
        map_state(ResultWriter={"WriterConfig": {"OutputType": "CSV"}}),
        [f"{SCHEMA}: Value should be one of the following: [JSON, JSONL] at {AT}/ResultWriter/WriterConfig/OutputType"],
    ),
    "arguments in JSONPath": (
        map_state(ResultWriter={"Arguments": {}}),
        [
            f"{SCHEMA}: The QueryLanguage is set to 'JSONPath', but field 'Arguments' is only supported for the "
            f"'JSONata' QueryLanguage at {AT}/ResultWriter"
        ],
    ),
    "path in JSONata": (
        map_state(QueryLanguage="JSONata", ItemBatcher={"MaxItemsPerBatchPath": "$.n"}),
        [
            f"{SCHEMA}: The QueryLanguage is set to 'JSONata', but field 'MaxItemsPerBatchPath' is only supported "
            f"for the 'JSONPath' QueryLanguage at {AT}/ItemBatcher"
        ],
    ),
    "share of failures": (
        map_state(ToleratedFailurePercentage=-0.5),
        [f"{SCHEMA}: Minimum value is 0.0 at {AT}/ToleratedFailurePercentage"],
    ),
    "more than all failures": (
        map_state(ToleratedFailurePercentage=101),
        [f"{SCHEMA}: Maximum value is 100.0 at {AT}/ToleratedFailurePercentage"],
    ),
    "empty label": (
        map_state(Label=""),
        [f"INVALID_LABEL_NAME: Invalid Label name: a name must have at least one character at {AT}/Label"],
    ),
    "long label": (
        map_state(Label="l" * 41),
        [
            f"INVALID_LABEL_NAME: Invalid Label name: {'l' * 41} exceeds the 40-character limit allowed by the "
            f"service at {AT}/Label"
        ],
    ),
    "label with a space": (
        map_state(Label="a b"),
        [f"INVALID_LABEL_NAME: Invalid Label name: a b contains characters that are not allowed at {AT}/Label"],
    ),
    "one label twice": (
        machine(
            X={**map_state(Label="l")["States"]["X"], "End": False, "Next": "Y"},
            Y={
                **map_state(Label="l")["States"]["X"],
                "ItemProcessor": {"StartAt": "J", "States": {"J": PASS}},
            },
        ),
        ["DUPLICATE_LABEL_NAME: Duplicate Label name: l at /States/Y/Label"],
    ),
    "items in JSONata": (
        map_state(QueryLanguage="JSONata", Items="$states.input"),
        [f"{SCHEMA}: JSONata string must start with {{% and end with %}} at {AT}/Items"],
    ),
    "items of another type": (
        map_state(QueryLanguage="JSONata", Items=5),
        [f"{SCHEMA}: Expected value of type [ARRAY] at {AT}/Items"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name: str) -> None:
    definition, expected = WRONG[name]
    assert findings(definition) == expected
