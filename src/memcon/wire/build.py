"""Writing SIP requests and responses (RFC 3261 §7, §8.2.6)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memcon.errors import FormatError, LocalError
from memcon.wire.address import parse_address, parse_via
from memcon.wire.sip import TOKEN, Headers, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

REASONS = {
    100: "Trying", 180: "Ringing", 200: "OK", 400: "Bad Request", 405: "Method Not Allowed",
    413: "Request Entity Too Large", 415: "Unsupported Media Type", 416: "Unsupported URI Scheme",
    420: "Bad Extension", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 486: "Busy Here",
    487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending",
    500: "Server Internal Error", 503: "Service Unavailable", 505: "Version Not Supported",
    513: "Message Too Large",
}  # fmt: skip


def _line(name: str, value: str | bytes) -> bytes:
    value = value.encode() if isinstance(value, str) else value
    if b"\r" in value or b"\n" in value or not TOKEN.match(name):
        raise LocalError(f"header {name!r} would break the message")
    return name.encode() + b": " + value + b"\r\n"


def _finish(start: bytes, lines: list[bytes], content: str, body: bytes) -> bytes:
    if body:
        lines.append(_line("Content-Type", content))
    lines.append(b"Content-Length: %d\r\n" % len(body))
    return start + b"".join(lines) + b"\r\n" + body


def build_request(
    method: str, uri: str, fields: Iterable[tuple[str, str | bytes]], *, content: str = "", body: bytes = b""
) -> bytes:
    """The bytes of a request, Content-Type and -Length added. Raises LocalError for a broken field."""
    if any(c.isspace() for c in method + uri):
        raise LocalError("a blank in the request line")
    lines = [_line(name, value) for name, value in fields]
    return _finish(f"{method} {uri} SIP/2.0\r\n".encode(), lines, content, body)


def build_response(
    headers: Headers,
    status: int,
    *,
    source: tuple[str, int] | None = None,
    to_tag: str = "",
    fields: Iterable[tuple[str, str]] = (),
    record_route: bool = False,
    content: str = "",
    body: bytes = b"",
) -> bytes:
    """The bytes of a response to a request with these headers (§8.2.6).

    `source` is where the request came from: the top Via then gets `received` and `rport` (§18.2.1,
    RFC 3581). `to_tag` is added if the request's To had none. `record_route` copies the route set.
    """
    lines: list[bytes] = []
    for number, via in enumerate(headers.raw("via")):
        lines.append(_line("Via", _mark_source(via, source) if source and not number else via))
    if record_route:
        lines += [_line("Record-Route", value) for value in headers.raw("record-route")]
    to = headers.raw("to")[0]
    if to_tag and not _has_tag(text_of(to)):
        to += b";tag=" + to_tag.encode()
    lines += [_line("From", headers.raw("from")[0]), _line("To", to)]
    lines += [_line("Call-ID", headers.raw("call-id")[0]), _line("CSeq", headers.raw("cseq")[0])]
    lines += [_line(name, value) for name, value in fields]
    return _finish(f"SIP/2.0 {status} {REASONS.get(status, 'Answer')}\r\n".encode(), lines, content, body)


def _has_tag(to: str) -> bool:
    try:
        return parse_address(to).tag is not None
    except FormatError:
        return False


def _mark_source(via_line: bytes, source: tuple[str, int]) -> bytes:
    """The first Via value with `received` where the host differs, and the `rport` it asked for."""
    first, comma, others = via_line.partition(b",")
    try:
        via = parse_via(text_of(first))
    except FormatError:
        return via_line
    if via.wants_rport:
        first = (
            re.sub(rb";\s*rport\s*(=\s*[^;\s]*)?", b"", first, flags=re.IGNORECASE) + b";rport=%d" % source[1]
        )
    if via.wants_rport or via.host != source[0].lower():
        first += b";received=" + source[0].encode()
    return first + comma + others
