"""Functions in Node.js of AWS's posts: "Invoking AWS Lambda from Amazon MQ" (2018) and "Building an automated knowledge
repo with Amazon EventBridge and Zendesk" (2020). `seeds/node` has their text, and says what of it is printed.

What they bring along comes from npm's registry; AWS's SDK they do not bring along: `treadle sdk` fetches it.
"""

from __future__ import annotations

import http.server
import io
import json
import shutil
import socketserver
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.acceptance.server import DEADLINE_SECONDS, ROLE, Server, poll
from tests.acceptance.test_node import NODE, NPM, run
from tests.acceptance.test_seeds import SEEDS, client_of

TABLE = "amazonmq-messages"


@pytest.fixture(scope="module")
def dependencies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder node_modules with axios and stompit."""
    folder = tmp_path_factory.mktemp("dependencies")
    shutil.copy(SEEDS / "node" / "package.json", folder)
    run(folder, str(NPM), "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts")
    return folder / "node_modules"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With AWS's SDK in its data folder."""
    folder = tmp_path_factory.mktemp("server")
    fetched = subprocess.run(
        [sys.executable, "-m", "treadle", "sdk", "--data", "data", "--node", str(NODE)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert fetched.returncode == 0, fetched.stderr
    with Server(folder, TREADLE_NODE=str(NODE)) as server:
        yield server
        assert server.stop() == 0
        assert server.stderr() == ""


def create_function(server: Server, name: str, file: str, packages: Path | None, **settings: Any) -> str:
    """Of a file of `seeds/node`, as `index`; with packages beside it. Its ARN."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.write(SEEDS / "node" / file, f"index{Path(file).suffix}")
        for path in [] if packages is None else packages.rglob("*"):
            if path.is_file():
                made.write(path, f"node_modules/{path.relative_to(packages or path)}")
    given = {"Runtime": "nodejs12.x", "Handler": "index.handler", "Role": ROLE, "Timeout": 60, **settings}
    api = client_of("lambda", server)
    return str(api.create_function(FunctionName=name, Code={"ZipFile": archive.getvalue()}, **given)["FunctionArn"])


# -- Amazon MQ ---------------------------------------------------------------------------------------------


class Broker(socketserver.StreamRequestHandler):
    """As much of a STOMP broker as one subscriber needs: it sends one message to whoever subscribes."""

    def handle(self) -> None:
        body = "a message from the queue"
        while frame := self._frame():
            if frame.startswith(("CONNECT\n", "STOMP\n")):
                assert "login:mq-user" in frame
                self.wfile.write(b"CONNECTED\nversion:1.2\nheart-beat:0,0\n\n\0")
            elif frame.startswith("SUBSCRIBE\n"):
                assert "destination:/queue/SAMPLE_QUEUE" in frame
                (subscription,) = [line[3:] for line in frame.split("\n") if line.startswith("id:")]
                head = f"MESSAGE\nsubscription:{subscription}\nmessage-id:1\ndestination:/queue/SAMPLE_QUEUE\n"
                self.wfile.write(f"{head}content-length:{len(body)}\n\n{body}\0".encode())

    def _frame(self) -> str:
        """Empty when the connection ends."""
        frame = b""
        while byte := self.rfile.read(1):
            if byte == b"\0":
                return frame.decode().lstrip("\n")
            frame += byte
        return ""


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("worker", "runtime", "sdk"), [("worker2.js", "nodejs6.10", 2), ("worker3.mjs", "nodejs22.x", 3)]
)
def test_a_message_of_a_queue(server: Server, dependencies: Path, worker: str, runtime: str, sdk: int) -> None:
    """The subscriber invokes the worker, which keeps the message; both with the SDK that Lambda has for them."""
    table = f"{TABLE}-{sdk}"
    dynamodb = client_of("dynamodb", server)
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "uuid", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "uuid", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    variables = {"Environment": {"Variables": {"TABLE_NAME": table}}}
    create_function(server, f"WorkerFunction{sdk}", worker, None, Runtime=runtime, **variables)
    broker = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Broker)
    broker.daemon_threads = True
    options = {
        "HOST": "127.0.0.1",
        "PORT": str(broker.server_address[1]),
        "LOGIN": "mq-user",
        "PASSWORD": "mq-password",
        "WORKER_FUNCTION": f"WorkerFunction{sdk}",
    }
    create_function(
        server, f"SubscriberFunction{sdk}", "subscriber.js", dependencies, Environment={"Variables": options}
    )
    with serving(broker):
        answer = client_of("lambda", server).invoke(FunctionName=f"SubscriberFunction{sdk}")
    assert json.loads(answer["Payload"].read()) == {"message": "Finished"}
    (item,) = poll(lambda: dynamodb.scan(TableName=table)["Items"] or None)
    assert (item["message"], item["sdk"]) == ({"S": "a message from the queue"}, {"N": str(sdk)})


def test_a_version_of_the_sdk_that_lambda_does_not_have(server: Server) -> None:
    create_function(server, "TooNew", "worker2.js", None, Runtime="nodejs22.x")
    answer = client_of("lambda", server).invoke(FunctionName="TooNew")
    error = json.loads(answer["Payload"].read())
    assert error["errorType"] == "Runtime.ImportModuleError"
    assert "Cannot find module 'aws-sdk'" in error["errorMessage"]
    assert error["errorMessage"].endswith("run: treadle sdk")


# -- Zendesk -----------------------------------------------------------------------------------------------


class Zendesk(http.server.BaseHTTPRequestHandler):
    articles: list[Any] = []  # noqa: RUF012 - the class stands for one service
    answers = {  # noqa: RUF012
        "/api/v2/tickets/35436.json": {"ticket": {"subject": "How?", "assignee_id": 7}},
        "/api/v2/users/7.json": {"user": {"name": "Agent"}},
    }

    def do_GET(self) -> None:
        self._answer(200, self.answers[self.path.removeprefix("/fake.com")])

    def do_POST(self) -> None:
        self.articles.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self._answer(201, {"id": len(self.articles)})

    def _answer(self, status: int, value: Any) -> None:
        assert self.headers["authorization"].startswith("Basic ")
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


def test_an_article(server: Server, dependencies: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    zendesk = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Zendesk)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    zendesk.socket = context.wrap_socket(zendesk.socket, server_side=True)
    variables = {
        "ZenDeskDomain": f"127.0.0.1:{zendesk.server_address[1]}/fake",
        "ZenDeskUsername": "agent@example.com",
        "ZenDeskPassword": "token",
        "NODE_EXTRA_CA_CERTS": str(tmp_path / "authority.pem"),
    }
    definition = (SEEDS / "zendesk.asl.json").read_text("utf-8")
    for name, handler in (
        ("GetFullZendeskTicket", "ticket"),
        ("GetFullZendeskUser", "user"),
        ("CreateZendeskArticle", "article"),
    ):
        settings = {"Handler": f"index.{handler}", "Environment": {"Variables": variables}}
        arn = create_function(server, name, "zendesk.js", dependencies, **settings)
        definition = definition.replace(f"${{{name}.Arn}}", arn)
    states = client_of("stepfunctions", server)
    machine = states.create_state_machine(name="Zendesk", definition=definition, roleArn=ROLE, type="EXPRESS")
    event = {"detail": {"ticket_event": {"ticket": {"id": 35436}, "comment": {"body": "Like this."}}}}
    with serving(zendesk):
        ended = states.start_sync_execution(stateMachineArn=machine["stateMachineArn"], input=json.dumps(event))
    assert ended["status"] == "SUCCEEDED", ended
    assert json.loads(ended["output"]) == {"statusCode": 201, "body": {"id": 1, "author": "Agent"}}
    assert Zendesk.articles == [{"article": {"title": "How?", "body": "Like this."}}]
