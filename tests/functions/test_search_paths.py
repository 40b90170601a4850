"""Where programs find layers and AWS's SDK."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from treadle.functions.function import Function
from treadle.functions.runtimes import NEW_SDK, OLD_SDK, Runtimes
from treadle.functions.search_paths import search_paths

FOLDERS = (
    "bin",
    "lib",
    "python",
    "python/lib/python3.12/site-packages",
    "nodejs/node_modules",
    "nodejs/node20/node_modules",
)


def function(runtime: str, layers: Path | None) -> Function:
    return Function(
        name="f",
        key="f",
        handler="f.f",
        root=Path(),
        code=Path(),
        layers=layers,
        command=(),
        runtime=runtime,
        timeout_seconds=3,
        memory_megabytes=128,
        environment={},
        version="",
    )


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    for folder in FOLDERS:
        (tmp_path / "opt" / folder).mkdir(parents=True, exist_ok=True)
    return tmp_path / "opt"


BY_RUNTIME: dict[str, dict[str, list[str]]] = {
    "provided.al2": {},
    "python3.12": {"PYTHONPATH": ["python/lib/python3.12/site-packages", "python"]},
    "python3.9": {"PYTHONPATH": ["python"]},
    "nodejs20.x": {"NODE_PATH": ["nodejs/node20/node_modules", "nodejs/node_modules"]},
    "nodejs22.x": {"NODE_PATH": ["nodejs/node_modules"]},
}


@pytest.mark.parametrize("runtime", BY_RUNTIME)
def test_layers(layers: Path, runtime: str) -> None:
    """Behind what is on a path already."""
    variables = {"PATH": "/usr/bin", "HOME": "/root"}
    found = search_paths(function(runtime, layers), Runtimes(), variables)
    expected = {
        name: os.pathsep.join(str(layers / folder) for folder in at) for name, at in BY_RUNTIME[runtime].items()
    }
    both = {"PATH": f"/usr/bin{os.pathsep}{layers / 'bin'}", "LD_LIBRARY_PATH": str(layers / "lib")}
    assert found == {"LAMBDA_LAYERS_ROOT": str(layers), **both, **expected}


def test_no_layers() -> None:
    assert search_paths(function("python3.12", None), Runtimes(), {"PATH": "/usr/bin"}) == {}


@pytest.mark.parametrize(
    ("runtime", "version"),
    [
        ("nodejs", NEW_SDK),
        ("nodejs8.10", OLD_SDK),
        ("nodejs16.x", OLD_SDK),
        ("nodejs18.x", NEW_SDK),
        ("nodejs22.x", NEW_SDK),
        ("python3.12", None),
    ],
)
def test_the_sdk_that_lambda_has(layers: Path, tmp_path: Path, runtime: str, version: str | None) -> None:
    """Behind the layers, which may bring another one."""
    runtimes = Runtimes(sdk=tmp_path / "sdk")
    assert search_paths(function(runtime, None), runtimes, {}) == {}
    for folder in (OLD_SDK, NEW_SDK):
        (tmp_path / "sdk" / folder / "node_modules").mkdir(parents=True)
    found = search_paths(function(runtime, None), runtimes, {})
    place = str(tmp_path / "sdk" / (version or "") / "node_modules")
    assert found == ({} if version is None else {"NODE_PATH": place})
    if version is not None:
        with_layers = search_paths(function(runtime, layers), runtimes, {"NODE_PATH": "/own"})["NODE_PATH"]
        assert with_layers.startswith("/own" + os.pathsep)
        assert with_layers.endswith(f"{layers / 'nodejs/node_modules'}{os.pathsep}{place}")
