"""Writes results: to a bucket of S3, in parts if they are long, or into a folder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from treadle.datasets.contract import DatasetError, Owner
from treadle.datasets.objects import FileObjects, s3_failed
from treadle.limits import Limits
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.tasks.contract import ServiceFault
from treadle.tasks.service_calls import ServiceCalls
from treadle.tasks.service_models import load

_WRITE_BYTES = 1_048_576
"""Of a file: what one turn in a thread writes."""


class S3Destination:
    """Implements `contract.Destination`."""

    def __init__(self, calls: ServiceCalls, owner: Owner, bucket: str, limits: Limits) -> None:
        self._calls = calls
        self._owner = owner
        self._bucket = bucket
        self._part_bytes = limits.result_part_bytes

    async def check(self) -> None:
        await self._call("HeadBucket")

    async def write(self, key: str, pieces: AsyncIterator[bytes]) -> int:
        parts = _parts(pieces, self._part_bytes)
        first = await anext(parts, b"")
        second = await anext(parts, None)
        if second is None:
            await self._call("PutObject", Key=key, Body=first, ContentType="application/json")
            return len(first)
        return await self._in_parts(key, [first, second], parts)

    async def _in_parts(self, key: str, read: list[bytes], parts: AsyncIterator[bytes]) -> int:
        """`read`: the parts that have been read already."""
        begun = await self._call("CreateMultipartUpload", Key=key, ContentType="application/json")
        upload = {"Key": key, "UploadId": begun["UploadId"]}
        size, tags = 0, list[dict[str, Any]]()
        try:
            while (part := read.pop(0) if read else await anext(parts, None)) is not None:
                number = len(tags) + 1
                told = await self._call("UploadPart", **upload, PartNumber=number, Body=part)
                tags.append({"PartNumber": number, "ETag": told["ETag"]})
                size += len(part)
            await self._call("CompleteMultipartUpload", **upload, MultipartUpload={"Parts": tags})
        except BaseException:
            with suppress(DatasetError):
                await self._call("AbortMultipartUpload", **upload)
            raise
        return size

    async def _call(self, operation: str, **members: Any) -> dict[str, Any]:
        model = load("s3").operation_model(operation)
        owner = self._owner
        try:
            answer = await self._calls.call(
                model, {"Bucket": self._bucket, **members}, account=owner.account, region=owner.region, token=""
            )
        except (ServiceFault, NeighbourUnavailable) as error:
            raise s3_failed(error) from error
        return answer.members


async def _parts(pieces: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    """The same bytes in parts of at least this size, but for the last."""
    held = bytearray()
    async for piece in pieces:
        held += piece
        if len(held) >= size:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


class FolderDestination:
    """Implements `contract.Destination`: a file is written under another name first."""

    def __init__(self, files: FileObjects, bucket: str) -> None:
        self._files = files
        self._bucket = bucket

    async def check(self) -> None:
        folder = self._files.folder(self._bucket)
        if not await asyncio.to_thread(os.access, folder, os.W_OK):
            raise DatasetError(f"The folder '{self._bucket}' cannot be written to")

    async def write(self, key: str, pieces: AsyncIterator[bytes]) -> int:
        path = self._files.file(self._bucket, key)
        unfinished = path.with_name(f".{path.name}.{uuid4()}")
        size = 0
        try:
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            with await asyncio.to_thread(unfinished.open, "wb") as file:
                async for part in _parts(pieces, _WRITE_BYTES):
                    await asyncio.to_thread(file.write, part)
                    size += len(part)
                await asyncio.to_thread(file.flush)
                await asyncio.to_thread(os.fsync, file.fileno())
            await asyncio.to_thread(_put_in_place, unfinished, path)
        except OSError as error:
            raise DatasetError(f"'{path}' cannot be written: {error.strerror}") from error
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
        return size


def _put_in_place(unfinished: Path, path: Path) -> None:
    """On disk when this returns."""
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
