"""MIME bodies of SIP messages: multipart/mixed as recording clients send it (RFC 2046 §5.1, RFC 5621).

A reader that never raises: what is odd is said in `oddities`, and every part keeps its exact bytes.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

from memcon.wire.address import Params, param
from memcon.wire.sip import media_type, text_of

MAX_PARTS = 64
MAX_DEPTH = 4

SDP = "application/sdp"
METADATA = ("application/rs-metadata+xml", "application/rs-metadata")
"""Both content types of recording metadata in use (RFC 7866 and, since RFC 9806, the first alone)."""

_BLANK_LINE = re.compile(rb"(?:\A|\r?\n)\r?\n")


@dataclass(frozen=True, slots=True)
class Part:
    """One body part: `raw` is what stood between the delimiters, headers included, `body` the body alone."""

    headers: tuple[tuple[str, str], ...]
    kind: str
    params: Params
    disposition: str
    raw: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of that name (lower case), None if absent."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def is_sdp(self) -> bool:
        """A session description."""
        return self.kind == SDP

    @property
    def is_metadata(self) -> bool:
        """Recording metadata, by its type or, where that is damaged, by its disposition."""
        return self.kind in METADATA or (self.disposition == "recording-session" and not self.is_sdp)

    def content(self) -> bytes:
        """The body with a base64 or quoted-printable transfer encoding undone; as it is if that fails."""
        encoding = (self.header("content-transfer-encoding") or "").lower()
        try:
            if encoding == "base64":
                return binascii.a2b_base64(self.body)
            if encoding == "quoted-printable":
                return binascii.a2b_qp(self.body)
        except binascii.Error:
            pass
        return self.body


@dataclass(frozen=True, slots=True)
class Bodies:
    """What a message carried: its leaf parts in order, and what was odd about them."""

    parts: tuple[Part, ...]
    oddities: tuple[str, ...] = ()

    @property
    def sdp(self) -> Part | None:
        """The first session description."""
        return next((part for part in self.parts if part.is_sdp), None)

    @property
    def metadata(self) -> Part | None:
        """The first recording metadata."""
        return next((part for part in self.parts if part.is_metadata), None)


def parse(content_type: str, body: bytes, *, disposition: str = "") -> Bodies:
    """Read a message body by its Content-Type: a multipart's parts, nested ones flattened, or the one."""
    oddities: list[str] = []
    if not body:
        return Bodies(())
    kind, params = media_type(content_type)
    if kind.startswith("multipart/"):
        parts = _split(params, body, oddities, 1)
    else:
        if not kind:
            oddities.append("a body without Content-Type")
            kind = SDP if body.lstrip().startswith(b"v=0") else ""
        parts = [Part((("content-type", content_type),), kind, params, _disposition(disposition), body, body)]
    return Bodies(tuple(parts[:MAX_PARTS]), tuple(oddities))


def _disposition(value: str) -> str:
    return value.partition(";")[0].strip().lower()


def _split(params: Params, body: bytes, oddities: list[str], depth: int) -> list[Part]:
    boundary = (param(params, "boundary") or "").encode()
    pieces = _between(body, boundary, oddities) if boundary else None
    if pieces is None:
        oddities.append(
            "no boundary parameter" if not boundary else "the boundary does not occur in the body"
        )
        guessed = re.search(rb"(?m)^--([^\s-][^\r\n]*?)[ \t]*\r?$", body)
        pieces = _between(body, guessed.group(1), oddities) if guessed else None
    if pieces is None:
        pieces = [body]
    parts: list[Part] = []
    for piece in pieces[:MAX_PARTS]:
        part = _read_part(piece, oddities)
        if part.kind.startswith("multipart/") and depth < MAX_DEPTH:
            parts += _split(part.params, part.body, oddities, depth + 1)
        else:
            parts.append(part)
    if len(pieces) > MAX_PARTS:
        oddities.append(f"{len(pieces)} parts; only the first {MAX_PARTS} are read")
    return parts


def _between(body: bytes, boundary: bytes, oddities: list[str]) -> list[bytes] | None:
    """The bytes between delimiters; None if there is no delimiter at all."""
    # multipart-body = [preamble CRLF] dash-boundary transport-padding CRLF body-part
    #                  *( CRLF dash-boundary transport-padding CRLF body-part )
    #                  CRLF dash-boundary "--" transport-padding [CRLF epilogue]
    # The CRLF before a delimiter belongs to it. Senders here also end lines with LF alone, leave
    # the closing delimiter out (the end of the body closes then), or forget to end their last line.
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    pieces: list[bytes] = []
    start: int | None = None
    at = 0
    while (found := delimiter.search(body, at)) is not None:
        if start is not None:
            pieces.append(body[start : max(start, found.start())])
        if found.group(1):
            return pieces
        start = _after_line_end(body, found.end())
        # the line end just passed may also be the one before the next delimiter (an empty part)
        at = found.end()
    if start is None:
        return None
    oddities.append("no closing boundary")
    if start < len(body):
        pieces.append(body[start:])
    return pieces


def _after_line_end(body: bytes, at: int) -> int:
    if body[at : at + 2] == b"\r\n":
        return at + 2
    return at + 1 if at < len(body) else at


def _read_part(piece: bytes, oddities: list[str]) -> Part:
    blank = _BLANK_LINE.search(piece)
    head, body = (piece[: blank.start()], piece[blank.end() :]) if blank else (piece, b"")
    headers: list[tuple[str, str]] = []
    for line in re.split(rb"\r?\n", head):
        text = text_of(line)
        if text[:1] in (" ", "\t") and headers:
            headers[-1] = (headers[-1][0], f"{headers[-1][1]} {text.strip()}")
            continue
        name, colon, value = text.partition(":")
        if colon:
            headers.append((name.strip().lower(), value.strip()))
        elif text.strip():
            oddities.append(f"a part has a line that is no header: {text[:40]!r}")
    values = dict(reversed(headers))
    if "content-type" not in values:
        oddities.append("a part without Content-Type")
    kind, params = media_type(values.get("content-type", ""))
    return Part(
        tuple(headers), kind, params, _disposition(values.get("content-disposition", "")), piece, body
    )
