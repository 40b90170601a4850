"""The process of an EMR step that Treadle runs by itself (spark.py), or of a Python script of Glue. Started with `-m`.

    python -m treadle.jobs.step_process PROGRAM ARGUMENT...

What the arguments name in S3 is on this machine while the program runs (staging.py). Where it runs on Spark: on a
local one, or on that of SPARK_MASTER (`spark://...`), which has to see this machine's folder for temporary files;
`--master` and `--deploy-mode` of a step, which mean EMR's own cluster, do not count. Hive's tables are in memory and
belong to the step. The exit status is the program's.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from treadle.jobs.spark import PYTHON, SCRIPT_RUNNER
from treadle.jobs.staging import Stage, StagingError

_HIVE_VARIABLE = re.compile(r"\$\{(?:hivevar:|hiveconf:)?(\w+)\}")
_DEFINES = frozenset({"-d", "--define", "--hivevar", "-hivevar", "--hiveconf", "-hiveconf"})
_MASTER = frozenset({"--master", "--deploy-mode"})
_FAILED = 1


class UsageError(Exception):
    """The arguments cannot be understood. The message is for people."""


def main(arguments: Sequence[str]) -> int:
    # Below the folder of the job, which goes when it has ended.
    folder = Path(tempfile.mkdtemp(prefix="step-"))
    program, rest = arguments[0], list(arguments[1:])
    try:
        stage = Stage(folder / "s3")
        command = _command(program, rest, stage, folder)
        status = _run(command, folder)
        if status == 0:
            stage.store()
    except (StagingError, UsageError) as error:
        print(f"{program}: {error}", file=sys.stderr)  # noqa: T201 - the step's own output
        return _FAILED
    return status


def _command(program: str, arguments: list[str], stage: Stage, folder: Path) -> list[str]:
    if program in (SCRIPT_RUNNER, PYTHON):
        if not arguments:
            raise UsageError("the script is missing")
        script = str(stage.file(arguments[0]))
        # S3 URIs are the script's own business: it has the `aws` command, or an SDK.
        return ["bash" if program == SCRIPT_RUNNER else sys.executable, script, *arguments[1:]]
    if program == "spark-submit":
        return [_spark("spark-submit"), *_settings(folder), *map(stage.localized, _without_master(arguments))]
    return [_spark("spark-sql"), *_settings(folder), *_sql(program, arguments, stage, folder)]


def _sql(program: str, arguments: list[str], stage: Stage, folder: Path) -> list[str]:
    """Hive's arguments are Spark SQL's, too. A script's variables are filled in here, so that what it names in S3 is
    known before it runs."""
    if program == "hive-script":
        if "--args" not in arguments:
            raise UsageError("--args, with Hive's own arguments behind it, is missing")
        arguments = arguments[arguments.index("--args") + 1 :]
    words = _without_master(arguments)
    variables = _variables(words)
    command: list[str] = []
    for at, word in enumerate(words):
        before = words[at - 1] if at else ""
        if before == "-f":
            script = _filled(stage.file(word).read_text(encoding="utf-8"), variables)
            local = folder / f"script-{at}.sql"
            local.write_text(stage.localized(script), encoding="utf-8")
            command.append(str(local))
        elif before == "-e":
            command.append(stage.localized(_filled(word, variables)))
        elif before in _DEFINES or word.startswith("--hiveconf="):
            command.append(word)
        else:
            command.append(stage.localized(word))
    return command


def _variables(words: Sequence[str]) -> dict[str, str]:
    defined = [word for before, word in itertools.pairwise(words) if before in _DEFINES]
    return {name: value for name, _, value in (word.partition("=") for word in defined)}


def _filled(text: str, variables: Mapping[str, str]) -> str:
    return _HIVE_VARIABLE.sub(lambda found: variables.get(found[1], found[0]), text)


def _without_master(arguments: Sequence[str]) -> list[str]:
    words: list[str] = []
    for at, word in enumerate(arguments):
        if word in _MASTER or (at and arguments[at - 1] in _MASTER):
            continue
        if word.partition("=")[0] not in _MASTER:
            words.append(word)
    return words


def _settings(folder: Path) -> list[str]:
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:memory:metastore;create=true",
    }
    options = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    return ["--master", os.environ.get("SPARK_MASTER", "local[*]"), *options]


def _spark(program: str) -> str:
    found = importlib.util.find_spec("pyspark")
    if found is None or found.origin is None:
        raise UsageError("PySpark is not installed: pip install 'treadle[spark]', or let jobs.toml say what runs")
    if "JAVA_HOME" not in os.environ and shutil.which("java") is None:
        raise UsageError("there is no Java: neither is JAVA_HOME set, nor is there a java on the PATH")
    return str(Path(found.origin).parent / "bin" / program)


def _run(command: list[str], folder: Path) -> int:
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    environment.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL)  # noqa: S603 - as asked
    # Whoever stops the step sends the signal to all of its processes; this one has to outlive the program.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    status = process.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
