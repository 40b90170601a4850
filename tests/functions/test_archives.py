"""Archives with code: what is unpacked, and what is refused without a trace."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from treadle.functions.archives import ArchiveError, unpack
from treadle.limits import DEFAULT_LIMITS, Limits

from .zips import archive, with_mode

SMALL = Limits(function_code_bytes=1_000, function_code_files=5)


def test_unpacked(tmp_path: Path) -> None:
    made = archive({"app.py": "a = 1", "lib/deep/é.txt": b"\xff", "bootstrap": "#!", "empty/": ""}, ("bootstrap",))
    unpack([made], tmp_path / "code" / "one", DEFAULT_LIMITS)
    root = tmp_path / "code" / "one"
    assert (root / "app.py").read_text() == "a = 1"
    assert (root / "lib" / "deep" / "é.txt").read_bytes() == b"\xff"
    assert (root / "empty").is_dir()
    modes = {name: stat.S_IMODE((root / name).stat().st_mode) for name in ("app.py", "bootstrap")}
    assert modes == {"app.py": 0o644, "bootstrap": 0o755}
    assert [each.name for each in root.parent.iterdir()] == ["one"]


HOSTILE: list[tuple[str, bytes, str]] = [
    ("empty", b"", "is no zip file"),
    ("no entries", archive({}), "is empty"),
    ("text", b"def handler(): pass", "is no zip file"),
    ("cut off", archive({"app.py": "x" * 500})[:-30], "is no zip file"),
    ("damaged", archive({"app.py": "x" * 50}).replace(b"app.py", b"app.pz", 1), "is no zip file"),
    ("upwards", archive({"../app.py": "x"}), "leads out"),
    ("upwards inside", archive({"a/../../app.py": "x"}), "leads out"),
    ("absolute", archive({"/tmp/app.py": "x"}), "leads out"),
    ("a drive", archive({"..\\app.py": "x"}), "leads out"),
    ("no name", archive({"./": "x"}), "leads out"),
    ("a link", with_mode("app.py", stat.S_IFLNK | 0o777, "/etc/passwd"), "is a link or a special file"),
    ("a device", with_mode("app.py", stat.S_IFCHR | 0o777), "is a link or a special file"),
    ("a pipe", with_mode("app.py", stat.S_IFIFO | 0o777), "is a link or a special file"),
    ("a file as folder", archive({"a": "x", "a/b": "x"}), "cannot be unpacked"),
    ("a folder as file", archive({"a/b": "x", "a": "x"}), "cannot be unpacked"),
    ("a long name", archive({"n" * 300: "x"}), "cannot be unpacked"),
    ("a bomb", archive({"app.py": b"\0" * 1_001}), "larger than 1000 bytes"),
    ("many small", archive({f"{at}": b"\0" * 300 for at in range(4)}), "larger than 1000 bytes"),
    ("many entries", archive({f"{at}": "" for at in range(6)}), "more than 5 entries"),
]


@pytest.mark.parametrize(("made", "why"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_refused_without_a_trace(tmp_path: Path, made: bytes, why: str) -> None:
    folder = tmp_path / "code"
    with pytest.raises(ArchiveError) as refused:
        unpack([made], folder / "one", SMALL)
    assert why in str(refused.value)
    assert list(folder.iterdir()) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["code"]


def test_a_size_that_is_a_lie(tmp_path: Path) -> None:
    """The list of contents says ten bytes; there are a thousand times as many."""
    made = archive({"app.py": b"\0" * 10_000})
    lie = made.replace((10_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert lie != made
    with pytest.raises(ArchiveError):
        unpack([lie], tmp_path / "code" / "one", SMALL)


def test_an_encrypted_entry(tmp_path: Path) -> None:
    made = bytearray(archive({"app.py": "x"}))
    listed = made.index(b"PK\x01\x02")
    made[6] |= 1
    made[listed + 8] |= 1
    with pytest.raises(ArchiveError, match="encrypted"):
        unpack([bytes(made)], tmp_path / "code" / "one", SMALL)


def test_unpacked_by_many_at_once(tmp_path: Path) -> None:
    made = archive({f"{at}.py": "x" * at for at in range(50)})
    failures: list[BaseException] = []

    def run() -> None:
        try:
            unpack([made], tmp_path / "code" / "one", DEFAULT_LIMITS)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [each.name for each in (tmp_path / "code").iterdir()] == ["one"]
    assert len(list((tmp_path / "code" / "one").iterdir())) == 50
