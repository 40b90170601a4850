"""Lambda's runtimes and what runs them here: one table.

    name                                     runs on
    python2.7, python3.6 ... (any python3.)  the Python that runs Treadle, whatever its version, with AWS's client
    nodejs4.3 ... nodejs24.x (any nodejs)    the Node.js of the setting `node`, or the `node` on the PATH
    provided, provided.al2, provided.al2023  the executable `bootstrap` in the function's own folder

All other names are refused when a function is made. A name says what a handler was written for: newer interpreters run
nearly everything that was written for older ones, and a function whose interpreter is not installed would not run at
all. What is not there, Node.js, is told when a function is made and when it is invoked; it is looked for each time.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from treadle.functions.contract import FunctionError

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
NODE = "nodejs22.x"
PROVIDED = "provided.al2023"
"""The names of the runtimes that functions of the folder have if they are not told."""

OLD_SDK, NEW_SDK = "javascript-2", "javascript-3"
"""Folders with version 2 of AWS's SDK for JavaScript (the package aws-sdk) and version 3 (the packages @aws-sdk/*)."""
_LAST_WITH_OLD_SDK = 16
"""The last Node.js for which Lambda has version 2 (the developer guide's page on runtimes)."""
BOOTSTRAP = "bootstrap"
"""The executable of `provided` functions."""
_PYTHON_BOOTSTRAP = str(Path(__file__).with_name("bootstrap.py"))
_NODE_BOOTSTRAP = str(Path(__file__).with_name("node_bootstrap.cjs"))
_PYTHON_FLAGS = ("-B", "-P", "-S")
"""No bytecode into the user's folder (and none that is stale after an edit), no folder of ours and no
site-packages on the import path: a function has its own dependencies, not Treadle's."""
PYTHON_COMMAND = (sys.executable, *_PYTHON_FLAGS, _PYTHON_BOOTSTRAP)
"""How the commands of Python workers begin."""
ZYGOTE_COMMAND = (sys.executable, *_PYTHON_FLAGS, str(Path(__file__).with_name("zygote_process.py")))
"""What they may be forked from instead: `zygote.py`."""


def _place(package: str) -> str:
    """The folder that an installed package lies in; it is not imported."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parents[1])


PYTHON_PACKAGES = os.pathsep.join(dict.fromkeys(map(_place, ("awslambdaric", "boto3"))))
"""Where the packages are that Treadle uses: one folder, or two on systems that keep compiled ones apart."""


class RuntimeMissingError(FunctionError):
    """Nothing on this machine runs it. The message says what would."""


class Code(Struct, frozen=True, kw_only=True):
    """What is started, and from where."""

    runtime: str
    handler: str
    root: Path
    layers: Path | None = None
    """Of `Function.layers`."""
    root_is_shared: bool = False
    """The root holds other functions too, so a file in it must not stand in for a standard module."""
    memory_megabytes: int


class Runtimes:
    """What runs functions on this machine."""

    def __init__(self, node: Path | None = None, path: str | None = None, sdk: Path | None = None) -> None:
        """`node`: the Node.js to take; `path`: where it is looked for otherwise (None: this process' PATH); `sdk`: the
        folder of AWS's SDK for JavaScript (OLD_SDK, NEW_SDK), which need not be there."""
        self._node = node
        self._path = path
        self._sdk = sdk

    def command(self, code: Code) -> tuple[str, ...]:
        """What starts a worker. Raises RuntimeMissingError."""
        for name, command in _COMMANDS:
            if name.fullmatch(code.runtime):
                return command(self, code)
        raise RuntimeMissingError(
            f"Treadle does not run the runtime {code.runtime}: it runs python3.*, python2.7"
            f" (on Python {sys.version_info.major}.{sys.version_info.minor}), nodejs* and provided.*"
        )

    def sdk(self, runtime: str) -> Path | None:
        """The folder `node_modules` with the version of AWS's SDK that this runtime of Node.js has on Lambda."""
        node = re.match(r"nodejs(\d*)", runtime)
        if node is None or self._sdk is None:
            return None
        version = OLD_SDK if node[1] and int(node[1]) <= _LAST_WITH_OLD_SDK else NEW_SDK
        return self._sdk / version / "node_modules"

    def _python(self, code: Code) -> tuple[str, ...]:
        place = "shared" if code.root_is_shared else "first"
        return sys.executable, *_PYTHON_FLAGS, _PYTHON_BOOTSTRAP, code.handler, place, PYTHON_PACKAGES

    def _nodejs(self, code: Code) -> tuple[str, ...]:
        node = str(self._node or "node")
        found = shutil.which(node, path=self._path)
        if found is None:
            raise RuntimeMissingError(
                f"the runtime {code.runtime} needs Node.js, and there is no {node!r} that can be run:"
                " install it on the PATH, or name it with the setting node"
            )
        return (
            str(Path(found).absolute()),
            f"--max-old-space-size={code.memory_megabytes}",
            _NODE_BOOTSTRAP,
            code.handler,
        )

    def _provided(self, code: Code) -> tuple[str, ...]:
        own = code.root / BOOTSTRAP
        beside = None if code.layers is None else code.layers / BOOTSTRAP
        return (str(own if beside is None or own.exists() else beside),)


_COMMANDS: tuple[tuple[re.Pattern[str], Callable[[Runtimes, Code], tuple[str, ...]]], ...] = (
    (re.compile(r"python(2\.7|3\.\d+)"), Runtimes._python),
    (re.compile(r"nodejs(\d+\.(x|\d+))?"), Runtimes._nodejs),
    (re.compile(r"provided(\.al2(023)?)?"), Runtimes._provided),
)


def check_code(runtime: str, root: Path, layers: Path | None = None) -> None:
    """Whether the unpacked code, or a layer, has what its runtime begins with. Raises RuntimeMissingError."""
    places = [root] if layers is None else [root, layers]
    if runtime.startswith("provided") and not any(os.access(place / BOOTSTRAP, os.X_OK) for place in places):
        raise RuntimeMissingError(f"the runtime {runtime} needs an executable file named bootstrap at the top level")
