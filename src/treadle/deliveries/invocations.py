"""Asynchronous invocations of functions: what is accepted, and what becomes of an attempt.

    the function         the event
    answers              done; a record to OnSuccess
    fails                again after one and two minutes; then a record to OnFailure, and to the dead-letter target
    is throttled, or     waits with all others for the function, with growing pauses, until it is too old; then as above
    there is none now
    reserves nothing     a record to OnFailure at once, and to the dead-letter target
    (concurrency 0)

From the Lambda developer guide, pages "How Lambda handles errors and retries with asynchronous invocation" and
"Capturing records of Lambda asynchronous invocations". What Lambda does with the events of an alias that is gone is
not documented; here they wait for it. Those of a function that was deleted go with it. Which condition a record names
when nothing is reserved, or when an endless chain is cut off, is not documented either: RetriesExhausted is a guess.
"""

from __future__ import annotations

import logging

from msgspec.structs import replace

from treadle.clock import Clock
from treadle.deliveries import lineage
from treadle.deliveries.contract import Again, Done, Later, Message, Outcome
from treadle.deliveries.event_settings import EventSettings, may_recur, settings_for
from treadle.deliveries.queue import Deliveries, delivery_of
from treadle.deliveries.records import Condition, Ended, dead_letter, record_message
from treadle.deliveries.targets import kind_of
from treadle.functions.archives import ArchiveError
from treadle.functions.contract import FunctionNotFound, Functions, FunctionThrottled, Invocation
from treadle.functions.created import CreatedFunctions, FunctionArn, settings_of, version_number
from treadle.functions.failures import is_of_the_system
from treadle.functions.runtimes import RuntimeMissingError
from treadle.functions.trace import new_trace_id
from treadle.limits import Limits
from treadle.store.delivery_contract import Delivery
from treadle.store.function_contract import LATEST, FunctionStore

_log = logging.getLogger(__name__)


class EventIntake:
    """Takes asynchronous invocations. Implements `tasks.contract.EventInvocations`."""

    def __init__(self, functions: Functions, deliveries: Deliveries) -> None:
        self._functions = functions
        self._deliveries = deliveries

    async def accept(
        self,
        payload: bytes,
        *,
        function_arn: str,
        request_id: str,
        trace_id: str | None = None,
        client_context: str | None = None,
    ) -> None:
        if not await self._functions.exists(function_arn):
            raise FunctionNotFound(f"Function not found: {function_arn}")
        arn = FunctionArn.read(function_arn)
        event = Message(
            id=request_id,
            body=payload.decode(),
            account=arn.account,
            region=arn.region,
            trace_id=trace_id or new_trace_id(),
            client_context=client_context,
        )
        await self._deliveries.post(function_arn, event)


class Invocations:
    """Attempts to invoke functions."""

    def __init__(
        self, functions: Functions, created: CreatedFunctions, store: FunctionStore, clock: Clock, limits: Limits
    ) -> None:
        self._functions = functions
        self._created = created
        self._store = store
        self._clock = clock
        self._limits = limits
        self._delays = (limits.event_first_retry_milliseconds, limits.event_second_retry_milliseconds)

    async def attempt(self, delivery: Delivery, event: Message) -> Outcome:
        arn = FunctionArn.read(delivery.target)
        settings = await settings_for(self._store, arn)
        age = self._limits.event_age_seconds if settings.age_seconds is None else settings.age_seconds
        expires = delivery.accepted + age * 1_000
        if self._clock.now() >= expires:
            return await self._failed(settings, self._ended(delivery, event, "EventAgeExceeded"))
        if await self._goes_round(event, arn):
            _log.warning("An endless chain of events is cut off: %s is in it too often", arn.unqualified)
            if kind_of(settings.on_failure) == "lambda":  # which may be the way that the chain takes
                settings = replace(settings, on_failure="")
            return await self._failed(settings, self._ended(delivery, event, "RetriesExhausted"))
        event = replace(event, trace_id=lineage.extended(event.trace_id, arn.unqualified))
        try:
            invocation = await self._functions.invoke(
                arn.name,
                event.body.encode(),
                function_arn=delivery.target,
                request_id=event.id,
                trace_id=event.trace_id,
                client_context=event.client_context,
            )
        except FunctionThrottled:
            if self._created.reserved.get(arn.unqualified) == 0:
                return await self._failed(settings, self._ended(delivery, event, "RetriesExhausted"))
            return Later(expires)
        except FunctionNotFound:
            return Later(expires)
        if invocation.function_error is None:
            ended = self._ended(delivery, event, "Success", invocation)
            return Done(self._records(settings.on_success, ended))
        if is_of_the_system(invocation.payload):
            return Later(expires)
        retries = self._limits.event_retries if settings.retries is None else settings.retries
        if delivery.attempts < min(retries, len(self._delays)):
            return Again(min(self._clock.now() + self._delays[delivery.attempts], expires))
        return await self._failed(settings, self._ended(delivery, event, "RetriesExhausted", invocation))

    async def _goes_round(self, event: Message, arn: FunctionArn) -> bool:
        """Whether the event belongs to a chain that would not end."""
        if lineage.count(event.trace_id, arn.unqualified) < self._limits.event_chain:
            return False
        return not await may_recur(self._store, arn.unqualified)

    def _ended(
        self, delivery: Delivery, event: Message, condition: Condition, invocation: Invocation | None = None
    ) -> Ended:
        return Ended(
            function_arn=delivery.target,
            event=event,
            condition=condition,
            attempts=delivery.attempts + (invocation is not None),
            invocation=invocation,
            now=self._clock.now(),
        )

    async def _failed(self, settings: EventSettings, ended: Ended) -> Done:
        then = self._records(settings.on_failure, ended)
        target = await self._dead_letter_target(ended)
        if target:
            then.append(delivery_of(target, dead_letter(ended), ended.now))
        if not then:
            _log.info("The event %s of %s is given up: %s", ended.event.id, ended.function_arn, ended.condition)
        return Done(then)

    def _records(self, destination: str, ended: Ended) -> list[Delivery]:
        if not destination:
            return []
        if destination.endswith(".fifo"):  # as Lambda: "an unsupported destination type, such as an SQS FIFO queue"
            _log.warning("No record is sent to %s: FIFO queues and topics are no destinations", destination)
            return []
        return [delivery_of(destination, record_message(destination, ended), ended.now)]

    async def _dead_letter_target(self, ended: Ended) -> str:
        """Of the version that ran, or would have run; a function of the folder has none."""
        arn = FunctionArn.read(ended.function_arn)
        try:
            qualifier = (await self._created.find(arn)).published_version
        except (FunctionNotFound, ArchiveError, RuntimeMissingError):
            return ""
        if ended.invocation is not None:
            qualifier = ended.invocation.executed_version
        version = await self._store.function_get(arn.unqualified, version_number(qualifier) or LATEST)
        return "" if version is None else settings_of(version).dead_letter
