"""The answer to a request for a service that Treadle does not serve: an error that its client can read.

Only the form differs: clients of the Query protocol and of S3 read errors as XML, the others as JSON.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from treadle.aws.errors import ApiError

_XML_SERVICES = frozenset({"s3"})
_QUERY_CONTENT_TYPE = "application/x-www-form-urlencoded"


class UnservedError(ApiError):
    def __init__(self, service: str, content_type: str) -> None:
        message = f"Treadle does not implement the service '{service}' yet."
        super().__init__("NotImplementedException", message)
        self.reads_xml = service in _XML_SERVICES or content_type.startswith(_QUERY_CONTENT_TYPE)

    def xml(self, request_id: str) -> bytes:
        """The error in the form of the Query protocol, which the clients of S3 read as well."""
        name, message = escape(self.body["__type"]), escape(self.body["message"])
        return (
            f"<ErrorResponse><Error><Type>Receiver</Type><Code>{name}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        ).encode()
