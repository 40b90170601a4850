"""The API of a Kubernetes cluster, over TLS, as far as Jobs and their logs need it."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme

JOBS = "/apis/batch/v1/namespaces/work/jobs"
PODS = "/api/v1/namespaces/work/pods"


class FakeCluster:
    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, list[str]], Any]] = []
        """Method, path, query and body of each."""
        self.tokens: set[str] = set()
        self.types: list[str | None] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.ending: str | None = None
        """The condition that every Job meets from now on."""
        self.logs = {"main": '{"pi": 3}', "side": "plain"}
        authority = trustme.CA()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self._tls)
        self.authority = base64.b64encode(authority.cert_pem.bytes()).decode()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fake._answer(self)

            def do_POST(self) -> None:
                fake._answer(self)

            def do_DELETE(self) -> None:
                fake._answer(self)

            def do_PATCH(self) -> None:
                fake._answer(self)

            def log_message(self, format: str, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FakeCluster:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def asked(self, method: str) -> list[str]:
        """The paths."""
        return [path for asked, path, _, _ in self.requests if asked == method]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        target = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        asked = (handler.command, target.path, parse_qs(target.query), json.loads(body) if body else None)
        self.requests.append(asked)
        self.tokens.add(handler.headers["Authorization"].removeprefix("Bearer "))
        self.types.append(handler.headers.get("Content-Type"))
        status, answer = self._served(*asked)
        content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def _served(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        if method == "POST" and path == JOBS:
            name = body["metadata"]["name"]
            if name in self.jobs:
                return 409, {"kind": "Status", "code": 409}
            made = {"name": name, "creationTimestamp": "2023-11-14T22:13:20Z"}
            self.jobs[name] = {"kind": "Job", "metadata": made}
            return 201, self.jobs[name]
        if path.startswith(f"{JOBS}/"):
            job = self.jobs.get(path.removeprefix(f"{JOBS}/"))
            if job is None:
                return 404, {"kind": "Status", "code": 404}
            if method == "DELETE":
                del self.jobs[job["metadata"]["name"]]
                return 200, {"kind": "Status"}
            conditions = [] if self.ending is None else [{"type": self.ending, "status": "True"}]
            return 200, {**job, "status": {"conditions": conditions}}
        if path == PODS:
            containers = [{"name": name} for name in self.logs]
            return 200, {"items": [{"metadata": {"name": "pod-1"}, "spec": {"containers": containers}}]}
        if path == f"{PODS}/pod-1/log":
            log = self.logs[query["container"][0]]
            return (200, log) if log else (500, "no log")
        return (401, {"message": "Unauthorized"}) if path == "/locked" else (200, {"path": path})
