"""A server for the tests that do no harm to it, one for each module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.server import Server, folder_with_functions


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(folder_with_functions(tmp_path_factory.mktemp("server"))) as server:
        yield server
        assert server.stop() == 0
        assert server.stderr() == ""
