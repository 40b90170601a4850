"""Draw docs/demo.svg from a real run of the demo: `make picture`."""

from __future__ import annotations

import io
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from treadle import config
from treadle.cli.demo import example_folder, run_order
from treadle.cli.follow import Display
from treadle.cli.hosting import host
from treadle.cli.progress import Node, Progress
from treadle.cli.terminal import table

_PICTURE = Path(__file__).with_name("demo.svg")
_COLUMNS = 76


class LastFrame:
    """Draws nothing while the execution runs; knows how it ended."""

    def __init__(self) -> None:
        self.progress = Progress()

    def changed(self, progress: Progress, node: Node) -> None:
        self.progress = progress

    def refresh(self, progress: Progress) -> None:
        self.progress = progress


@contextmanager
def _last_frame(console: Console) -> Iterator[Display]:
    frame = LastFrame()
    yield frame
    console.print(table(frame.progress.rows(datetime.now(UTC)), turn=0))


def main() -> None:
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), highlight=False)
    console.print("$ make run", style="bold")

    def draw(url: str, stop: threading.Event) -> int:
        order = (example_folder() / "order.json").read_text(encoding="utf-8")
        ended = run_order(console, url, config.Settings().account_id, order, stop, _last_frame)
        return 0 if ended is not None and ended["status"] == "SUCCEEDED" else 1

    with tempfile.TemporaryDirectory() as folder:
        flags = {"data_dir": folder, "port": "0", "functions_dir": str(example_folder() / "functions")}
        status = host(config.load(flags), draw)
    if status == 0:
        console.save_svg(str(_PICTURE), title="Treadle", unique_id="treadle-demo")
    sys.exit(status)


main()
