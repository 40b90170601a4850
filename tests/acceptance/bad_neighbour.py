"""A server that does everything that a service should not do: what exactly, the name of the queue says."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType


def _answer(body: bytes, status: str = "200 OK", kind: str = "application/x-amz-json-1.0") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


ANSWERS: dict[str, bytes] = {
    "closes": b"",
    "garbage": b"\x00\xff\x16\x03\r\n\r\n",
    "half": _answer(b"{}").replace(b"Length: 2", b"Length: 200"),
    "no-json": _answer(b"<html>"),
    "no-object": _answer(b"[1]"),
    "wrong-types": _answer(b'{"MessageId": {"a": []}, "MD5OfMessageBody": [5]}'),
    "error": _answer(b'{"__type":"InternalError","message":"oh"}', "500 Internal Server Error"),
    "empty-error": _answer(b"", "503 Service Unavailable"),
    "page": _answer(b"<html>Bad gateway</html>", "502 Bad Gateway", "text/html"),
    "redirect": _answer(b"", "301 Moved\r\nLocation: http://127.0.0.1:1/"),
    "large-head": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
}
"""By the name of the queue."""


class BadNeighbour(socketserver.ThreadingTCPServer):
    """Listens while it is entered."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.asked: Counter[str] = Counter()
        """How often, by the name of the queue."""
        self.over = threading.Event()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> BadNeighbour:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()


class _Connection(socketserver.StreamRequestHandler):
    server: BadNeighbour

    def handle(self) -> None:
        length = 0
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        try:
            mode = json.loads(self.rfile.read(length))["QueueUrl"].rpartition("/")[2]
        except (ValueError, KeyError):
            return  # no HTTP, but perhaps the beginning of TLS
        self.server.asked[mode] += 1
        try:
            self._misbehave(mode)
        except OSError:
            return  # who has asked is gone

    def _misbehave(self, mode: str) -> None:
        send: Callable[[bytes], None] = self.connection.sendall
        if mode in ANSWERS:
            send(ANSWERS[mode])
        elif mode == "silent":
            self.server.over.wait()
        elif mode == "endless":
            send(b"HTTP/1.1 200 OK\r\n\r\n")
            while not self.server.over.is_set():
                send(b"x" * 65_536)
        elif mode == "drip":
            send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not self.server.over.wait(0.2):  # never silent for long, never done
                send(b"x")


def closed_port() -> int:
    """Where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
