"""ItemReader's datasets, read piece by piece: one object, the entries of a listing, or the items of many objects.

    getObject      InputType CSV, JSON, JSONL, PARQUET   the items of the object
                   ManifestType S3_INVENTORY             the rows of the inventory's files
                   ManifestType ATHENA_DATA              the items of the files that the manifest lists
    listObjectsV2                                        what the listing says of each object
                   Transformation LOAD_AND_FLATTEN       the items of each object

(AWS's page "ItemReader (Map)".)

Theory of operation.  A dataset is an async generator of pieces.  Parsers are plain iterators over a stream of bytes;
they run in a few threads, for one piece at a time, so that neither the event loop nor memory feels how large an
object is.

The items of a map run have to be the same whenever they are read, because their order says which child is which.  So
the first time, each object's version and each page of a listing leave a note.  Read again after a restart, an
object must have the version of its note, and what was listed is taken from the notes, whatever is in the bucket now.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from itertools import islice
from typing import Any

from treadle.datasets import csv_rows, json_values, manifests, parquet
from treadle.datasets.contract import DatasetError, Piece
from treadle.datasets.objects import Entry, Objects, is_folder
from treadle.datasets.streams import ByteStream, GzipStream
from treadle.document import decode, encode
from treadle.engine.map_children import ItemSource, Value
from treadle.limits import Limits

_ITEMS = 1_000
_BYTES = 1_048_576
"""A piece is over when it has so many items, or so many bytes were read for it."""

Parse = Callable[[ByteStream], Iterator[Any]]


class Reading:
    """Implements `contract.Dataset`."""

    def __init__(
        self,
        source: ItemSource,
        objects: Objects,
        threads: ThreadPoolExecutor,
        limits: Limits,
        notes: Sequence[bytes],
    ) -> None:
        self._source = source
        self._objects = objects
        self._threads = threads
        self._limits = limits
        self._notes = deque(notes)
        self._pieces = self._limited()
        self._stream: ByteStream | None = None
        """What is being read."""

    async def read(self) -> Piece | None:
        return await anext(self._pieces, None)

    async def close(self) -> None:
        if self._stream is not None:
            self._stream.stop()
        with suppress(RuntimeError):  # It is being read: whoever does that ends by itself.
            await self._pieces.aclose()

    async def _limited(self) -> AsyncGenerator[Piece, None]:
        """All that are to be read."""
        most = self._source.most_items
        if most < 0:
            # Recorded: scenarios--map_item_reader_csv_max_items_paths---1.
            raise DatasetError("field MaxItems must be positive")
        left = most or self._limits.reader_items
        async with aclosing(self._all()) as pieces:
            async for piece in pieces:
                yield Piece(piece.values[:left], piece.note)
                left -= len(piece.values)
                if left <= 0:
                    return

    def _all(self) -> AsyncGenerator[Piece, None]:
        config, parameters = self._source.config, self._source.parameters
        listing = self._source.action == "listObjectsV2"
        _check(parameters, ("Bucket",) if listing else ("Bucket", "Key"))
        bucket = parameters["Bucket"]
        if listing and config.get("Transformation") == "LOAD_AND_FLATTEN":
            return self._flattened(bucket, parameters, _parser(config, self._limits))
        if listing:
            return self._listed(bucket, parameters)
        if config.get("ManifestType") is not None or config.get("InputType") == "MANIFEST":
            return self._of_manifest(bucket, parameters, config)
        return self._of_object(parameters, _source(bucket, parameters["Key"]), _parser(config, self._limits))

    # -- kinds ---------------------------------------------------------------------------------------------------

    async def _of_object(
        self, parameters: dict[str, Any], origin: str, parse: Parse, version: str | None = None
    ) -> AsyncGenerator[Piece, None]:
        """The items of one object. `version`: it is known already which one."""
        known = version or self._recall()
        opened = await self._objects.open(parameters, known)
        self._stream = opened.stream
        try:
            if known is None:
                yield Piece((), encode(opened.version).encode())
            values = _values(opened.stream, parse, origin)
            while taken := await self._in_thread(values, opened.stream):
                yield Piece(taken)
        finally:
            self._stream = None
            opened.stream.stop()

    async def _pages(self, parameters: dict[str, Any]) -> AsyncIterator[tuple[Sequence[Entry], bytes | None]]:
        """The pages of a listing, and for those that are new the note to be kept."""
        after = None
        while (known := self._recall()) is not None:
            page = [Entry(*facts) for facts in known]
            if not page:
                return
            after = page[-1].key
            yield page, None
        while True:
            page = list(await self._objects.entries(parameters, after))
            yield page, encode(page_facts(page)).encode()
            if not page:
                return
            after = page[-1].key

    async def _listed(self, bucket: str, parameters: dict[str, Any]) -> AsyncGenerator[Piece, None]:
        origin = _source(bucket)
        async for page, note in self._pages(parameters):
            yield Piece([(_item(entry), origin) for entry in page], note)

    async def _flattened(self, bucket: str, parameters: dict[str, Any], parse: Parse) -> AsyncGenerator[Piece, None]:
        """The items of all listed objects that are not empty, as the markers of folders are. The whole listing comes
        first, and so do its notes."""
        listed: list[tuple[str, str]] = []
        async for page, note in self._pages(parameters):
            listed += [(entry.key, entry.version) for entry in page if entry.size]
            yield Piece((), note)
        for key, version in listed:
            one = {"Bucket": bucket, "Key": key}
            async with aclosing(self._of_object(one, _source(bucket, key), parse, version)) as pieces:
                async for piece in pieces:
                    yield piece

    async def _of_manifest(
        self, bucket: str, parameters: dict[str, Any], config: Mapping[str, Any]
    ) -> AsyncGenerator[Piece, None]:
        athena = config.get("ManifestType") == "ATHENA_DATA"
        read = manifests.athena_files if athena else manifests.inventory_files
        files: list[manifests.DataFile] = []
        async for piece in self._of_object(parameters, "", lambda stream: read(stream, self._limits)):
            files += [file for file, _ in piece.values]
            if piece.note is not None:
                yield Piece((), piece.note)
        for file in files:
            parse = _parser(config, self._limits) if athena else _inventory_parser(file.columns, self._limits)
            one = {"Bucket": file.bucket or bucket, "Key": file.key}
            async with aclosing(self._of_object(one, _source(one["Bucket"], file.key), parse)) as pieces:
                async for piece in pieces:
                    yield piece

    # -- what they share -----------------------------------------------------------------------------------------

    def _recall(self) -> Any:
        """What was noted at this point the first time; None: this is the first time."""
        return decode(self._notes.popleft()) if self._notes else None

    async def _in_thread(self, values: Iterator[Value], stream: ByteStream) -> list[Value]:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, _some, values, stream)
        except asyncio.CancelledError:
            stream.stop()
            raise


def _values(stream: ByteStream, parse: Parse, origin: str) -> Iterator[Value]:
    """Nothing is parsed before the first of them is asked for, which is in a thread."""
    for value in parse(stream):
        yield value, origin


def _some(values: Iterator[Value], stream: ByteStream) -> list[Value]:
    enough = stream.taken + _BYTES
    taken: list[Value] = []
    for value in islice(values, _ITEMS):
        taken.append(value)
        if stream.taken >= enough:
            break
    return taken


def _check(parameters: Any, required: Sequence[str]) -> None:
    for name in required:
        value = parameters.get(name) if isinstance(parameters, dict) else None
        if not isinstance(value, str) or not value:
            raise DatasetError(f"The ItemReader's parameter '{name}' must be a text that is not empty")


def _source(bucket: str, key: str | None = None) -> str:
    """`$$.Map.Item.Source`, as AWS's page on the context object shows it."""
    place = bucket if is_folder(bucket) else f"S3://{bucket}"
    return place if key is None else f"{place}/{key}"


def _item(entry: Entry) -> dict[str, Any]:
    """Recorded: scenarios--map_item_reader_base_list_objects_v2."""
    return {
        "Etag": entry.version,
        "LastModified": entry.modified,
        "Key": entry.key,
        "Size": entry.size,
        "StorageClass": entry.storage_class,
    }


def page_facts(page: Sequence[Entry]) -> list[list[Any]]:
    """A page of a listing as its note has it: the fields of its entries in their order."""
    return [[entry.key, entry.version, entry.size, entry.modified, entry.storage_class] for entry in page]


def _parser(config: Mapping[str, Any], limits: Limits) -> Parse:
    match config.get("InputType"):
        case "CSV":
            return lambda stream: csv_rows.rows(stream, config, limits)
        case "JSONL":
            return lambda stream: json_values.line_items(stream, limits)
        case "PARQUET":
            return lambda stream: parquet.rows(stream, limits)
        case _:
            return lambda stream: json_values.array_items(stream, config, limits)


def _inventory_parser(columns: Sequence[str], limits: Limits) -> Parse:
    return lambda stream: manifests.inventory_rows(GzipStream(stream), columns, limits)
