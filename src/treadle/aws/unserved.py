"""Errors about requests for services that Treadle does not serve itself, in a form that their clients can read.

Clients of the Query protocols and of S3 read XML, those of EC2 in a form of its own; those of RPC v2 read CBOR, the
others JSON.
"""

from __future__ import annotations

from html import escape

from treadle.aws.errors import ApiError
from treadle.aws.messages import Answer, Request, encode, error_answer
from treadle.neighbours.catalogue import AwsService

_XML_PROTOCOLS = frozenset({"query", "ec2", "rest-xml"})
_CBOR = b"application/cbor"
_FORM = b"application/x-www-form-urlencoded"
_AWS_JSON = b"application/x-amz-json-"


def refusal(error: ApiError, service: AwsService | None, request: Request, request_id: str) -> Answer:
    """The content type of the request comes first: SDKs of different ages have different protocols for one service."""
    content_type = request.header(b"content-type")
    if content_type.startswith(_CBOR):
        return Answer(error.status, _CBOR, _cbor(error), headers=((b"smithy-protocol", b"rpc-v2-cbor"),))
    if content_type.startswith(_FORM) or (service is not None and service.protocol in _XML_PROTOCOLS):
        form = _ec2_xml if service is not None and service.protocol == "ec2" else _xml
        return Answer(error.status, b"text/xml", form(error, request_id))
    if content_type.startswith(_AWS_JSON) or service is None:
        return error_answer(error)
    name, members = error.body["__type"], {"message": error.body["message"]}
    return Answer(error.status, b"application/json", encode(members), headers=((b"x-amzn-errortype", name.encode()),))


def _xml(error: ApiError, request_id: str) -> bytes:
    """In the form of the Query protocol, which the clients of S3 read as well."""
    name, message = escape(error.body["__type"], quote=False), escape(error.body["message"], quote=False)
    whose = "Sender" if error.status < 500 else "Receiver"
    return (
        f"<ErrorResponse><Error><Type>{whose}</Type><Code>{name}</Code><Message>{message}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()


def _ec2_xml(error: ApiError, request_id: str) -> bytes:
    name, message = escape(error.body["__type"], quote=False), escape(error.body["message"], quote=False)
    return (
        f"<Response><Errors><Error><Code>{name}</Code><Message>{message}</Message></Error></Errors>"
        f"<RequestID>{request_id}</RequestID></Response>"
    ).encode()


def _cbor(error: ApiError) -> bytes:
    """A map of two texts (RFC 8949): there is no more to write than that."""
    texts = ("__type", error.body["__type"], "message", error.body["message"])
    return b"\xa2" + b"".join(_cbor_text(text) for text in texts)


def _cbor_text(text: str) -> bytes:
    encoded = text.encode()
    return b"\x7a" + len(encoded).to_bytes(4, "big") + encoded
