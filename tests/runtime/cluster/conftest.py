from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .shared import ClusterWorld


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[ClusterWorld]:
    """Two nodes."""
    made = ClusterWorld(tmp_path)
    await made.open(2)
    yield made
    await made.close()
