"""The process that workers of Python functions are forked from: the interpreter and AWS's packages are there already.

Started as a script, never imported by the server, with Python's flags for workers; its arguments are the number of the
socket to the server, and the folders of the packages that Treadle uses.  No function's code runs in it: all that it
does is to import what every worker would (`_SOON`), then, while nobody asks for anything, what most workers would
(`_LATER`), and to fork.  What comes back from `_serve` is a worker, which goes on as one that was started afresh: a
session of its own, its own environment, folder and output, no file of ours.

A fork must not be told from a fresh process.  Where it could be, the fork executes the command that would have been
started instead (`_needs_a_fresh_start`): if the environment has what an interpreter reads only as it starts, or if the
function brings modules along that were imported here already from elsewhere.

Messages are JSON, one a datagram:

    from the server   {"start": N, "command": [...], "environment": {...}, "folder": "..."}, with the output pipe
                      {"release": PID}      its end was seen to; its number may be given to others
    to the server     {"ready": true}
                      {"started": N, "pid": PID}  or  {"failed": N, "reason": "..."}
                      {"ended": PID, "code": CODE}    negative for a signal
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

_MESSAGE_BYTES = 1 << 20
_SOON = (
    "base64", "datetime", "json", "logging", "simplejson", "traceback", "awslambdaric.lambda_config",
    "awslambdaric.lambda_context", "awslambdaric.lambda_runtime_exception", "awslambdaric.lambda_runtime_log_utils",
    "awslambdaric.lambda_runtime_marshaller",
)  # fmt: skip
"""What AWS's client needs, but for what reads the environment as it is imported: its modules `bootstrap` and
`lambda_runtime_client`, and its native half."""
_LATER = (
    "http.client", "ssl", "email.parser", "urllib.request", "urllib3", "dateutil.parser", "jmespath", "botocore.compat",
    "botocore.utils", "botocore.auth", "botocore.model", "botocore.parsers", "botocore.client", "botocore.session",
    "s3transfer.manager", "boto3", "boto3.session",
)  # fmt: skip
"""AWS's SDK, in pieces, because who asks for a worker meanwhile waits until one is imported."""
_PAUSE_MILLISECONDS = 100
"""Before each of these: the functions that run already are to have the processor."""
_PLACE_OF_MARK = "_TREADLE_WORKER"
_READ_AT_START = ("PYTHON", "LC_", "LD_", "DYLD_", "MALLOC_", "GLIBC_", "GCONV_", "OPENSSL_", "SSL_", "SSLKEYLOGFILE")
"""Beginnings of the names of variables that the interpreter or a library reads only once."""
_READ_AT_START_WHOLE = ("LANG", "LANGUAGE", "TZ")


def main() -> None:
    server, packages = sys.argv[1:]
    bootstrap = _bootstrap()
    bootstrap.prepare(packages)
    command = _serve(socket.socket(fileno=int(server)), _Modules())
    bootstrap.run(*command[-3:-1])


def _bootstrap() -> ModuleType:
    """`bootstrap.py` beside this file, which is not on the import path."""
    spec = importlib.util.spec_from_file_location("bootstrap", f"{__file__.rpartition(os.sep)[0]}/bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Modules:
    """What is imported before the fork."""

    def __init__(self) -> None:
        for name in _SOON:
            importlib.import_module(name)
        self._later = list(reversed(_LATER))
        self._settle()

    @property
    def left(self) -> bool:
        return bool(self._later)

    def import_next(self) -> None:
        name = self._later.pop()
        try:
            importlib.import_module(name)
        except ImportError:  # another version of the SDK has no such module
            return
        finally:
            self._settle()

    def _settle(self) -> None:
        """What is there now is shared by all workers, and not gone through again by their garbage collectors."""
        names = {name.partition(".")[0] for name in sys.modules}
        self.names = frozenset(names.difference(sys.builtin_module_names, ["__main__"]))
        """That a function's own modules may have, too."""
        gc.collect()
        gc.freeze()


# -- the zygote's life -------------------------------------------------------------------------------------


def _serve(server: socket.socket, modules: _Modules) -> list[str]:
    """Until the server has gone. Comes back in each worker, with its command."""
    children: dict[int, int] = {}  # process ids by the descriptors that become readable at their end
    poll = select.poll()
    poll.register(server, select.POLLIN)
    _tell(server, {"ready": True})
    while True:
        events = poll.poll(_PAUSE_MILLISECONDS if modules.left else None)
        if not events:
            modules.import_next()
        for descriptor, _ in events:
            if descriptor != server.fileno():
                poll.unregister(descriptor)
                _tell_end(server, children.pop(descriptor))
                os.close(descriptor)
                continue
            data, descriptors = _next_message(server)
            if not data:
                _end(children)
            message = json.loads(data)
            if "release" in message:
                os.waitpid(message["release"], 0)
                continue
            pid = _fork(server, message)
            if pid == 0:
                server.detach()
                return _become_worker(message, descriptors[0], modules)
            os.close(descriptors[0])
            if pid > 0:
                ended = os.pidfd_open(pid)
                children[ended] = pid
                poll.register(ended, select.POLLIN)


def _next_message(server: socket.socket) -> tuple[bytes, list[int]]:
    """And the output pipe that came with it; nothing, if the server has gone."""
    try:
        data, descriptors, _, _ = socket.recv_fds(server, _MESSAGE_BYTES, 1)
    except ConnectionResetError:  # it was killed before it had read all that it was told
        return b"", []
    return data, descriptors


def _fork(server: socket.socket, message: dict[str, Any]) -> int:
    """0 in the worker; negative if there is none."""
    try:
        pid = os.fork()
    except OSError as error:
        _tell(server, {"failed": message["start"], "reason": str(error)})
        return -1
    if pid:
        _tell(server, {"started": message["start"], "pid": pid})
    return pid


def _tell(server: socket.socket, message: dict[str, Any]) -> None:
    try:
        server.send(json.dumps(message).encode())
    except OSError:  # the server has gone, which the next read tells
        return


def _tell_end(server: socket.socket, pid: int) -> None:
    """Of a process that stays a zombie: until it is released, its number is nobody else's."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
    _tell(server, {"ended": pid, "code": code})


def _end(children: dict[int, int]) -> None:
    """The server has gone. Its guardian ends the workers that it knows; some may be too young."""
    for pid in children.values():
        try:
            os.killpg(pid, signal.SIGKILL)
        except OSError:
            continue
    os._exit(0)


# -- a worker's first steps --------------------------------------------------------------------------------


def _become_worker(message: dict[str, Any], output: int, modules: _Modules) -> list[str]:
    """Be as a process that was started with this environment, folder and output. Comes back with the command, unless
    another program has taken the process over."""
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, 1 + max(int(each.name) for each in os.scandir("/proc/self/fd")))
    command, environment = message["command"], message["environment"]
    try:
        os.chdir(message["folder"])
        if _needs_a_fresh_start(command, environment, modules):
            os.execve(command[0], command, environment)  # noqa: S606 - the command that the server would start
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
        os._exit(1)
    _show_as(command, environment["AWS_LAMBDA_RUNTIME_API"].rpartition("/")[2])
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = _python_path(environment)
    sys.argv = command[-4:]
    return list(command)


def _show_as(command: Sequence[str], mark: str) -> None:
    """What the system shows of a process' command and environment is what it was started with, in the memory of the
    process. The first is for people. By the second the guardian knows what belongs to a worker: there is its secret,
    where the zygote has kept room for it. A system that does not let this happen shows the zygote's own."""
    try:
        fields = _read("/proc/self/stat").rpartition(b")")[2].split()
        arguments, arguments_end, variables, variables_end = map(int, fields[45:49])  # arg_start to env_end of proc(5)
        memory = os.open("/proc/self/mem", os.O_RDWR)
        try:
            room = arguments_end - arguments
            shown = b"\0".join(os.fsencode(part) for part in command)[: room - 1]
            os.pwrite(memory, shown.ljust(room, b"\0"), arguments)
            name = f"{_PLACE_OF_MARK}=".encode()
            place = os.pread(memory, variables_end - variables, variables).find(name)
            if place >= 0:
                os.pwrite(memory, mark.encode(), variables + place + len(name))
        finally:
            os.close(memory)
    except (OSError, ValueError):
        return


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, 4_096)
    finally:
        os.close(file)


def _needs_a_fresh_start(command: Sequence[str], environment: dict[str, str], modules: _Modules) -> bool:
    for name in environment.keys() | os.environ.keys():
        read_once = name.startswith(_READ_AT_START) or name in _READ_AT_START_WHOLE
        if read_once and name != "PYTHONPATH" and environment.get(name) != os.environ.get(name):
            return True
    if any(modules.names & _modules_in(folder) for folder in _python_path(environment)):
        return True
    # A folder that is shared goes behind the standard library.
    names = modules.names - sys.stdlib_module_names if command[-2] == "shared" else modules.names
    return bool(names & _modules_in(environment["LAMBDA_TASK_ROOT"]))


def _python_path(environment: dict[str, str]) -> list[str]:
    return [folder for folder in environment.get("PYTHONPATH", "").split(os.pathsep) if folder]


def _modules_in(folder: str) -> set[str]:
    """Names that importing may find there."""
    try:
        return {each.name.partition(".")[0] for each in os.scandir(folder)}
    except OSError:
        return set()


if __name__ == "__main__":
    main()
