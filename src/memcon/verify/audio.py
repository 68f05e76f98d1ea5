"""Audio from blocks that match their seals: G.711 and L16 to WAV, one file a stream.

Only the standard library, so that a stranger hears what was sealed and nothing of ours in between
but this page. Packets are placed by their RTP timestamp, counted from the first packet of their
source, which stands at its arrival. Gaps stay as long as they were, silent; of two packets with one
place the first stays. Where a source's timestamps and arrivals part by more than `JUMP_NS`, the
next packet is placed by its arrival again.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memcon.errors import FormatError
from memcon.record.opened import read_media
from memcon.record.segment import KIND_RTP, NS, decode_block
from memcon.verify.media import FILE_HEAD
from memcon.verify.words import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from memcon.verify.findings import Report
    from memcon.verify.seconds import Media

JUMP_NS = 5 * NS
MAX_RATE, MAX_CHANNELS = 192_000, 8
MAX_WAV = (1 << 32) - 128
"""Bytes of samples a WAV can hold: its lengths are 32 bits."""
_PIECE = 1 << 16
_STATIC = {0: ("PCMU", 8000, 1), 8: ("PCMA", 8000, 1), 10: ("L16", 44100, 2), 11: ("L16", 44100, 1)}
"""RFC 3551 table 4: payload types that need no rtpmap."""
Format = tuple[str, int, int]
"""codec, samples a second, channels."""


def _ulaw(code: int) -> int:
    """ITU-T G.711 table 2a: a code of mu-law as a linear sample of 16 bits."""
    code = ~code & 0xFF
    value = (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return -value if code & 0x80 else value


def _alaw(code: int) -> int:
    """ITU-T G.711 table 1a: a code of A-law as a linear sample of 16 bits."""
    code ^= 0x55
    exponent, value = code >> 4 & 7, (code & 0x0F) << 4
    value = value + 8 if exponent == 0 else value + 0x108 << exponent - 1
    return value if code & 0x80 else -value


def _tables(decode: Callable[[int], int]) -> tuple[bytes, bytes]:
    samples = [decode(code) & 0xFFFF for code in range(256)]
    return bytes(s & 0xFF for s in samples), bytes(s >> 8 for s in samples)


_G711 = {"PCMU": _tables(_ulaw), "PCMA": _tables(_alaw)}


def samples_of(codec: str, payload: bytes) -> bytes:
    """Little-endian samples of 16 bits."""
    if codec == "L16":
        payload = payload[: len(payload) & ~1]
        low, high = payload[1::2], payload[::2]
    else:
        table_low, table_high = _G711[codec]
        low, high = payload.translate(table_low), payload.translate(table_high)
    out = bytearray(2 * len(low))
    out[::2], out[1::2] = low, high
    return bytes(out)


@dataclass(frozen=True, slots=True)
class Packet:
    """An RTP packet: arrival in ns since the call's start, fixed header, payload (RFC 3550 §5.1)."""

    arrival: int
    payload_type: int
    sequence: int
    timestamp: int
    source: int
    payload: bytes


def parse_rtp(arrival: int, data: memoryview) -> Packet | None:
    """Read an RTP packet, or None for what is none."""
    if len(data) < 12 or data[0] >> 6 != 2 or 192 <= data[1] <= 223:  # RFC 5761 section 4: RTCP
        return None
    at, end = 12 + 4 * (data[0] & 0x0F), len(data)
    if data[0] & 0x10:  # extension: two bytes of profile, its length in words
        at += 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
    if data[0] & 0x20:  # padding: the last byte says how much
        end -= data[-1]
    return Packet(
        arrival,
        data[1] & 0x7F,
        int.from_bytes(data[2:4], "big"),
        int.from_bytes(data[4:8], "big"),
        int.from_bytes(data[8:12], "big"),
        bytes(data[at:end]) if at <= end else b"",
    )


@dataclass(slots=True)
class _Line:
    """One stream on its way to a file: samples by place."""

    form: Format
    anchors: dict[int, tuple[int, int]] = field(default_factory=dict)
    placed: dict[int, bytes] = field(default_factory=dict)
    doubled: int = 0
    anchored_again: int = 0

    def take(self, packet: Packet) -> None:
        """Place a packet's samples."""
        codec, rate, _ = self.form
        due = packet.arrival * rate // NS
        if packet.source not in self.anchors:
            self.anchors[packet.source] = due, packet.timestamp
        place, stamp = self.anchors[packet.source]
        place += (packet.timestamp - stamp + (1 << 31)) % (1 << 32) - (1 << 31)
        if abs(place - due) * NS > JUMP_NS * rate:
            place = due
            self.anchored_again += 1
        # Move the anchor along: differences then stay small however long the call.
        self.anchors[packet.source] = place, packet.timestamp
        if place in self.placed:
            self.doubled += 1
        else:
            self.placed[place] = samples_of(codec, packet.payload)

    def pieces(self) -> Iterator[bytes]:
        """The samples in order, silence in the gaps; what overlaps is cut."""
        _, _, channels = self.form
        frame, at = 2 * channels, 0
        for place in sorted(self.placed):
            samples = self.placed[place]
            while place > at:
                silent = min(place - at, _PIECE)
                yield bytes(silent * frame)
                at += silent
            fresh = samples[(at - place) * frame :]
            fresh = fresh[: len(fresh) // frame * frame]
            yield fresh
            at += len(fresh) // frame


def _formats(entries: Sequence[dict[str, Any]]) -> dict[int, dict[int, Format]]:
    """{stream: {payload type: format}} of what can be decoded here, from the stream table."""
    formats: dict[int, dict[int, Format]] = {}
    for entry in entries:
        stream, codecs = entry.get("stream"), entry.get("codecs")
        if not isinstance(stream, int) or not isinstance(codecs, list):
            continue
        known = formats.setdefault(stream, {})
        for codec in codecs:
            if not isinstance(codec, dict):
                continue
            name, rate = str(codec.get("name", "")).upper(), codec.get("rate", 8000)
            channels, number = codec.get("channels") or 1, codec.get("pt")
            whole = _within(rate, MAX_RATE) and _within(channels, MAX_CHANNELS)
            if name in ("PCMU", "PCMA", "L16") and isinstance(number, int) and whole:
                known[number] = name, rate, channels
    return formats


def _within(value: object, most: int) -> bool:
    return isinstance(value, int) and 0 < value <= most


def _packets(media: Media) -> Iterator[tuple[int, Packet | None]]:
    """(stream, packet) of every shown RTP block in a second that matches its seal."""
    view = memoryview(media.data)
    for second in sorted(media.good):
        start, end = media.offsets[second : second + 2]
        try:
            _, segments = read_media(bytes(view[:FILE_HEAD]) + view[start:end])
            blocks = [block for segment in segments for block in segment.blocks]
        except FormatError:
            continue  # sealed like this, and reported
        for listed in blocks:
            if listed.kind == KIND_RTP and listed.item.data is not None:
                yield from _of_block(listed.stream, listed.item.data, (second + 1) * NS)


def _of_block(stream: int, data: bytes | memoryview, end: int) -> Iterator[tuple[int, Packet | None]]:
    """The packets of a block whose second ends at `end`; one that says it came later has no place."""
    try:
        block = decode_block(data)
    except FormatError:
        yield stream, None
        return
    for arrival, packet in zip(block.arrivals, block.packets, strict=True):
        yield stream, parse_rtp(arrival, packet) if arrival < end else None


def write(report: Report, media: Media, entries: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write `stream-<n>.wav` for each stream that can be decoded; say in the report what was done."""
    formats, lines, skipped = _formats(entries), dict[int, _Line](), dict[int, int]()
    for stream, packet in _packets(media):
        form = None
        if packet is not None:
            form = formats.get(stream, {}).get(packet.payload_type) or _STATIC.get(packet.payload_type)
        if stream not in lines and form is not None:
            lines[stream] = _Line(form)
        if packet is None or form is None or form != lines[stream].form:
            skipped[stream] = skipped.get(stream, 0) + 1
        else:
            lines[stream].take(packet)
    folder.mkdir(parents=True, exist_ok=True)
    for stream, line in sorted(lines.items()):
        codec, rate, channels = line.form
        path = folder / f"stream-{stream}.wav"
        with wave.open(str(path), "wb") as out:
            out.setnchannels(channels)
            out.setsampwidth(2)
            out.setframerate(rate)
            left = MAX_WAV
            for piece in line.pieces():
                left -= len(piece)
                if left < 0:
                    report.not_checked.append(f"{path.name} ends early: a WAV holds no more")
                    break
                out.writeframesraw(piece)
        report.checked.append(
            f"{path.name} was made of {count(len(line.placed), 'packet')} ({codec}, {rate} Hz) "
            f"in seconds that match their seals; {line.doubled} doubled left out, "
            f"{line.anchored_again} placed anew after a jump"
        )
    for stream, n in sorted(skipped.items()):
        report.not_checked.append(
            f"Stream {stream}: {count(n, 'packet')} of another codec, or no RTP, left out"
        )
    if not lines:
        report.not_checked.append("No stream in PCMU, PCMA or L16 is shown: no audio was written")
