"""The functions folder: which functions there are, and which version of their code.

A function is a file or a folder; the first row that matches wins:

    functions/NAME.py                       handler NAME.handler, or NAME.lambda_handler
    functions/NAME.js, .mjs, .cjs           handler NAME.handler, in Node.js
    functions/NAME.url                      whoever answers at the URL in the file
    functions/NAME/handler.py               handler.handler, or handler.lambda_handler
    functions/NAME/lambda_function.py       lambda_function.lambda_handler, or lambda_function.handler
    functions/NAME/app.py                   app.handler, or app.lambda_handler
    functions/NAME/index.js, .mjs, .cjs     handler index.handler, in Node.js
    functions/NAME/bootstrap                an executable that speaks the Runtime API

Names that begin with `_` or `.` are no functions (`_shared.py` is a module that functions import).
A handler can import what lies beside it, and what Lambda's runtime brings along (boto3).
Settings are optional: `functions/NAME.toml` or `functions/NAME/function.toml`, see `Settings`.

User code is never imported here: the attribute is found in the syntax tree.  If the file cannot be parsed, or
defines neither attribute, the conventional name stands and the worker reports what Lambda would.

The folder is stat()ed again when a function is asked for, but no more often than `rescan_seconds`, and less
often if looking takes long: at most a twentieth of the time goes into it.  A fingerprint of names, sizes and
times is the version.  Files beside NAME.py or NAME.js count as its code, because it may import them.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from treadle.functions.contract import FunctionError, FunctionNotFound
from treadle.functions.function import Function
from treadle.functions.options import FunctionOptions
from treadle.functions.runtimes import NODE, PROVIDED, PYTHON, Code, RuntimeMissingError, check_code
from treadle.functions.variables import RESERVED_VARIABLES
from treadle.limits import Limits


class _Entry(NamedTuple):
    """A file that makes a function, and what it is run by."""

    file: str
    """Its name in the function's folder, or how the name ends of a file that is the whole function."""
    runtime: str
    attributes: tuple[str, ...] = ("handler",)
    """What the handler may be called in it, in order."""


_SINGLE = (
    _Entry(".py", PYTHON, ("handler", "lambda_handler")),
    _Entry(".js", NODE),
    _Entry(".mjs", NODE),
    _Entry(".cjs", NODE),
    _Entry(".url", PROVIDED),
)
_IN_FOLDER = (
    _Entry("handler.py", PYTHON, ("handler", "lambda_handler")),
    _Entry("lambda_function.py", PYTHON, ("lambda_handler", "handler")),
    _Entry("app.py", PYTHON, ("handler", "lambda_handler")),
    _Entry("index.js", NODE),
    _Entry("index.mjs", NODE),
    _Entry("index.cjs", NODE),
    _Entry("bootstrap", PROVIDED),
)
_SETTINGS_FILE = "function.toml"
_SHARED_CODE = (".py", ".js", ".mjs", ".cjs", ".json", ".url")
"""How the names of files directly in the functions folder end that any of its functions may be made of."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""Lambda's function names, but for a leading underscore."""
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules"})
_SCAN_SHARE = 20
"""The pause after a scan is at least this many times as long as the scan took."""


class FunctionUnusableError(FunctionError):
    """The function is there but cannot be run. The message says what to correct."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings file of a function."""

    runtime: str | None = None
    """By Lambda's name of it. What the code's file says if it is not set."""
    handler: Annotated[str, Meta(pattern=r"^[^\s.]+(\.[^\s.]+)+$")] | None = None
    """`module.attribute`, relative to the function's folder."""
    timeout: Annotated[int, Meta(ge=1)] | None = None
    """Seconds. The longest that Lambda allows if it is not set (not Lambda's 3 seconds)."""
    memory: Annotated[int, Meta(ge=128, le=10_240)] = 1_024
    """MiB (Lambda's default is 128)."""
    storage: Annotated[int, Meta(ge=512, le=10_240)] = 512
    """MiB of temporary files."""
    environment: dict[str, str] = {}


class Catalog:
    def __init__(self, options: FunctionOptions, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._folder = options.folder.absolute()
        self._limits: Limits = options.limits
        self._rescan_seconds = options.rescan_seconds
        self._runtimes = options.runtimes
        self._monotonic = monotonic
        self._found: dict[str, tuple[float, Function]] = {}

    def get(self, name: str) -> Function:
        """The function as it is on disk now. Raises FunctionNotFound, FunctionUnusableError."""
        begun = self._monotonic()
        known = self._found.get(name)
        if known is not None and begun < known[0]:
            return known[1]
        self._found.pop(name, None)
        function = self._read(name, None if known is None else known[1])
        if self._rescan_seconds:
            pause = max(self._rescan_seconds, (self._monotonic() - begun) * _SCAN_SHARE)
            self._found[name] = (begun + pause, function)
        else:
            self._found[name] = (begun, function)
        return function

    def names(self) -> list[str]:
        """Names of all functions, sorted."""
        try:
            names = {entry.stem if entry.is_file() else entry.name for entry in self._folder.iterdir()}
        except OSError:
            return []
        return sorted(name for name in names if self._code(name) is not None)

    def _code(self, name: str) -> _Found | None:
        if not _NAME.fullmatch(name):
            return None
        for entry in _SINGLE:
            file = self._folder / f"{name}{entry.file}"
            if file.is_file():
                return _Found(entry, file, self._folder, file.with_suffix(".toml"))
        folder = self._folder / name
        settings = folder / _SETTINGS_FILE
        found = next((entry for entry in _IN_FOLDER if (folder / entry.file).is_file()), None)
        return _Found(found, folder, folder, settings) if found or settings.is_file() else None

    def _read(self, name: str, known: Function | None) -> Function:
        found = self._code(name)
        if found is None:
            raise FunctionNotFound(f"Function not found: {name}")
        version = _fingerprint(found.root, found.settings, deep=not found.is_single)
        if known is not None and (known.version, known.code) == (version, found.code):
            return known
        settings = self._settings(found.settings)
        timeout = settings.timeout or self._limits.function_timeout_seconds
        if timeout > self._limits.function_timeout_seconds:
            raise FunctionUnusableError(
                f"{found.settings}: timeout is {timeout} seconds, more than"
                f" the limit of {self._limits.function_timeout_seconds}"
            )
        runtime = settings.runtime or (found.entry.runtime if found.entry else PYTHON)
        handler = settings.handler or found.handler()
        url = _url(found.code) if found.is_single and found.code.suffix == ".url" else None
        code = Code(
            runtime=runtime,
            handler=handler,
            root=found.root,
            root_is_shared=found.is_single,
            memory_megabytes=settings.memory,
        )
        return Function(
            name=name,
            key=name,
            handler=handler,
            root=found.root,
            code=found.code,
            command=self._command(code, found) if url is None else (),
            runtime=runtime,
            timeout_seconds=timeout,
            memory_megabytes=settings.memory,
            ephemeral_megabytes=settings.storage,
            environment=settings.environment,
            version=version,
            url=url,
        )

    def _command(self, code: Code, found: _Found) -> tuple[str, ...]:
        module = found.code.stem
        is_python = found.is_single and code.runtime.startswith("python")
        if is_python and module in sys.stdlib_module_names and code.handler.startswith(f"{module}."):
            raise FunctionUnusableError(
                f"{found.code.name} has the name of a Python standard module, which its imports would confuse;"
                f" move it to {module}/handler.py"
            )
        try:
            check_code(code.runtime, code.root)
            return self._runtimes.command(code)
        except RuntimeMissingError as error:
            raise FunctionUnusableError(f"{found.code}: {error}") from error

    def _settings(self, file: Path) -> Settings:
        try:
            text = file.read_bytes()
        except FileNotFoundError:
            return Settings()
        except OSError as error:
            raise FunctionUnusableError(f"{file}: {error.strerror}") from error
        try:
            settings = msgspec.toml.decode(text, type=Settings)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:  # also what tomllib finds wrong
            raise FunctionUnusableError(f"{file}: {error}") from error
        for variable, value in settings.environment.items():
            if variable in RESERVED_VARIABLES:
                raise FunctionUnusableError(f"{file}: {variable} is reserved for the runtime")
            if not variable or "=" in variable or "\0" in variable + value:
                raise FunctionUnusableError(f"{file}: {variable!r} cannot be an environment variable")
        return settings


class _Found(NamedTuple):
    """What there is of a function in the folder."""

    entry: _Entry | None
    """None: only settings, which must say the handler."""
    code: Path
    root: Path
    settings: Path

    @property
    def is_single(self) -> bool:
        return self.code != self.root

    def handler(self) -> str:
        """By convention."""
        if self.entry is None:
            files = ", ".join(entry.file for entry in _IN_FOLDER)
            raise FunctionUnusableError(f"{self.code}: no {files}, and {_SETTINGS_FILE} names no handler")
        file = self.code if self.is_single else self.code / self.entry.file
        attributes = self.entry.attributes
        return f"{file.stem}.{_attribute(file, attributes) if len(attributes) > 1 else attributes[0]}"


def _url(file: Path) -> str:
    try:
        text = file.read_text("utf-8").strip()
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (OSError, ValueError):  # also what is no UTF-8, and a port that is no number
        usable = False
    if not usable or not text.isascii() or not text.isprintable() or " " in text:
        raise FunctionUnusableError(f"{file} must hold one http or https URL and nothing else")
    return text


def _attribute(file: Path, attributes: tuple[str, ...]) -> str:
    """Which of `attributes` the module defines, or the first if that cannot be seen."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return attributes[0]
    defined = set(_defined(tree))
    return next((name for name in attributes if name in defined), attributes[0])


def _defined(tree: ast.Module) -> Iterator[str]:
    """Names that the statements at the top of a module bind."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


def _fingerprint(root: Path, settings_file: Path, deep: bool) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path, status in _files(str(root), deep):
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ino}\n".encode("utf-8", "replace"))
    try:
        status = settings_file.stat()
        digest.update(f"{status.st_size}\0{status.st_mtime_ns}\0{status.st_ino}".encode())
    except OSError:
        digest.update(b"no settings")
    return digest.hexdigest()


def _files(root: str, deep: bool) -> Iterator[tuple[str, os.stat_result]]:
    """Every file below `root` in a stable order, or only the code directly in it."""
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if deep and entry.is_dir(follow_symlinks=False):
            if entry.name not in _SKIPPED_FOLDERS and not entry.name.startswith("."):
                yield from _files(entry.path, deep)
        elif deep or entry.name.endswith(_SHARED_CODE):
            try:
                status = entry.stat()
            except OSError:  # removed meanwhile, or a link to nowhere
                continue
            if stat.S_ISREG(status.st_mode):
                yield entry.path, status
