"""Progress on a terminal: in place where that is possible, line by line in a pipe or a log.

rich decides what the terminal can do, and respects NO_COLOR.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from treadle.cli.follow import Display
from treadle.cli.progress import ITERATIONS_SHOWN, Mark, Node, Progress, Row

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SPINNER_TURNS_PER_SECOND = 1.2

_SIGNS: dict[Mark, tuple[str, str]] = {
    "running": ("▸", "cyan"),
    "waiting": ("↻", "yellow"),
    "succeeded": ("✔", "green"),
    "caught": ("✔", "yellow"),
    "failed": ("✘", "red"),
    "aborted": ("◌", "dim"),
}
"""Sign and style of each mark. A running row turns a spinner where rows are drawn in place."""


_TITLE_COLUMNS = 36
"""At least; the columns would jump about as states come and go."""

_JSON_INDENT_MAX = 40
"""Columns. JSON nested deeper than this is left on one line."""


@contextmanager
def progress_display(console: Console) -> Iterator[Display]:
    if not console.is_terminal:
        yield LineDisplay(console)
        return
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        yield LiveDisplay(live)


class LiveDisplay:
    """All rows, drawn anew in place; the last ones only if there are more than the terminal has lines."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def changed(self, progress: Progress, node: Node) -> None:
        """Shown at the next refresh."""

    def refresh(self, progress: Progress) -> None:
        rows = progress.rows(datetime.now(UTC))
        if not progress.ended:
            rows = rows[-max(self._live.console.height - 2, 1) :]
        self._live.update(table(rows, turn=datetime.now(UTC).timestamp()), refresh=True)


class LineDisplay:
    """One line for each state or iteration that ended, and for each attempt that failed.

    Of the iterations of a large Map only their counts are told, after every tenth of them.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[int, int] = {}

    def changed(self, progress: Progress, node: Node) -> None:
        crowd = _crowd_around(node)
        if crowd is not None:
            self._tell_crowd(progress, crowd)
        elif node.mark == "waiting" or _has_ended(node) or _is_fresh_map(node):
            self._print(progress.row_of(node, datetime.now(UTC)))

    def refresh(self, progress: Progress) -> None:
        """Nothing: a line tells what happened, and stays."""

    def _tell_crowd(self, progress: Progress, crowd: Node) -> None:
        tenth = crowd.count("succeeded", "failed", "aborted") * 10 // (crowd.length or 1)
        if tenth > self._told.get(id(crowd), 0):
            self._told[id(crowd)] = tenth
            self._print(progress.row_of(crowd, datetime.now(UTC)))

    def _print(self, row: Row) -> None:
        self._console.print(_line(row), soft_wrap=True)


def _crowd_around(node: Node) -> Node | None:
    """The outermost Map around `node` that has more iterations than are told one by one."""
    crowd = None
    parent = node.parent
    while parent is not None:
        if (parent.length or 0) > ITERATIONS_SHOWN:
            crowd = parent
        parent = parent.parent
    return crowd


def _has_ended(node: Node) -> bool:
    """The states of an iteration are not told, but the iteration is; the execution has its own ending."""
    if node.ended is None or node.kind == "execution":
        return False
    return node.kind == "iteration" or node.parent is None or node.parent.kind != "iteration"


def _is_fresh_map(node: Node) -> bool:
    return node.length is not None and node.mark == "running" and not node.children


def table(rows: list[Row], turn: float) -> Table:
    """The rows, with durations in a column. `turn`: seconds, for the spinners."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, min_width=_TITLE_COLUMNS)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    frame = _SPINNER[int(turn * _SPINNER_TURNS_PER_SECOND * len(_SPINNER)) % len(_SPINNER)]
    for row in rows:
        sign = frame if row.mark == "running" and row.seconds is not None else None
        grid.add_row(_title(row, sign), Text(_duration(row), style="dim"), _note(row))
    return grid


def _line(row: Row) -> Text:
    title = _title(row, None)
    title.pad_right(max(_TITLE_COLUMNS - title.cell_len, 0))
    return Text.assemble(title, (f"{_duration(row):>10}", "dim"), "  " if row.note else "", _note(row))


def _title(row: Row, sign: str | None) -> Text:
    usual, style = _SIGNS[row.mark]
    sign = " " if row.seconds is None else sign or usual
    return Text.assemble("  " * (row.depth + 1), (sign, style), " ", (row.label, "" if row.seconds else "dim"))


def _duration(row: Row) -> str:
    if row.seconds is None:
        return ""
    minutes, seconds = divmod(row.seconds, 60)
    return f"{int(minutes)} min {seconds:02.0f} s" if minutes else f"{seconds:.2f} s"


def _note(row: Row) -> Text:
    return Text(row.note, style="red" if row.mark == "failed" else "yellow")


def fitted_json(text: str, width: int) -> str:
    """JSON for people: indented, but whatever fits into the rest of its line stays on it."""
    return _fitted(json.loads(text), "", width, 0)


def _fitted(value: Any, indent: str, width: int, taken: int) -> str:
    """`taken`: characters of the line that are in use already, without the indent."""
    line = json.dumps(value, ensure_ascii=False)
    fits = len(indent) + taken + len(line) < width or len(indent) >= _JSON_INDENT_MAX
    if fits or not isinstance(value, dict | list):
        return line
    deeper = indent + "  "
    if isinstance(value, list):
        members = [_fitted(item, deeper, width, 0) for item in value]
    else:
        members = [_fitted_member(name, item, deeper, width) for name, item in value.items()]
    opening, closing = "[]" if isinstance(value, list) else "{}"
    return f"{opening}\n{deeper}" + f",\n{deeper}".join(members) + f"\n{indent}{closing}"


def _fitted_member(name: str, value: Any, indent: str, width: int) -> str:
    start = json.dumps(name, ensure_ascii=False) + ": "
    return start + _fitted(value, indent, width, len(start))
