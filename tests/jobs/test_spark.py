"""Which steps run by themselves, and as which commands. `tests/acceptance/test_spark.py` runs some."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from treadle.jobs import step_process
from treadle.jobs.spark import command
from treadle.jobs.staging import Stage

LIBRARY = "s3://eu-west-1.elasticmapreduce/libs/script-runner/script-runner.jar"


@pytest.mark.parametrize(
    ("jar", "arguments", "runs"),
    [
        ("command-runner.jar", ["spark-submit", "a.py"], True),
        ("command-runner.jar", ["hive-script", "--args"], True),
        ("command-runner.jar", ["bash", "-c", "true"], False),
        ("command-runner.jar", ["state-pusher-script"], False),
        ("command-runner.jar", [], False),
        ("script-runner.jar", ["s3://b/a.sh"], True),
        (LIBRARY, ["s3://b/a.sh"], True),
        (LIBRARY, [], False),
        ("s3://b/mine.jar", ["spark-submit"], False),
    ],
)
def test_which_steps_run_by_themselves(jar: str, arguments: list[str], runs: bool) -> None:
    found = command(jar, arguments)
    assert bool(found) is runs
    assert not found or "treadle.jobs.step_process" in found


class NoObjects(Stage):
    """Names files without fetching them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _fetch(self, bucket: str, path: str) -> None: ...


@pytest.mark.parametrize(
    ("program", "arguments", "expected"),
    [
        (
            "spark-submit",
            ["--master", "yarn", "--deploy-mode=cluster", "--conf", "a=b", "s3://bucket/app.py", "s3://bucket/in"],
            ["--conf", "a=b", "file:{}/bucket/app.py", "file:{}/bucket/in"],
        ),
        (
            "spark-sql",
            ["-e", "SELECT * FROM text.`s3://bucket/in/`"],
            ["-e", "SELECT * FROM text.`file:{}/bucket/in/`"],
        ),
        (
            "hive-script",
            ["--run-hive-script", "--args", "-d", "IN=s3://bucket", "-e", "LOAD '${IN}/a' ${hivevar:IN}/c ${OTHER}"],
            ["-d", "IN=s3://bucket", "-e", "LOAD 'file:{}/bucket/a' file:{}/bucket/c ${OTHER}"],
        ),
    ],
)
def test_the_command_of_a_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, arguments: list[str], expected: list[str]
) -> None:
    monkeypatch.setattr(step_process, "_spark", lambda name: name)
    monkeypatch.setenv("SPARK_MASTER", "spark://host:7077")
    made = step_process._command(program, arguments, NoObjects(tmp_path), tmp_path)
    assert made[1:3] == ["--master", "spark://host:7077"]
    assert made[-len(expected) :] == [word.replace("{}", str(tmp_path)) for word in expected]


def test_a_script_is_filled_in_before_it_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(step_process, "_spark", lambda name: name)
    script = tmp_path / "q.sql"
    script.write_text("LOAD '${IN}/a';\nINSERT OVERWRITE DIRECTORY '${OUT}/b/' SELECT 1;\n")
    arguments = ["-f", str(script), "-d", "IN=s3://one", "--hivevar", "OUT=s3://two"]
    made = step_process._command("spark-sql", arguments, NoObjects(tmp_path / "s3"), tmp_path)
    filled = Path(made[made.index("-f") + 1]).read_text()
    folder = tmp_path / "s3"
    assert filled == f"LOAD 'file:{folder}/one/a';\nINSERT OVERWRITE DIRECTORY 'file:{folder}/two/b/' SELECT 1;\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["hive-script", "-f", "q"], "--args, with Hive's own"), (["script-runner.jar"], "the script is missing")],
)
def test_what_cannot_be_understood(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    monkeypatch.setattr(step_process, "_spark", lambda name: name)
    assert step_process.main(arguments) == 1
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["spark-submit", "s3://b/a.py"], ["hive-script", "--args", "-f", "s3://b/q"]])
def test_without_pyspark_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert step_process.main(arguments) == 1
    assert "pip install 'treadle[spark]'" in capsys.readouterr().err
