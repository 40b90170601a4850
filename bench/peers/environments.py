"""Where peers live: a virtual environment or a folder of npm for each, made once and kept in a cache."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_INSTALL_SECONDS_MAX = 900
_READY_SECONDS_MAX = 120
_STOP_SECONDS_MAX = 10
_POLL_SECONDS = 0.05
_PYTHONS = ("python3.13", "python3.12", "python3.11", "python3")


class NotThere(Exception):
    """A peer cannot be measured. The message says why, in a few words."""


def python_environment(cache: Path, name: str, requirements: Sequence[str], at_least: tuple[int, int]) -> Path:
    """The folder of commands of a virtual environment with these packages. Raises NotThere."""
    folder = cache / name
    marker = folder / "requirements.txt"
    wanted = "\n".join(requirements)
    if not (marker.exists() and marker.read_text(encoding="utf-8") == wanted):
        _run(f"pip could not install {requirements[0]}", _python(at_least), "-m", "venv", "--clear", str(folder))
        _run(f"pip could not install {requirements[0]}", folder / "bin/python", "-m", "pip", "install", *requirements)
        marker.write_text(wanted, encoding="utf-8")
    return folder / "bin"


def npm_package(cache: Path, name: str, requirement: str, command: str) -> Path:
    """A command in a package of npm. Raises NotThere."""
    folder = cache / name
    found = folder / "node_modules" / command
    if not found.exists():
        if shutil.which("npm") is None:
            raise NotThere("there is no npm")
        folder.mkdir(parents=True, exist_ok=True)
        _run(f"npm could not install {requirement}", "npm", "install", "--prefix", str(folder), requirement)
    if not found.exists():
        raise NotThere(f"{requirement} has no command for this machine")
    return found


def _python(at_least: tuple[int, int]) -> str:
    if sys.version_info >= at_least:
        return sys.executable
    check = f"import sys; sys.exit(sys.version_info < {at_least})"
    for name in _PYTHONS:
        found = shutil.which(name)
        if found is not None and subprocess.run([found, "-c", check], capture_output=True, check=False).returncode == 0:
            return found
    raise NotThere(f"needs Python {at_least[0]}.{at_least[1]}, of which there is none on the PATH")


def _run(failure: str, *command: str | Path) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_INSTALL_SECONDS_MAX)
    except (OSError, subprocess.SubprocessError) as error:
        raise NotThere(failure) from error


@contextlib.contextmanager
def running(command: Sequence[str], environ: Mapping[str, str], ready: Sequence[str], folder: Path) -> Iterator[int]:
    """A server in a session of its own, in this folder; its process id, once it answers at all of these URLs. It and
    what it has started are killed afterwards. Raises NotThere."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **environ}, cwd=folder, start_new_session=True, stdout=log, stderr=log
        )
    try:
        for url in ready:
            _until_answered(process, url)
        yield process.pid
    finally:
        _end(process)


def _until_answered(process: subprocess.Popen[bytes], url: str) -> None:
    """Whatever it answers: that it is there is enough."""
    deadline = time.monotonic() + _READY_SECONDS_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NotThere(f"its server ended with status {process.returncode}")
        try:
            urllib.request.urlopen(url, timeout=_POLL_SECONDS * 40).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(_POLL_SECONDS)
        else:
            return
    raise NotThere(f"its server was not ready after {_READY_SECONDS_MAX} seconds")


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS_MAX)
