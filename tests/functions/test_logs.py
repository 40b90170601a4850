from __future__ import annotations

from pathlib import Path

import pytest

from treadle.functions.logs import LINE_CHARACTERS, LogFiles, Output


def test_whole_lines_only() -> None:
    output = Output(100)
    assert output.feed(b"one\ntw") == "one\n"
    assert output.feed(b"o\n\xc3") == "two\n"
    assert output.feed(b"\xa4") == ""
    assert output.end() == ("ä\n", "one\ntwo\nä")
    assert output.end() == ("", "")


def test_tracebacks_are_one_line_and_become_many_in_files(tmp_path: Path) -> None:
    text = Output(100).feed(b"[ERROR] x\rTraceback\r\n")
    assert text == "[ERROR] x\rTraceback\r\n"
    files = LogFiles(tmp_path, 1_000)
    files.write("f", text)
    files.close()
    assert (tmp_path / "f.log").read_text() == "[ERROR] x\nTraceback\n"


def test_memory_is_bounded() -> None:
    output = Output(10)
    handed_on = sum(len(output.feed(b"x" * 1_000)) for _ in range(1_000))
    rest, tail = output.end()
    assert handed_on + len(rest.rstrip("\n")) == 1_000_000
    assert tail == "x" * 10
    assert len(rest) <= LINE_CHARACTERS


def test_tail_may_begin_inside_a_character() -> None:
    output = Output(3)
    output.feed("ää".encode())
    assert output.end()[1] == "ä"


def test_files_are_bounded(tmp_path: Path) -> None:
    files = LogFiles(tmp_path / "logs", 1_000)
    for number in range(1_000):
        files.write("pay", f"line {number}\n")
    files.close()
    logs = sorted((tmp_path / "logs").iterdir())
    assert [file.name for file in logs] == ["pay.log", "pay.log.1"]
    assert all(file.stat().st_size < 1_100 for file in logs)
    assert "".join(file.read_text() for file in reversed(logs)).endswith("line 998\nline 999\n")


def test_a_log_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    files = LogFiles(tmp_path / "logs", 1_000)
    files.write("pay", "one\n")
    files.write("pay", "two\n")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
