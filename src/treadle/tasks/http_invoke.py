"""`arn:aws:states:::http:invoke`: a request to any HTTPS API.

Source: "Call HTTPS APIs" in the developer guide. Not known, and chosen: the cause of States.Http.StatusCode.N is the
body of the answer, as that of API Gateway's errors is (recorded: services/apigetway_task_service--invoke_error);
redirects are answers like others, so States.Http.StatusCode.302; an answer is parsed if its type says that it is JSON.
"""

from __future__ import annotations

import http.client
import ipaddress
from collections.abc import Container
from typing import Any
from urllib.parse import urlsplit

from treadle.document import Document, decode
from treadle.limits import Limits
from treadle.neighbours.web import Web, WebAnswer, WebRequest, WebTrouble
from treadle.tasks.contract import HttpExchange, TaskOutcome, TaskRequest
from treadle.tasks.http_connections import Additions, ConnectionFault, Connections
from treadle.tasks.http_request import HttpTask, Unmergeable, read_http_task, written
from treadle.tasks.lambda_outcomes import result_too_large
from treadle.tasks.service_calls import ServiceCalls

_UNSUPPORTED_TYPES = ("application/octet-stream", "image/", "video/", "audio/")
_UNAUTHORISED = (401, 407)
_IN_THE_CLEAR = (
    "The ApiEndpoint must begin with https://. Without TLS, requests go to this machine only, and to the hosts of "
    "Treadle's setting --plain-http."
)


class HttpTasks:
    def __init__(self, web: Web, limits: Limits, plain_hosts: Container[str]) -> None:
        """`plain_hosts`: whom HTTP without TLS may go to, beside this machine; `*`: everybody."""
        self._web = web
        self._connections = Connections(web, limits, self._may_call)
        self._limits = limits
        self._plain_hosts = plain_hosts

    async def run(self, request: TaskRequest, calls: ServiceCalls) -> TaskOutcome:
        """`calls`: to EventBridge and Secrets Manager, which have the connection. The parameters have no
        `http_request.problem`."""
        task = read_http_task(request.input.value)
        if not self._may_call(task.url):
            return TaskOutcome(error="States.Runtime", cause=_IN_THE_CLEAR)
        try:
            additions = await self._connections.additions(task.connection_arn, calls, request.token)
            outcome, answer = await self._exchange(task, additions, request)
            if answer is not None and answer.status in _UNAUTHORISED and additions.token is not None:
                # The token was good once, and is no more: nothing has happened behind it.
                additions = await self._connections.additions(
                    task.connection_arn, calls, request.token, refused=additions.token
                )
                outcome, _ = await self._exchange(task, additions, request)
        except ConnectionFault as fault:
            return TaskOutcome(error=fault.error, cause=fault.cause)
        except Unmergeable:
            cause = "The RequestBody is a text, and the body parameters of the connection cannot be added to it."
            return TaskOutcome(error="States.Runtime", cause=cause)
        return outcome

    def _may_call(self, url: str) -> bool:
        """Over TLS anywhere, without it only where nobody listens in."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme != "http":
            return parts.scheme == "https"
        if host in self._plain_hosts or "*" in self._plain_hosts:
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    async def _exchange(
        self, task: HttpTask, additions: Additions, request: TaskRequest
    ) -> tuple[TaskOutcome, WebAnswer | None]:
        sent = written(task, additions, request.region)
        answer, trouble = None, ""
        try:
            answer = await self._web.fetch(sent, self._limits.payload_bytes)
        except WebTrouble as error:
            trouble = str(error)
        exchange = HttpExchange(
            request=_shown_request(written(task, Additions(), request.region)),
            request_with_secrets=_shown_request(sent),
            response=None if answer is None else _shown_answer(sent, answer),
        )
        if answer is None:
            cause = f"The HTTP request could not be completed: {trouble}"
            return TaskOutcome(error="States.Http.Socket", cause=cause, exchange=exchange), None
        failure, value = self._read(answer)
        if failure is not None:
            return TaskOutcome(error=failure, cause=value, exchange=exchange), answer
        output = Document(value)
        if answer.cut or output.size > self._limits.payload_bytes:
            large = result_too_large(request.resource.resource_type)
            return TaskOutcome(error=large.error, cause=large.cause, exchange=exchange), answer
        return TaskOutcome(output=output, exchange=exchange), answer

    def _read(self, answer: WebAnswer) -> tuple[str | None, Any]:
        """The result; or an error, and its cause."""
        kind = next((value for name, value in answer.headers if name.lower() == "content-type"), "").lower()
        if not 200 <= answer.status < 300:
            text = answer.body.decode("utf-8", "replace")
            return f"States.Http.StatusCode.{answer.status}", text[: self._limits.cause_characters]
        if kind.startswith(_UNSUPPORTED_TYPES):
            return "States.Runtime", f"The response has the content type '{kind}', which HTTP tasks do not support."
        try:
            text = answer.body.decode()
        except UnicodeDecodeError:
            if not answer.cut:  # a limit may lie in the midst of a character
                return "States.Runtime", "The response could not be read as a text."
            text = ""
        headers: dict[str, list[str]] = {}
        for name, value in answer.headers:
            headers.setdefault(name, []).append(value)
        return None, {
            "Headers": headers,
            "ResponseBody": body_value(text, kind),
            "StatusCode": answer.status,
            "StatusText": answer.reason or http.client.responses.get(answer.status, ""),
        }


def body_value(text: str, content_type: str) -> Any:
    """Of what says that it is JSON, the value."""
    kind = content_type.partition(";")[0].strip()
    if kind != "application/json" and not kind.endswith("+json"):
        return text
    try:
        return decode(text)
    except ValueError:
        return text


# -- TestState ---------------------------------------------------------------------------------------------


def _shown_request(request: WebRequest) -> dict[str, str]:
    shown = {
        "protocol": urlsplit(request.url).scheme,
        "method": request.method,
        "url": request.url,
        "headers": _shown_headers(request.headers),
    }
    return shown if request.body is None else {**shown, "body": request.body.decode("utf-8", "replace")}


def _shown_answer(request: WebRequest, answer: WebAnswer) -> dict[str, str]:
    return {
        "protocol": urlsplit(request.url).scheme,
        "statusCode": str(answer.status),
        "statusMessage": answer.reason,
        "headers": _shown_headers(answer.headers),
        "body": answer.body.decode("utf-8", "replace"),
    }


def _shown_headers(headers: list[tuple[str, str]]) -> str:
    return f"[{', '.join(f'{name}: {value}' for name, value in headers)}]"
