"""Folders for temporary files: one for each worker, as each has a /tmp of its own on Lambda.

A worker finds its folder in TMPDIR, which Python's tempfile, Node.js' os.tmpdir and the shell's mktemp follow; it is
removed when the worker has ended.  /tmp itself, by name, is the machine's.  All folders of a server lie in one, below
the system's folder for temporary files because paths of sockets must be short.  The guardian removes that one when the
server has ended, in whatever way.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from functools import partial
from pathlib import Path


class Scratch:
    folder: Path
    """Of the server, once it is open. Others of this machine's users cannot read it."""

    def open(self) -> None:
        """May be called again. Raises OSError."""
        if not hasattr(self, "folder"):
            self.folder = Path(tempfile.mkdtemp(prefix="treadle-"))

    def make(self) -> Path:
        """A folder for one more worker. Raises OSError."""
        return Path(tempfile.mkdtemp(dir=self.folder, prefix=""))

    def remove(self, folder: Path) -> None:
        """The worker has ended. Mostly it has left nothing there."""
        try:
            folder.rmdir()
        except OSError:
            remove = partial(shutil.rmtree, folder, ignore_errors=True)
            asyncio.get_running_loop().run_in_executor(None, remove)
