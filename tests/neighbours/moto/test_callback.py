"""Deliveries from moto's process: what is tried again, what is given up, and who hears of it."""

from __future__ import annotations

import queue
import threading
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from treadle.neighbours.moto.callback import Later, Treadle, place
from treadle.neighbours.moto.control import Kind, Settings
from treadle.neighbours.moto.owner import Owner, OwnerGone


def settings(**members: Any) -> Settings:
    given = {"deliveries": 10, "delivery_threads": 1, "delivery_seconds": 60, **members}
    kind = Kind(treadle="", moto="", account="", region="")
    return Settings(folder="", data="", secret="", kind=kind, logs="", log_bytes=0, survival_seconds=0, **given)


def treadle(**members: Any) -> Treadle:
    return Treadle(cast(Owner, None), settings(**members))


def refusal(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "X")


@pytest.mark.parametrize(
    "trouble",
    [
        Later("busy"),
        OwnerGone("gone"),
        EndpointConnectionError(endpoint_url="http://x"),
        refusal("InternalFailure", 500),
        refusal("TooManyRequestsException", 429),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_passes_is_tried_again(trouble: Exception) -> None:
    outcomes: queue.Queue[str] = queue.Queue()
    troubles = [trouble, trouble]

    def act() -> None:
        if troubles:
            raise troubles.pop()
        outcomes.put("done")

    treadle().deliver("it", act, outcomes.put)
    assert outcomes.get(timeout=30) == "done"


@pytest.mark.parametrize("trouble", [refusal("ResourceNotFoundException", 404), ValueError("nonsense")])
def test_what_stays_is_handed_back(trouble: Exception) -> None:
    outcomes: queue.Queue[str] = queue.Queue()

    def act() -> None:
        raise trouble

    treadle().deliver("it", act, outcomes.put)
    told = outcomes.get(timeout=30)
    assert "ResourceNotFoundException: m" in told or "nonsense" in told


def test_what_grows_too_old_is_handed_back() -> None:
    outcomes: queue.Queue[str] = queue.Queue()

    def act() -> None:
        raise Later("busy")

    treadle(delivery_seconds=0).deliver("it", act, outcomes.put)
    assert outcomes.get(timeout=30) == "busy"


def test_a_start_that_got_through_before_is_done() -> None:
    outcomes: queue.Queue[str] = queue.Queue()
    subject = treadle()

    def act() -> None:
        raise refusal("ExecutionAlreadyExists", 400)

    subject.deliver("it", act, outcomes.put)
    subject.deliver("the next", lambda: outcomes.put("next"), outcomes.put)
    assert outcomes.get(timeout=30) == "next"


def test_the_queue_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """While the only thread is busy."""
    subject, busy, free = treadle(deliveries=1), threading.Event(), threading.Event()
    outcomes: queue.Queue[str] = queue.Queue()

    def act() -> None:
        busy.set()
        free.wait()

    subject.deliver("first", act)
    busy.wait()
    subject.deliver("second", lambda: outcomes.put("second"))
    subject.deliver("third", lambda: outcomes.put("third"))
    assert "third is lost" in caplog.text
    free.set()
    assert outcomes.get(timeout=30) == "second"


def test_where_an_arn_is() -> None:
    assert place("arn:aws:lambda:eu-west-1:1:function:f:2") == ("1", "eu-west-1")
    for wrong in ("", "arn:aws:s3:::bucket", "function"):
        with pytest.raises(ValueError, match="no ARN"):
            place(wrong)


def test_an_owner_that_nobody_has_greeted_has_no_endpoint(tmp_path: Path) -> None:
    subject = Owner(Settings(**{**_members(settings()), "folder": str(tmp_path)}))
    with pytest.raises(OwnerGone, match="no server"):
        subject.endpoint("000000000000", 0)
    subject.close()


def _members(found: Settings) -> dict[str, Any]:
    return {name: getattr(found, name) for name in found.__struct_fields__}
