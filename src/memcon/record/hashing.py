"""Tags, hashes and derived keys (FORMATS, conventions and §1).

Every hash input starts with a tag, then fixed-width fields, then at most one field of free length,
so that no two inputs can be confused.
"""

from __future__ import annotations

import hashlib
import hmac
import struct

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


_BLOCK_SALT = tag("salt/block")
_BLOCK_FIELDS = struct.Struct(">IHBB")
_U32 = struct.Struct(">I")


def block_salt(call_key: bytes, segment: int, stream: int, position: int, kind: int) -> bytes:
    return hmac.digest(call_key, _BLOCK_SALT + _BLOCK_FIELDS.pack(segment, stream, position, kind), "sha256")


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


def call_key_hash(call_key: bytes) -> bytes:
    return sha256(tag("callkey") + call_key)


def handle_hash(handle: bytes) -> bytes:
    """H(handle): what the receipt shows of a call's random handle."""
    return sha256(tag("handle") + handle)


def receipt_message(origin: str, slot: int, handle: bytes, invite: bytes) -> bytes:
    """What the receipt's Ed25519 signature covers (FORMATS §4)."""
    name = origin.encode("utf-8")
    return (
        tag("receipt")
        + bytes([len(name)])
        + name
        + struct.pack(">Q", slot)
        + handle_hash(handle)
        + sha256(invite)
    )
