"""Tags, hashes and derived keys (FORMATS, conventions and §1).

Every hash input starts with a tag, then fields of fixed width or with their length before them, then
at most one field of free length, so that no two inputs can be confused. Where a value of free length
follows a salt, the salt's width is checked here.
"""

from __future__ import annotations

import hashlib
import hmac
import struct

from memcon.errors import FormatError, LocalError

ZERO32 = bytes(32)


def tag(name: str) -> bytes:
    """`memcon/<name>/v1` and a zero byte."""
    return b"memcon/" + name.encode("ascii") + b"/v1\0"


def sha256(data: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(data).digest()


def derive(key: bytes, name: str, fields: bytes = b"") -> bytes:
    """D(key, name, fields): the only derivation of keys and salts, 32 bytes."""
    return hmac.digest(key, tag(name) + fields, "sha256")


def salted(prefix: bytes, salt: bytes, data: bytes | memoryview) -> bytes:
    """H(prefix || salt || data), the form of every commitment. `prefix` begins with a tag."""
    if len(salt) != 32:
        raise LocalError(f"a salt of {len(salt)} bytes, not 32")
    h = hashlib.sha256(prefix + salt)
    h.update(data)
    return h.digest()


def text_field(text: str, what: str, encoding: str = "utf-8") -> bytes:
    """`text` as a field with one length byte before it; FormatError where it does not fit."""
    try:
        raw = text.encode(encoding)
    except UnicodeEncodeError as error:
        raise FormatError(what, f"is no {encoding} text", where=error.start) from error
    if not 0 < len(raw) <= 255:
        raise FormatError(what, f"is {len(raw)} bytes long, not 1 to 255")
    return bytes([len(raw)]) + raw


_INNER_PAD = bytes(i ^ 0x36 for i in range(256))
_OUTER_PAD = bytes(i ^ 0x5C for i in range(256))


def hmac_pads(key: bytes) -> tuple[bytes, bytes]:
    """The inner and outer pad block of HMAC-SHA256 (RFC 2104) for a 32-byte key.

    H(outer || H(inner || message)) is the MAC: for very many short messages twice as quick as
    the hmac module, which sets OpenSSL up anew each time.
    """
    if len(key) != 32:
        raise LocalError(f"a key of {len(key)} bytes, not 32")
    block = key + ZERO32
    return block.translate(_INNER_PAD), block.translate(_OUTER_PAD)


_BLOCK_SALT = tag("salt/block")
_BLOCK_FIELDS = struct.Struct(">IHBB")
_U32 = struct.Struct(">I")


def block_salt(call_key: bytes, segment: int, stream: int, position: int, kind: int) -> bytes:
    inner, outer = hmac_pads(call_key)
    message = inner + _BLOCK_SALT + _BLOCK_FIELDS.pack(segment, stream, position, kind)
    return sha256(outer + sha256(message))


def event_salt(call_key: bytes, number: int) -> bytes:
    return derive(call_key, "salt/event", _U32.pack(number))


def stream_salt(call_key: bytes, entry: int) -> bytes:
    return derive(call_key, "salt/stream", _U32.pack(entry))


def opening_salt(call_key: bytes, which: int) -> bytes:
    return derive(call_key, "salt/opening", bytes([which]))


def record_salt(call_key: bytes) -> bytes:
    return derive(call_key, "salt/record")


def segment_key(call_key: bytes, segment: int, plaintext_root: bytes) -> bytes:
    return derive(call_key, "key/segment", _U32.pack(segment) + plaintext_root)


def event_key(call_key: bytes, number: int, commitment: bytes) -> bytes:
    return derive(call_key, "key/event", _U32.pack(number) + commitment)


def record_key(call_key: bytes, commitment: bytes) -> bytes:
    return derive(call_key, "key/record", commitment)


def slot_key(structure_key: bytes, index: int, slot: int) -> bytes:
    return derive(structure_key, "slotkey", struct.pack(">QQ", index, slot))


def lane_salt(slot_key_: bytes, lane: int) -> bytes:
    return derive(slot_key_, "salt/lane", _U32.pack(lane))


def config_salt(structure_key: bytes, name: str) -> bytes:
    return derive(structure_key, "salt/config", name.encode("ascii"))


def line_pseudonym(structure_key: bytes, name: str) -> str:
    """How a line is called in public (FORMATS §10): always the same, and without the name."""
    return derive(structure_key, "line", name.encode("utf-8", "surrogatepass"))[:8].hex()


def call_key_hash(call_key: bytes) -> bytes:
    return sha256(tag("callkey") + call_key)


def handle_hash(handle: bytes) -> bytes:
    """H(handle): what the receipt shows of a call's random handle."""
    return sha256(tag("handle") + handle)


def receipt_message(origin: str, slot: int, handle: bytes, invite: bytes) -> bytes:
    """What the receipt's Ed25519 signature covers (FORMATS §4).

    Raises FormatError for an origin over 255 bytes or a slot that is no u64: a receipt comes from
    a peer's trace.
    """
    name = text_field(origin, "receipt origin")
    if not 0 <= slot < 1 << 64:
        raise FormatError("receipt", "the slot is no 64-bit number", where="slot")
    return tag("receipt") + name + struct.pack(">Q", slot) + handle_hash(handle) + sha256(invite)
