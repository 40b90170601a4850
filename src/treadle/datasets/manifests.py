"""Manifests: objects that list others, whose rows or items are the dataset.

S3_INVENTORY   manifest.json of an inventory in CSV: its files are compressed, and have no headers
ATHENA_DATA    what UNLOAD of Athena leaves: a line `s3://bucket/key` for each file
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote_plus

from msgspec import Struct

from treadle.datasets import csv_rows
from treadle.datasets.contract import DatasetError
from treadle.datasets.streams import ByteStream, pieces
from treadle.datasets.text import lines
from treadle.document import decode
from treadle.limits import Limits

_S3_URL = "s3://"


class DataFile(Struct, frozen=True):
    bucket: str | None
    """None: that of the manifest."""
    key: str
    columns: Sequence[str] = ()


def inventory_files(stream: ByteStream, limits: Limits) -> Iterator[DataFile]:
    """Raises DatasetError."""
    manifest = _whole(stream, limits)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), list):
        raise DatasetError("The manifest is not that of an S3 inventory")
    if manifest.get("fileFormat") != "CSV":
        raise DatasetError(f"An S3 inventory in the format {manifest.get('fileFormat')} cannot be read, only in CSV")
    columns = [column.strip() for column in str(manifest.get("fileSchema", "")).split(",")]
    bucket = str(manifest.get("destinationBucket", "")).rpartition(":")[2] or None
    for file in manifest["files"]:
        if not isinstance(file, dict) or not isinstance(file.get("key"), str):
            raise DatasetError("The manifest has a file without a key")
        yield DataFile(bucket, file["key"], columns)


def _whole(stream: ByteStream, limits: Limits) -> Any:
    text = bytearray()
    for piece in pieces(stream):
        text += piece
        if len(text) > limits.reader_manifest_bytes:
            raise DatasetError(f"The manifest has more than {limits.reader_manifest_bytes} bytes")
    try:
        return decode(bytes(text))
    except ValueError as error:
        raise DatasetError(f"The manifest is not valid JSON: {error}") from error


def inventory_rows(stream: ByteStream, columns: Sequence[str], limits: Limits) -> Iterator[dict[str, str]]:
    """`stream`: unpacked. The keys in an inventory are written as in URLs (AWS's page on inventories); what a child
    of AWS's gets is not known. Here it gets the key itself."""
    config = {"CSVHeaderLocation": "GIVEN", "CSVHeaders": list(columns)}
    for row in csv_rows.rows(stream, config, limits):
        if "Key" in row:
            row["Key"] = unquote_plus(row["Key"])
        yield row


def athena_files(stream: ByteStream, limits: Limits) -> Iterator[DataFile]:
    """Raises DatasetError."""
    for line in lines(stream, limits.reader_line_characters):
        place = line.strip().strip('"')
        if not place:
            continue
        bucket, slash, key = place.removeprefix(_S3_URL).partition("/")
        if not place.startswith(_S3_URL) or not slash or not key:
            raise DatasetError(f"The manifest has a line that names no object: {place[:200]}")
        yield DataFile(bucket, key)
