"""The first thing a worker of a Python function runs: hands over to the official runtime interface client.

Started as a script, without the `site` module; its arguments are the handler, `first` or `shared`, and the folders of
the packages that Treadle uses.  Never imported by the server.  It does five things that `python -m awslambdaric` does
not:

- The function's folder goes first on the import path, as /var/task is on Lambda.  A folder that is `shared`
  by several functions goes behind the standard library: one function's `email.py` is not another's `email`.
- Of what is installed beside Treadle a handler sees what Lambda's own runtime has, and no more: see `_Provided`.
- AWS_LAMBDA_RUNTIME_API holds `host:port/secret`.  The client, where it reports errors of the start, takes that for a
  host name.  There the secret is moved to where it belongs.
- In place of the client's native half, which talks to the Runtime API, it puts `worker_client.py`.
- That hears signals while it waits, so the client needs no thread for waiting.  From Python 3.12 on it would start one
  for each invocation, and import `queue` for that when a function's own `queue.py` goes first.
"""

from __future__ import annotations

import importlib.util
import os
import site
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_CLIENT = frozenset({"awslambdaric", "simplejson", "snapshot_restore_py"})
"""The runtime interface client and what it needs."""
_SDK = frozenset({"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"})
"""AWS's SDK and what it needs, which Lambda's Python runtimes bring along."""


class _Provided(MetaPathFinder):
    """Finds the packages that a handler may have of those beside Treadle, after all others: what a function brings
    along goes first."""

    def __init__(self, packages: str) -> None:
        self._path = packages.split(os.pathsep)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in _CLIENT or fullname in _SDK:
            return PathFinder.find_spec(fullname, self._path, target)
        return None


def main() -> None:
    handler, place, packages = sys.argv[1:]
    prepare(packages)
    run(handler, place)


def prepare(packages: str) -> None:
    """What is the same for all functions; done once for all that are forked (`zygote_process.py`)."""
    sys.meta_path.append(_Provided(packages))
    site.setquit()  # `exit` and `quit`, which handlers may know
    sys.modules["runtime_client"] = _beside("worker_client")


def run(handler: str, place: str) -> None:
    from awslambdaric import __main__ as client
    from awslambdaric.lambda_config import LambdaConfigProvider
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

    LambdaConfigProvider.use_thread_polling = property(lambda _: False)
    address, _, secret = os.environ["AWS_LAMBDA_RUNTIME_API"].partition("/")
    call = LambdaRuntimeClient.call_rapid

    def call_with_secret(self: Any, method: str, path: str, *arguments: Any, **named: Any) -> Any:
        self.lambda_runtime_address = address
        return call(self, method, f"/{secret}{path}", *arguments, **named)

    LambdaRuntimeClient.call_rapid = call_with_secret
    sys.path.insert(_behind_standard_library() if place == "shared" else 0, os.environ["LAMBDA_TASK_ROOT"])
    sys.argv[1:] = [handler]
    client.main(sys.argv)


def _beside(name: str) -> ModuleType:
    """A module of this file's folder, which is not on the import path."""
    spec = importlib.util.spec_from_file_location(name, f"{__file__.rpartition(os.sep)[0]}/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _behind_standard_library() -> int:
    """Where its folders on the import path end. The last is `lib-dynload`, with the modules written in C."""
    standard = os.__file__.rpartition(os.sep)[0]
    return 1 + max(at for at, entry in enumerate(sys.path) if entry in (standard, f"{standard}/lib-dynload"))


if __name__ == "__main__":
    main()
