from __future__ import annotations

import json
from pathlib import Path

import pytest

from treadle.functions import failures


@pytest.mark.parametrize(
    ("return_code", "reason"),
    [
        (0, "Runtime exited without providing a reason"),
        (1, "Runtime exited with error: exit status 1"),
        (255, "Runtime exited with error: exit status 255"),
        (-9, "Runtime exited with error: signal: killed"),
        (-11, "Runtime exited with error: signal: segmentation fault"),
        (-1_000, "Runtime exited with error: signal: signal 1000"),
    ],
)
def test_exited(return_code: int, reason: str) -> None:
    document = json.loads(failures.exited("id", return_code))
    assert document == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: id Error: {reason}"}


def test_timed_out() -> None:
    assert failures.timed_out("id", 3) == (
        b'{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: id Error: Task timed out after 3.00 seconds"}'
    )


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("root", ["/home/me/functions", "/home/mü/f\\x", '/tmp/"quoted"'])
def test_lambda_paths(root: str, ascii_only: bool) -> None:
    inside = root + "/pay.py"
    trace = [
        f'  File "{inside}", line 2, in handler\n    raise X\n',
        '  File "/usr/lib/x.py", line 1, in f\n',
    ]
    document = json.dumps({"errorMessage": f"see {inside}", "stackTrace": trace}, ensure_ascii=ascii_only)
    shown = json.loads(failures.with_lambda_paths(document.encode(), Path(root)))
    assert shown["stackTrace"][0] == '  File "/var/task/pay.py", line 2, in handler\n    raise X\n'
    assert shown["stackTrace"][1:] == trace[1:]
    assert shown["errorMessage"] == f"see {inside}"
