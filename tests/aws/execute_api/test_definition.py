"""Which method of a REST API a request is for."""

from __future__ import annotations

from typing import Any

import pytest

from treadle.aws.execute_api.definition import find_method


def resource(path: str, *methods: str) -> dict[str, Any]:
    return {"id": path, "path": path, "resourceMethods": {method: {"httpMethod": method} for method in methods}}


RESOURCES = [
    resource("/", "GET"),
    resource("/orders", "GET", "ANY"),
    resource("/orders/{id}", "GET"),
    resource("/orders/new", "GET"),
    resource("/orders/{id}/lines/{line}", "GET"),
    resource("/{proxy+}", "ANY"),
    resource("/orders/{id}/{rest+}", "GET"),
    {"id": "bare", "path": "/bare"},
]


@pytest.mark.parametrize(
    ("method", "path", "found", "variables"),
    [
        ("GET", "/", "/", {}),
        ("GET", "/orders", "/orders", {}),
        ("GET", "/orders/", "/orders", {}),
        ("PATCH", "/orders", "/orders", {}),
        ("GET", "/orders/7", "/orders/{id}", {"id": "7"}),
        ("GET", "/orders/new", "/orders/new", {}),
        ("GET", "/orders/7/lines/2", "/orders/{id}/lines/{line}", {"id": "7", "line": "2"}),
        ("GET", "/orders/7/notes/2", "/orders/{id}/{rest+}", {"id": "7", "rest": "notes/2"}),
        ("POST", "/orders/7", "/{proxy+}", {"proxy": "orders/7"}),
        ("GET", "/bare", "/{proxy+}", {"proxy": "bare"}),
        ("POST", "/", None, {}),
    ],
)
def test_the_most_exact_one_wins(method: str, path: str, found: str | None, variables: dict[str, str]) -> None:
    found_method = find_method(RESOURCES, method, path)
    assert (None if found_method is None else found_method.resource_path) == found
    assert ({} if found_method is None else found_method.variables) == variables
