"""Servers for the tests that do no harm to them, one for each module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.cloud import SEEN, Cloud
from tests.acceptance.server import Server, folder_with_functions
from tests.acceptance.test_services import KEY, SECRET


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(folder_with_functions(tmp_path_factory.mktemp("server"))) as server:
        yield server
        assert server.stop() == 0
        assert server.stderr() == ""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """It asks everybody for a signature, so that what moto calls is called with the server's own keys."""
    folder = tmp_path_factory.mktemp("deliveries")
    (folder / "functions").mkdir()
    (folder / "functions" / "seen.py").write_text(SEEN.format(path=str(folder / "seen.jsonl")))
    with Server(folder, TREADLE_ACCESS_KEYS=f"{KEY}:{SECRET}") as server:
        yield Cloud(server, folder)
        assert server.stop() == 0
        assert server.stderr() == ""
