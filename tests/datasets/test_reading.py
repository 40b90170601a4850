"""Datasets as map runs read them: piece by piece, and the same again after a restart."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.datasets.streams import MemoryObjects, version_of
from treadle.datasets.contract import DatasetError
from treadle.datasets.objects import FileObjects, Objects
from treadle.datasets.reading import Reading
from treadle.engine.map_children import ItemSource, Value
from treadle.limits import DEFAULT_LIMITS

CSV: dict[str, Any] = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
OBJECTS = {
    "list.json": b"[1, 2, 3]",
    "rows/": b"",
    "rows/1.csv": b"a\n1\n2\n",
    "rows/2.csv": b"a\n3\n",
    "rows/3.csv": b"a\n4\n",
    "unload.csv": b"s3://b/rows/2.csv\ns3://b/rows/1.csv\n",
    "inventory.json": json.dumps(
        {"fileFormat": "CSV", "fileSchema": "Bucket, Key", "files": [{"key": "inventory.csv.gz"}]}
    ).encode(),
    "inventory.csv.gz": gzip.compress(b'"b","x"\n"b","y"\n'),
}


def source(key: str = "list.json", /, most: int = 0, **config: Any) -> ItemSource:
    parameters = {"Bucket": "b", "Key": key}
    return ItemSource(action="getObject", parameters=parameters, config=config, most_items=most)


def listing(prefix: str = "rows/", /, most: int = 0, **config: Any) -> ItemSource:
    parameters = {"Bucket": "b", "Prefix": prefix}
    return ItemSource(action="listObjectsV2", parameters=parameters, config=config, most_items=most)


class Shelf:
    """A bucket, and what has been noted of the dataset that is read from it."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.objects = MemoryObjects(OBJECTS)
        self.notes: list[bytes] = []
        self.limits = DEFAULT_LIMITS
        self._threads = threads

    def open(self, wanted: ItemSource, objects: Objects | None = None) -> Reading:
        return Reading(wanted, objects or self.objects, self._threads, self.limits, self.notes)

    async def values(self, wanted: ItemSource, objects: Objects | None = None) -> Sequence[Value]:
        reading, values = self.open(wanted, objects), list[Value]()
        while (piece := await reading.read()) is not None:
            values += piece.values
            self.notes += [] if piece.note is None else [piece.note]
        await reading.close()
        return values

    async def items(self, wanted: ItemSource, objects: Objects | None = None) -> list[Any]:
        return [value for value, _ in await self.values(wanted, objects)]


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    with ThreadPoolExecutor(1) as threads:
        yield Shelf(threads)


FLATTENED = [({"a": "1"}, "S3://b/rows/1.csv"), ({"a": "2"}, "S3://b/rows/1.csv"), ({"a": "3"}, "S3://b/rows/2.csv")]

CASES: dict[str, tuple[ItemSource, list[Value]]] = {
    "object": (source(), [(1, "S3://b/list.json"), (2, "S3://b/list.json"), (3, "S3://b/list.json")]),
    "no more than MaxItems": (source(most=2), [(1, "S3://b/list.json"), (2, "S3://b/list.json")]),
    "flattened": (listing(Transformation="LOAD_AND_FLATTEN", **CSV), [*FLATTENED, ({"a": "4"}, "S3://b/rows/3.csv")]),
    "flattened, no more than MaxItems": (listing(most=3, Transformation="LOAD_AND_FLATTEN", **CSV), FLATTENED),
    "what Athena unloaded": (
        source("unload.csv", ManifestType="ATHENA_DATA", **CSV),
        [({"a": "3"}, "S3://b/rows/2.csv"), *FLATTENED[:2]],
    ),
    "inventory": (
        source("inventory.json", ManifestType="S3_INVENTORY"),
        [
            ({"Bucket": "b", "Key": "x"}, "S3://b/inventory.csv.gz"),
            ({"Bucket": "b", "Key": "y"}, "S3://b/inventory.csv.gz"),
        ],
    ),
    "nothing listed": (listing("none/"), []),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_values(shelf: Shelf, case: tuple[ItemSource, list[Value]]) -> None:
    wanted, values = case
    assert await shelf.values(wanted) == values
    assert await shelf.values(wanted) == values  # from the notes
    assert all(stream.stopped for stream in shelf.objects.streams)


async def test_a_listing(shelf: Shelf) -> None:
    """Recorded: map_item_reader_base_list_objects_v2."""
    shelf.objects.page = 3
    items = await shelf.items(listing())
    assert items[1] == {
        "Etag": version_of(b"a\n1\n2\n"),
        "LastModified": 1_700_000_000.0,
        "Key": "rows/1.csv",
        "Size": 6,
        "StorageClass": "STANDARD",
    }
    assert [item["Key"] for item in items] == ["rows/", "rows/1.csv", "rows/2.csv", "rows/3.csv"]


@pytest.mark.parametrize("noted", [1, 2, 3])
async def test_what_was_listed_stays_as_it_was(shelf: Shelf, noted: int) -> None:
    """Also where the server ended in the middle of the listing: each page has two objects."""
    before = await shelf.items(listing())
    shelf.notes = shelf.notes[:noted]
    shelf.objects.objects["rows/0.csv"] = b"new"
    del shelf.objects.objects["rows/1.csv"]
    assert await shelf.items(listing()) == before


async def test_an_object_that_has_changed_is_not_read_on(shelf: Shelf) -> None:
    await shelf.items(source())
    shelf.objects.objects["list.json"] = b"[0, 1, 2, 3]"
    with pytest.raises(DatasetError):
        await shelf.items(source())


@pytest.mark.parametrize(
    ("wanted", "fails"),
    [
        (source(most=-1), "field MaxItems must be positive"),  # recorded: map_item_reader_csv_max_items_paths---1
        (source("missing"), "The specified key does not exist."),
        (source(InputType="JSONL", ManifestType="ATHENA_DATA"), "names no object"),
        (ItemSource(action="getObject", parameters={"Bucket": "b"}, config={}, most_items=0), "'Key' must be a text"),
        (ItemSource(action="getObject", parameters=[], config={}, most_items=0), "'Bucket' must be a text"),
        (ItemSource(action="listObjectsV2", parameters={"Bucket": 7}, config={}, most_items=0), "'Bucket' must be"),
    ],
)
async def test_it_cannot_be_read(shelf: Shelf, wanted: ItemSource, fails: str) -> None:
    with pytest.raises(DatasetError) as raised:
        await shelf.items(wanted)
    assert fails in str(raised.value)


async def test_pieces_are_small(shelf: Shelf) -> None:
    shelf.objects.objects["big.csv"] = b"a\n" + b"xxxx\n" * 10_000
    shelf.objects.objects["wide.json"] = json.dumps(["x" * 100_000] * 40).encode()
    for key, config, most in (("big.csv", CSV, 1_000), ("wide.json", {}, 12)):
        reading, sizes = shelf.open(source(key, **config)), []
        while (piece := await reading.read()) is not None:
            sizes.append(len(piece.values))
        assert max(sizes) <= most


async def test_whoever_stops_reading_leaves_nothing_open(shelf: Shelf) -> None:
    reading = shelf.open(source())
    await reading.read()
    await reading.close()
    assert [stream.stopped for stream in shelf.objects.streams] == [True]


# -- files ---------------------------------------------------------------------------------------------------


def of_file(folder: Path | str, key: str | None = None, **config: Any) -> ItemSource:
    bucket = folder.as_uri() if isinstance(folder, Path) else folder
    if key is None:
        return ItemSource(action="listObjectsV2", parameters={"Bucket": bucket}, config=config, most_items=0)
    return ItemSource(action="getObject", parameters={"Bucket": bucket, "Key": key}, config=config, most_items=0)


async def test_files(shelf: Shelf, tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    (folder / "deep").mkdir(parents=True)
    for name in ("2.json", "1.json", "deep/3.json"):
        (folder / name).write_text("[1]")
    files = FileObjects([tmp_path])
    assert await shelf.items(of_file(folder, "deep/3.json"), files) == [1]
    shelf.notes.clear()
    listed = await shelf.values(of_file(folder), files)
    assert [item["Key"] for item, _ in listed] == ["1.json", "2.json", "deep/3.json"]
    assert {origin for _, origin in listed} == {folder.as_uri()}


async def test_files_that_go_while_they_are_listed(tmp_path: Path) -> None:
    for number in range(1_001):
        (tmp_path / f"{number:04}.json").write_text("[1]")
    (tmp_path / "link.json").symlink_to(tmp_path / "nowhere.json")
    parameters, files = {"Bucket": tmp_path.as_uri()}, FileObjects([tmp_path])
    (tmp_path / "0001.json").unlink()
    first = await files.entries(parameters, None)
    assert [first[0].key, first[1].key, len(first)] == ["0000.json", "0002.json", 1_000]
    (tmp_path / "0000.json").unlink()
    assert await files.entries(parameters, first[-1].key) == []


async def test_a_folder_that_cannot_be_looked_into(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("[1]")
    files = FileObjects([tmp_path])
    parameters = {"Bucket": tmp_path.as_uri()}
    await files.entries(parameters, None)
    (tmp_path / "a").unlink()
    (tmp_path / "a").symlink_to("a")
    with pytest.raises(DatasetError, match=r"'.*/a' cannot be read: Too many levels of symbolic links"):
        await files.entries(parameters, None)


async def test_a_file_that_has_changed(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1]")
    await shelf.items(of_file(tmp_path, "list.json"), FileObjects([tmp_path]))
    os.utime(tmp_path / "list.json", (1, 1))
    with pytest.raises(DatasetError, match="has changed"):
        await shelf.items(of_file(tmp_path, "list.json"), FileObjects([tmp_path]))


@pytest.mark.parametrize(
    ("bucket", "key"),
    [
        ("data", "../secret.json"),
        ("data", "/etc/hostname"),
        ("data", "link.json"),
        ("data/..", "secret.json"),
        ("", "x"),
        ("%00", "x"),
    ],
)
async def test_files_outside_of_the_folders(shelf: Shelf, tmp_path: Path, bucket: str, key: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "secret.json").write_text("[1]")
    (tmp_path / "data" / "link.json").symlink_to(tmp_path / "secret.json")
    wanted = of_file(f"{tmp_path.as_uri()}/{bucket}", key)
    with pytest.raises(DatasetError):
        await shelf.items(wanted, FileObjects([tmp_path / "data"]))


async def test_no_folders(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(DatasetError, match="--dataset-folders"):
        await shelf.items(of_file(tmp_path, "list.json"), FileObjects([]))


# -- Parquet -------------------------------------------------------------------------------------------------


async def test_parquet(shelf: Shelf, tmp_path: Path) -> None:
    pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")  # it has no types
    table = pyarrow.table({"n": [1, 2], "s": ["a", None], "l": [[1.5], []], "b": [b"x", b"y"]})
    parquet.write_table(table, tmp_path / "t.parquet")
    shelf.objects.objects["t.parquet"] = (tmp_path / "t.parquet").read_bytes()
    assert await shelf.items(source("t.parquet", InputType="PARQUET")) == [
        {"n": 1, "s": "a", "l": [1.5], "b": "eA=="},
        {"n": 2, "s": None, "l": [], "b": "eQ=="},
    ]


async def test_no_parquet(shelf: Shelf) -> None:
    with pytest.raises(DatasetError, match="not valid Parquet"):
        await shelf.items(source("list.json", InputType="PARQUET"))


async def test_too_much_parquet(shelf: Shelf) -> None:
    shelf.limits = replace(DEFAULT_LIMITS, reader_parquet_bytes=5)
    with pytest.raises(DatasetError, match="more than 5 bytes"):
        await shelf.items(source("list.json", InputType="PARQUET"))
