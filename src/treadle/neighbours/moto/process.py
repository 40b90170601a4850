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
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import msgspec

from treadle.neighbours.moto.control import READY, SERVICE_SOCKET, Settings

_BACKLOG = 2_048
_LOG_FILE = "moto.log"

_log = logging.getLogger(__name__)


def main() -> None:
    settings = msgspec.json.decode(sys.stdin.buffer.read(), type=Settings)
    _open_log(settings)
    told, sys.stdout, sys.stderr = sys.stdout, _Output(), _Output()
    try:
        server = _build(settings)
    except Exception as error:
        _log.exception("moto cannot be started")
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
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    from treadle.neighbours.moto import callback, lacking
    from treadle.neighbours.moto.corrections import correct
    from treadle.neighbours.moto.owner import Owner

    def application(service: Any) -> Any:
        correct(service)
        built = create_backend_app(service)
        lacking.tell(built)
        return built

    # Importing moto made it the default account. If it stayed it would be the account of every request.
    os.environ.pop("MOTO_ACCOUNT_ID", None)
    owner = Owner(settings)
    callback.install(owner, settings)
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


def _open_log(settings: Settings) -> None:
    folder = Path(settings.logs)
    folder.mkdir(parents=True, exist_ok=True)
    logging.raiseExceptions = False  # a full disk must not stop the services
    logging.basicConfig(
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[RotatingFileHandler(folder / _LOG_FILE, maxBytes=settings.log_bytes, backupCount=1, delay=True)],
    )
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # not a line for each request


class _Output(io.TextIOBase):
    """In place of standard output and error."""

    def write(self, text: str) -> int:
        if text.strip():
            _log.warning("%s", text.rstrip())
        return len(text)


if __name__ == "__main__":
    main()
