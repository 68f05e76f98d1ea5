"""What all vectors stand on: numbers, derivations, the tree by its definition, the keys (FORMATS §1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ORIGIN = "memcon.example/calls/1"
ZERO32 = bytes(32)
PERIOD_MS = 10_000
SLOT, INDEX, CALL, LANE = 179_550_000, 7, 42, 4711
NS = 1_000_000_000
START = SLOT * PERIOD_MS * 1_000_000 + 1_500_000_000


def u(bits: int, value: int) -> bytes:
    return value.to_bytes(bits // 8, "big")


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def tag(name: str) -> bytes:
    return f"memcon/{name}/v1".encode("ascii") + b"\x00"


def derive(key: bytes, name: str, *fields: bytes) -> bytes:
    return hmac.new(key, tag(name) + b"".join(fields), hashlib.sha256).digest()


def sample(label: str) -> bytes:
    """32 bytes that stand for some hash or secret."""
    return sha(b"memcon vector: ", label.encode("ascii"))


def root(values: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, by its recursive definition."""
    if not values:
        return sha()
    if len(values) == 1:
        return sha(b"\x00", values[0])
    split = 1
    while split * 2 < len(values):
        split *= 2
    return sha(b"\x01", root(values[:split]), root(values[split:]))


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def seal(key: bytes, plaintext: bytes) -> bytes:
    return AESGCM(key).encrypt(bytes(12), plaintext, None)


K = sample("call key")
X = sample("structure key")
HANDLE = sample("handle")
INVITE = b"INVITE sip:record@memcon.example SIP/2.0\r\nCall-ID: 1\r\n\r\n"
BYE = b"BYE sip:record@memcon.example SIP/2.0\r\nCall-ID: 1\r\n\r\n"


def audit_path(index: int, values: list[bytes]) -> list[bytes]:
    """RFC 9162 section 2.1.3.1, by its recursive definition; `values` are the entries."""
    if len(values) == 1:
        return []
    split = 1
    while 2 * split < len(values):
        split *= 2
    if index < split:
        return [*audit_path(index, values[:split]), root(values[split:])]
    return [*audit_path(index - split, values[split:]), root(values[:split])]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def secrets() -> dict[str, Any]:
    slot_key = derive(X, "slotkey", u(64, INDEX), u(64, SLOT))
    p, e, r = sample("plaintext root"), sample("event commitment"), sample("record commitment")
    derived = [
        ("block_salt", [3, 2, 4, 1], derive(K, "salt/block", u(32, 3), u(16, 2), u(8, 4), u(8, 1))),
        ("block_salt", [2**32 - 1, 65535, 0, 2], derive(K, "salt/block", b"\xff" * 6, b"\x00\x02")),
        ("event_salt", [9], derive(K, "salt/event", u(32, 9))),
        ("stream_salt", [1], derive(K, "salt/stream", u(32, 1))),
        ("opening_salt", [5], derive(K, "salt/opening", u(8, 5))),
        ("record_salt", [], derive(K, "salt/record")),
        ("segment_key", [3, p.hex()], derive(K, "key/segment", u(32, 3), p)),
        ("event_key", [9, e.hex()], derive(K, "key/event", u(32, 9), e)),
        ("record_key", [r.hex()], derive(K, "key/record", r)),
        ("slot_key", [INDEX, SLOT], slot_key),
        ("lane_salt", [LANE], derive(slot_key, "salt/lane", u(32, LANE))),
        ("filler", [3, 77], derive(slot_key, "filler", u(8, 3), u(32, 77))),
        ("config_salt", ["lines"], derive(X, "salt/config", b"lines")),
    ]
    return {
        "call_key": K.hex(),
        "structure_key": X.hex(),
        "slot_key": slot_key.hex(),
        "derived": [{"name": n, "args": a, "value": v.hex()} for n, a, v in derived],
        "call_key_hash": sha(tag("callkey"), K).hex(),
        "handle": HANDLE.hex(),
        "handle_hash": sha(tag("handle"), HANDLE).hex(),
    }
