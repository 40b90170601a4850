"""A server for test_server_death: runs one function per argument, at once, and then waits to be killed.

Usage: python -m functions.dying_server LOOP FOLDER FUNCTION...
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

from treadle.functions.local import LocalFunctions
from treadle.functions.options import FunctionOptions


async def main(folder: Path, names: list[str]) -> None:
    functions = LocalFunctions(FunctionOptions(folder=folder, logs=folder.parent / "logs", endpoint_url="http://x"))
    await functions.start()
    await asyncio.gather(*[functions.invoke(name, b"null", function_arn="arn") for name in names])
    await asyncio.Event().wait()


if __name__ == "__main__":
    run = uvloop.run if sys.argv[1] == "uvloop" else asyncio.run
    run(main(Path(sys.argv[2]), sys.argv[3:]))
