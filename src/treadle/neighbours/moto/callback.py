"""How moto's process reaches Treadle: the functions and state machines there are, which moto knows nothing of.

Requests that somebody waits for (CloudFormation's) go out at once, over boto3, whose clients are made once for each
service, account and region. What nobody waits for is a *delivery*: it is queued, carried out by a few threads, and
tried again with growing pauses while the server cannot take it, also across the death of one server and the start of
the next. A delivery that the server refuses, or that grows too old, is handed to whoever made it.

The queue is bounded, and as lasting as everything else that moto holds. An event for a function lasts from the moment
on that Treadle has taken it.
"""

from __future__ import annotations

import heapq
import itertools
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from treadle.neighbours.moto.control import Settings
from treadle.neighbours.moto.owner import Owner, OwnerGone

_OWNER_SECONDS = 5
_CALL_SECONDS = 120
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 30.0
_BUSY = frozenset({"TooManyRequestsException", "ThrottlingException", "ServiceException", "InternalFailure"})
"""Errors after which the same request may succeed."""

_log = logging.getLogger(__name__)


class Later(Exception):
    """Raised by what a delivery does: the same may succeed later."""


class _Delivery(Struct):
    what: str
    """For the log."""
    act: Callable[[], None]
    refused: Callable[[str], None]
    until: float
    pause: float = _FIRST_PAUSE_SECONDS


class Treadle:
    """Its methods are for any thread."""

    def __init__(self, owner: Owner, settings: Settings) -> None:
        self._owner = owner
        self._settings = settings
        self._clients: dict[tuple[str, str, str], tuple[Any, Any]] = {}
        """With the endpoint and key that each was made for: the next server has others."""
        self._making = threading.Lock()
        self._waiting: list[tuple[float, int, _Delivery]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._threads = 0

    def client(self, service: str, account: str, region: str) -> Any:
        """boto3's client. Raises OwnerGone."""
        endpoint = self._owner.endpoint(account, _OWNER_SECONDS)
        with self._making:
            made = self._clients.get((service, account, region))
            if made is None or made[0] != endpoint:
                made = endpoint, _client(service, region, *endpoint)
                self._clients[service, account, region] = made
            return made[1]

    # -- deliveries ----------------------------------------------------------------------------------------------

    def invoke(self, function_arn: str, event: Any, refused: Callable[[str], None] | None = None) -> None:
        """Asynchronously, as services of AWS invoke a function. `refused` learns why it could not be done."""
        payload = json.dumps(event).encode()

        def act() -> None:
            client = self.client("lambda", *place(function_arn))
            client.invoke(FunctionName=function_arn, InvocationType="Event", Payload=payload)

        self.deliver(f"an event to {function_arn}", act, refused)

    def start_execution(
        self, machine_arn: str, text: str, name: str, refused: Callable[[str], None] | None = None
    ) -> None:
        """`name`: so that a start that is tried again does not count twice."""

        def act() -> None:
            client = self.client("stepfunctions", *place(machine_arn))
            client.start_execution(stateMachineArn=machine_arn, name=name, input=text)

        self.deliver(f"an execution of {machine_arn}", act, refused)

    def deliver(self, what: str, act: Callable[[], None], refused: Callable[[str], None] | None = None) -> None:
        """`act` is called by a thread of ours; see `_attempt` for what its errors mean. `what`: for the log."""
        now = time.monotonic()
        delivery = _Delivery(what, act, refused or _ignore, now + self._settings.delivery_seconds)
        with self._changed:
            if len(self._waiting) >= self._settings.deliveries:
                _log.error("%s is lost: %d deliveries wait already", what, len(self._waiting))
                return
            if self._threads < self._settings.delivery_threads:
                self._threads += 1
                threading.Thread(target=self._work, name="deliveries", daemon=True).start()
            self._queue(now, delivery)

    def _queue(self, due: float, delivery: _Delivery) -> None:
        heapq.heappush(self._waiting, (due, next(self._numbers), delivery))
        self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting or self._waiting[0][0] > time.monotonic():
                    self._changed.wait(self._waiting[0][0] - time.monotonic() if self._waiting else None)
                delivery = heapq.heappop(self._waiting)[2]
            if _attempt(delivery):
                continue
            due = time.monotonic() + delivery.pause
            delivery.pause = min(2 * delivery.pause, _LONGEST_PAUSE_SECONDS)
            with self._changed:
                self._queue(due, delivery)


def _attempt(delivery: _Delivery) -> bool:
    """Whether it is done, one way or the other. Errors of the connection and of a server that is overloaded or at
    fault pass; the others are final."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        delivery.act()
        return True
    except (Later, OwnerGone, BotoCoreError) as error:
        trouble, final = str(error), False
    except ClientError as error:
        found = error.response["Error"]
        trouble = f"{found.get('Code')}: {found.get('Message')}"
        if found.get("Code") == "ExecutionAlreadyExists":
            return True  # our own: an earlier attempt got through, and its answer did not
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        final = status < 500 and found.get("Code") not in _BUSY
    except Exception as error:
        # Whatever it is, the other deliveries go on.
        trouble, final = f"{type(error).__name__}: {error}", True
    if not final and time.monotonic() < delivery.until:
        return False
    _log.warning("%s is given up: %s", delivery.what, trouble)
    try:
        delivery.refused(trouble)
    except Exception:
        _log.exception("nor can it be handed on")
    return True


def _client(service: str, region: str, url: str, key: Any) -> Any:
    import boto3
    from botocore.config import Config

    session = boto3.Session(
        aws_access_key_id=key.access_key_id, aws_secret_access_key=key.secret_access_key, region_name=region
    )
    # One attempt: what may be tried again is a delivery. Presigned URLs of S3 are of the old kind unless asked for.
    once = Config(
        retries={"total_max_attempts": 1},
        read_timeout=_CALL_SECONDS,
        proxies={},
        inject_host_prefix=False,
        signature_version="s3v4" if service == "s3" else None,
    )
    return session.client(service, endpoint_url=url, config=once)


def place(arn: str) -> tuple[str, str]:
    """Its account and region. Raises ValueError."""
    parts = arn.split(":", 5)
    if len(parts) < 6 or not parts[3] or not parts[4]:
        raise ValueError(f"'{arn}' is no ARN with an account and a region")
    return parts[4], parts[3]


def _ignore(_: str) -> None:
    """The log says it."""


_installed: list[Treadle] = []
"""One, in moto's process; none in others."""


def install(owner: Owner, settings: Settings) -> None:
    _installed[:] = [Treadle(owner, settings)]


def treadle() -> Treadle:
    return _installed[0]
