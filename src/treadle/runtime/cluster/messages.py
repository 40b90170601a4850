"""What one node asks of another, and what it is answered. A new kind of question is a struct here and a line in the
table of whoever answers it (`node.py`)."""

from __future__ import annotations

import msgspec

from treadle.document import Document
from treadle.engine.signals import TaskFailed, TaskHeartbeat, TaskSignal, TaskSucceeded
from treadle.runtime.errors import TaskMissing, TaskOver
from treadle.store.contract import Conflict, StoreUnavailable


class StopExecution(msgspec.Struct, frozen=True, tag=True):
    """Answered with Done."""

    arn: str
    error: str | None
    cause: str | None


class RedriveExecution(msgspec.Struct, frozen=True, tag=True):
    """Answered with Done: whether it came in time; or with Refused."""

    arn: str
    client_token: str


class AnswerTask(msgspec.Struct, frozen=True, tag=True):
    """What somebody who has a task's token says of it: success with `output`, failure, or a heartbeat. Answered with
    Done or Refused."""

    token: str
    kind: str
    output: str | None = None
    error: str | None = None
    cause: str | None = None


class AwaitEnd(msgspec.Struct, frozen=True, tag=True):
    """Answered with Done when the execution has ended, which may be a year."""

    arn: str


class TakeTask(msgspec.Struct, frozen=True, tag=True):
    """A worker waits for a task of an activity. Answered with Taken, or with Done where there is none."""

    activity_arn: str
    worker_name: str | None


Question = StopExecution | RedriveExecution | AnswerTask | AwaitEnd | TakeTask


class Done(msgspec.Struct, frozen=True, tag=True):
    in_time: bool = True


class Taken(msgspec.Struct, frozen=True, tag=True):
    token: str
    input: str


class Refused(msgspec.Struct, frozen=True, tag=True):
    reason: str
    """A line of REFUSALS."""
    text: str


Reply = Done | Taken | Refused

REFUSALS: dict[str, type[Exception]] = {
    kind.__name__: kind for kind in (Conflict, StoreUnavailable, TaskMissing, TaskOver)
}
"""What a question may be refused with, as the caller of the runtime gets to see it."""

encode = msgspec.msgpack.Encoder().encode
decode_question = msgspec.msgpack.Decoder(Question).decode
decode_reply = msgspec.msgpack.Decoder(Reply).decode

DONE = encode(Done())


def answer_of(token: str, signal: TaskSignal) -> AnswerTask:
    """What is to be said of a task, for a node that is to make the signal of it again."""
    kind = type(signal).__name__
    if isinstance(signal, TaskSucceeded):
        return AnswerTask(token, kind, output=signal.output.text)
    if isinstance(signal, TaskFailed):
        return AnswerTask(token, kind, error=signal.error, cause=signal.cause)
    if isinstance(signal, TaskHeartbeat):
        return AnswerTask(token, kind)
    raise TypeError(f"nobody outside says {kind} of a task")


def signal_of(answer: AnswerTask, attempt: int) -> TaskSignal:
    if answer.kind == TaskSucceeded.__name__:
        return TaskSucceeded(attempt, Document(text=answer.output))
    if answer.kind == TaskFailed.__name__:
        return TaskFailed(attempt, answer.error, answer.cause)
    return TaskHeartbeat(attempt)
