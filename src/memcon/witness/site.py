"""A log's web server as its mirror asks it: many times a minute, over one connection that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.errors import MachineError
from memcon.verify.sources import MAX_FILE, Web
from memcon.witness.client import Connection, WitnessError

if TYPE_CHECKING:
    from collections.abc import Iterator


class KeptSite:
    """A source like `Web`, for one thread. `keep`: leave the connection open between two looks."""

    def __init__(self, url: str, seconds: float, *, keep: bool = True) -> None:
        """Raises UsageError for what is no http or https address."""
        self._url = url.rstrip("/") + "/"
        self._web = Web(url, seconds)
        self._connection = Connection(self._url, seconds, most=MAX_FILE)
        self._keep = keep

    def fetch(self, path: str) -> bytes | None:
        """A file's bytes, or None if it is not there. Raises MachineError if that cannot be told."""
        try:
            status, data = self._connection.ask("GET", path)
        except WitnessError as error:
            raise MachineError(f"{self._url}{path} cannot be read: {error}") from error
        if not self._keep:
            self.close()
        if status == 200:
            return data
        if status in (404, 410):
            return None
        if 300 <= status < 400:  # rare: it is followed by the one that can
            return self._web.fetch(path)
        raise MachineError(f"{self._url}{path}: the server answers {status}")

    def close(self) -> None:
        """Close the connection; another question opens one again."""
        self._connection.close()

    def paths(self) -> Iterator[str]:
        """None: a web server cannot be listed."""
        return iter(())
