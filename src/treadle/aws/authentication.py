"""Who sends a request: the account and region that it counts for, and the proof that it may.

While no access key is configured, nobody is asked for a proof: the region is that of the credential scope, the
account that of an access key of twelve digits or of a key that is known, or else the default. Once there are keys, a
request must be signed with one of them, for the account that the key belongs to.

A check has two halves. `claim` looks at the head of a request, so that most wrong requests are refused before
their body is read; `prove` compares the signature, which covers the body.

The texts are AWS's, where issues of its SDKs quote them (skew, scope of the service, key=value pairs, parameters
that are missing, signature that does not match). The others are in their style.
"""

from __future__ import annotations

import hashlib
import hmac

from msgspec import Struct

from treadle.aws.access_keys import Credentials, Keyring
from treadle.aws.credentials import scope_of
from treadle.aws.errors import ApiError
from treadle.aws.messages import Request
from treadle.aws.sigv4 import (
    Signature,
    canonical_paths,
    canonical_request,
    expected_signature,
    moment,
    read_signature,
    written,
)
from treadle.clock import Clock
from treadle.limits import Limits

_MUST_BE_SIGNED = b"x-amz-"
_EMPTY_HASH = hashlib.sha256(b"").hexdigest()


class Identity(Struct, frozen=True):
    account: str
    region: str
    administrator: bool = False
    anonymous: bool = False
    """The request names neither account nor region, and nobody asks it to."""


class Defaults(Struct, frozen=True):
    """What counts where a request does not say."""

    account: str = "000000000000"
    region: str = "us-east-1"


class Claim(Struct, frozen=True):
    """A request's word for who sends it."""

    identity: Identity
    request: Request | None = None
    """None: no proof is asked for."""
    signature: Signature | None = None
    credentials: Credentials | None = None

    @property
    def proves(self) -> bool:
        """Whether a proof is asked for."""
        return self.signature is not None

    @property
    def presigned_object(self) -> bool:
        """Whether it is a presigned URL of S3, which does not cover the body."""
        signature = self.signature
        return signature is not None and signature.expires is not None and signature.scope.service == "s3"

    def prove(self, body: bytes) -> Identity:
        """Raises InvalidSignatureException."""
        if self.signature is None:
            return self.identity
        return self.prove_hash(hashlib.sha256(body).hexdigest() if body else _EMPTY_HASH)

    def prove_hash(self, payload_hash: str) -> Identity:
        """`payload_hash`: what the signature covers in place of the body; whoever calls holds the body to it. Raises
        InvalidSignatureException."""
        if self.request is None or self.signature is None or self.credentials is None:
            return self.identity
        request = self.request
        given = self.signature.signature.encode("latin-1", "replace")
        for path in canonical_paths(request.raw_path):
            text = canonical_request(
                request.method,
                path,
                request.query,
                request.headers,
                self.signature.signed_headers,
                payload_hash,
            )
            expected = expected_signature(self.credentials.secret, self.signature, text)
            if hmac.compare_digest(expected.encode(), given):
                return self.identity
        raise _invalid(
            "The request signature we calculated does not match the signature you provided. Check your AWS "
            "Secret Access Key and signing method. Consult the service documentation for details."
        )


class Authentication:
    def __init__(
        self, keyring: Keyring, clock: Clock, limits: Limits, defaults: Defaults, *, off: bool = False
    ) -> None:
        """`off`: nobody is asked for a signature, even if there are keys."""
        self._keyring = keyring
        self._clock = clock
        self._limits = limits
        self._defaults = defaults
        self._off = off

    @property
    def required(self) -> bool:
        return self._keyring.required and not self._off

    def claim(self, request: Request, signing_name: str, *, always: bool = False) -> Claim:
        """`signing_name`: the service that the request must be signed for. `always`: ask for a proof in any case.
        Raises ApiError."""
        if always or self.required:
            return self._signed(request, signing_name)
        scope = scope_of(request.header(b"authorization"), request.query)
        if scope is None:
            return Claim(Identity(self._defaults.account, self._defaults.region, anonymous=True))
        known = self._keyring.find(scope.access_key_id)
        account = scope.account or (self._defaults.account if known is None else known.account)
        return Claim(Identity(account, scope.region))

    def _signed(self, request: Request, signing_name: str) -> Claim:
        authorization = request.header(b"authorization").decode("latin-1")
        signature = read_signature(authorization, request.query, request.headers)
        if signature is None:
            raise ApiError("MissingAuthenticationTokenException", "Missing Authentication Token")
        credentials = self._keyring.find(signature.scope.access_key_id)
        if credentials is None or not _same(credentials.session_token, signature.token):
            text = "The security token included in the request is invalid."
            raise ApiError("UnrecognizedClientException", text)
        self._check_scope(signature, signing_name)
        self._check_time(signature)
        _check_signed_headers(request, signature)
        identity = Identity(credentials.account, signature.scope.region, credentials.role == "administrator")
        return Claim(identity, request, signature, credentials)

    def _check_scope(self, signature: Signature, signing_name: str) -> None:
        scope = signature.scope
        if scope.service != signing_name:
            raise _invalid(f"Credential should be scoped to correct service: '{signing_name}'. ")
        day = signature.time[:8]
        if scope.date != day:
            raise _invalid(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                f"'{scope.date}' != '{day}', from '{signature.time}'."
            )

    def _check_time(self, signature: Signature) -> None:
        try:
            signed = moment(signature.time)
        except ValueError:
            raise _invalid(f"Signature has no valid time: '{signature.time}'.") from None
        now = self._clock.now() // 1_000
        skew = self._limits.signature_skew_seconds
        if signed > now + skew:
            until = written(now + skew)
            raise _invalid(
                f"Signature not yet current: {signature.time} is still later than {until} "
                f"({written(now)} + {_length(skew)})"
            )
        if signature.expires is None:
            lifetime = skew
        else:
            lifetime = signature.expires
            if lifetime > self._limits.presigned_seconds:
                most = self._limits.presigned_seconds
                raise _invalid(f"X-Amz-Expires must be at most {most} seconds, not {lifetime}.")
        if signed < now - lifetime:
            since = written(now - lifetime)
            raise _invalid(
                f"Signature expired: {signature.time} is now earlier than {since} "
                f"({written(now)} - {_length(lifetime)})"
            )


def _check_signed_headers(request: Request, signature: Signature) -> None:
    """Host and all X-Amz- headers must be covered, or somebody on the way could change what a request asks for."""
    signed = signature.signed_headers
    if "host" not in signed:
        raise _invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    for name, _ in request.headers:
        if name.startswith(_MUST_BE_SIGNED) and name.decode("latin-1") not in signed:
            raise _invalid(f"'{name.decode('latin-1')}' must be a 'SignedHeader' in the AWS Authorization.")


def _same(expected: str | None, given: str | None) -> bool:
    if expected is None or given is None:
        return expected is given
    return hmac.compare_digest(expected.encode(), given.encode("latin-1", "replace"))


def _length(seconds: int) -> str:
    return f"{seconds} sec." if seconds % 60 else f"{seconds // 60} min."


def _invalid(text: str) -> ApiError:
    return ApiError("InvalidSignatureException", text)
