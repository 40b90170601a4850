"""Rules of EventBridge in moto: AWS's event patterns, and delivery to the targets of a rule.

moto keeps buses, rules and targets. What an event matches is said by event_patterns.py; what a target gets, by its
Input, InputPath or InputTransformer, here; and where it goes, by the table of targets below. Targets that are not in
it are refused when they are put. Nothing here runs by a schedule.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib import import_module
from typing import Any

from treadle.neighbours.event_patterns import Matches, PatternError, compile_object
from treadle.neighbours.log_patterns import compile_path
from treadle.neighbours.moto import callback
from treadle.neighbours.moto.destinations import backend, text_attributes, to_log_group, to_queue, to_topic

_LONGEST_WAY = 5
"""Buses that an event may be passed on to, one after the other. Rules can make circles."""
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_VARIABLE = re.compile(r"<([A-Za-z0-9_.-]+)>")

_log = logging.getLogger(__name__)
_way = threading.local()


def correct() -> None:
    models: Any = import_module("moto.events.models")
    models.Rule.send_to_targets = _send_to_targets
    models.EventPattern.matches_event = lambda self, found: _pattern(self.dump())(found)
    parse, put_targets = models.EventPatternParser.parse, models.EventsBackend.put_targets

    def checked_parse(self: Any) -> dict[str, Any]:
        found: dict[str, Any] = parse(self)
        if found:
            try:
                compile_object(found)
            except PatternError as error:
                raise models.InvalidEventPatternException(reason=str(error)) from error
        return found

    def checked_put(self: Any, name: str, event_bus_arn: str | None, targets: list[dict[str, Any]]) -> None:
        for target in targets:
            if _kind(target["Arn"]) not in _TARGETS:
                known = ", ".join(_TARGETS)
                text = f"Parameter {target['Arn']} is not valid. Reason: Treadle delivers to {known} only."
                raise models.ValidationException(text)
        put_targets(self, name, event_bus_arn, targets)

    put_events = models.EventsBackend.put_events

    def checked_events(self: Any, events: list[dict[str, Any]]) -> Any:
        """moto refuses a Detail that is no JSON. AWS also one that is no object. (Recorded:
        services/events_task_service--put_events_mixed_malformed_detail.)"""
        return put_events(
            self, [each if _is_object(each.get("Detail")) else {**each, "Detail": "{"} for each in events]
        )

    models.EventsBackend.put_events = checked_events
    models.EventPatternParser.parse = checked_parse
    models.EventsBackend.put_targets = checked_put


def _is_object(detail: str | None) -> bool:
    """Or nothing at all, for which there is another error."""
    try:
        return not detail or isinstance(json.loads(detail), dict)
    except ValueError:
        return False


@lru_cache(maxsize=1_000)
def _pattern(text: str | None) -> Matches:
    """A rule without a pattern runs by its schedule: no event matches it."""
    return compile_object(json.loads(text)) if text else lambda _: False


def event(
    account: str, region: str, source: str, detail_type: str, resources: list[str], detail: Mapping[str, Any]
) -> dict[str, Any]:
    """One of a service of AWS."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": datetime.now(UTC).strftime(_TIME_FORMAT),
        "region": region,
        "resources": resources,
        "detail": detail,
    }


def publish(made: dict[str, Any], bus_arn: str | None = None) -> None:
    """To all rules of the default bus of the event's account and region, or of the bus."""
    arn = bus_arn or f"arn:aws:events:{made['region']}:{made['account']}:event-bus/default"
    bus = backend("events", arn).event_buses.get(arn.rpartition("/")[2])
    for rule in list(bus.rules.values()) if bus is not None else []:
        rule.send_to_targets(made)


def _send_to_targets(self: Any, original_event: Mapping[str, Any], transform_input: bool = True) -> None:
    """In place of the method of moto's Rule."""
    found = {name: value for name, value in original_event.items() if name != "ingestion-time"}
    found["time"] = _time(found.get("time"))
    if self.state == "DISABLED" or not self.event_pattern.matches_event(found):
        return
    for target in list(self.targets):
        if _kind(target["Arn"]) == "archive":
            archive = backend("events", self.arn).archives.get(self.name.removeprefix("Events-Archive-"))
            if archive is not None:
                archive.events.append(original_event)
            continue
        text = _input(target, found, self)

        def refused(trouble: str, target: Mapping[str, Any] = target, text: str = text) -> None:
            _to_dead_letters(self, target, text, trouble)

        try:
            _TARGETS[_kind(target["Arn"])](target, text, found, refused)
        except Exception as error:  # whatever it is, the other targets get theirs
            refused(str(error))


def _to_dead_letters(rule: Any, target: Mapping[str, Any], text: str, trouble: str) -> None:
    _log.warning("rule %s could not deliver to %s: %s", rule.arn, target["Arn"], trouble)
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue:
        attributes = text_attributes(
            RULE_ARN=rule.arn, TARGET_ARN=target["Arn"], ERROR_CODE="SDK_CLIENT_ERROR", ERROR_MESSAGE=trouble
        )
        to_queue(queue, text, attributes=attributes)


def _time(given: Any) -> str:
    """Of seconds since 1970, a time in ISO 8601, or nothing."""
    if isinstance(given, str) and "T" in given:
        moment = datetime.fromisoformat(given)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).strftime(_TIME_FORMAT)
    moment = datetime.fromtimestamp(float(given), UTC) if given else datetime.now(UTC)
    return moment.strftime(_TIME_FORMAT)


# -- what a target gets --------------------------------------------------------------------------------------------


def _input(target: Mapping[str, Any], found: Mapping[str, Any], rule: Any) -> str:
    """JSON, or a text if the transformer makes one."""
    if target.get("Input") is not None:
        return str(target["Input"])
    if target.get("InputPath"):
        return json.dumps(_first(target["InputPath"], found))
    transformer = target.get("InputTransformer")
    if not transformer:
        return json.dumps(found)
    values = {name: _first(path, found) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values |= {
        "aws.events.rule-arn": rule.arn,
        "aws.events.rule-name": rule.name,
        "aws.events.event.ingestion-time": found["time"],
        "aws.events.event": {name: value for name, value in found.items() if name != "detail"},
        "aws.events.event.json": found,
    }
    return _filled(str(transformer["InputTemplate"]), values)


def _first(path: str, found: Mapping[str, Any]) -> Any:
    """None if there is nothing; an array if the path has a wildcard."""
    values = compile_path(path)(found)
    return values if "[*]" in path else next(iter(values), None)


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """Within quotes, a text is put in as it is; elsewhere, each value as JSON."""
    filled: list[str] = []
    position, quoted = 0, False
    for variable in _VARIABLE.finditer(template):
        if variable[1] not in values:
            continue
        before = template[position : variable.start()]
        quoted ^= len(re.findall(r'(?<!\\)"', before)) % 2 == 1
        value = values[variable[1]]
        if not quoted:
            text = json.dumps(value)
        elif value is None:
            text = ""
        else:
            text = json.dumps(value if isinstance(value, str) else json.dumps(value))[1:-1]
        filled += [before, text]
        position = variable.end()
    made = "".join([*filled, template[position:]])
    try:
        json.loads(made)
    except ValueError:
        return json.dumps(made)
    return made


# -- where it goes -------------------------------------------------------------------------------------------------

_Refused = Callable[[str], None]
_Send = Callable[[Mapping[str, Any], str, Mapping[str, Any], _Refused], None]


def _kind(arn: str) -> str:
    """The service; of EventBridge's own ARNs, what they are of."""
    parts = arn.split(":")
    service = parts[2] if len(parts) > 5 else ""
    if service == "events":
        return "archive" if len(parts) == 6 and not parts[5] else parts[5].partition("/")[0]
    return service


def _to_function(target: Mapping[str, Any], text: str, _: Mapping[str, Any], refused: _Refused) -> None:
    callback.treadle().invoke(target["Arn"], json.loads(text), refused)


def _to_machine(target: Mapping[str, Any], text: str, found: Mapping[str, Any], refused: _Refused) -> None:
    callback.treadle().start_execution(target["Arn"], text, f"{found['id']}_{uuid.uuid4()}", refused)


def _to_queue(target: Mapping[str, Any], text: str, found: Mapping[str, Any], _: _Refused) -> None:
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    to_queue(target["Arn"], _plain(text), group=group, once=str(found["id"]) if group else None)


def _to_topic(target: Mapping[str, Any], text: str, _: Mapping[str, Any], __: _Refused) -> None:
    to_topic(target["Arn"], _plain(text))


def _to_log_group(target: Mapping[str, Any], text: str, _: Mapping[str, Any], __: _Refused) -> None:
    to_log_group(target["Arn"], _plain(text))


def _to_bus(target: Mapping[str, Any], _: str, found: Mapping[str, Any], __: _Refused) -> None:
    """As it is; a bus takes no transformed events."""
    steps = getattr(_way, "steps", 0)
    if steps >= _LONGEST_WAY:
        raise ValueError(f"the event has been passed on {steps} times already")
    _way.steps = steps + 1
    try:
        publish(dict(found), target["Arn"])
    finally:
        _way.steps = steps


def _plain(text: str) -> str:
    """A text without its quotes, as queues and topics get it."""
    value = json.loads(text)
    return value if isinstance(value, str) else text


_TARGETS: Mapping[str, _Send] = {
    "lambda": _to_function,
    "states": _to_machine,
    "sqs": _to_queue,
    "sns": _to_topic,
    "logs": _to_log_group,
    "event-bus": _to_bus,
}
