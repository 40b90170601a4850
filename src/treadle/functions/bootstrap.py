"""The first thing a worker runs: hands over to the official runtime interface client.

Started as a script with the handler and `first` or `shared` as its arguments, never imported by the server.
It does three things that `python -m awslambdaric` does not:

- The function's folder goes first on the import path, as /var/task is on Lambda.  A folder that is `shared`
  by several functions goes behind the standard library: one function's `email.py` is not another's `email`.
- AWS_LAMBDA_RUNTIME_API holds `host:port/secret`.  The client's native half appends its paths to that, and
  all is well; its Python half, which reports errors of the start, takes it for a host name.  There the
  secret is moved to where it belongs.
- Where the client has no native half (outside Linux), `plain_runtime_client.py` takes its place.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any


def main() -> None:
    if importlib.util.find_spec("runtime_client") is None:
        from treadle.functions import plain_runtime_client

        sys.modules["runtime_client"] = plain_runtime_client
    from awslambdaric import __main__ as client
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

    address, _, secret = os.environ["AWS_LAMBDA_RUNTIME_API"].partition("/")
    call = LambdaRuntimeClient.call_rapid

    def call_with_secret(self: Any, method: str, path: str, *arguments: Any, **named: Any) -> Any:
        self.lambda_runtime_address = address
        return call(self, method, f"/{secret}{path}", *arguments, **named)

    LambdaRuntimeClient.call_rapid = call_with_secret
    handler, place = sys.argv[1:]
    sys.path.insert(_behind_standard_library() if place == "shared" else 0, os.environ["LAMBDA_TASK_ROOT"])
    sys.argv[1:] = [handler]
    client.main(sys.argv)


def _behind_standard_library() -> int:
    """Where its folders on the import path end. The last is `lib-dynload`, with the modules written in C."""
    standard = os.__file__.rpartition(os.sep)[0]
    return 1 + max(at for at, entry in enumerate(sys.path) if entry in (standard, f"{standard}/lib-dynload"))


if __name__ == "__main__":
    main()
