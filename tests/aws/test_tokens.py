from __future__ import annotations

import base64

import pytest

from treadle.aws.errors import ApiError
from treadle.aws.tokens import LIFETIME_MILLISECONDS, PageTokens

ARGUMENTS = {"stateMachineArn": "arn", "statusFilter": "RUNNING", "maxResults": 2}
NOW = 1_700_000_000_000


@pytest.fixture
def tokens() -> PageTokens:
    return PageTokens(b"secret")


@pytest.fixture
def token(tokens: PageTokens) -> str:
    return tokens.issue("ListExecutions here", ARGUMENTS, [17, "arn:é"], NOW)


def test_a_token_leads_back(tokens: PageTokens, token: str) -> None:
    for now in (NOW, NOW + LIFETIME_MILLISECONDS):
        request = ARGUMENTS | {"nextToken": token}
        assert tokens.read("ListExecutions here", request, now) == [17, "arn:é"]


def test_the_arguments_may_come_in_another_order(tokens: PageTokens, token: str) -> None:
    request = {"nextToken": token, "maxResults": 2, "statusFilter": "RUNNING", "stateMachineArn": "arn"}
    assert tokens.read("ListExecutions here", request, NOW) == [17, "arn:é"]


def test_the_size_of_the_page_may_change(tokens: PageTokens, token: str) -> None:
    """Recorded: list_executions_pagination."""
    request = ARGUMENTS | {"nextToken": token, "maxResults": 9}
    assert tokens.read("ListExecutions here", request, NOW) == [17, "arn:é"]


def test_no_token(tokens: PageTokens) -> None:
    assert tokens.read("ListExecutions here", ARGUMENTS, NOW) is None


def test_a_token_fits_the_models_limit(tokens: PageTokens) -> None:
    assert len(tokens.issue("ListStateMachines", {}, [NOW, "x" * 256], NOW)) <= 1024


def refused(tokens: PageTokens, token: str, listing: str, arguments: dict[str, object], now: int) -> None:
    with pytest.raises(ApiError) as raised:
        tokens.read(listing, arguments | {"nextToken": token}, now)
    assert raised.value.body == {"__type": "InvalidToken", "message": "Invalid Token: 'Invalid token'"}


def test_a_token_of_something_else(tokens: PageTokens, token: str) -> None:
    refused(tokens, token, "ListStateMachines here", ARGUMENTS, NOW)
    refused(tokens, token, "ListExecutions there", ARGUMENTS, NOW)
    refused(tokens, token, "ListExecutions here", ARGUMENTS | {"statusFilter": "FAILED"}, NOW)
    refused(tokens, token, "ListExecutions here", {}, NOW)
    refused(PageTokens(b"another"), token, "ListExecutions here", ARGUMENTS, NOW)


def test_an_expired_token(tokens: PageTokens, token: str) -> None:
    refused(tokens, token, "ListExecutions here", ARGUMENTS, NOW + LIFETIME_MILLISECONDS + 1)


@pytest.mark.parametrize("garbage", ["", "x", "AAAA", "é", "a b", "=" * 8, "A" * 1024])
def test_garbage(tokens: PageTokens, garbage: str) -> None:
    refused(tokens, garbage, "ListExecutions here", ARGUMENTS, NOW)


def test_every_bit_counts(tokens: PageTokens, token: str) -> None:
    data = base64.urlsafe_b64decode(token)
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        forged = base64.urlsafe_b64encode(changed).decode()
        refused(tokens, forged, "ListExecutions here", ARGUMENTS, NOW)
