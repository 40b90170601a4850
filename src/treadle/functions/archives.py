"""Zip archives with the code of functions and layers, unpacked without trust.

An archive is refused as a whole, with one sentence that says why, if it is no zip file, if it is empty or encrypted,
if it is larger unpacked than the limit (counted while it is unpacked: what the archive says of sizes is not believed),
if it has too many entries, or if a name in it is absolute, leads upwards, is a link or a special file, or is both a
file and a folder. Only permission to execute is taken over from an entry's mode.

Unpacking is all or nothing: into a folder beside, which gets its name when it is complete. Several archives make one
folder, in which a file of a later one replaces that of an earlier one.
"""

from __future__ import annotations

import io
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from treadle.functions.contract import FunctionError
from treadle.limits import Limits

PARTIAL = "partial-"
"""What the name of a folder begins with that is being unpacked."""
_CHUNK_BYTES = 1_048_576
_ENTRY_SIGNATURE = b"PK\x01\x02"
"""Begins each entry of an archive's list of contents. (It may occur elsewhere by accident.)"""
_DOS_FOLDER = 0x10
_ENCRYPTED = 0x1


class ArchiveError(FunctionError):
    """The archive cannot be used. The message says what is wrong with it."""


def unpack(archives: Sequence[bytes], folder: Path, limits: Limits) -> None:
    """Make `folder` of the archives; if it is there already, somebody else has just done so. Raises ArchiveError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=folder.parent))
    try:
        left = limits.function_code_bytes
        for archive in archives:
            left = _unpack(archive, partial, left, limits)
        partial.rename(folder)
    except OSError as error:
        if not folder.is_dir():
            raise ArchiveError(f"the archive cannot be unpacked: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_archive(archive: bytes, folder: Path, limits: Limits) -> None:
    """Whether it can be unpacked, which is tried in `folder`. Raises ArchiveError."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=folder) as trial:
        unpack([archive], Path(trial) / "code", limits)


def unpacked_bytes(folder: Path) -> int:
    """Of all files in it."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _unpack(archive: bytes, folder: Path, left: int, limits: Limits) -> int:
    """`left`: how many bytes may still be written; gives what is left of them."""
    if archive.count(_ENTRY_SIGNATURE) > limits.function_code_files:
        raise ArchiveError(f"the archive has more than {limits.function_code_files} entries")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            entries = opened.infolist()
            if not entries:
                raise ArchiveError("the archive is empty")
            for entry in entries:
                left = _extract(opened, entry, folder, left, limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        # What the standard library raises for archives that are damaged, or packed in a way that it does not know.
        raise ArchiveError(f"the archive is no zip file that can be read: {error}") from error
    return left


def _extract(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, left: int, limits: Limits) -> int:
    path = folder.joinpath(*_parts(entry))
    mode = entry.external_attr >> 16
    kind = stat.S_IFMT(mode)
    if entry.is_dir() or kind == stat.S_IFDIR or entry.external_attr & _DOS_FOLDER:
        path.mkdir(parents=True, exist_ok=True)
        return left
    if kind not in (0, stat.S_IFREG):
        raise ArchiveError(f"{entry.filename!r} is a link or a special file, which Treadle does not unpack")
    if entry.flag_bits & _ENCRYPTED:
        raise ArchiveError(f"{entry.filename!r} is encrypted")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # of an earlier archive; what it was is not written through
    with opened.open(entry) as source, path.open("wb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise ArchiveError(f"unpacked, it is larger than {limits.function_code_bytes} bytes")
            file.write(chunk)
    path.chmod(0o755 if mode & stat.S_IXUSR else 0o644)
    return left


def _parts(entry: zipfile.ZipInfo) -> tuple[str, ...]:
    """The name's parts, none of which leads anywhere but down."""
    name = entry.filename
    path = PurePosixPath(name.rstrip("/"))
    if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise ArchiveError(f"the name {name!r} leads out of the archive")
    return path.parts
