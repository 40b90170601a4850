"""What a server is told before anything of it is built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from treadle.config import Settings, is_loopback
from treadle.functions.logs import LogSink
from treadle.limits import Limits


class Plan(Struct, frozen=True, kw_only=True):
    """What is settled before anything is built."""

    settings: Settings
    url: str
    """Where clients reach the server."""
    local_url: str
    """Where its own functions, jobs and commands do: on this machine, without TLS."""
    sinks: Sequence[LogSink]
    """Where the output of functions goes besides the files and CloudWatch Logs."""
    parts: AsyncExitStack
    """What is to happen when the server stops."""
    on_failure: Callable[[Exception], None]
    """Called with what the server cannot go on with."""

    @property
    def limits(self) -> Limits:
        return self.settings.limits

    @property
    def data(self) -> Path:
        return self.settings.data_dir.absolute()

    @property
    def own_host(self) -> str:
        return urlsplit(self.local_url).netloc

    def elsewhere(self) -> dict[str, str]:
        """The endpoints of the settings, by service. Whoever has set such a variable for clients of this server, and
        starts it in the same shell, means no circle."""
        return {service: url for service, url in self.settings.endpoints.items() if not self._is_own(url)}

    def _is_own(self, url: str) -> bool:
        theirs, ours = urlsplit(url), urlsplit(self.url)
        host = theirs.hostname or ""
        return theirs.port == ours.port and (host == ours.hostname or is_loopback(host))
