"""Which attempt is made for which target: functions are invoked, everything else is sent to."""

from __future__ import annotations

import logging

from treadle.clock import Clock
from treadle.deliveries.contract import Done, Later, NotNow, Outcome, Undeliverable
from treadle.deliveries.invocations import Invocations
from treadle.deliveries.queue import message_of
from treadle.deliveries.targets import Targets, kind_of
from treadle.limits import Limits
from treadle.store.delivery_contract import Delivery

_log = logging.getLogger(__name__)


class Attempts:
    """Implements `contract.Performer`."""

    def __init__(self, invocations: Invocations, targets: Targets, clock: Clock, limits: Limits) -> None:
        self._invocations = invocations
        self._targets = targets
        self._clock = clock
        self._limits = limits

    async def attempt(self, delivery: Delivery) -> Outcome:
        message = message_of(delivery)
        if kind_of(delivery.target) == "lambda":
            return await self._invocations.attempt(delivery, message)
        try:
            await self._targets.send(delivery.target, message)
        except NotNow as error:
            expires = delivery.accepted + self._limits.delivery_seconds * 1_000
            if self._clock.now() < expires:
                return Later(expires)
            _log.warning("A message is given up, because its target could not be reached for too long: %s", error)
        except Undeliverable as error:
            _log.warning("A message is given up, because its target refuses it: %s", error)
        return Done()
