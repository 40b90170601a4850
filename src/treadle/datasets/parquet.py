"""Rows of a Parquet file as items: objects whose members are the columns.

Parquet is read from its end, so the file is put into a temporary one first. pyarrow reads it, which is large and
therefore an extra: `pip install 'treadle[parquet]'`.
"""

from __future__ import annotations

import base64
import importlib
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any

from treadle.datasets.contract import DatasetError
from treadle.datasets.streams import ByteStream, pieces
from treadle.limits import Limits

_ROWS = 1_000
"""Held in memory as Python objects at once."""


def rows(stream: ByteStream, limits: Limits) -> Iterator[Any]:
    """Raises DatasetError."""
    try:
        pyarrow, parquet = (importlib.import_module(name) for name in ("pyarrow", "pyarrow.parquet"))
    except ImportError:
        raise DatasetError("Parquet cannot be read: pip install 'treadle[parquet]' installs what it takes") from None
    with tempfile.TemporaryFile(prefix="treadle-") as copy:
        for piece in pieces(stream):
            if stream.taken > limits.reader_parquet_bytes:
                raise DatasetError(f"A Parquet file has more than {limits.reader_parquet_bytes} bytes")
            copy.write(piece)
        try:
            for batch in parquet.ParquetFile(copy).iter_batches(batch_size=_ROWS):
                for row in batch.to_pylist():
                    yield _as_json(row)
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            raise DatasetError(f"The data is not valid Parquet: {error}") from error


def _as_json(value: Any) -> Any:
    """How AWS writes what JSON has no type for is not known."""
    match value:
        case dict():
            return {str(name): _as_json(member) for name, member in value.items()}
        case list() | tuple():
            return [_as_json(item) for item in value]
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case bytes():
            return base64.b64encode(value).decode()
        case float() if not isfinite(value):
            return None
        case _:
            return value
