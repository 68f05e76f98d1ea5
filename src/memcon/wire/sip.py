"""SIP messages: bytes in, a message that keeps its bytes out (RFC 3261 §7, §25.1).

The reader accepts what real senders send (LF line ends, folding, compact names, blanks, unknown
headers) and says so in `oddities`. It refuses only what cannot be answered or routed, with a
`SipError` that carries the status to answer and the headers to answer with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.wire.address import (
    Address,
    Via,
    parse_address,
    parse_params,
    parse_via,
    split_list,
    split_outside,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_MESSAGE = 65_536
"""Bytes of one message, start line to end of body: a UDP datagram holds no more, and 5 kB is usual."""
MAX_HEADERS = 256
"""Header fields of one message: a call through a dozen proxies has about sixty."""

COMPACT = {
    "a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition",
    "e": "content-encoding", "f": "from", "i": "call-id", "j": "reject-contact", "k": "supported",
    "l": "content-length", "m": "contact", "o": "event", "r": "refer-to", "s": "subject", "t": "to",
    "u": "allow-events", "v": "via", "x": "session-expires", "y": "identity",
}  # fmt: skip
"""Compact header names (RFC 3261 §7.3.3 and the IANA registry)."""

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+\Z")


def text_of(raw: bytes) -> str:
    """Header bytes as text: UTF-8, other bytes as visible escapes, so that any store can hold it."""
    return raw.decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields in order: (name in lower case and long form, value bytes unfolded and stripped)."""

    fields: tuple[tuple[str, bytes], ...]

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return iter(self.fields)

    def raw(self, name: str) -> list[bytes]:
        """All values of a header, as bytes, one per line."""
        return [value for key, value in self.fields if key == name]

    def get(self, name: str) -> str | None:
        """The first value of a header as text, None if absent."""
        for key, value in self.fields:
            if key == name:
                return text_of(value)
        return None

    def all(self, name: str) -> list[str]:
        """All values of a header as text, one per line."""
        return [text_of(value) for value in self.raw(name)]

    def members(self, name: str) -> list[str]:
        """All comma-separated members of a header over all its lines."""
        return [member for value in self.all(name) for member in split_list(value)]

    def tokens(self, name: str) -> set[str]:
        """The members in lower case without parameters: option tags, methods, media types."""
        return {member.partition(";")[0].strip().lower() for member in self.members(name)}

    @property
    def answerable(self) -> bool:
        """Whether a response could be routed and matched: Via, From, To, Call-ID and CSeq are there."""
        names = {name for name, value in self.fields if value}
        return {"via", "from", "to", "call-id", "cseq"} <= names


class SipError(FormatError):
    """Bytes that are no SIP message we can act on.

    `status` is the response to send, None when none may be sent (a response, an ACK, too little
    read); `headers` what could be read; `fatal` says that a stream cannot be read on.
    """

    def __init__(
        self,
        problem: str,
        *,
        where: int | str | None = None,
        status: int | None = 400,
        headers: Headers = Headers(()),
        is_request: bool = True,
        fatal: bool = False,
    ) -> None:
        super().__init__("SIP message", problem, where=where)
        ack = (headers.get("cseq") or "").upper().endswith("ACK")
        self.status = status if is_request and headers.answerable and not ack else None
        self.headers = headers
        self.fatal = fatal


@dataclass(frozen=True, slots=True)
class Message:
    """One SIP request or response, with the bytes it was read from.

    `method` and `uri` are "" in a response, `status` is 0 in a request. `raw` is the exact message,
    start line to end of body; what followed in a datagram is in `trailing`.
    """

    raw: bytes
    method: str
    uri: str
    status: int
    reason: str
    headers: Headers
    body: bytes
    via: Via
    from_: Address
    to: Address
    call_id: str
    cseq: int
    cseq_method: str
    trailing: bytes = b""
    oddities: tuple[str, ...] = ()

    @property
    def is_request(self) -> bool:
        """A request, not a response."""
        return bool(self.method)

    @property
    def content_type(self) -> str:
        """The Content-Type value as sent, "" if none."""
        return self.headers.get("content-type") or ""

    @property
    def contact(self) -> Address | None:
        """The first Contact, None if absent, `*` or unreadable."""
        for member in self.headers.members("contact"):
            try:
                return parse_address(member)
            except FormatError:
                return None
        return None


@dataclass(frozen=True, slots=True)
class _Start:
    method: str
    uri: str
    status: int
    reason: str
    problem: str = ""
    answer: int = 400
    is_request: bool = True


def _read_start(line: bytes) -> _Start:
    # Request-Line = Method SP Request-URI SP SIP-Version CRLF
    # Status-Line  = SIP-Version SP Status-Code SP Reason-Phrase CRLF
    text = text_of(line).strip()
    if text[:4].upper() == "SIP/":
        version, _, rest = text.partition(" ")
        code, _, reason = rest.strip().partition(" ")
        if (
            version.upper() == "SIP/2.0"
            and len(code) == 3
            and code.isascii()
            and code.isdigit()
            and code[0] in "123456"
        ):
            return _Start("", "", int(code), reason.strip())
        return _Start("", "", 0, "", f"no status line: {text[:60]!r}", is_request=False)
    words = text.split()
    if len(words) < 2 or not TOKEN.match(words[0]):
        return _Start("", "", 0, "", f"no request line: {text[:60]!r}")
    version = words[-1].upper()
    if not version.startswith("SIP/"):
        return _Start(words[0], "", 0, "", f"no SIP version at the end of {text[:60]!r}")
    if version != "SIP/2.0":
        return _Start(words[0], "", 0, "", f"version {words[-1][:20]} is not SIP/2.0", 505)
    if len(words) != 3:
        return _Start(words[0], "", 0, "", f"the request line has {len(words)} words, not 3")
    return _Start(words[0], words[1], 0, "")


def _read_headers(head: bytes) -> tuple[bytes, list[tuple[str, bytes]], list[str]]:
    """Start line, unfolded fields, oddities."""
    # message-header = (name) HCOLON value CRLF;  HCOLON = *( SP / HTAB ) ":" SWS
    # header folding: a line that begins with a blank continues the value (§7.3.1)
    start, *lines = re.split(rb"\r?\n", head)
    fields: list[tuple[str, bytes]] = []
    oddities: list[str] = []
    for number, line in enumerate(lines, start=2):
        if line[:1] in (b" ", b"\t") and fields:
            name, value = fields[-1]
            fields[-1] = (name, (value + b" " + _plain(line)).strip())
            continue
        raw_name, colon, value = line.partition(b":")
        name = text_of(raw_name).strip().lower()
        if not colon or not TOKEN.match(name):
            if line.strip():
                oddities.append(f"line {number} is no header: {text_of(line[:40])!r}")
            continue
        fields.append((COMPACT.get(name, name), _plain(value)))
    return start, fields, oddities


def _plain(value: bytes) -> bytes:
    """A value that can stand in an answer: a lone CR or a NUL, which some send, is a blank."""
    return value.replace(b"\r", b" ").replace(b"\0", b" ").strip()


def read_head(head: bytes) -> Headers:
    """The headers of a message's head alone: for framing, and for answering what is too large."""
    return Headers(tuple(_read_headers(head)[1]))


def content_length(headers: Headers) -> int | None:
    """The stated body length in bytes, None if not stated. Raises SipError when it is no number or two."""
    stated = {value for value in headers.raw("content-length")}
    if not stated:
        return None
    value = stated.pop()
    if stated:
        raise SipError(
            "Content-Length is stated twice and differs", where="Content-Length", headers=headers, fatal=True
        )
    if not value.isdigit() or len(value) > 10:
        raise SipError(
            f"Content-Length {text_of(value[:20])!r} is no length",
            where="Content-Length",
            headers=headers,
            fatal=True,
        )
    return int(value)


def parse(data: bytes) -> Message:
    """Read one whole message: a datagram, or what `StreamParser` cut from a stream.

    Raises SipError (a FormatError) and nothing else, whatever the bytes.
    """
    raw = data.lstrip(b"\r\n")
    end_of_head = _BLANK_LINE.search(raw)
    head = raw[: end_of_head.start()] if end_of_head else raw
    start_line, fields, oddities = _read_headers(head[:MAX_MESSAGE])
    headers = Headers(tuple(fields[:MAX_HEADERS]))
    start = _read_start(start_line)
    if len(data) > MAX_MESSAGE:
        raise SipError(
            f"{len(data)} bytes, the limit is {MAX_MESSAGE}",
            status=513,
            headers=headers,
            is_request=start.is_request,
        )
    if start.problem:
        raise SipError(
            start.problem, where="line 1", status=start.answer, headers=headers, is_request=start.is_request
        )
    is_request = bool(start.method)
    if len(fields) > MAX_HEADERS:
        raise SipError(
            f"{len(fields)} headers, the limit is {MAX_HEADERS}",
            status=513,
            headers=headers,
            is_request=is_request,
        )
    if end_of_head is None:
        oddities.append("no blank line after the headers")
    try:
        return _assemble(raw, end_of_head.end() if end_of_head else len(raw), start, headers, oddities)
    except SipError as error:
        status = error.status if is_request else None
        raise SipError(
            error.problem, where=error.where, status=status, headers=headers, is_request=is_request
        ) from None
    except FormatError as error:
        raise SipError(error.problem, where=error.where, headers=headers, is_request=is_request) from None


def _assemble(raw: bytes, body_at: int, start: _Start, headers: Headers, oddities: list[str]) -> Message:
    for name in ("via", "from", "to", "call-id", "cseq"):
        if not headers.get(name):
            raise SipError(f"no {name} header", where=name, headers=headers)
    single = ("from", "to", "call-id", "cseq", "content-type")
    oddities += [f"more than one {n} header; the first counts" for n in single if len(headers.raw(n)) > 1]
    via_members = split_outside(headers.get("via") or "", ",")
    cseq, cseq_method = _read_cseq(headers.get("cseq") or "")
    if start.method and cseq_method != start.method:
        raise SipError(
            f"CSeq says {cseq_method[:20]}, the request line {start.method[:20]}",
            where="cseq",
            headers=headers,
        )
    stated = content_length(headers)
    rest = raw[body_at:]
    if stated is not None and stated > len(rest):
        raise SipError(
            f"Content-Length {stated}, but only {len(rest)} bytes follow",
            where="Content-Length",
            headers=headers,
        )
    length = len(rest) if stated is None else stated
    if length < len(rest):
        oddities.append(f"{len(rest) - length} bytes after the body")
    return Message(
        raw=raw[: body_at + length],
        method=start.method,
        uri=start.uri,
        status=start.status,
        reason=start.reason,
        headers=headers,
        body=rest[:length],
        via=parse_via(via_members[0]),
        from_=parse_address(headers.get("from") or ""),
        to=parse_address(headers.get("to") or ""),
        call_id=headers.get("call-id") or "",
        cseq=cseq,
        cseq_method=cseq_method,
        trailing=rest[length:],
        oddities=tuple(oddities),
    )


def _read_cseq(text: str) -> tuple[int, str]:
    # CSeq = "CSeq" HCOLON 1*DIGIT LWS Method;  the number MUST be less than 2**31 (§8.1.1.5)
    number, _, method = text.partition(" ")
    method = method.strip()
    if not (number.isascii() and number.isdigit()) or len(number) > 10 or int(number) >= 1 << 32:
        raise FormatError("SIP message", f"{number[:20]!r} is no sequence number", where="cseq")
    if not TOKEN.match(method):
        raise FormatError("SIP message", f"{method[:20]!r} is no method", where="cseq")
    return int(number), method


def media_type(value: str) -> tuple[str, tuple[tuple[str, str | None], ...]]:
    """A Content-Type value as (type/subtype in lower case, parameters)."""
    kind, _, params = value.partition(";")
    return "".join(kind.split()).lower(), parse_params(params)
