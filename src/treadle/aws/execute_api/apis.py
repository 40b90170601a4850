"""REST APIs of API Gateway as they are called: http://ID.execute-api.REGION.localhost:PORT/STAGE/PATH.

moto keeps APIs and runs none. Here are the integrations that workflows and their tests need, each by its rule:

    AWS_PROXY, AWS of a function    the function is invoked
    AWS of Step Functions           the operation is carried out, with the body as its request
    HTTP_PROXY                      the request goes on to the URL
    MOCK                            the answer that the integration says

Mapping templates (VTL) are not run, and other integrations and authorizers are not there: such a method answers 501
and says so, and nothing else happens.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import re2

from treadle.aws.authentication import Defaults
from treadle.aws.execute_api.definition import ApiMethod, find_method
from treadle.aws.execute_api.lambda_proxy import proxy_answer, proxy_event
from treadle.clock import Clock
from treadle.document import decode, encode
from treadle.functions.contract import FunctionNotFound, Functions, FunctionThrottled
from treadle.language.resources import parse_resource
from treadle.limits import Limits
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.neighbours.directory import UnknownNeighbour
from treadle.neighbours.transport import passed_on
from treadle.neighbours.web import Web, WebRequest, WebTrouble
from treadle.tasks.contract import ApiAnswer, ApiCall, ServiceFault, StepFunctions
from treadle.tasks.service_calls import ServiceCalls
from treadle.tasks.service_models import load

_FUNCTION_URI = re.compile(r"arn:[^:]+:apigateway:[^:]*:lambda:path/[^/]+/functions/(?P<arn>.+)/invocations")
_STATES_URI = re.compile(r"arn:[^:]+:apigateway:(?P<region>[^:]+):states:action/(?P<operation>[A-Za-z]+)")
_TEMPLATE = re.compile(r"[#$]")
_PLACEHOLDER = re.compile(r"\{([^{}+]+)\+?\}")
_PATH_SOURCE = "method.request.path."
_NOT_FOR_BACKENDS = frozenset({"host", "content-length", "authorization"})
_INTERNAL = "Internal server error"


class Refusal(Exception):
    """An answer of API Gateway's own, in place of the integration's."""

    def __init__(self, status: int, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        """Of the header x-amzn-ErrorType."""


class _Called:
    """One call, and what is known of its API."""

    def __init__(self, call: ApiCall, account: str, region: str) -> None:
        self.call = call
        self.account = account
        self.region = region
        self.request_id = str(uuid4())
        self.edge = False
        self.stage: Mapping[str, Any] = {}
        self.method: ApiMethod

    @property
    def integration(self) -> Mapping[str, Any]:
        return self.method.settings.get("methodIntegration") or {}


class RestApis:
    """Implements `tasks.contract.Apis`."""

    def __init__(
        self,
        calls: ServiceCalls,
        functions: Functions,
        web: Web,
        clock: Clock,
        limits: Limits,
        defaults: Defaults,
    ) -> None:
        self._calls = calls
        self._functions = functions
        self._web = web
        self._clock = clock
        self._limits = limits
        self._defaults = defaults
        self._step_functions: StepFunctions | None = None
        self._integrations: Mapping[str, Callable[[_Called], Awaitable[ApiAnswer]]] = {
            "AWS_PROXY": self._function_proxy,
            "AWS": self._service,
            "HTTP_PROXY": self._http_proxy,
            "MOCK": self._mock,
        }

    def connect(self, step_functions: StepFunctions) -> None:
        """What integrations call that call Step Functions. Before the first call."""
        self._step_functions = step_functions

    async def invoke(self, call: ApiCall) -> ApiAnswer:
        called = _Called(call, call.account or self._defaults.account, call.region or self._defaults.region)
        try:
            await self._find(called)
            async with asyncio.timeout(self._limits.api_integration_seconds):
                answer = await self._integrated(called)
        except Refusal as error:
            answer = _refused(error)
        except TimeoutError:
            answer = _refused(Refusal(504, "Endpoint request timed out", "InternalServerErrorException"))
        return _with_headers(called, answer)

    async def _find(self, called: _Called) -> None:
        """Raises Refusal."""
        call = called.call
        forbidden = Refusal(403, "Forbidden", "ForbiddenException")
        api = await self._ask(called, "GetRestApi", {})
        if api is None:
            raise forbidden
        called.edge = "EDGE" in ((api.get("endpointConfiguration") or {}).get("types") or ["EDGE"])
        stage = await self._ask(called, "GetStage", {"stageName": call.stage})
        if stage is None:
            raise forbidden
        called.stage = stage
        resources = await self._ask(called, "GetResources", {"limit": 500, "embed": ["methods"]}) or {}
        method = find_method(resources.get("items") or [], call.method, call.path)
        if method is None:
            # Recorded: services/apigetway_task_service--invoke_error.
            raise Refusal(403, "Missing Authentication Token", "MissingAuthenticationTokenException")
        called.method = method

    async def _ask(self, called: _Called, operation: str, members: dict[str, Any]) -> dict[str, Any] | None:
        """None: there is no such thing. Raises Refusal."""
        model = load("apigateway").operation_model(operation)
        try:
            answer = await self._calls.call(
                model,
                {"restApiId": called.call.api_id, **members},
                account=called.account,
                region=called.region,
                token=called.request_id,
            )
        except ServiceFault as fault:
            if fault.status in (403, 404):
                return None
            raise Refusal(500, f"{_INTERNAL}: {fault.message}") from fault
        except (NeighbourUnavailable, UnknownNeighbour) as error:
            raise Refusal(503, f"Service Unavailable: {error}") from error
        return answer.members

    def _integrated(self, called: _Called) -> Awaitable[ApiAnswer]:
        """Raises Refusal."""
        method, kind = called.method.settings, called.integration.get("type")
        authorization = method.get("authorizationType") or "NONE"
        if authorization == "AWS_IAM" and not called.call.signed:
            raise Refusal(403, "Missing Authentication Token", "MissingAuthenticationTokenException")
        if authorization not in ("NONE", "AWS_IAM"):
            raise _unserved(f"the authorization type {authorization}")
        if method.get("apiKeyRequired"):
            raise _unserved("API keys of methods")
        if not kind:
            raise Refusal(500, _INTERNAL, "InternalServerErrorException")
        integrate = self._integrations.get(kind)
        if integrate is None:
            raise _unserved(f"integrations of the type {kind}")
        return integrate(called)

    # -- integrations --------------------------------------------------------------------------------------

    async def _function_proxy(self, called: _Called) -> ApiAnswer:
        event = proxy_event(
            called.call, called.method, called.account, called.stage, called.request_id, self._clock.now()
        )
        payload, failed = await self._invoke(called, event)
        answer = None if failed else proxy_answer(payload)
        if answer is None:
            raise Refusal(502, _INTERNAL, "InternalServerErrorException")
        return answer

    async def _service(self, called: _Called) -> ApiAnswer:
        """Not as a proxy: the body is the event of a function, or the request of an operation of Step Functions, and
        the integration responses say what becomes of the answer."""
        kind = _content_type(called.call)
        _check_template((called.integration.get("requestTemplates") or {}).get(kind))
        event = called.call.body or b"{}"
        try:
            request = decode(event)
        except ValueError:
            raise Refusal(400, "Could not parse request body into json", "BadRequestException") from None
        states = _STATES_URI.fullmatch(str(called.integration.get("uri") or ""))
        if states is not None:
            return await self._states(called, states["operation"], states["region"], request)
        payload, failed = await self._invoke(called, event)
        return _answer_of(called, payload, _error_message(payload) if failed else "")

    async def _states(self, called: _Called, operation: str, region: str, request: Any) -> ApiAnswer:
        """The patterns of integration responses are for the status of the service's answer."""
        if self._step_functions is None:
            raise RuntimeError("APIs were not connected to Step Functions")
        try:
            answer = await self._step_functions.call(operation, request, account=called.account, region=region)
        except ServiceFault as fault:
            told = encode({"__type": fault.code, "message": fault.message})
            return _answer_of(called, told.encode(), str(fault.status))
        return _answer_of(called, encode(answer.members).encode(), "200")

    async def _invoke(self, called: _Called, event: bytes) -> tuple[bytes, bool]:
        """The function's answer, and whether it failed. Raises Refusal."""
        uri = str(called.integration.get("uri") or "")
        for name, value in (called.stage.get("variables") or {}).items():
            uri = uri.replace(f"${{stageVariables.{name}}}", value)
        found = _FUNCTION_URI.fullmatch(uri)
        resource = None if found is None else parse_resource(found["arn"])
        if resource is None or resource.kind != "function":
            raise _unserved("integrations with other services than Lambda and Step Functions")
        try:
            invocation = await self._functions.invoke(
                resource.name, event, function_arn=resource.arn, request_id=called.request_id
            )
        except (FunctionNotFound, FunctionThrottled) as error:
            raise Refusal(500, _INTERNAL, "InternalServerErrorException") from error
        return invocation.payload, invocation.function_error is not None

    async def _http_proxy(self, called: _Called) -> ApiAnswer:
        call, integration = called.call, called.integration
        variables = dict(called.method.variables)
        for target, source in (integration.get("requestParameters") or {}).items():
            if target.startswith("integration.request.path.") and source.startswith(_PATH_SOURCE):
                variables[target.rpartition(".")[2]] = variables.get(source.removeprefix(_PATH_SOURCE), "")
            else:
                raise _unserved(f"the parameter mapping {target}")
        uri = _PLACEHOLDER.sub(
            lambda match: quote(variables.get(match[1], match[0]), safe="/"), str(integration.get("uri") or "")
        )
        if call.query:
            uri += f"{'&' if '?' in uri else '?'}{urlencode(call.query)}"
        method = integration.get("httpMethod") or call.method
        raw = passed_on(
            (name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in call.headers
        )
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
        request = WebRequest(
            method=call.method if method == "ANY" else method,
            url=uri,
            headers=[pair for pair in headers if pair[0] not in ("host", "content-length", "authorization")],
            body=call.body or None,
        )
        try:
            answer = await self._web.fetch(request, self._limits.api_body_bytes)
        except WebTrouble as error:
            raise Refusal(504, f"Endpoint request failed: {error}", "InternalServerErrorException") from error
        if answer.cut:
            raise Refusal(500, _INTERNAL, "InternalServerErrorException")
        return ApiAnswer(status=answer.status, headers=_passed_on(answer.headers), body=answer.body)

    async def _mock(self, called: _Called) -> ApiAnswer:
        template = (called.integration.get("requestTemplates") or {}).get(_content_type(called.call))
        _check_template(template)
        try:
            status = int(decode(template or "null")["statusCode"])
        except (ValueError, TypeError, KeyError):
            raise Refusal(500, _INTERNAL, "InternalServerErrorException") from None
        for code, response in (called.integration.get("integrationResponses") or {}).items():
            if str(response.get("selectionPattern") or code) == str(status):
                return _written(int(code), response, b"")
        return _answer_of(called, b"", "")


def _passed_on(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    raw = passed_on((name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers)
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]


def _answer_of(called: _Called, payload: bytes, error: str) -> ApiAnswer:
    """The integration response whose pattern the error matches, or else the one without a pattern."""
    default = None
    for code, response in (called.integration.get("integrationResponses") or {}).items():
        pattern = response.get("selectionPattern")
        if not pattern:
            default = int(code), response
        elif error and _fits(pattern, error):
            return _written(int(code), response, payload)
    if default is None:
        raise Refusal(500, _INTERNAL, "InternalServerErrorException")
    return _written(*default, payload)


def _fits(pattern: str, error: str) -> bool:
    try:
        return re2.fullmatch(pattern, error) is not None
    except re2.error:
        return False


def _written(status: int, response: Mapping[str, Any], payload: bytes) -> ApiAnswer:
    if response.get("responseParameters"):
        raise _unserved("parameter mappings of integration responses")
    templates = response.get("responseTemplates") or {}
    template = templates.get("application/json")
    _check_template(template)
    body = payload if template is None else template.encode()
    return ApiAnswer(status=status, headers=[("Content-Type", "application/json")], body=body)


def _check_template(template: Any) -> None:
    """A template without anything to evaluate is its own result. Raises Refusal."""
    if isinstance(template, str) and _TEMPLATE.search(template):
        raise _unserved("mapping templates")


def _error_message(payload: bytes) -> str:
    try:
        told = decode(payload)
    except ValueError:
        return ""
    message = told.get("errorMessage") if isinstance(told, dict) else None
    return message if isinstance(message, str) else ""


def _content_type(call: ApiCall) -> str:
    given = next((value for name, value in call.headers if name.lower() == "content-type"), "application/json")
    return given.partition(";")[0].strip().lower()


def _unserved(what: str) -> Refusal:
    return Refusal(501, f"Treadle does not serve {what} of API Gateway.", "NotImplementedException")


def _refused(error: Refusal) -> ApiAnswer:
    headers = [("Content-Type", "application/json")]
    if error.kind:
        headers.append(("x-amzn-ErrorType", error.kind))
    return ApiAnswer(status=error.status, headers=headers, body=encode({"message": error.message}).encode())


def _with_headers(called: _Called, answer: ApiAnswer) -> ApiAnswer:
    """What API Gateway adds, and CloudFront, through which an edge-optimised API answers (recorded:
    services/apigetway_task_service--invoke_base)."""
    own = [
        ("Connection", "keep-alive"),
        ("Content-Length", str(len(answer.body))),
        ("Date", formatdate(usegmt=True)),
        ("x-amzn-RequestId", called.request_id),
        ("x-amz-apigw-id", uuid4().hex[:16]),
        ("X-Amzn-Trace-Id", f"Root=1-{uuid4().hex[:8]}-{uuid4().hex[:24]}"),
    ]
    if called.edge:
        own += [
            ("Via", f"1.1 {uuid4().hex}.cloudfront.net (CloudFront)"),
            ("X-Amz-Cf-Id", uuid4().hex),
            ("X-Amz-Cf-Pop", "LOCAL"),
            ("X-Cache", "Error from cloudfront" if answer.status >= 400 else "Miss from cloudfront"),
        ]
    theirs = {name.lower() for name, _ in own}
    kept = [(name, value) for name, value in answer.headers if name.lower() not in theirs]
    return ApiAnswer(status=answer.status, headers=[*kept, *own], body=answer.body)
