"""Where a log is read from: a directory or, within limits, a web server."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from memcon.errors import MachineError, UsageError
from memcon.verify import bounded

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT = 20.0
"""Seconds that a web server may be silent; it may not be slow for ever either (`bounded`)."""
MAX_FILE = 32 << 20
"""No file of a log is larger: an entry bundle holds 256 entries of at most 64 KiB each."""


class TooLarge(MachineError):
    """A file that is larger than any of a log's may be."""


class Source(Protocol):
    """A log's files by their path below its prefix."""

    def fetch(self, path: str) -> bytes | None:
        """A file's bytes, or None if it is not there. Raises MachineError if that cannot be told."""
        ...

    def paths(self) -> Iterator[str]:
        """All paths there are, as far as the source can list them."""
        ...


class Directory:
    """A log in a directory, as `memcon` keeps it and as a web server serves it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def fetch(self, path: str) -> bytes | None:
        try:
            file = self._root / path
            if not file.is_file():
                return None
            if file.stat().st_size > MAX_FILE:
                raise TooLarge(f"{path} is larger than {MAX_FILE} bytes: no file of a log")
            return file.read_bytes()
        except OSError as error:
            raise MachineError(f"{path} cannot be read: {error.strerror}") from error

    def paths(self) -> Iterator[str]:
        for file in sorted(self._root.rglob("*")):
            if not file.is_dir():
                yield file.relative_to(self._root).as_posix()


class Web:
    """A log behind http or https. It cannot be listed, so what lies beside the log does not show."""

    def __init__(self, url: str, seconds: float = TIMEOUT) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"{url} is no http or https address")
        self._url = url.rstrip("/") + "/"
        self._seconds = seconds
        self._opener = bounded.opener()

    def fetch(self, path: str) -> bytes | None:
        request = urllib.request.Request(self._url + path, headers={"User-Agent": "memcon-verify"})  # noqa: S310 checked above
        try:
            with self._opener.open(request, timeout=self._seconds) as answer:
                data = bounded.read(answer, MAX_FILE)
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (404, 410):
                    return None
            raise MachineError(f"{self._url}{path}: the server answers {error.code}") from error
        except (OSError, http.client.HTTPException) as error:  # the latter: what it answers is no HTTP
            why = str(error) or type(error).__name__
            raise MachineError(f"{self._url}{path} cannot be read: {why}") from error
        if len(data) > MAX_FILE:
            raise TooLarge(f"{self._url}{path} is larger than {MAX_FILE} bytes: no file of a log")
        return data

    def paths(self) -> Iterator[str]:
        return iter(())


def open_source(where: str | Path, seconds: float = TIMEOUT) -> Source:
    """A directory, or an address that begins with http:// or https://. Raises UsageError.

    `seconds`: how long a web server may be silent.
    """
    if isinstance(where, str) and "://" in where:
        return Web(where, seconds)
    path = Path(where)
    if not path.is_dir():
        raise UsageError(f"{where} is no directory")
    return Directory(path)
