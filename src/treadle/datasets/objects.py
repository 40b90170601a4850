"""Where datasets lie: in buckets of S3, or in folders of this machine.

A bucket that is a URL, `file:///srv/data`, is a folder: the same definition reads local files and S3. Only folders
below those of the settings may be read and written.
"""

from __future__ import annotations

import asyncio
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from treadle.datasets.contract import DatasetError, Owner
from treadle.datasets.streams import AnswerStream, ByteStream, FileStream
from treadle.neighbours.contract import Incoming, NeighbourUnavailable
from treadle.tasks.contract import ServiceFault
from treadle.tasks.sdk_shapes import UnknownField, to_request
from treadle.tasks.service_calls import ServiceCalls
from treadle.tasks.service_models import load

if TYPE_CHECKING:
    from botocore.model import OperationModel

_PAGE = 1_000
"""Entries of one page of a listing, as S3's."""


class Opened(Struct, frozen=True):
    stream: ByteStream
    version: str
    """Tells this content of the object from any other."""


class Entry(Struct, frozen=True):
    """An object in a listing."""

    key: str
    version: str
    """As S3's ETag, with its quotes."""
    size: int
    modified: float
    """Seconds since the epoch."""
    storage_class: str


def is_folder(bucket: Any) -> bool:
    return isinstance(bucket, str) and bucket.startswith("file:")


class Objects(Protocol):
    """Objects by the parameters of S3's GetObject and ListObjectsV2."""

    async def open(self, parameters: dict[str, Any], version: str | None) -> Opened:
        """`version`: it must be this one. Raises DatasetError."""
        ...

    async def entries(self, parameters: dict[str, Any], after: str | None) -> Sequence[Entry]:
        """The next page by key, of those behind `after`; empty: there are no more. Raises DatasetError."""
        ...


class S3Objects:
    def __init__(self, calls: ServiceCalls, owner: Owner) -> None:
        self._calls = calls
        self._owner = owner
        self._token: str | None = None
        """Of the page that follows the last one."""

    async def open(self, parameters: dict[str, Any], version: str | None) -> Opened:
        operation, members = _request("GetObject", parameters)
        if version is not None:
            members["IfMatch"] = version
        answer = await self._get(operation, members)
        headers = {name.lower(): value.decode("latin-1") for name, value in answer.headers}
        found = headers.get(b"etag", "")

        async def rest(taken: int) -> Incoming:
            return await self._get(operation, {**members, "IfMatch": found, "Range": f"bytes={taken}-"})

        whole = "Range" not in members and found != ""
        return Opened(AnswerStream(answer, asyncio.get_running_loop(), rest if whole else None), found)

    async def _get(self, operation: OperationModel, members: dict[str, Any]) -> Incoming:
        """Raises DatasetError."""
        try:
            return await self._calls.stream(
                operation, members, account=self._owner.account, region=self._owner.region, token=""
            )
        except (ServiceFault, NeighbourUnavailable) as error:
            raise s3_failed(error) from error

    async def entries(self, parameters: dict[str, Any], after: str | None) -> Sequence[Entry]:
        operation, members = _request("ListObjectsV2", parameters)
        if self._token is not None:
            members["ContinuationToken"] = self._token
        elif after is not None:
            members["StartAfter"] = after
        try:
            answer = await self._calls.call(
                operation, members, account=self._owner.account, region=self._owner.region, token=""
            )
        except (ServiceFault, NeighbourUnavailable) as error:
            raise s3_failed(error) from error
        self._token = answer.members.get("NextContinuationToken")
        found = [_entry(member) for member in answer.members.get("Contents", [])]
        if not found and self._token is not None:  # A page of nothing but common prefixes.
            return await self.entries(parameters, after)
        return found


def _request(operation: str, parameters: dict[str, Any]) -> tuple[OperationModel, dict[str, Any]]:
    model = load("s3").operation_model(operation)
    try:
        return model, to_request(model.input_shape, parameters)
    except UnknownField as error:
        raise DatasetError(f'The field "{error.field}" is not supported by Step Functions') from error


def _entry(member: dict[str, Any]) -> Entry:
    modified = member.get("LastModified", 0)
    return Entry(
        key=member["Key"],
        version=member.get("ETag", ""),
        size=int(member.get("Size", 0)),
        modified=modified.timestamp() if isinstance(modified, datetime) else float(modified),
        storage_class=member.get("StorageClass", "STANDARD"),
    )


def s3_failed(error: ServiceFault | NeighbourUnavailable) -> DatasetError:
    """In the words of AWS's SDK for Java 1.x, as optimised integrations fail; what AWS says here is not known."""
    if isinstance(error, NeighbourUnavailable):
        return DatasetError(f"Unable to execute HTTP request: {error}")
    origin = f"Service: Amazon S3; Status Code: {error.status}; Error Code: {error.code}"
    ids = f"Request ID: {error.request_id}; S3 Extended Request ID: {error.extended_request_id}; Proxy: null"
    return DatasetError(f"{error.message} ({origin}; {ids})")


class FileObjects:
    """The files of a folder, by their paths in it."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = [root.resolve() for root in roots]
        self._keys: list[str] | None = None
        """What was found in the folder that is being listed."""

    async def open(self, parameters: dict[str, Any], version: str | None) -> Opened:
        return await asyncio.to_thread(self._open, parameters, version)

    async def entries(self, parameters: dict[str, Any], after: str | None) -> Sequence[Entry]:
        return await asyncio.to_thread(self._entries, parameters, after)

    def folder(self, bucket: str) -> Path:
        """Raises DatasetError."""
        parts = urlsplit(bucket)
        name = unquote(parts.path)
        if "\0" in name:
            raise DatasetError(f"'{bucket}' is not a folder")
        folder = Path(name).resolve()
        if parts.netloc not in ("", "localhost") or not any(folder.is_relative_to(root) for root in self._roots):
            raise DatasetError(
                f"The folder '{bucket}' is not among those that may be used; --dataset-folders names them"
            )
        return folder

    def file(self, bucket: str, key: str) -> Path:
        """Raises DatasetError."""
        folder = self.folder(bucket)
        path = None if "\0" in key else (folder / key).resolve()
        if path is None or not path.is_relative_to(folder):
            raise DatasetError(f"'{key}' is not a file of '{bucket}'")
        return path

    def _open(self, parameters: dict[str, Any], version: str | None) -> Opened:
        path = self.file(parameters["Bucket"], parameters["Key"])
        try:
            stream = FileStream(path)
            found = _version(path.stat())
        except OSError as error:
            raise DatasetError(f"'{path}' cannot be read: {error.strerror}") from error
        if version is not None and version != found:
            stream.stop()
            raise DatasetError(f"'{path}' has changed since its items were read for the first time")
        return Opened(stream, found)

    def _entries(self, parameters: dict[str, Any], after: str | None) -> Sequence[Entry]:
        folder, prefix = self.folder(parameters["Bucket"]), str(parameters.get("Prefix") or "")
        if self._keys is None:
            self._keys = sorted(key for key in _paths(folder) if key.startswith(prefix))
        first = 0 if after is None else bisect_right(self._keys, after)
        return list(islice(_existing(folder, islice(self._keys, first, None)), _PAGE))


def _existing(folder: Path, keys: Iterable[str]) -> Iterator[Entry]:
    """Without files that were deleted since they were found, and links that lead nowhere. Raises DatasetError."""
    for key in keys:
        try:
            facts = (folder / key).stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DatasetError(f"'{folder / key}' cannot be read: {error.strerror}") from error
        yield Entry(key, _version(facts), facts.st_size, facts.st_mtime, "STANDARD")


def _paths(folder: Path) -> Iterator[str]:
    for path, _, names in os.walk(folder):
        for name in names:
            yield (Path(path) / name).relative_to(folder).as_posix()


def _version(facts: os.stat_result) -> str:
    return f'"{facts.st_mtime_ns:x}-{facts.st_size:x}"'
