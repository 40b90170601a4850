"""What moto lacks: told by its process with a header, so that the server can refuse it in the form that the client
reads.

moto itself answers with a page of HTML: 500 for an operation that it knows by name only, or of which it cannot do
what is asked (NotImplementedError), or that is not in the model that it reads (OperationNotFoundError), 404 for a path
that none of its operations has. Clients of the Query protocols
cannot read that, and all clients repeat a request after 500.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

from treadle.neighbours.contract import Incoming

_STATUS = 501
_HEADER = "X-Treadle-Lacking"
"""What it is, percent-encoded: it may hold anything that the request held."""
_MOST_CHARACTERS = 300


def told(incoming: Incoming) -> str | None:
    """In the server: what moto lacks, or None if the answer is moto's own."""
    if incoming.status != _STATUS:
        return None
    name = _HEADER.lower().encode()
    return next((unquote(value.decode("latin-1")) for key, value in incoming.headers if key.lower() == name), None)


def tell(application: Any) -> None:
    """In moto's process, of the Flask application of a service."""
    from botocore.model import OperationNotFoundError
    from werkzeug.exceptions import MethodNotAllowed, NotFound

    application.register_error_handler(NotImplementedError, _not_implemented)
    application.register_error_handler(OperationNotFoundError, _not_implemented)
    application.register_error_handler(NotFound, _no_route)
    application.register_error_handler(MethodNotAllowed, _no_route)


def _not_implemented(error: Exception) -> Any:
    return _answer(str(error) or "what was asked for")


def _no_route(error: Any) -> Any:
    from flask import request

    # What an operation says is not found is an answer of the service, and stays as it is.
    return _answer(f"{request.method} {request.path}") if request.routing_exception is error else error


def _answer(what: str) -> Any:
    from flask import Response

    return Response(status=_STATUS, headers={_HEADER: quote(what[:_MOST_CHARACTERS])})
