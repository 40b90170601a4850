"""Whatever a member holds, an operation that is about jobs answers, or refuses with an error of its API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from tests.aws.job_services.conftest import Services
from tests.aws.job_services.test_defined import container, define_batch, define_project, define_task
from treadle.aws import model
from treadle.aws.job_services.composition import PARTS
from treadle.neighbours.directory import UnknownNeighbour
from treadle.tasks.contract import ServiceFault

VALUES: list[Any] = [0, -1, 2**70, 1.5, True, "", "x", "../..", "9" * 18, "arn:aws:x", "é\0\u2028", "a" * 3_000, [], {}]
TEXTS = {"timestamp": 0, "integer": 1, "long": 1, "float": 1.0, "double": 1.0, "boolean": True, "blob": b"x"}


def usual(shape: Shape, depth: int = 0) -> Any:
    """A value of this shape with what it requires."""
    if isinstance(shape, StructureShape):
        return {name: usual(shape.members[name], depth + 1) for name in shape.required_members}
    if isinstance(shape, ListShape):
        return [usual(shape.member, depth + 1)] if depth < 5 else []
    if isinstance(shape, MapShape):
        return {}
    return TEXTS.get(shape.type_name, shape.enum[0] if getattr(shape, "enum", ()) else "name1")


def variants(shape: StructureShape) -> Iterator[dict[str, Any]]:
    """Requests in which one member holds something else, or one of a structure in it."""
    request = usual(shape)
    yield request
    for name, member in shape.members.items():
        full = usual(member)
        yield {**request, name: full}
        yield from ({**request, name: value} for value in VALUES)
        if isinstance(member, StructureShape):
            for inner, inner_shape in member.members.items():
                yield {**request, name: {**full, inner: usual(inner_shape)}}
                yield from ({**request, name: {**full, inner: value}} for value in VALUES[:9])


@pytest.mark.parametrize("service", PARTS)
async def test_members(services: Services, service: str) -> None:
    define_task(services, container("main"))
    define_batch(services)
    define_project(services, "phases: {}")
    services.definitions.answers["GetJob"] = {"Job": {"Name": "j"}}
    for operation in PARTS[service]:
        shape = model.load(service).operation_model(operation).input_shape
        for request in variants(shape):
            try:
                await services.ask(service, operation, **request)
            except ServiceFault as fault:
                known = fault.status < 500 or fault.code == "NotImplementedException"
                assert known, (operation, request, fault)
            except UnknownNeighbour:
                continue  # what it names makes another path, that of no operation here
            except Exception as error:
                # What no client could send, because the writers that they share refuse it.
                if not any(library in _origin(error) for library in ("botocore", "dateutil")):
                    raise


def _origin(error: BaseException) -> str:
    """The file in which it was raised."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return "" if traceback is None else traceback.tb_frame.f_code.co_filename
