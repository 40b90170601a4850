"""Objects in S3, read as streams: what is asked for, and what happens when an answer breaks off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from botocore.model import OperationModel

from treadle.datasets.contract import DatasetError, Owner
from treadle.datasets.objects import Opened, S3Objects
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.tasks.contract import ServiceFault
from treadle.tasks.service_calls import ServiceCalls

OWNER = Owner(account="123456789012", region="eu-west-1", role_arn="arn:aws:iam::123456789012:role/r")
CONTENT = bytes(range(100))
OBJECT = {"Bucket": "b", "Key": "k"}


class Answer:
    """An object's content, which breaks off after so many pieces of ten bytes."""

    status = 200

    def __init__(self, content: bytes, etag: str, pieces: int) -> None:
        self.headers = [(b"ETag", etag.encode())] if etag else []
        self.closed = False
        self._content = content
        self._most = pieces

    async def pieces(self) -> AsyncIterator[bytes]:
        for number in range(0, len(self._content), 10):
            if number == self._most * 10:
                raise NeighbourUnavailable("the connection was closed")
            yield self._content[number : number + 10]

    def close(self) -> None:
        self.closed = True


class Objects:
    """A `ServiceCalls` that knows GetObject."""

    def __init__(self, *breaks_after: int, etag: str = '"1"') -> None:
        """`breaks_after`: of each answer, how many pieces come; those that follow come whole."""
        self.breaks_after = list(breaks_after)
        self.etag = etag
        self.requests: list[dict[str, Any]] = []
        self.answers: list[Answer] = []

    async def stream(self, operation: OperationModel, members: dict[str, Any], **owner: str) -> Answer:
        assert operation.name == "GetObject"
        self.requests.append({name: value for name, value in members.items() if name not in OBJECT})
        if members.get("IfMatch", self.etag) != self.etag:
            raise ServiceFault("PreconditionFailed", "At least one of the pre-conditions did not hold", 412, "r")
        first = int(members.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        pieces = self.breaks_after.pop(0) if self.breaks_after else len(CONTENT)
        self.answers.append(Answer(CONTENT[first:], self.etag, pieces))
        return self.answers[-1]

    async def open(self, version: str | None = None, **parameters: Any) -> Opened:
        return await S3Objects(cast("ServiceCalls", self), OWNER).open({**OBJECT, **parameters}, version)


async def whole(opened: Opened) -> bytes:
    """As a parser in a thread reads it."""
    content = bytearray()
    while piece := await asyncio.to_thread(opened.stream.piece):
        content += piece
    return bytes(content)


async def test_an_object_is_read() -> None:
    objects = Objects()
    opened = await objects.open()
    assert (await whole(opened), opened.version, opened.stream.taken) == (CONTENT, '"1"', 100)
    assert objects.requests == [{}]


@pytest.mark.parametrize("breaks", [[1], [4, 2], [9, 0], [3, 1, 1, 1]])
async def test_an_answer_that_breaks_off_goes_on_from_there(breaks: list[int]) -> None:
    objects = Objects(*breaks)
    if 0 in breaks:  # Asked for once more, it broke off again at once.
        with pytest.raises(DatasetError, match="the connection was closed"):
            await whole(await objects.open())
        return
    assert await whole(await objects.open()) == CONTENT
    taken = [sum(breaks[: number + 1]) * 10 for number in range(len(breaks))]
    assert objects.requests == [{}, *({"IfMatch": '"1"', "Range": f"bytes={first}-"} for first in taken)]
    assert all(answer.closed for answer in objects.answers[:-1])


async def test_an_object_that_changes_meanwhile() -> None:
    objects = Objects(3)
    opened = await objects.open()
    objects.etag = '"2"'
    with pytest.raises(DatasetError, match="pre-conditions"):
        await whole(opened)


@pytest.mark.parametrize(("etag", "parameters"), [("", {}), ('"1"', {"Range": "bytes=20-"})])
async def test_what_cannot_be_asked_for_again(etag: str, parameters: dict[str, Any]) -> None:
    objects = Objects(3, etag=etag)
    with pytest.raises(DatasetError, match="Unable to execute HTTP request: the connection was closed"):
        await whole(await objects.open(**parameters))


async def test_a_version_that_is_not_there_any_more() -> None:
    with pytest.raises(DatasetError, match="Error Code: PreconditionFailed"):
        await Objects().open('"0"')


async def test_a_parameter_that_s3_does_not_have() -> None:
    with pytest.raises(DatasetError, match='The field "Colour" is not supported by Step Functions'):
        await Objects().open(Colour="red")
