"""botocore's service models: what a task may call, and what goes in and out.

    arn:P:states:::aws-sdk:SERVICE:ACTION

SERVICE is the service's name in the AWS SDK for Java: its id in lower case, without what separates words, and
without a last word `Service`.  ACTION is the operation as a method of that SDK.

botocore is imported with the first model: it takes longer than all else that a server does before it is ready. Who
works with models looks at `Shape.type_name`, not at the class of a shape, and names classes for the type checker only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from treadle.tasks.sdk_names import uncapitalised

if TYPE_CHECKING:
    from botocore.loaders import Loader
    from botocore.model import OperationModel, ServiceModel

_models_kept = 16


class UnknownService(Exception):
    """botocore has no model of it."""


@lru_cache(maxsize=_models_kept)
def load(client: str) -> ServiceModel:
    """botocore's own copy of the model of a service, by botocore's name of it; models that the user has installed
    play no part. Raises UnknownService."""
    from botocore.exceptions import UnknownServiceError
    from botocore.model import ServiceModel

    try:
        return ServiceModel(_loader().load_service_model(client, "service-2"), client)
    except UnknownServiceError as error:
        raise UnknownService(client) from error


@lru_cache(maxsize=1)
def sdk_clients() -> Mapping[str, str]:
    """botocore's names of all services, by those that Step Functions has for them."""
    from botocore.utils import CLIENT_NAME_TO_HYPHENIZED_SERVICE_ID_OVERRIDES

    clients: dict[str, str] = {}
    for client in _loader().list_available_services("service-2"):
        name = CLIENT_NAME_TO_HYPHENIZED_SERVICE_ID_OVERRIDES.get(client, client).replace("-", "")
        clients[name] = client
        clients.setdefault(name.removesuffix("service"), client)
    return clients


def sdk_operation(model: ServiceModel, action: str) -> OperationModel | None:
    """The operation that an action names (`startExecution`), or None if there is none."""
    name = {uncapitalised(name): name for name in model.operation_names}.get(action)
    return None if name is None else model.operation_model(name)


def _loader() -> Loader:
    from botocore.loaders import Loader

    return Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
