"""The process of moto, the emulator of AWS's services. Started by moto.py with `-m`, never imported.

Its settings come through its standard input; its standard output is for one line, which says that it is ready or why
not. Everything else that it writes goes to its log file, which it keeps itself: it may outlive the server.
"""

from __future__ import annotations

import io
import logging
import os
import socket
import sys
import traceback
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec

from treadle.functions.logs import LogFiles
from treadle.neighbours.moto_control import READY, SERVICE_SOCKET, Settings

_BACKLOG = 2_048


def main() -> None:
    settings = msgspec.json.decode(sys.stdin.buffer.read(), type=Settings)
    told, sys.stdout = sys.stdout, _Log(settings)
    sys.stderr = sys.stdout
    try:
        server = _build(settings)
    except Exception as error:
        traceback.print_exc()
        told.write(f"{type(error).__name__}: {error}\n")
        told.flush()
        sys.exit(1)
    told.write(f"{READY}\n")
    told.flush()
    # The server may die before us, and the pipe with it.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    server.serve_forever()


def _build(settings: Settings) -> Any:
    """The HTTP server, which listens already."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # not a line for each request
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    from treadle.neighbours import moto_callback
    from treadle.neighbours.moto_corrections import correct
    from treadle.neighbours.moto_owner import Owner

    def application(service: Any) -> Any:
        correct(service)
        return create_backend_app(service)

    # Importing moto made it the default account. If it stayed it would be the account of every request.
    os.environ.pop("MOTO_ACCOUNT_ID", None)
    owner = Owner(settings)
    moto_callback.install(owner, settings)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path = str(Path(settings.folder) / SERVICE_SOCKET)
    listener.bind(path)
    listener.listen(_BACKLOG)
    server = make_server(
        f"unix://{path}",
        0,
        DomainDispatcherApplication(application),
        threaded=True,
        request_handler=MotoRequestHandler,
        fd=listener.detach(),
    )
    owner.start()
    return server


class _Log(io.TextIOBase):
    """In place of standard output and error."""

    def __init__(self, settings: Settings) -> None:
        self._files = LogFiles(Path(settings.logs), settings.log_bytes)
        self._lock = Lock()

    def write(self, text: str) -> int:
        with self._lock:
            self._files("moto", "", text)
        return len(text)


if __name__ == "__main__":
    main()
