"""HTTP answers that have to come: a peer that sends a byte now and then keeps nobody for ever.

A socket's own time-out begins anew with every byte. Here an answer, its head included, has as long as
the other side may be silent, a second more for each `RATE` bytes that came, and `MOST_SECONDS` in all.
"""

from __future__ import annotations

import http.client
import io
import ssl
import urllib.request
from typing import TYPE_CHECKING, Any

from memcon.clock import NS, SystemClock

if TYPE_CHECKING:
    import socket

RATE = 32 << 10
"""Bytes in each second after the first ones: a slow line has more."""
MOST_SECONDS = 60
MAX_ANSWER = 64 << 20
"""Bytes of an answer with its head and whatever comes before it: twice the largest file of a log."""


class _Incoming(io.RawIOBase):
    """The bytes of one answer as they come."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._inner = sock.makefile("rb", buffering=0)
        self._silent = sock.gettimeout()
        self._clock = SystemClock()
        self._begun = self._clock.monotonic_ns()
        self._end = self._begun + int((self._silent or 0) * NS)
        self._left = MAX_ANSWER

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  # as the class above has it
        if self._silent is not None:
            left = (min(self._end, self._begun + MOST_SECONDS * NS) - self._clock.monotonic_ns()) / NS
            if left <= 0:
                raise TimeoutError("the answer comes too slowly")
            self._sock.settimeout(min(left, self._silent))
        try:
            count = self._inner.readinto(buffer) or 0
        finally:
            self._sock.settimeout(self._silent)  # of a connection that is kept for the next question
        self._left -= count
        if self._left < 0:
            raise OSError(f"the answer has more than {MAX_ANSWER} bytes")
        self._end += count * NS // RATE
        return count

    def close(self) -> None:
        self._inner.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # its own
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Incoming(sock))


def read(answer: http.client.HTTPResponse, most: int) -> bytes:
    """The whole body, or more than `most` bytes of it. Raises IncompleteRead where it was cut short."""
    data = answer.read(most + 1)
    if len(data) <= most and answer.length:  # what the head promised and did not come
        raise http.client.IncompleteRead(data, answer.length)
    return data


class HTTPConnection(http.client.HTTPConnection):
    """Over plain HTTP; a time-out must be given for there to be a bound."""

    response_class = _Answer


class HTTPSConnection(http.client.HTTPSConnection):
    """Over TLS, with the system's certificates unless a context is given."""

    response_class = _Answer


class _Plain(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(HTTPConnection, req)


class _Secure(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(HTTPSConnection, req, context=ssl.create_default_context())


def opener() -> urllib.request.OpenerDirector:
    """What opens addresses as `urllib.request.urlopen` does, within these bounds."""
    return urllib.request.build_opener(_Plain, _Secure)
