"""What the formats of an ItemReader make of bytes, in pieces of any size."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from tests.datasets.streams import PieceStream
from treadle.datasets import csv_rows, json_values, manifests
from treadle.datasets.contract import DatasetError
from treadle.datasets.csv_rows import in_hash_order
from treadle.datasets.streams import ByteStream, GzipStream
from treadle.limits import DEFAULT_LIMITS

LIMITS = replace(DEFAULT_LIMITS, reader_line_characters=200, reader_header_bytes=100)
FIRST_ROW = {"CSVHeaderLocation": "FIRST_ROW"}


def given(*headers: str, **config: str) -> dict[str, Any]:
    return {"CSVHeaderLocation": "GIVEN", "CSVHeaders": list(headers), **config}


class Case(Struct):
    config: dict[str, Any]
    text: str | bytes
    items: list[Any] | None = None
    fails: str | None = None
    """A part of the message."""


CASES = {
    # recorded: map_item_reader_base_csv_headers_decl
    "csv, headers given": Case(
        given("H1", "H2", "H3"),
        "Value1,Value2,Value3\n,,,\ntrue,1,'HelloWorld'\nNull,None,\n   \n",
        [
            {"H1": "Value1", "H2": "Value2", "H3": "Value3"},
            {"H1": "", "H2": "", "H3": ""},
            {"H1": "true", "H2": "1", "H3": "'HelloWorld'"},
            {"H1": "Null", "H2": "None", "H3": ""},
            {"H1": "   ", "H2": "", "H3": ""},
        ],
    ),
    # recorded: map_item_reader_csv_first_row_extra_fields
    "csv, surplus cells": Case(FIRST_ROW, "H1,\nValue4,Value5,Value6\n", [{"": "Value5", "H1": "Value4"}]),
    # recorded: map_item_reader_csv_headers_decl_duplicate_headers
    "csv, headers twice": Case(given("H1", "H1"), "a,b\n", fails="CSV headers cannot contain duplicates."),
    "csv, headers twice in the first row": Case(FIRST_ROW, "a,a\n1,2\n", fails="cannot contain duplicates"),
    "csv, quotes": Case(
        FIRST_ROW, 'a,b\n"x, y","he said ""hi"""\n"two\nlines",2\n',
        [{"a": "x, y", "b": 'he said "hi"'}, {"a": "two\nlines", "b": "2"}],
    ),
    "csv, ends of DOS and empty lines": Case(FIRST_ROW, "a,b\r\n\r\n1,2\r\n\n3,4", [
        {"a": "1", "b": "2"}, {"a": "3", "b": "4"},
    ]),
    "csv, byte order mark": Case(FIRST_ROW, b"\xef\xbb\xbfa\n1\n", [{"a": "1"}]),
    "csv, other letters": Case(FIRST_ROW, "ä\n日本\n", [{"ä": "日本"}]),
    "csv, not UTF-8": Case(FIRST_ROW, b"a\n\xff\xfe\n", fails="not encoded in UTF-8"),
    "csv, cut off in a letter": Case(FIRST_ROW, "a\nä".encode()[:-1], fails="not encoded in UTF-8"),
    "csv, semicolons": Case({**FIRST_ROW, "CSVDelimiter": "SEMICOLON"}, "a;b\n1;2", [{"a": "1", "b": "2"}]),
    "csv, tabs": Case(given("a", "b", CSVDelimiter="TAB"), "1\t2\n", [{"a": "1", "b": "2"}]),
    "csv, pipes": Case(given("a", "b", CSVDelimiter="PIPE"), "1|2\n", [{"a": "1", "b": "2"}]),
    "csv, spaces": Case(given("a", "b", CSVDelimiter="SPACE"), "1 2\n", [{"a": "1", "b": "2"}]),
    "csv, nothing at all": Case(FIRST_ROW, "", []),
    "csv, only headers": Case(FIRST_ROW, "a,b\n", []),
    "csv, a line without an end": Case(FIRST_ROW, "a\n" + "x" * 500, fails="A line has more than 200 characters"),
    "csv, a quote without an end": Case(FIRST_ROW, 'a\n"' + "x\n" * 500, fails="not valid CSV"),
    "csv, too many letters in headers": Case(FIRST_ROW, "a" * 150 + "\n", fails="more than 100 bytes"),
    "json": Case(
        {"InputType": "JSON"},
        ' [1, "a", {"b": [null, true]}, [], -1.5e3, 12 ] ',
        [1, "a", {"b": [None, True]}, [], -1500.0, 12],
    ),
    "json, nothing in it": Case({"InputType": "JSON"}, "[ ]", []),
    # recorded: map_item_reader_json_no_json_list_object
    "json, an object": Case({}, '{"Hello": "world"}', fails="Attempting to map over non-iterable node."),
    "json, a text": Case({"InputType": "JSON"}, '"x"', fails="non-iterable"),
    "json, empty": Case({"InputType": "JSON"}, "", fails="non-iterable"),
    "json, pointer": Case(
        {"InputType": "JSON", "ItemsPointer": "/a~1b/1/c~0d"},
        '{"x": {"y": [1, {"z": "]}"}]}, "a/b": [{"c~d": 1}, {"n": null, "c~d": [7, 8]}], "after": ...',
        [7, 8],
    ),
    "json, pointer to nothing": Case({"ItemsPointer": "/a/b"}, '{"a": {"c": []}}', fails="non-iterable"),
    "json, pointer behind the end": Case({"ItemsPointer": "/2"}, "[[], []]", fails="non-iterable"),
    "json, no pointer": Case({"ItemsPointer": "a"}, "[]", fails="not a JSON pointer"),
    "json, cut off": Case({}, "[1, 2", fails="not valid JSON"),
    "json, a comma too many": Case({}, "[1, ]", fails="not valid JSON"),
    "json, no comma": Case({}, "[1 2]", fails="not valid JSON"),
    "json, no number": Case({}, "[NaN]", fails="not valid JSON"),
    "json, a long item": Case({}, '["' + "x" * 500 + '"]', fails="An item has more than 200 characters"),
    "json, much of no interest": Case({"ItemsPointer": "/b"}, json.dumps({"a": list(range(500)), "b": [1]}), [1]),
    "json, deep": Case({}, "[" * 100_000, fails=""),
    "json, deep and passed over": Case({"ItemsPointer": "/b"}, '{"a": ' + "[" * 5_000, fails="nested too deeply"),
    "jsonl": Case({"InputType": "JSONL"}, '{"a": 1}\n\n 2 \r\n"x"', [{"a": 1}, 2, "x"]),
    "jsonl, a bad line": Case({"InputType": "JSONL"}, '1\n{"a": }\n', fails="Line 2 is not valid JSON"),
}  # fmt: skip


def parsed(config: dict[str, Any], stream: ByteStream) -> Iterator[Any]:
    if "CSVHeaderLocation" in config:
        return csv_rows.rows(stream, config, LIMITS)
    if config.get("InputType") == "JSONL":
        return json_values.line_items(stream, LIMITS)
    return json_values.array_items(stream, config, LIMITS)


@pytest.mark.parametrize("size", [1, 7, 65_536])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_items(case: Case, size: int) -> None:
    content = case.text if isinstance(case.text, bytes) else case.text.encode()
    stream = PieceStream(content, size)
    if case.fails is None:
        items = list(parsed(case.config, stream))
        assert (items, [list(item) for item in items if isinstance(item, dict)]) == (
            case.items,
            [list(item) for item in case.items or [] if isinstance(item, dict)],
        )
    else:
        with pytest.raises(DatasetError) as raised:
            list(parsed(case.config, stream))
        assert case.fails in str(raised.value)


def test_a_long_line_is_given_up_before_it_is_read() -> None:
    stream = PieceStream(b"a\n" + b"x" * 10_000_000)
    with pytest.raises(DatasetError):
        list(csv_rows.rows(stream, FIRST_ROW, LIMITS))
    assert stream.taken < 200_000


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        # recorded: map_item_reader_csv_headers_first_row_typed_headers
        (["0", "True", "{}"], ["0", "{}", "True"]),
        (["H3", "H2", "H1"], ["H1", "H2", "H3"]),
        (["Aa", "BB"], ["Aa", "BB"]),  # one hash: as they came
        (["BB", "Aa"], ["BB", "Aa"]),
        ([], []),
    ],
)
def test_columns_come_in_the_order_of_their_hashes(names: list[str], ordered: list[str]) -> None:
    assert in_hash_order(names) == ordered


INVENTORY = {
    "sourceBucket": "b",
    "destinationBucket": "arn:aws:s3:::reports",
    "fileFormat": "CSV",
    "fileSchema": "Bucket, Key, Size",
    "files": [{"key": "data/1.csv.gz", "size": 1}],
}


def test_an_inventory() -> None:
    stream = PieceStream(json.dumps(INVENTORY).encode(), 10)
    (file,) = manifests.inventory_files(stream, LIMITS)
    assert (file.bucket, file.key, file.columns) == ("reports", "data/1.csv.gz", ["Bucket", "Key", "Size"])
    # two members, one after another, as some writers make them
    packed = gzip.compress(b'"b","a+b%2Fc","1"\n') + gzip.compress(b'"b","d","2"\n')
    rows = list(manifests.inventory_rows(GzipStream(PieceStream(packed, 5)), file.columns, LIMITS))
    assert rows == [{"Bucket": "b", "Key": "a b/c", "Size": "1"}, {"Bucket": "b", "Key": "d", "Size": "2"}]


@pytest.mark.parametrize(
    ("manifest", "fails"),
    [
        ("[]", "not that of an S3 inventory"),
        ("{", "not valid JSON"),
        ('{"files": [], "fileFormat": "ORC"}', "format ORC"),
        ('{"files": [{}], "fileFormat": "CSV"}', "without a key"),
    ],
)
def test_no_inventory(manifest: str, fails: str) -> None:
    with pytest.raises(DatasetError) as raised:
        list(manifests.inventory_files(PieceStream(manifest.encode()), LIMITS))
    assert fails in str(raised.value)


def test_files_of_athena() -> None:
    stream = PieceStream(b"s3://bucket/a/b.csv\n\ns3://other/c\n")
    files = [(file.bucket, file.key) for file in manifests.athena_files(stream, LIMITS)]
    assert files == [("bucket", "a/b.csv"), ("other", "c")]
    with pytest.raises(DatasetError):
        list(manifests.athena_files(PieceStream(b"http://x/y\n"), LIMITS))


@pytest.mark.parametrize("packed", [b"no gzip", gzip.compress(b"x" * 100_000)[:-20]])
def test_bad_compression(packed: bytes) -> None:
    stream = GzipStream(PieceStream(packed))
    with pytest.raises(DatasetError):
        while stream.piece():
            pass


def test_what_is_packed_well_is_unpacked_in_pieces() -> None:
    stream = GzipStream(PieceStream(gzip.compress(b"x" * 10_000_000)))
    sizes = []
    while piece := stream.piece():
        sizes.append(len(piece))
    assert (sum(sizes), max(sizes)) == (10_000_000, 65_536)
