"""Operations on activities, and those with which workers take and answer tasks (api.md section 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from treadle import document
from treadle.aws.arns import check_arn, check_name
from treadle.aws.errors import ApiError
from treadle.aws.states.call import Call, read_json, seconds
from treadle.aws.states.configuration import DEFAULT_ENCRYPTION, encryption_text
from treadle.aws.states.tags import check_count, read_tags
from treadle.engine.signals import TaskFailed, TaskHeartbeat, TaskSignal, TaskSucceeded
from treadle.runtime.errors import ActivityMissing, TaskMissing, TaskOver, TaskTokenInvalid, TooManyWorkers
from treadle.store.contract import Activity, Conflict


async def create_activity(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Idempotent: the same name again answers the existing activity, whose tags are not updated.
    encryptionConfiguration, by which it might differ, has but one meaning so far."""
    backend = call.backend
    name = check_name(request["name"])
    activity = Activity(
        arn=call.activity_arn_prefix + name,
        name=name,
        encryption=encryption_text(request.get("encryptionConfiguration", {})),
        created=backend.clock.now(),
    )
    tags = read_tags(request.get("tags", []))
    check_count(call, activity.arn, tags)
    async with backend.changes:
        existing = await backend.store.activity_get(activity.arn)
        if existing is None:
            await _check_room(call)
            try:
                await backend.runtime.activities.create(activity, tags)
            except Conflict:  # another node was faster
                existing = await backend.store.activity_get(activity.arn)
                if existing is None:
                    raise
            else:
                return _created(activity)
    return _created(existing)


async def _check_room(call: Call) -> None:
    """Raises ActivityLimitExceeded."""
    most = call.backend.options.limits.activities
    if await call.backend.store.activity_count(call.activity_arn_prefix) >= most:
        text = f"The maximum number of activities has been reached: {most}. Delete some before creating more."
        raise ApiError("ActivityLimitExceeded", text)


def _created(activity: Activity) -> dict[str, Any]:
    return {"activityArn": activity.arn, "creationDate": seconds(activity.created)}


async def describe_activity(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    arn = check_arn(request["activityArn"], "activity")
    activity = await call.backend.store.activity_get(arn)
    if activity is None:
        raise _does_not_exist(arn)
    return {
        **_created(activity),
        "name": activity.name,
        "encryptionConfiguration": document.decode(activity.encryption) or DEFAULT_ENCRYPTION,
    }


async def delete_activity(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Deleting what does not exist succeeds: the model declares no other error than InvalidArn."""
    await call.backend.runtime.activities.delete(check_arn(request["activityArn"], "activity"))
    return {}


async def list_activities(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """By name."""
    after, size = call.after(request), call.page_items(request)
    found = await call.backend.store.activity_list(call.activity_arn_prefix, after, size + 1)
    return call.page(
        request,
        "activities",
        found,
        lambda activity: {**_created(activity), "name": activity.name},
        lambda activity: [activity.arn],
    )


# -- tasks -------------------------------------------------------------------------------------------------


async def get_activity_task(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Waits until there is a task, for a minute at most. The answer is empty if there was none."""
    arn = check_arn(request["activityArn"], "activity")
    try:
        task = await call.backend.runtime.activities.take(arn, request.get("workerName"), call.wait_for)
    except ActivityMissing as error:
        raise _does_not_exist(arn) from error
    except TooManyWorkers as error:
        text = "The maximum number of workers concurrently polling for activity tasks has been reached."
        raise ApiError("ActivityWorkerLimitExceeded", text) from error
    return {} if task is None else {"taskToken": task.token, "input": task.input}


async def send_task_success(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    output = read_json(call, request["output"], "InvalidOutput", "Invalid Output")
    return await _answer(call, request, lambda attempt: TaskSucceeded(attempt, output))


async def send_task_failure(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    error, cause = request.get("error"), request.get("cause")
    return await _answer(call, request, lambda attempt: TaskFailed(attempt, error, cause))


async def send_task_heartbeat(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    return await _answer(call, request, TaskHeartbeat)


async def _answer(call: Call, request: dict[str, Any], answer: Callable[[int], TaskSignal]) -> dict[str, Any]:
    """The texts of InvalidToken and of TaskTimedOut are AWS's (the first is recorded, the second is quoted in many
    bug reports); that of TaskDoesNotExist is not known."""
    try:
        await call.backend.runtime.answer_task(request["taskToken"], answer)
    except TaskTokenInvalid as error:
        raise ApiError("InvalidToken", "Invalid Token: 'Invalid token'") from error
    except TaskMissing as error:
        raise ApiError("TaskDoesNotExist", "Task Does Not Exist: 'Provided task does not exist'") from error
    except TaskOver as error:
        raise ApiError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'") from error
    return {}


def _does_not_exist(arn: str) -> ApiError:
    return ApiError("ActivityDoesNotExist", f"Activity Does Not Exist: '{arn}'")
