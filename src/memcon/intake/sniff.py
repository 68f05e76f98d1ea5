"""What a file is, by its first bytes and never by its name.

Only what is named here is ever given to a decoder, under the one container format that its bytes show:
formats that can make a decoder open other files (play lists, concatenations) are no media here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from memcon.intake.refusals import RefusedError

HEAD = 1 << 16


@dataclass(frozen=True, slots=True)
class Kind:
    """`form` is media, packets or vcon; `container` the demuxer's name; `endings` usual for its names."""

    form: str
    container: str
    media_type: str
    endings: tuple[str, ...]


WAV = Kind("media", "wav", "audio/wav", (".wav", ".wave", ".bwf"))
FLAC = Kind("media", "flac", "audio/flac", (".flac",))
MP3 = Kind("media", "mp3", "audio/mpeg", (".mp3",))
OGG = Kind("media", "ogg", "audio/ogg", (".ogg", ".oga", ".opus", ".spx", ".ogv"))
AAC = Kind("media", "aac", "audio/aac", (".aac",))
MP4 = Kind("media", "mov", "audio/mp4", (".m4a", ".mp4", ".m4b", ".mov", ".m4v", ".3gp", ".3g2"))
MATROSKA = Kind("media", "matroska", "video/x-matroska", (".mkv", ".mka", ".webm", ".weba"))
AVI = Kind("media", "avi", "video/x-msvideo", (".avi",))
AIFF = Kind("media", "aiff", "audio/aiff", (".aif", ".aiff", ".aifc"))
AU = Kind("media", "au", "audio/basic", (".au", ".snd"))
AMR = Kind("media", "amr", "audio/amr", (".amr", ".awb"))
PCAP = Kind("packets", "pcap", "application/vnd.tcpdump.pcap", (".pcap", ".cap", ".dump"))
PCAPNG = Kind("packets", "pcapng", "application/x-pcapng", (".pcapng", ".ntar", ".pcap", ".cap"))
VCON = Kind("vcon", "vcon", "application/vcon+json", (".vcon", ".json", ".jws", ".jwe"))

_MAGICS: tuple[tuple[bytes, Kind], ...] = (
    (b"fLaC", FLAC),
    (b"OggS", OGG),
    (b"\x1aE\xdf\xa3", MATROSKA),
    (b"#!AMR", AMR),
    (b".snd", AU),
    (b"ID3", MP3),
    (b"\xa1\xb2\xc3\xd4", PCAP),
    (b"\xd4\xc3\xb2\xa1", PCAP),
    (b"\xa1\xb2\x3c\x4d", PCAP),
    (b"\x4d\x3c\xb2\xa1", PCAP),
    (b"\x0a\x0d\x0d\x0a", PCAPNG),
)
_ARCHIVES = (
    (b"PK\x03\x04", "a zip"),
    (b"PK\x05\x06", "an empty zip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x1f\x8b", "a gzip"),
    (b"BZh", "a bzip2"),
    (b"\xfd7zXZ\x00", "an xz"),
)
_OTHERS = (
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "an image (PNG)"),
    (b"\xff\xd8\xff", "an image (JPEG)"),
    (b"GIF8", "an image (GIF)"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xd0\xcf\x11\xe0", "an office document"),
    (b"<?xml", "XML"),
    (b"#EXTM3U", "a play list"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
)
_ZIP_ENCRYPTED = 1


def sniff(head: bytes, size: int) -> Kind:
    """The kind of a file of `size` bytes that begins with `head` (its first 64 KiB); raises RefusedError."""
    if not size:
        raise RefusedError("ingest-empty", "the file is empty")
    if head[:4] in (b"RIFF", b"RF64", b"RIFX") and head[8:12] == b"WAVE":
        return WAV
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return AVI
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return AIFF
    if head[4:8] in (b"ftyp", b"moov", b"wide", b"mdat"):
        return MP4
    for magic, kind in _MAGICS:
        if head.startswith(magic):
            return kind
    _refuse_archives(head)
    if len(head) > 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        # frame sync: ADTS has layer 0, MPEG audio any other
        return AAC if head[1] & 0xF6 == 0xF0 else MP3
    if _json_like(head):
        return VCON
    raise RefusedError("ingest-unknown", f"it looks like {_looks(head)}")


def _refuse_archives(head: bytes) -> None:
    for magic, words in _ARCHIVES:
        if head.startswith(magic):
            if magic == b"PK\x03\x04" and head[6:7] and head[6] & _ZIP_ENCRYPTED:
                raise RefusedError("ingest-encrypted", "it is a zip with a password")
            raise RefusedError("ingest-archive", f"it is {words}")
    if head[257:262] == b"ustar":
        raise RefusedError("ingest-archive", "it is a tar")


def _json_like(head: bytes) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text.startswith(b"{"):
        return False
    inside = text[1:].lstrip()
    return inside.startswith((b'"', b"}"))


def _looks(head: bytes) -> str:
    low = head[:64].lower()
    for magic, words in _OTHERS:
        if low.startswith(magic.lower()):
            return words
    if not any(head[:512]):
        return "nothing but zeros"
    try:
        head[:512].decode("utf-8")
    except UnicodeDecodeError as error:
        return "text" if error.start > 500 else "binary data of no kind that is known here"
    return "text"


def misnamed(name: str, kind: Kind) -> str:
    """What a remark says where the name's ending belongs to another kind; empty where it does not."""
    ending = name[name.rfind(".") :].lower() if "." in name else ""
    known = {one for other in KINDS for one in other.endings}
    if not ending or ending in kind.endings or ending not in known:
        return ""
    return f"named {ending}, it is {kind.container.upper() if len(kind.container) < 5 else kind.container}"


KINDS = (WAV, FLAC, MP3, OGG, AAC, MP4, MATROSKA, AVI, AIFF, AU, AMR, PCAP, PCAPNG, VCON)


def is_vcon(text: bytes) -> bool:
    """Whether a JSON document is a vCon, signed, encrypted or plain: told by its members."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and bool(
        {"vcon", "payload", "ciphertext", "dialog", "parties"} & set(value)
    )
