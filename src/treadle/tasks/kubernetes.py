"""`arn:aws:states:::eks:call`: a request to the API of a Kubernetes cluster.

    parameter              what it may be
    ClusterName            required; for whom the token of the request is good
    CertificateAuthority   required; Base64 of the certificate that the cluster's own is checked with
    Endpoint               required; https://...
    Method, Path           required
    QueryParameters        texts in lists, by name
    RequestBody            any JSON, or text

The result is {ResponseBody, StatusCode, StatusText}; any status but 2xx is the error `EKS.<status>`, with the same as
its cause (the developer guide, "Call Amazon EKS").  The request has a token as `aws eks get-token` makes it, of the
credentials that the task has: so the cluster must be one of EKS, or take such tokens.
"""

from __future__ import annotations

import base64
import http.client
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from treadle.document import Document, decode, encode
from treadle.limits import Limits
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.neighbours.web import Web, WebRequest, WebTrouble
from treadle.tasks.contract import Credentials, TaskOutcome, TaskRequest
from treadle.tasks.lambda_outcomes import result_too_large
from treadle.tasks.parameters import NO_OBJECT, malformed, missing, unsupported
from treadle.tasks.service_calls import ServiceCalls

_CLUSTER = ("ClusterName", "CertificateAuthority", "Endpoint")
CALL = frozenset({*_CLUSTER, "Method", "Path", "QueryParameters", "RequestBody"})
_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH")
_PATH_SAFE = "/%:@!$&'()*+,;=~"
_TOKEN_SECONDS = 60
"""How long a token is good for; the cluster gives it a quarter of an hour, whatever it says."""
_PATCH = "application/merge-patch+json"
"""What a PATCH holds. Whether AWS says so is not known."""


def call_problem(parameters: Any) -> str | None:
    """What Step Functions has against the parameters of `eks:call`, or None."""
    wrong = cluster_problem(parameters, CALL, ("Method", "Path"))
    if wrong is not None:
        return wrong
    if parameters["Method"] not in _METHODS:
        return malformed("Method")
    if not str(parameters["Path"]).startswith("/"):
        return malformed("Path")
    return None if is_query(parameters.get("QueryParameters")) else malformed("QueryParameters")


def cluster_problem(parameters: Any, known: frozenset[str], required: tuple[str, ...]) -> str | None:
    """`required`: texts, beside those that name the cluster."""
    if not isinstance(parameters, dict):
        return NO_OBJECT
    for field in parameters:
        if field not in known:
            return unsupported(field)
    for field in (*_CLUSTER, *required):
        if parameters.get(field) is None:
            return missing(field)
        if not isinstance(parameters[field], str):
            return malformed(field)
    return None if _is_https(parameters["Endpoint"]) else malformed("Endpoint")


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)


def is_query(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, dict) and all(
        isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in value.values()
    )


class ClusterFault(Exception):
    """The cluster has answered, but not with what was asked for."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(f"EKS.{answer['StatusCode']}")
        self.answer = answer

    @property
    def outcome(self) -> TaskOutcome:
        return TaskOutcome(error=str(self), cause=encode(self.answer))


class Clusters:
    """Whoever calls a cluster for a task."""

    def __init__(self, web: Web, limits: Limits) -> None:
        self._web = web
        self._limits = limits

    async def run_call(self, request: TaskRequest, calls: ServiceCalls) -> TaskOutcome:
        """The parameters have no `call_problem`."""
        given = request.input.value
        try:
            answer = await self.ask(
                request,
                calls,
                given["Method"],
                given["Path"],
                given.get("QueryParameters") or {},
                given.get("RequestBody"),
            )
        except ClusterFault as fault:
            return fault.outcome
        except NeighbourUnavailable as error:
            return unavailable(error)
        output = Document(answer)
        return TaskOutcome(output=output) if output.size <= self._limits.payload_bytes else result_too_large("eks")

    async def ask(
        self,
        request: TaskRequest,
        calls: ServiceCalls,
        method: str,
        path: str,
        query: Mapping[str, list[str]] | None = None,
        body: Any = None,
        *,
        raw: bool = False,
    ) -> dict[str, Any]:
        """{ResponseBody, StatusCode, StatusText} of the cluster that the task names. `raw`: a body stays text, even
        if it is JSON. Raises ClusterFault, NeighbourUnavailable."""
        given = request.input.value
        headers = [("Authorization", f"Bearer {await _token(given['ClusterName'], request, calls)}")]
        if body is not None:
            headers.append(("Content-Type", _PATCH if method == "PATCH" else "application/json"))
        asked_for = f"?{urlencode(query, doseq=True)}" if query else ""
        asked = WebRequest(
            method=method,
            url=given["Endpoint"].rstrip("/") + quote(path, safe=_PATH_SAFE) + asked_for,
            headers=[*headers, ("Accept", "application/json")],
            body=None if body is None else (body if isinstance(body, str) else encode(body)).encode(),
            authority=_certificate(given["CertificateAuthority"]),
        )
        try:
            got = await self._web.fetch(asked, self._limits.neighbour_answer_bytes)
        except WebTrouble as error:
            raise NeighbourUnavailable(str(error)) from error
        text = got.body.decode("utf-8", "replace")
        answer = {
            "ResponseBody": text if raw else _parsed(text),
            "StatusCode": got.status,
            "StatusText": got.reason or http.client.responses.get(got.status, ""),
        }
        if not 200 <= got.status < 300:
            raise ClusterFault(answer)
        return answer


def unavailable(error: NeighbourUnavailable) -> TaskOutcome:
    return TaskOutcome(error="EKS.SdkClientException", cause=f"Unable to execute HTTP request: {error}")


def _parsed(text: str) -> Any:
    try:
        return decode(text)
    except ValueError:
        return text


def _certificate(given: str) -> str:
    """In PEM. Raises NeighbourUnavailable."""
    try:
        pem = base64.b64decode(given, validate=True).decode("ascii")
    except ValueError:
        pem = ""
    if "-----BEGIN CERTIFICATE-----" not in pem:
        raise NeighbourUnavailable("the CertificateAuthority is not the Base64 of a certificate in PEM")
    return pem


async def _token(cluster: str, request: TaskRequest, calls: ServiceCalls) -> str:
    """A presigned GetCallerIdentity, from which the cluster learns who asks. Raises NeighbourUnavailable."""
    from treadle.tasks.service_wire import presigned_url

    credentials = await calls.credentials() or Credentials.unverified(request.account)
    region = request.region
    url = f"https://sts.{region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
    signed_url = presigned_url(url, {"x-k8s-aws-id": cluster}, "sts", credentials, region, _TOKEN_SECONDS)
    signed = base64.urlsafe_b64encode(signed_url.encode()).decode().rstrip("=")
    return f"k8s-aws-v1.{signed}"
