"""Rows of delimited text as items: objects whose members are the columns.

    CSVHeaderLocation FIRST_ROW   the first row names the columns
    CSVHeaderLocation GIVEN       CSVHeaders does

All values are texts.  A row may be shorter, then what is missing is empty, or longer, then what is too much is left
out; an empty line is no row (recorded: scenarios--map_item_reader_base_csv_headers_decl, csv_first_row_extra_fields).
Quotes are those of RFC 4180.

AWS holds a row in a java.util.HashMap, and its members come in the order of that map (recorded:
scenarios--map_item_reader_csv_headers_first_row_typed_headers): by the buckets of their hashes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from treadle.datasets.contract import DatasetError
from treadle.datasets.streams import ByteStream
from treadle.datasets.text import lines
from treadle.limits import Limits

_DELIMITERS: Mapping[str, str] = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}
_INITIAL_BUCKETS = 16
_LOAD_FACTOR = 0.75


def rows(stream: ByteStream, config: Mapping[str, Any], limits: Limits) -> Iterator[dict[str, str]]:
    """`config`: a ReaderConfig. Raises DatasetError."""
    csv.field_size_limit(limits.reader_line_characters)  # of the whole process: nothing else in it reads CSV
    delimiter = _DELIMITERS[config.get("CSVDelimiter") or "COMMA"]
    cells = csv.reader(lines(stream, limits.reader_line_characters), delimiter=delimiter)
    try:
        if config.get("CSVHeaderLocation") == "GIVEN":
            headers = config.get("CSVHeaders") or []
        else:
            headers = next(filter(None, cells), [])
        columns = _columns(headers, limits)
        for row in cells:
            if row:
                width = len(row)
                yield {name: row[place] if place < width else "" for name, place in columns}
    except csv.Error as error:
        raise DatasetError(f"The data is not valid CSV: {error}") from error


def _columns(headers: Sequence[str], limits: Limits) -> list[tuple[str, int]]:
    """Name and place of each column, in the order in which AWS writes them."""
    if len(set(headers)) < len(headers):
        raise DatasetError("CSV headers cannot contain duplicates.")
    most = limits.reader_header_bytes
    if sum(len(header.encode()) for header in headers) > most:
        raise DatasetError(f"CSV headers cannot have more than {most} bytes.")
    places = {name: place for place, name in enumerate(headers)}
    return [(name, places[name]) for name in in_hash_order(headers)]


def in_hash_order(names: Sequence[str]) -> list[str]:
    """As a java.util.HashMap gives them whose keys they are."""
    buckets = _INITIAL_BUCKETS
    while len(names) > buckets * _LOAD_FACTOR:
        buckets *= 2
    return sorted(names, key=lambda name: _spread_hash(name) & (buckets - 1))


def _spread_hash(text: str) -> int:
    """java.lang.String.hashCode, spread as HashMap does."""
    code = 0
    units = text.encode("utf-16-be", "surrogatepass")
    for place in range(0, len(units), 2):
        code = (31 * code + int.from_bytes(units[place : place + 2], "big")) & 0xFFFF_FFFF
    return code ^ (code >> 16)
