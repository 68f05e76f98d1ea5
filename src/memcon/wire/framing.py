"""Cutting SIP messages out of a byte stream: TCP and TLS (RFC 3261 §18.3, keep-alive of RFC 5626 §3.5.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from memcon.wire.sip import MAX_MESSAGE, Message, SipError, content_length, parse, read_head

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Ping:
    """A keep-alive: two line ends between messages. The answer is one line end."""


Framed = Message | Ping | SipError


class StreamParser:
    """One connection's reader: feed it bytes as they come, take messages as they end.

    Where the stream is cut never changes what comes out. A message that cannot be acted on comes
    out as its `SipError`; one with `fatal` set ends the reading, since the next message's start is
    unknown: answer it, then close the connection.
    """

    def __init__(self, *, max_message: int = MAX_MESSAGE) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._need = 0
        self._max = min(max_message, MAX_MESSAGE)
        self.closed = False
        """Set after a fatal error; everything fed later is dropped."""

    @property
    def pending(self) -> int:
        """Bytes held of a message that has not ended yet."""
        return len(self._buffer)

    @property
    def rest(self) -> bytes:
        """Those bytes: whoever goes on reading the connection feeds them to a new parser first."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[Framed]:
        """Take bytes from the connection; the messages, pings and errors they complete, in order."""
        if self.closed:
            return []
        self._buffer += data
        found: list[Framed] = []
        while not self.closed:
            item = self._next()
            if item is None:
                break
            found.append(item)
        return found

    def _next(self) -> Framed | None:
        if self._skip_line_ends():
            return Ping()
        if len(self._buffer) < self._need:
            return None
        blank = _BLANK_LINE.search(self._buffer, self._scanned)
        if blank is None or blank.end() > self._max:
            if len(self._buffer) > self._max:
                headers = read_head(bytes(self._buffer[: self._max]))
                return self._fatal(
                    SipError(f"headers longer than {self._max} bytes", status=513, headers=headers)
                )
            self._scanned = max(0, len(self._buffer) - 3)
            return None
        return self._cut(blank.end(), bytes(self._buffer[: blank.start()]))

    def _skip_line_ends(self) -> bool:
        """Drop line ends before a start line; True when they made a ping."""
        while self._buffer and self._buffer[0] in b"\r\n":
            if self._buffer[:4] == b"\r\n\r\n":
                del self._buffer[:4]
                return True
            if b"\r\n\r\n".startswith(bytes(self._buffer[:4])):
                return False  # may yet become a ping
            del self._buffer[:1]
        return False

    def _cut(self, body_at: int, head: bytes) -> Framed | None:
        headers = read_head(head)
        is_request = head[:4].upper() != b"SIP/"
        try:
            length = content_length(headers)
        except SipError as error:
            return self._fatal(
                SipError(error.problem, where=error.where, headers=headers, is_request=is_request)
            )
        if length is None and headers.get("content-type"):
            # Content-Length MUST be used on streams (§20.14): without it, the end of the body is a guess.
            problem = "a body without Content-Length on a stream"
            return self._fatal(
                SipError(problem, where="Content-Length", headers=headers, is_request=is_request)
            )
        end = body_at + (length or 0)
        if end > self._max:
            problem = f"{end} bytes, the limit is {self._max}"
            return self._fatal(SipError(problem, status=413, headers=headers, is_request=is_request))
        if len(self._buffer) < end:
            self._need = end
            return None
        data = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._scanned = self._need = 0
        try:
            return parse(data)
        except SipError as error:
            return error

    def _fatal(self, error: SipError) -> SipError:
        error.fatal = True
        self.closed = True
        self._buffer.clear()
        return error
