"""Lambda as tasks call it (`aws-sdk:lambda`): the operations of the API, without the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from treadle.aws import model
from treadle.aws.errors import ApiError
from treadle.aws.functions.service import FunctionService
from treadle.aws.service import Caller
from treadle.store.contract import StoreUnavailable, StoreUnusable
from treadle.tasks.contract import ServiceAnswer, ServiceFault

if TYPE_CHECKING:
    from botocore.model import Shape


class FunctionsInProcess:
    """Implements `tasks.contract.OwnService`."""

    def __init__(self, service: FunctionService, url: str) -> None:
        """`url`: the server's own, which answers may lead back to."""
        self._service = service
        self._url = url

    async def call(self, operation: str, request: dict[str, Any], *, account: str, region: str) -> ServiceAnswer:
        caller = Caller(account, region, str(uuid4()), url=self._url)
        shape = model.load(self._service.model_name).operation_model(operation).input_shape
        try:
            members = await self._service.serve(operation, request if shape is None else _blobs(shape, request), caller)
        except ApiError as error:
            raise ServiceFault(error.body["__type"], error.body["message"], error.status, caller.request_id) from error
        except (StoreUnavailable, StoreUnusable) as error:
            raise ServiceFault("ServiceUnavailable", str(error), 503, caller.request_id) from error
        return ServiceAnswer(members, caller.request_id)


def _blobs(shape: Shape, value: Any) -> Any:
    """The value with the texts of its blobs as bytes, as a request from outside has them. What does not fit its shape
    is left for the service to refuse."""
    if shape.type_name == "structure" and isinstance(value, dict):
        members = shape.members
        return {name: _blobs(members[name], each) if name in members else each for name, each in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_blobs(shape.member, each) for each in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _blobs(shape.value, each) for key, each in value.items()}
    return value.encode() if shape.type_name == "blob" and isinstance(value, str) else value
