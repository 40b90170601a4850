"""Which EMR steps Treadle runs by itself: scripts, and what runs on Spark.

    script-runner.jar    SCRIPT ARGUMENT...
    command-runner.jar   spark-submit ..., spark-sql ..., hive -f ..., hive-script --run-hive-script --args -f ...

Each is run by `step_process.py` with these arguments; where there is no PySpark, it fails and says what to install.
Everything else that command-runner.jar runs on EMR (`bash`, `hadoop`, `s3-dist-cp`, ...) is a command of its machines:
jobs.toml says whether it is to be run on this one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

SPARK_PROGRAMS = frozenset({"spark-submit", "spark-sql", "hive", "hive-script"})
SCRIPT_RUNNER = "script-runner.jar"
PYTHON = "python"
_COMMAND_RUNNER = "command-runner.jar"
_PROCESS = (sys.executable, "-m", "treadle.jobs.step_process")


def command(jar: str, arguments: Sequence[str]) -> tuple[str, ...]:
    """The command that runs a step of this jar and these arguments; empty: there is none. `jar`: as the step has it,
    also `s3://REGION.elasticmapreduce/libs/script-runner/script-runner.jar`."""
    name = jar.rpartition("/")[2]
    if name == SCRIPT_RUNNER and arguments:
        return (*_PROCESS, SCRIPT_RUNNER, *arguments)
    if name == _COMMAND_RUNNER and arguments and arguments[0] in SPARK_PROGRAMS:
        return (*_PROCESS, *arguments)
    return ()


def python_script(script: str, arguments: Sequence[str]) -> tuple[str, ...]:
    """The command that runs a Python script from S3 with this server's own Python."""
    return (*_PROCESS, PYTHON, script, *arguments)
