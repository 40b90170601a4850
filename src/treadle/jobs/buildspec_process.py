"""The process of a CodeBuild build: runs the phases of a buildspec with sh. Started with `-m`.

    python -m treadle.jobs.buildspec_process TEXT-OR-FILE

The argument is the buildspec itself, or the path of its file in the folder where this runs. The phases share one
environment and one folder, as they do since version 0.2 of buildspecs; `finally` runs whatever became of its phase;
`post_build` runs also after a `build` that failed. Artifacts, reports and caches are left alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_PHASES = ("install", "pre_build", "build", "post_build")
_FAILED = 1
_KEEPING = 'trap \'export -p > "$BUILDSPEC_STATE/variables"; pwd > "$BUILDSPEC_STATE/folder"\' EXIT'
"""At the end of each script: what the next one begins with."""
_GOING_ON = '. "$BUILDSPEC_STATE/variables"; cd "$(cat "$BUILDSPEC_STATE/folder")"'


class BuildspecError(Exception):
    """The buildspec cannot be used. The message is for people."""


def main(given: str) -> int:
    try:
        spec = _read(given)
        with tempfile.TemporaryDirectory() as state:
            return _build(spec, Path(state))
    except BuildspecError as error:
        print(f"buildspec: {error}", file=sys.stderr)  # noqa: T201 - the build's own output
        return _FAILED


def _read(given: str) -> Mapping[str, Any]:
    """Raises BuildspecError."""
    text = given
    if "\n" not in given.strip() and ":" not in given:
        try:
            text = Path(given).read_text(encoding="utf-8")
        except OSError as error:
            raise BuildspecError(f"the file {given} cannot be read: {error.strerror}") from error
    try:
        spec = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BuildspecError(f"it is not YAML: {error}") from error
    if not isinstance(spec, dict) or not isinstance(spec.get("phases"), dict):
        raise BuildspecError("it has no phases")
    unknown = sorted(map(str, spec["phases"].keys() - set(_PHASES)))
    if unknown:
        raise BuildspecError(f"there is no phase {unknown[0]}")
    return spec


def _build(spec: Mapping[str, Any], state: Path) -> int:
    variables = (spec.get("env") or {}).get("variables") or {}
    environment = {**os.environ, **{str(name): str(value) for name, value in variables.items()}}
    environment["BUILDSPEC_STATE"] = str(state)
    begun = False
    failed = 0
    for name in _PHASES:
        # Only the build may fail and have another phase behind it.
        if failed and not (name == "post_build" and begun):
            continue
        phase = spec["phases"].get(name) or {}
        begun = begun or name == "build"
        for commands in (phase.get("commands"), phase.get("finally")):
            status = _run(_script(name, commands), environment, state, succeeding=not failed)
            failed = failed or status
    return failed


def _script(phase: str, commands: Any) -> str:
    """Raises BuildspecError."""
    if commands is None:
        return ""
    if isinstance(commands, str):
        return commands
    if not isinstance(commands, list):
        raise BuildspecError(f"the commands of the phase {phase} are no list")
    return "\n".join(str(command) for command in commands)


def _run(script: str, environment: Mapping[str, str], state: Path, *, succeeding: bool) -> int:
    if not script:
        return 0
    going_on = _GOING_ON if (state / "variables").exists() else ""
    # Behind what earlier commands have left, which is what it was for them.
    told = f"export CODEBUILD_BUILD_SUCCEEDING={int(succeeding)}"
    whole = f"{_KEEPING}\n{going_on}\n{told}\nset -e\n{script}\n"
    # The commands are those that the job was asked to run.
    status = subprocess.run(["/bin/sh", "-c", whole], env=environment, check=False).returncode  # noqa: S603
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
