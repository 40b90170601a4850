"""Destinations: what is written is there as a whole, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.model import OperationModel
from msgspec.structs import replace

from treadle.datasets.contract import DatasetError, Destination, Owner
from treadle.datasets.destinations import FolderDestination, S3Destination
from treadle.datasets.objects import FileObjects
from treadle.limits import DEFAULT_LIMITS
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.tasks.contract import ServiceFault
from treadle.tasks.service_calls import ServiceCalls

OWNER = Owner(account="123456789012", region="eu-west-1", role_arn="arn:aws:iam::123456789012:role/r")
LIMITS = replace(DEFAULT_LIMITS, result_part_bytes=10)


class Bucket:
    """A `ServiceCalls` that knows one bucket, and the operations that write to it."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.operations: list[str] = []
        self.faults: dict[str, Exception] = {}
        """By operation: what it fails with."""

    async def call(self, operation: OperationModel, members: dict[str, Any], **owner: str) -> Any:
        assert owner == {"account": OWNER.account, "region": OWNER.region, "token": ""}
        assert members["Bucket"] == "b"
        name = operation.name
        self.operations.append(name)
        if name in self.faults:
            raise self.faults[name]
        return SimpleNamespace(members=getattr(self, name, lambda members: {})(members))

    def PutObject(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 (AWS's name)
        self.objects[members["Key"]] = members["Body"]
        return {}

    def CreateMultipartUpload(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 (AWS's name)
        self.uploads["u"] = {}
        return {"UploadId": "u"}

    def UploadPart(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 (AWS's name)
        self.uploads[members["UploadId"]][members["PartNumber"]] = members["Body"]
        return {"ETag": f'"{members["PartNumber"]}"'}

    def CompleteMultipartUpload(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 (AWS's name)
        parts = self.uploads.pop(members["UploadId"])
        told = members["MultipartUpload"]["Parts"]
        assert told == [{"PartNumber": number, "ETag": f'"{number}"'} for number in parts]
        assert list(parts) == list(range(1, len(parts) + 1))
        self.objects[members["Key"]] = b"".join(parts.values())
        return {}

    def AbortMultipartUpload(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 (AWS's name)
        del self.uploads[members["UploadId"]]
        return {}


def in_bucket(bucket: Bucket) -> Destination:
    return S3Destination(cast("ServiceCalls", bucket), OWNER, "b", LIMITS)


async def pieces(*contents: bytes, then: Exception | None = None) -> AsyncIterator[bytes]:
    for content in contents:
        yield content
    if then is not None:
        raise then


@pytest.mark.parametrize(
    ("contents", "operations"),
    [
        ([], ["PutObject"]),
        ([b"[", b"1", b"]"], ["PutObject"]),
        ([b"0123456789"], ["PutObject"]),
        ([b"0123456789", b"]"], ["CreateMultipartUpload", "UploadPart", "UploadPart", "CompleteMultipartUpload"]),
        ([b"x"] * 35, ["CreateMultipartUpload", *["UploadPart"] * 4, "CompleteMultipartUpload"]),
    ],
)
async def test_objects_small_and_long(contents: list[bytes], operations: list[str]) -> None:
    bucket = Bucket()
    size = await in_bucket(bucket).write("a/b.json", pieces(*contents))
    whole = b"".join(contents)
    assert (size, bucket.objects, bucket.uploads) == (len(whole), {"a/b.json": whole}, {})
    assert bucket.operations == operations


@pytest.mark.parametrize("operation", ["PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
async def test_nothing_is_there_if_s3_refuses(operation: str) -> None:
    bucket = Bucket()
    bucket.faults[operation] = ServiceFault("AccessDenied", "Access Denied", 403, "r")
    content = [b"1"] if operation == "PutObject" else [b"x" * 10] * 3
    with pytest.raises(DatasetError, match=r"Access Denied \(Service: Amazon S3; Status Code: 403"):
        await in_bucket(bucket).write("k", pieces(*content))
    assert (bucket.objects, bucket.uploads) == ({}, {})


async def test_nothing_is_there_if_what_is_written_breaks_off() -> None:
    bucket = Bucket()
    with pytest.raises(ZeroDivisionError):
        await in_bucket(bucket).write("k", pieces(b"x" * 10, b"y" * 10, then=ZeroDivisionError()))
    assert (bucket.objects, bucket.uploads, bucket.operations[-1]) == ({}, {}, "AbortMultipartUpload")


async def test_an_upload_that_cannot_even_be_aborted() -> None:
    """The first error is the one that counts."""
    bucket = Bucket()
    bucket.faults = {
        "UploadPart": NeighbourUnavailable("gone"),
        "AbortMultipartUpload": NeighbourUnavailable("still gone"),
    }
    with pytest.raises(DatasetError, match="Unable to execute HTTP request: gone"):
        await in_bucket(bucket).write("k", pieces(b"x" * 10, b"y"))


async def test_a_bucket_that_is_not_there() -> None:
    bucket = Bucket()
    await in_bucket(bucket).check()
    bucket.faults["HeadBucket"] = ServiceFault("404", "Not Found", 404, "r")
    with pytest.raises(DatasetError, match="Not Found"):
        await in_bucket(bucket).check()


# -- folders -------------------------------------------------------------------------------------------------


def in_folder(folder: Path, *roots: Path) -> Destination:
    return FolderDestination(FileObjects(roots or [folder]), folder.as_uri())


def contents(folder: Path) -> dict[str, bytes]:
    """Of all files in it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_a_file_is_written_as_a_whole(tmp_path: Path) -> None:
    destination = in_folder(tmp_path)
    await destination.check()
    assert await destination.write("jobs/1/a.json", pieces(b"[1", b"]")) == 3
    assert await destination.write("jobs/1/a.json", pieces(b"[]")) == 2
    assert contents(tmp_path) == {"jobs/1/a.json": b"[]"}


async def test_a_file_is_not_there_if_what_is_written_breaks_off(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"before")
    for key in ("a.json", "b.json"):
        with pytest.raises(ZeroDivisionError):
            await in_folder(tmp_path).write(key, pieces(b"[1", then=ZeroDivisionError()))
    assert contents(tmp_path) == {"a.json": b"before"}


async def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"taken/a.json' cannot be written: "):
        await in_folder(tmp_path).write("taken/a.json", pieces(b"[]"))


@pytest.mark.parametrize("key", ["../out.json", "a/../../out.json", "/etc/out.json", "a\0b"])
async def test_files_outside_of_the_folder_are_refused(tmp_path: Path, key: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(DatasetError, match="is not a file of"):
        await in_folder(folder).write(key, pieces(b"[]"))
    assert contents(tmp_path) == {}


async def test_a_link_does_not_lead_out(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(DatasetError, match="is not a file of"):
        await in_folder(folder).write("link/out.json", pieces(b"[]"))
    with pytest.raises(DatasetError, match="--dataset-folders"):
        await in_folder(folder / "link", folder).check()


async def test_folders_that_may_not_be_used(tmp_path: Path) -> None:
    allowed = tmp_path / "in"
    allowed.mkdir()
    for folder in (tmp_path, tmp_path / "inside", allowed / ".." / "out"):
        with pytest.raises(DatasetError, match="--dataset-folders"):
            await in_folder(folder, allowed).check()
    with pytest.raises(DatasetError, match="--dataset-folders"):
        await FolderDestination(FileObjects([allowed]), "file://elsewhere/in").check()


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be written to"):
        await in_folder(tmp_path / "missing", tmp_path).check()
