"""What becomes of the work of jobs, by what jobs.toml says of it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.jobs.marks import began, gone
from treadle.jobs.contract import Outcome, Stop, Work
from treadle.jobs.options import JobOptions
from treadle.jobs.runner import Runner

WORK = Work(
    service="emr",
    name="Nightly count",
    account="123456789012",
    region="eu-west-1",
    command=("sh", "-c", "echo my own; exit 4"),
    variables={"WHO": "me"},
    facts={"step_id": "s-1"},
)


def rule(**members: Any) -> str:
    given = {"service": "emr", **members}
    return "[[job]]\n" + "".join(f"{name} = {toml(value)}\n" for name, value in given.items())


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + "}"
    return json.dumps(value)


def write(file: Path, text: str) -> None:
    file.write_text(text)


def sh(script: str, **members: Any) -> str:
    return rule(run=["sh", "-c", script], **members)


async def outcome(runner: Runner, work: Work = WORK) -> Outcome:
    return await runner.run(work, "job", Stop())


def remove(file: Path) -> None:
    file.unlink()


def real(path: str | Path) -> str:
    return os.path.realpath(path)


def there(path: str) -> bool:
    return Path(path).exists()


def log(options: JobOptions) -> str:
    return (options.logs / "emr" / "job.log").read_text()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (sh("exit 0"), Outcome(ending="SUCCEEDED", exit_status=0)),
        (
            sh("echo first; echo second; exit 3"),
            Outcome(
                ending="FAILED",
                message="The job's command ended with exit status 3; its last words: second",
                exit_status=3,
            ),
        ),
        (
            sh("kill -9 $$"),
            Outcome(ending="FAILED", message="The job's command ended with signal 9", exit_status=-9),
        ),
        (
            rule(run="command"),
            Outcome(
                ending="FAILED",
                message="The job's command ended with exit status 4; its last words: my own",
                exit_status=4,
            ),
        ),
        (rule(run="builtin"), Outcome(ending="FAILED", message='jobs.toml says run = "builtin", but the job has none')),
        (rule(outcome="succeed"), Outcome(ending="SUCCEEDED")),
        (rule(outcome="fail", message="no room"), Outcome(ending="FAILED", message="no room", exit_status=1)),
        (
            sh("sleep 1000", timeout=0.05),
            Outcome(ending="TIMED_OUT", message="The job did not end within 0.05 seconds", exit_status=-15),
        ),
        (rule(match="Other*", outcome="fail") + sh("exit 0"), Outcome(ending="SUCCEEDED", exit_status=0)),
        (rule(match="Nightly*", outcome="succeed") + sh("exit 9"), Outcome(ending="SUCCEEDED")),
    ],
    ids=lambda value: value.strip().replace("\n", "; ") if isinstance(value, str) else "",
)
async def test_a_rule_decides(jobs_file: Path, runner: Runner, text: str, expected: Outcome) -> None:
    write(jobs_file, text)
    assert await outcome(runner) == expected


async def test_a_command_that_is_not_there(jobs_file: Path, runner: Runner) -> None:
    write(jobs_file, rule(run=["/no/such/command"]))
    failed = await outcome(runner)
    assert failed.ending == "FAILED"
    assert failed.message.startswith("The job's command ended with exit status 127; its last words: ")
    assert "/no/such/command" in failed.message


@pytest.mark.parametrize("changes", [{"name": "a\0b"}, {"variables": {"A": "\0"}}, {"variables": {"A=B": "x"}}])
async def test_what_no_process_can_be_told(jobs_file: Path, runner: Runner, changes: dict[str, Any]) -> None:
    write(jobs_file, sh("exit 0"))
    failed = await outcome(runner, replace(WORK, **changes))
    assert failed.ending == "FAILED"
    assert failed.message.startswith("The job's command could not be started: ")


@pytest.mark.parametrize("written", [False, True])
async def test_an_unconfigured_job_fails_and_says_what_it_takes(jobs_file: Path, runner: Runner, written: bool) -> None:
    if written:
        write(jobs_file, rule(match="Other", outcome="succeed"))
    failed = await outcome(runner)
    told = "has no table for it" if written else "does not exist"
    assert failed.ending == "FAILED"
    assert failed.message.startswith(f"Treadle is not told how to run this job: {jobs_file} {told}.")
    assert 'service = "emr", match = "Nightly count"' in failed.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[job]", "Expected"),
        ('[[job]]\nservice = "emr"\n', "either run = [...] or outcome"),
        (rule(run=["a"], outcome="fail"), "either run = [...] or outcome"),
        ('[[job]]\nservice = "s3"\noutcome = "fail"\n', "service is 's3', but is one of"),
        (rule(outcome="perhaps"), "Invalid enum value 'perhaps'"),
        (rule(run=[]), "run is an empty command"),
        (rule(run=["a"], retries=3), "unknown field `retries`"),
        (rule(outcome="fail", after=-1), "not negative"),
    ],
)
async def test_a_file_that_cannot_be_used_says_why(jobs_file: Path, runner: Runner, text: str, told: str) -> None:
    write(jobs_file, text)
    failed = await outcome(runner)
    assert failed.ending == "FAILED"
    assert f"{jobs_file} cannot be used: " in failed.message
    assert told in failed.message


async def test_a_changed_file_counts_at_once(jobs_file: Path, runner: Runner) -> None:
    write(jobs_file, rule(outcome="fail"))
    assert (await outcome(runner)).ending == "FAILED"
    write(jobs_file, rule(outcome="succeed"))
    assert (await outcome(runner)).ending == "SUCCEEDED"
    remove(jobs_file)
    assert "does not exist" in (await outcome(runner)).message


async def test_what_a_command_is_told(jobs_file: Path, runner: Runner, options: JobOptions) -> None:
    names = "WHO MORE JOB_STEP_ID JOB_NAME JOB_SERVICE JOB_COMMAND AWS_REGION AWS_ACCESS_KEY_ID AWS_ENDPOINT_URL"
    script = f"""printf '%s\\n' "$@"; for name in {names}; do eval "echo \\$$name"; done; pwd; echo $TMPDIR"""
    write(jobs_file, rule(run=["sh", "-c", script, "-", "{step_id}", "{name}", "{command}"], environment={"MORE": "x"}))
    assert (await outcome(runner)).ending == "SUCCEEDED"
    *told, folder, temporary = log(options).splitlines()
    command = list(WORK.command)
    assert told == [
        *("s-1", "Nightly count", *command),
        *("me", "x", "s-1", "Nightly count", "emr", json.dumps(command, separators=(",", ":"))),
        *("eu-west-1", "key-of-123456789012", "http://127.0.0.1:1"),
    ]
    assert real(folder) == real(temporary)
    assert not there(folder), "the folder goes with the job"


async def test_a_folder_of_ones_own_begins_at_the_file(jobs_file: Path, runner: Runner, options: JobOptions) -> None:
    (jobs_file.parent / "scripts").mkdir()
    write(jobs_file, sh("pwd", directory="scripts"))
    await outcome(runner)
    assert log(options).strip() == real(jobs_file.parent / "scripts")


async def test_output_beyond_the_bound_is_dropped(jobs_file: Path, runner: Runner, options: JobOptions) -> None:
    write(jobs_file, sh("head -c 5000000 /dev/zero | tr '\\\\0' x; echo; echo the end >&2; exit 1"))
    failed = await outcome(runner)
    assert failed.message.endswith("its last words: the end")
    assert log(options).endswith("(the log ends here: it has reached its bound, the limit job_log_bytes)\n")
    assert len(log(options)) < 11_000


@pytest.mark.parametrize("grace", [30.0, 0.0])
async def test_a_stop_ends_all_processes(jobs_file: Path, runner: Runner, tmp_path: Path, grace: float) -> None:
    mark = tmp_path / "child"
    write(jobs_file, sh(f"sleep 1000 & echo $! > {mark}; wait"))
    stop = Stop()
    run = asyncio.create_task(runner.run(WORK, "job", stop))
    child = int(await began(mark))
    stop.ask(grace)
    stopped = await run
    assert (stopped.ending, stopped.message) == ("STOPPED", "The job was stopped")
    await gone(child)


async def test_a_command_may_take_its_time_to_stop(jobs_file: Path, runner: Runner, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = f"trap 'echo cleaned > {mark}; exit 0' TERM; echo ready > {mark}; while :; do sleep 0.01; done"
    write(jobs_file, sh(script))
    stop = Stop()
    run = asyncio.create_task(runner.run(WORK, "job", stop))
    assert await began(mark) == "ready"
    stop.ask(60)
    assert (await run).ending == "STOPPED"
    assert mark.read_text() == "cleaned\n"


async def test_who_ignores_the_signal_is_killed(jobs_file: Path, runner: Runner, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    write(jobs_file, sh(f"trap '' TERM; echo ready > {mark}; while :; do sleep 0.01; done"))
    stop = Stop()
    run = asyncio.create_task(runner.run(WORK, "job", stop))
    await began(mark)
    stop.ask(0.05)
    assert (await run) == Outcome(ending="STOPPED", message="The job was stopped", exit_status=-9)


async def test_a_cancelled_run_leaves_no_process(jobs_file: Path, runner: Runner, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    write(jobs_file, sh(f"echo $$ > {mark}; sleep 1000"))
    run = asyncio.create_task(runner.run(WORK, "job", Stop()))
    process = int(await began(mark))
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await gone(process)


async def test_what_a_command_leaves_behind_is_killed(jobs_file: Path, runner: Runner, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    write(jobs_file, sh(f"sleep 1000 & echo $! > {mark}"))
    assert (await outcome(runner)).ending == "SUCCEEDED"
    await gone(int(await began(mark)))


async def test_jobs_beyond_the_bound_wait_and_can_be_stopped(
    jobs_file: Path, options: JobOptions, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    write(jobs_file, sh(f"echo ready > {mark}; sleep 1000"))
    runner = Runner(replace(options, limits=replace(options.limits, job_processes=1)))
    first, second = Stop(), Stop()
    running = asyncio.create_task(runner.run(WORK, "first", first))
    await began(mark)
    waiting = asyncio.create_task(runner.run(WORK, "second", second))
    second.ask(0)
    assert await waiting == Outcome(ending="STOPPED", message="The job was stopped")
    first.ask(0)
    await running
    await runner.close()
    assert not (options.logs / "emr" / "second.log").exists()
