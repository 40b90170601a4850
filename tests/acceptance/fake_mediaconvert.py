"""MediaConvert as far as a job needs it: an endpoint that no emulator has. Jobs run until they are let go."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JOBS = "/2017-08-29/jobs"


class FakeMediaConvert:
    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        """By the idempotency token of the request."""
        self.requests: list[tuple[str, str]] = []
        self._ending = "PROGRESSING"
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                token = asked["clientRequestToken"]
                job = fake.jobs.setdefault(token, {"id": f"job-{len(fake.jobs)}", "role": asked["role"]})
                self._answer(201, {"job": {**job, "status": "SUBMITTED"}})

            def do_GET(self) -> None:
                found = next((job for job in fake.jobs.values() if self.path == f"{JOBS}/{job['id']}"), None)
                if found is None:
                    self._answer(404, {"message": "There is no such job"})
                else:
                    self._answer(200, {"job": {**found, "status": found.get("status", fake._ending)}})

            def do_DELETE(self) -> None:
                for job in fake.jobs.values():
                    if self.path == f"{JOBS}/{job['id']}":
                        job["status"] = "CANCELED"
                self._answer(202, {})

            def _answer(self, status: int, members: dict[str, Any]) -> None:
                fake.requests.append((self.command, self.path))
                body = json.dumps(members).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FakeMediaConvert:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def finish(self, status: str) -> None:
        """Let every job end so that was not cancelled."""
        self._ending = status

    def asked(self, method: str) -> int:
        return sum(asked == method for asked, _ in self.requests)
