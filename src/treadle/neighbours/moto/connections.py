"""EventBridge connections as AWS keeps them: in moto's process, applied by corrections.py.

moto shows everybody the secrets of a connection, and keeps those of its creation when the connection is updated.
AWS's DescribeConnection leaves them out (API_ConnectionAuthResponseParameters), and both operations keep them in the
secret of the connection, in Secrets Manager.
"""

from __future__ import annotations

import importlib
import json
from typing import Any

_SECRETS = frozenset({"Password", "ApiKeyValue", "ClientSecret"})


def correct() -> None:
    # Without their types, which forbid what is done here.
    models: Any = importlib.import_module("moto.events.models")
    describe = models.Connection.describe
    update = models.EventsBackend.update_connection

    def described(self: Any) -> Any:
        return {**describe(self), "AuthParameters": without_secrets(self.auth_parameters)}

    def updated(self: Any, name: str, **kwargs: Any) -> Any:
        answer = update(self, name, **kwargs)
        connection = self.connections[name]
        secret = models.CamelToUnderscoresWalker.parse(_flat(connection.auth_parameters))
        backend = models.get_secrets_manager_backend(self.account_id, self.region_name)
        backend.put_secret_value(
            secret_id=connection.secret_arn,
            secret_string=json.dumps(secret),
            secret_binary="",
            client_request_token="",
            version_stages=["AWSCURRENT"],
        )
        return answer

    models.Connection.describe = described
    models.EventsBackend.update_connection = updated


def without_secrets(parameters: Any) -> Any:
    """Authorization parameters without passwords, keys, and the values that are said to be secret."""
    if isinstance(parameters, list):
        return [without_secrets(item) for item in parameters]
    if not isinstance(parameters, dict):
        return parameters
    hidden = _SECRETS | ({"Value"} if parameters.get("IsValueSecret") else set())
    return {name: without_secrets(value) for name, value in parameters.items() if name not in hidden}


def _flat(parameters: dict[str, Any]) -> dict[str, Any]:
    """As moto writes a secret when a connection is created."""
    flat: dict[str, Any] = {}
    for name, value in parameters.items():
        flat.update({name: value} if name == "InvocationHttpParameters" else value)
    return flat
