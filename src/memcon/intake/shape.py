"""Where the end of a media file should be, by its own headers: what a decoder forgives is told here.

FFmpeg plays a WAV that lacks its second half as if it were whole. What is kept for good must say so.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.intake.sniff import Kind

_STREAMED = (0, 0xFFFFFFFF)
"""Sizes of a WAV that was written to a pipe: they say nothing."""
_MOOV = 64 << 20
_PROTECTED = (b"enca", b"encv", b"drms", b"drmi")
_TAIL = 1 << 17
_EOS = 4


def cut_short(path: Path, kind: Kind) -> str:
    """What is missing at the end of the file, in words; empty where its headers say that nothing is."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if kind.container == "wav":
            return _wav(file, size)
        if kind.container == "mov":
            return _boxes(file, size)
        if kind.container == "ogg":
            return _ogg(file, size)
        if kind.container == "matroska":
            return _matroska(file, size)
    return ""


def _wav(file: BinaryIO, size: int) -> str:
    """RIFF chunks (IBM/Microsoft 1991; RF64 of EBU Tech 3306 has the data's size in its ds64 chunk)."""
    head = file.read(12)
    order = ">" if head[:4] == b"RIFX" else "<"
    large = 0
    at = 12
    while at + 8 <= size:
        file.seek(at)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        if name == b"ds64" and length >= 16:
            large = struct.unpack("<8xQ", file.read(16))[0]
        if name == b"data":
            due = large if length == 0xFFFFFFFF and large else length
            there = size - at - 8
            if due in _STREAMED or due <= there:
                return ""
            return f"its header says {due:,} bytes of sound, {there:,} are there"
        at += 8 + length + length % 2
    return "it has no sound after its header"


def _boxes(file: BinaryIO, size: int) -> str:
    """Top-level boxes of ISO/IEC 14496-12: each says its length."""
    at, seen = 0, set()
    while at + 8 <= size:
        length, name = _box(file, at, size)
        seen.add(name)
        if length < 8 or at + length > size:
            return f"its box {name.decode('latin-1')} ends {at + length - size:,} bytes after the file does"
        at += length
    return "" if b"moov" in seen else "it has no table of contents (moov)"


def _box(file: BinaryIO, at: int, size: int) -> tuple[int, bytes]:
    file.seek(at)
    length, name = struct.unpack(">I4s", file.read(8))
    if length == 1:
        length = int.from_bytes(file.read(8), "big")
    return (size - at if length == 0 else length), name


def protected(path: Path) -> bool:
    """Whether an MP4 says that its sound is encrypted (ISO/IEC 14496-12 §8.12, `sinf`)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at + 8 <= size:
            length, name = _box(file, at, size)
            if name == b"moov":
                file.seek(at)
                table = file.read(min(length, _MOOV))
                return b"sinf" in table and any(one in table for one in _PROTECTED)
            if length < 8:
                return False
            at += length
    return False


def _ogg(file: BinaryIO, size: int) -> str:
    """The last page of an Ogg (RFC 3533 §6) is whole and has the flag that ends its stream."""
    file.seek(max(0, size - _TAIL))
    tail = file.read()
    at = tail.rfind(b"OggS\x00")
    if at < 0 or len(tail) < at + 27:
        return "it does not end in a whole page"
    segments = tail[at + 27 : at + 27 + tail[at + 26]]
    if len(segments) < tail[at + 26] or at + 27 + tail[at + 26] + sum(segments) > len(tail):
        return "its last page is cut"
    return "" if tail[at + 5] & _EOS else "its last page is not marked as the last"


def _matroska(file: BinaryIO, size: int) -> str:
    """EBML header, then the Segment with its length (RFC 8794 §4, RFC 9559 §4.5); all ones: not known."""
    at = 0
    while at + 2 < size:
        file.seek(at)
        head = file.read(16)
        name = _vint(head, marker=True)
        length = _vint(head[name[1] :], marker=False) if name[1] else (0, 0)
        if not name[1] or not length[1]:
            return ""
        start = at + name[1] + length[1]
        if length[0] == (1 << 7 * length[1]) - 1:
            return ""
        if start + length[0] > size:
            return f"its contents end {start + length[0] - size:,} bytes after the file does"
        at = start + length[0]
    return ""


def _vint(data: bytes, *, marker: bool) -> tuple[int, int]:
    """(value, width) of an EBML variable-length integer; (0, 0) where there is none."""
    if not data or not data[0]:
        return 0, 0
    width = 9 - data[0].bit_length()
    if len(data) < width:
        return 0, 0
    value = int.from_bytes(data[:width], "big")
    return (value if marker else value & ((1 << 7 * width) - 1)), width


def has_frame_count(path: Path) -> bool:
    """Whether an MP3 says in its first frame how many there are (the Xing or Info header)."""
    with path.open("rb") as file:
        return re.search(rb"Xing|Info", file.read(1 << 16)) is not None
