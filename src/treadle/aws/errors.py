"""API errors: what an operation raises instead of answering, and the HTTP status that each has.

Source: the errors that the service model declares, AWS's page of common errors, and the recorded answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STATUS: Mapping[str, int] = {
    # common to all services
    "AccessDeniedException": 400,
    "IncompleteSignatureException": 400,
    "InternalFailure": 500,
    "InvalidSignatureException": 400,
    "MissingAuthenticationTokenException": 400,
    "NotImplementedException": 501,
    "RequestEntityTooLargeException": 413,
    "RequestTimeoutException": 408,
    "RequestTooLargeException": 413,
    "SerializationException": 400,
    "ServiceUnavailable": 503,
    "ThrottlingException": 400,
    "UnknownOperationException": 400,
    "UnrecognizedClientException": 400,
    "ValidationException": 400,
    "XAmzContentSHA256Mismatch": 400,
    "SignatureDoesNotMatch": 403,
    "IncompleteBody": 400,
    "InvalidRequest": 400,
    # Step Functions
    "ActivityDoesNotExist": 400,
    "ActivityLimitExceeded": 400,
    "ActivityWorkerLimitExceeded": 400,
    "ConflictException": 400,
    "ExecutionAlreadyExists": 400,
    "ExecutionDoesNotExist": 400,
    "ExecutionLimitExceeded": 400,
    "ExecutionNotRedrivable": 400,
    "InvalidArn": 400,
    "InvalidDefinition": 400,
    "InvalidEncryptionConfiguration": 400,
    "InvalidExecutionInput": 400,
    "InvalidLoggingConfiguration": 400,
    "InvalidName": 400,
    "InvalidOutput": 400,
    "InvalidToken": 400,
    "MissingRequiredParameter": 400,
    "ResourceNotFound": 400,
    "ServiceQuotaExceededException": 400,
    "StateMachineAlreadyExists": 400,
    "StateMachineDeleting": 400,
    "StateMachineDoesNotExist": 400,
    "StateMachineLimitExceeded": 400,
    "StateMachineTypeNotSupported": 400,
    "TaskDoesNotExist": 400,
    "TaskTimedOut": 400,
    "TooManyTags": 400,
    # services that run jobs
    "ClientException": 400,
    "ClusterNotFoundException": 400,
    "EntityNotFoundException": 400,
    "InvalidInputException": 400,
    "InvalidParameterException": 400,
    "InvalidRequestException": 400,
    # Lambda
    "CodeStorageExceededException": 400,
    "InvalidParameterValueException": 400,
    "InvalidRequestContentException": 400,
    "CodeSigningConfigNotFoundException": 404,
    "PolicyLengthExceededException": 400,
    "PreconditionFailedException": 412,
    "ProvisionedConcurrencyConfigNotFoundException": 404,
    "ResourceConflictException": 409,
    "ResourceNotFoundException": 404,
    "TooManyRequestsException": 429,
}
"""HTTP status of every error. No SDK tries again after 501: boto3, the CLI and the AWS SDKs for JavaScript,
Java, Go and Rust repeat a request after 500, 502, 503 and 504 only."""


class ApiError(Exception):
    """An error that the caller of the API gets to see. A name without a line in the table is a bug."""

    def __init__(self, name: str, message: str, *, status: int | None = None, **members: Any) -> None:
        """`members`: what the error's shape has beside `message`. `status`: if it is not the table's."""
        super().__init__(f"{name}: {message}")
        self.status = STATUS[name] if status is None else status
        self.body: dict[str, Any] = {"__type": name, "message": message, **members}


def not_implemented(what: str) -> ApiError:
    """`what` exists on AWS and not here (yet): said plainly, and in a way that no SDK repeats."""
    return ApiError("NotImplementedException", f"Treadle does not implement {what} yet.")
