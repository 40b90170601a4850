"""Uploads in signed chunks: AWS's own examples, however they are cut, and everything that spoils one."""

from __future__ import annotations

import pytest

from treadle.aws.chunked_upload import SignedChunks
from treadle.aws.credentials import Scope
from treadle.aws.errors import ApiError
from treadle.aws.sigv4 import Signature

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

SIGNED = (
    b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
    + b"a" * 65_536
    + b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
    + b"a" * 1_024
    + b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
)
SIGNED_SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"

TRAILING = (
    b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n"
    + b"a" * 65_536
    + b"\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n"
    + b"a" * 1_024
    + b"\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
    b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
    b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
)
TRAILING_SEED = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
"""Both are the examples in S3's API reference."""


def chunks(*, trailer: bool = False, line_bytes: int = 16_384) -> SignedChunks:
    seed = Signature(
        scope=Scope("AKIAIOSFODNN7EXAMPLE", "20130524", "us-east-1", "s3"),
        signed_headers=("host",),
        signature=TRAILING_SEED if trailer else SIGNED_SEED,
        time="20130524T000000Z",
    )
    return SignedChunks(SECRET, seed, line_bytes, trailer=trailer)


def check(body: bytes, cut: int = 1_000_000, *, trailer: bool = False, line_bytes: int = 16_384) -> SignedChunks:
    found = chunks(trailer=trailer, line_bytes=line_bytes)
    for at in range(0, len(body), cut):
        found.feed(body[at : at + cut])
    found.end()
    return found


@pytest.mark.parametrize(("body", "trailer"), [(SIGNED, False), (TRAILING, True)])
@pytest.mark.parametrize("cut", [1, 2, 87, 88, 89, 65_536, 1_000_000])
def test_aws_examples(body: bytes, trailer: bool, cut: int) -> None:
    assert check(body, cut, trailer=trailer).decoded_bytes == 66_560


@pytest.mark.parametrize(
    ("body", "trailer", "error"),
    [
        (SIGNED.replace(b"aaa\r\n400", b"aab\r\n400"), False, "SignatureDoesNotMatch"),
        (SIGNED.replace(b"signature=ad80", b"signature=ad81"), False, "SignatureDoesNotMatch"),
        (SIGNED.replace(b"signature=b6c6", b"signature=b6c7"), False, "SignatureDoesNotMatch"),
        (SIGNED.replace(b"10000;", b"0FFFF;"), False, "SignatureDoesNotMatch"),
        (SIGNED[SIGNED.index(b"400;") :], False, "SignatureDoesNotMatch"),
        (SIGNED[: SIGNED.index(b"400;")], False, "IncompleteBody"),
        (SIGNED[:-2], False, "IncompleteBody"),
        (SIGNED[:66_000], False, "IncompleteBody"),
        (b"", False, "IncompleteBody"),
        (SIGNED + b"0", False, "InvalidRequest"),
        (b"10000\r\n" + b"a" * 65_536, False, "InvalidRequest"),
        (b"x" * 20_000, False, "InvalidRequest"),
        (b"10000;chunk-signature=ad80\n", False, "InvalidRequest"),
        (SIGNED.replace(b"\r\n400", b"aa\r\n400"), False, "InvalidRequest"),
        (SIGNED[:-2] + b"x-amz-checksum-crc32c:sOO8/Q==\r\n\r\n", False, "InvalidRequest"),
        (TRAILING.replace(b"sOO8", b"sOO9"), True, "SignatureDoesNotMatch"),
        (TRAILING.replace(b"d81f", b"d81e"), True, "SignatureDoesNotMatch"),
        (TRAILING[: TRAILING.index(b"x-amz-trailer")] + b"\r\n", True, "InvalidRequest"),
        (TRAILING[:-2] + b"x-amz-meta-a:b\r\n\r\n", True, "InvalidRequest"),
        (TRAILING[: TRAILING.index(b"sOO8")] + b"x\r\n" * 10_000, True, "InvalidRequest"),
        (TRAILING[:-2], True, "IncompleteBody"),
    ],
)
@pytest.mark.parametrize("cut", [7, 1_000_000])
def test_what_is_wrong_is_refused(body: bytes, trailer: bool, error: str, cut: int) -> None:
    with pytest.raises(ApiError) as caught:
        check(body, cut, trailer=trailer)
    assert caught.value.body["__type"] == error


def test_heads_of_chunks_are_bounded() -> None:
    with pytest.raises(ApiError, match="a line is too long"):
        chunks(line_bytes=50).feed(b"1" * 51)
