"""Session descriptions: read offers leniently, answer them line by line (RFC 8866, RFC 3264, RFC 4574).

Nothing of a peer's description is lost: each media section keeps its lines, and what was odd is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from memcon.errors import FormatError
from memcon.wire.codec import Codec, codec_for

if TYPE_CHECKING:
    from collections.abc import Sequence

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
_DIRECTIONS: dict[str, Direction] = {
    "sendrecv": "sendrecv", "sendonly": "sendonly", "recvonly": "recvonly", "inactive": "inactive",
}  # fmt: skip

MAX_MEDIA = 64
MAX_LINES = 4096

RTP_PLAIN = ("RTP/AVP", "RTP/AVPF")
RTP_SRTP = ("RTP/SAVP", "RTP/SAVPF")
"""SRTP keyed by a=crypto (RFC 4568): accepted with a line that we can work with, and a key of ours."""


@dataclass(frozen=True, slots=True)
class Media:
    """One m-line and what belongs to it.

    `address` is the connection address that holds here (its own c= line or the session's), "" if
    the description names none. `formats` are as written; `codecs` are read from them for RTP.
    """

    index: int
    media: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    address: str
    direction: Direction
    label: str | None
    codecs: tuple[Codec, ...]
    ptime: int | None
    rtcp_mux: bool
    rtcp_port: int | None
    crypto: tuple[str, ...]
    attributes: tuple[tuple[str, str | None], ...]
    lines: tuple[str, ...]

    @property
    def is_rtp(self) -> bool:
        """Whether it is plain RTP or SRTP keyed in the description."""
        return self.protocol in RTP_PLAIN or self.protocol in RTP_SRTP

    @property
    def paused(self) -> bool:
        """Whether the peer says it sends nothing now: a=inactive, a=recvonly, address zero (RFC 2543)."""
        return self.direction in ("inactive", "recvonly") or self.address in ("0.0.0.0", "::", "0::0")  # noqa: S104


@dataclass(frozen=True, slots=True)
class Sdp:
    """A session description as read."""

    origin: str
    name: str
    address: str
    media: tuple[Media, ...]
    lines: tuple[str, ...]
    oddities: tuple[str, ...] = ()

    def without_keys(self) -> Sdp:
        """The description as if it named no key."""
        return replace(self, media=tuple(replace(media, crypto=()) for media in self.media))


@dataclass(slots=True)
class _Section:
    """The lines of one media section (or of the session) being collected."""

    first: str = ""
    lines: list[str] = field(default_factory=list)
    address: str = ""
    direction: Direction | None = None
    attributes: list[tuple[str, str | None]] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        return [value or "" for key, value in self.attributes if key == name]


def parse(data: bytes) -> Sdp:
    """Read a description. Raises FormatError only when no line of it is `letter=value`."""
    # session-description = version origin session-name ... *media-descriptions
    # each line: type "=" value CRLF
    # Order, v=, t= and c= are not insisted on: OpenSIPS leaves c= out, others put it after t=.
    text = data.decode("utf-8", "backslashreplace").replace("\0", " ")
    oddities: list[str] = []
    session = _Section()
    sections: list[_Section] = []
    understood = 0
    for number, raw in enumerate(re.split(r"\r\n|\n|\r", text)[:MAX_LINES], start=1):
        line = raw.strip(" \t")
        if not line:
            continue
        if len(line) < 2 or line[1] != "=" or not line[0].isalpha():
            oddities.append(f"line {number} is no SDP line: {line[:40]!r}")
            continue
        understood += 1
        if line[0] == "m":
            sections.append(_Section(first=line[2:].strip()))
        _take(sections[-1] if sections else session, line, oddities)
    if not understood:
        raise FormatError("SDP", "no line of the form letter=value", where="line 1")
    if not session.lines or not session.lines[0].startswith("v="):
        oddities.append("the description does not begin with v=")
    if len(sections) > MAX_MEDIA:
        raise FormatError("SDP", f"{len(sections)} m-lines, the limit is {MAX_MEDIA}", where="m=")
    media = tuple(_media(i, s, session, oddities) for i, s in enumerate(sections))
    values = {line[0]: line[2:].strip() for line in reversed(session.lines)}
    return Sdp(
        values.get("o", ""), values.get("s", ""), session.address, media, (*session.lines,), tuple(oddities)
    )


def _take(section: _Section, line: str, oddities: list[str]) -> None:
    section.lines.append(line)
    value = line[2:].strip()
    if line[0] == "c":
        # connection-field = "c=" nettype SP addrtype SP connection-address [ "/" ttl ]
        words = value.split()
        if len(words) >= 3:
            section.address = words[2].partition("/")[0]
        else:
            oddities.append(f"unreadable c= line: {value[:40]!r}")
    elif line[0] == "a":
        name, colon, rest = value.partition(":")
        name = name.strip().lower()
        section.attributes.append((name, rest.strip() if colon else None))
        if name in _DIRECTIONS and not colon:
            section.direction = _DIRECTIONS[name]


def _media(index: int, section: _Section, session: _Section, oddities: list[str]) -> Media:
    # media-field = "m=" media SP port ["/" integer] SP proto 1*(SP fmt)
    words = section.first.split()
    kind = words[0].lower() if words else ""
    port_text = words[1].partition("/")[0] if len(words) > 1 else ""
    port = _int(port_text, 65535)
    if port is None or len(words) < 4:
        oddities.append(f"m-line {index + 1} is not readable: {section.first[:40]!r}")
    protocol = words[2].upper() if len(words) > 2 else ""
    formats = tuple(words[3:])
    address = section.address or session.address
    if not address:
        oddities.append(f"m-line {index + 1} has no connection address")
    labels = section.values("label")
    ptimes = section.values("ptime")
    rtcp = section.values("rtcp")
    return Media(
        index=index,
        media=kind,
        port=port or 0,
        protocol=protocol,
        formats=formats,
        address=address,
        direction=section.direction or session.direction or "sendrecv",
        label=labels[0] if labels else None,
        codecs=_codecs(kind, formats, section) if protocol.startswith("RTP/") else (),
        ptime=_int(ptimes[0], 10_000) if ptimes else None,
        rtcp_mux=("rtcp-mux", None) in section.attributes,
        rtcp_port=_int(rtcp[0].split()[0], 65535) if rtcp and rtcp[0] else None,
        crypto=tuple(section.values("crypto")),
        attributes=tuple(section.attributes),
        lines=tuple(section.lines),
    )


def _codecs(media: str, formats: Sequence[str], section: _Section) -> tuple[Codec, ...]:
    maps = dict(reversed([_keyed(v) for v in section.values("rtpmap")]))
    fmtps = dict(reversed([_keyed(v) for v in section.values("fmtp")]))
    found = []
    for text in formats:
        number = _int(text, 127)
        if number is not None:
            found.append(codec_for(number, maps.get(text), media=media, fmtp=fmtps.get(text, "")))
    return tuple(found)


def _keyed(value: str) -> tuple[str, str]:
    key, _, rest = value.partition(" ")
    return key, rest.strip()


def _int(text: str, limit: int) -> int | None:
    ok = text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= limit
    return int(text) if ok else None


@dataclass(frozen=True, slots=True)
class Accept:
    """Our side of one m-line: the port we listen on (0 refuses it), and crypto lines where it is SRTP."""

    port: int
    crypto: tuple[str, ...] = ()


def answer(offer: Sdp, lines: Sequence[Accept], *, address: str, session_id: int, version: int) -> bytes:
    """The recorder's answer: as many m-lines as offered, in order, each with its own port and `a=recvonly`.

    A paused line is answered `a=inactive` and keeps its port; a line offered with port 0, or given
    port 0, is refused with port 0. All offered formats are accepted, since what cannot be decoded
    today is recorded too. A recorder never sends: sendrecv is answered recvonly (RFC 3264 §6.1).
    """
    out = _head(address, session_id, version)
    for media, ours in zip(offer.media, lines, strict=True):
        port = ours.port if media.port else 0
        out.append(
            f"m={media.media or 'audio'} {port} {media.protocol or 'RTP/AVP'} "
            f"{' '.join(media.formats) or '0'}"
        )
        if port:
            out += [
                f"a={name}:{value}"
                for name, value in media.attributes
                if name in ("rtpmap", "fmtp") and value
            ]
            out += [f"a=crypto:{line}" for line in ours.crypto]
            out += ["a=rtcp-mux"] if media.rtcp_mux else []
            out.append("a=inactive" if media.paused else "a=recvonly")
        if media.label is not None:
            out.append(f"a=label:{media.label}")
    return ("\r\n".join(out) + "\r\n").encode()


@dataclass(frozen=True, slots=True)
class Offer:
    """One m-line of an offer we make."""

    port: int
    label: str | None = None
    direction: Direction = "recvonly"
    codecs: tuple[Codec, ...] = ()
    ptime: int | None = None
    crypto: str = ""  # the value of an a=crypto line: with one it is SRTP (RFC 4568)


LATE_CODECS = (
    codec_for(0, "PCMU/8000"),
    codec_for(8, "PCMA/8000"),
    codec_for(9, "G722/8000"),
    codec_for(96, "L16/8000"),
    codec_for(97, "L16/16000"),
    codec_for(101, "telephone-event/8000", fmtp="0-16"),
)
"""What the recorder offers when the caller leaves the offer to it."""


def offer(lines: Sequence[Offer], *, address: str, session_id: int, version: int) -> bytes:
    """An offer of audio lines, RTP/AVP or with keys RTP/SAVP: the recorder's own, or a recording client's."""
    out = _head(address, session_id, version)
    for line in lines:
        codecs = line.codecs or LATE_CODECS
        profile = "RTP/SAVP" if line.crypto else "RTP/AVP"
        out.append(f"m=audio {line.port} {profile} {' '.join(str(c.payload_type) for c in codecs)}")
        out += [f"a=crypto:{line.crypto}"] if line.crypto else []
        for codec in codecs:
            channels = f"/{codec.channels}" if codec.channels > 1 else ""
            name = codec.name.lower() if codec.kind == "events" else codec.name
            out.append(f"a=rtpmap:{codec.payload_type} {name}/{codec.clock_rate}{channels}")
            out += [f"a=fmtp:{codec.payload_type} {codec.fmtp}"] if codec.fmtp else []
        out += [f"a=ptime:{line.ptime}"] if line.ptime else []
        out.append(f"a={line.direction}")
        out += [f"a=label:{line.label}"] if line.label is not None else []
    return ("\r\n".join(out) + "\r\n").encode()


def _head(address: str, session_id: int, version: int) -> list[str]:
    family = "IP6" if ":" in address else "IP4"
    return [
        "v=0",
        f"o=memcon {session_id} {version} IN {family} {address}",
        "s=memcon",
        f"c=IN {family} {address}",
        "t=0 0",
    ]
