"""RTP payload types: what a number stands for, by table or rtpmap (RFC 3551 §6, RFC 4733, RFC 3389)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["audio", "video", "noise", "events", "unknown"]


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload format: `clock_rate` (Hz) counts RTP timestamps; for G722 that is half its sampling."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int
    kind: Kind
    fmtp: str = ""

    @property
    def sample_rate(self) -> int:
        """Samples per second of the decoded audio, in Hz."""
        return 16_000 if self.name == "G722" else self.clock_rate


STATIC: dict[int, Codec] = {
    c.payload_type: c
    for c in (
        Codec(0, "PCMU", 8000, 1, "audio"),
        Codec(3, "GSM", 8000, 1, "audio"),
        Codec(4, "G723", 8000, 1, "audio"),
        Codec(5, "DVI4", 8000, 1, "audio"),
        Codec(6, "DVI4", 16000, 1, "audio"),
        Codec(7, "LPC", 8000, 1, "audio"),
        Codec(8, "PCMA", 8000, 1, "audio"),
        Codec(9, "G722", 8000, 1, "audio"),  # RFC 3551 §4.5.2 keeps the wrong clock on purpose
        Codec(10, "L16", 44100, 2, "audio"),
        Codec(11, "L16", 44100, 1, "audio"),
        Codec(12, "QCELP", 8000, 1, "audio"),
        Codec(13, "CN", 8000, 1, "noise"),
        Codec(15, "G728", 8000, 1, "audio"),
        Codec(18, "G729", 8000, 1, "audio"),
        Codec(19, "CN", 8000, 1, "noise"),  # reserved; older Cisco gear sends comfort noise here
        Codec(26, "JPEG", 90000, 1, "video"),
        Codec(31, "H261", 90000, 1, "video"),
        Codec(34, "H263", 90000, 1, "video"),
    )
}
"""The static payload types of RFC 3551 that calls still carry."""


def codec_for(payload_type: int, rtpmap: str | None = None, *, media: str = "audio", fmtp: str = "") -> Codec:
    """The codec of a payload type, by its rtpmap value (`PCMU/8000`, `opus/48000/2`) or the static table.

    Never raises: what neither names is `unknown`, with a clock of 8000 Hz for audio, 90000 for video.
    """
    default_clock = 90_000 if media == "video" else 8_000
    if rtpmap is None:
        known = STATIC.get(payload_type)
        if known is not None:
            return Codec(payload_type, known.name, known.clock_rate, known.channels, known.kind, fmtp)
        return Codec(payload_type, "", default_clock, 1, "unknown", fmtp)
    name, _, rest = rtpmap.strip().partition("/")
    clock, _, channels = rest.partition("/")
    rate = _number(clock, 1_000_000) or default_clock
    count = _number(channels, 255) or 1
    upper = name.strip().upper()
    kind: Kind = "audio" if media == "audio" else "video" if media == "video" else "unknown"
    if upper == "CN":
        kind = "noise"
    elif upper in ("TELEPHONE-EVENT", "TONE"):
        kind = "events"
    return Codec(payload_type, upper, rate, count, kind, fmtp)


def _number(text: str, limit: int) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 and 0 < int(text) <= limit else 0
