"""`treadle sdk` with an npm that notes how it was called. (With npm's own: tests/acceptance/test_seeds_node.py.)"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Treadle = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def npm(tmp_path: Path) -> Path:
    """The folder of a command npm, which writes its arguments into `called`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "npm"
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\nexit $(cat {tmp_path}/status)\n')
    script.chmod(0o755)
    (tmp_path / "status").write_text("0")
    return folder


def test_both_versions(treadle: Treadle, npm: Path, tmp_path: Path) -> None:
    done = treadle("sdk", "--sdk", "shared", "client-bedrock-runtime", PATH=f"{npm}:/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    old, new = (tmp_path / "called").read_text().splitlines()
    assert f"--prefix {tmp_path}/shared/javascript-2 -- aws-sdk@2" in old
    assert f"--prefix {tmp_path}/shared/javascript-3 -- @aws-sdk/client-" in new
    assert new.endswith(" @aws-sdk/client-bedrock-runtime")
    assert done.stdout.splitlines()[1] == f"Version 3 of the SDK is in {tmp_path}/shared/javascript-3."


def test_one_version_in_the_data_folder(treadle: Treadle, npm: Path, tmp_path: Path) -> None:
    assert treadle("sdk", "--only", "2", PATH=f"{npm}:/usr/bin:/bin").returncode == 0
    (called,) = (tmp_path / "called").read_text().splitlines()
    assert f"--prefix {tmp_path}/.treadle/sdk/javascript-2 -- aws-sdk@2" in called


def test_npm_fails(treadle: Treadle, npm: Path, tmp_path: Path) -> None:
    (tmp_path / "status").write_text("7")
    done = treadle("sdk", PATH=f"{npm}:/usr/bin:/bin")
    assert (done.returncode, done.stdout) == (1, "")
    assert "npm could not install aws-sdk@2 (status 7)" in done.stderr


def test_no_npm(treadle: Treadle) -> None:
    done = treadle("sdk", PATH="/nowhere")
    assert done.returncode == 1
    assert "there is no npm on the PATH" in done.stderr
