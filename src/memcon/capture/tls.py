"""The certificate that SIP over TLS is answered with: loaded at the start, and again when it is renewed.

Certificates live for weeks, recorders for years: a renewed one is used for the connections that come
after, without a restart. One that cannot be read is logged, and the old one stays in use.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.clock import NS
from memcon.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.capture.log import Log

LOOK_NS = 30 * NS


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the certificate with its chain, and its private key."""

    certificate: Path
    key: Path


class Tls:
    """A server's TLS context that follows its files. Raises UsageError for files that cannot be used."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._seen = self._stamps()
        self._next_look = 0
        try:
            self._load(self.context)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"SIP over TLS cannot use {files.certificate} and {files.key}: {_why(error)}",
                cure="[sip] certificate and key: PEM files that belong together, the key without a password",
            ) from error

    def _load(self, context: ssl.SSLContext) -> None:
        # an empty password: a protected key is refused at once, not asked about on the terminal
        context.load_cert_chain(self._files.certificate, self._files.key, password="")

    def _stamps(self) -> tuple[object, ...]:
        found: list[object] = []
        for path in (self._files.certificate, self._files.key):
            try:
                status = path.stat()
            except OSError:
                found.append(None)
            else:
                found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(found)

    def look(self, now_ns: int, log: Log) -> None:
        """Take up renewed files, at most every half minute; `now_ns` is a clock that never steps."""
        if now_ns < self._next_look:
            return
        self._next_look = now_ns + LOOK_NS
        stamps = self._stamps()
        if stamps == self._seen:
            return
        self._seen = stamps
        try:
            # On trial first: half of a pair loaded into the context in use would break it.
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            self._load(self.context)
        except (OSError, ValueError) as error:
            log.error("certificate not renewed", file=str(self._files.certificate), why=_why(error))
        else:
            log.info("certificate renewed", file=str(self._files.certificate))


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    return str(getattr(error, "strerror", None) or error)
