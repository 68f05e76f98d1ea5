"""Makes the vectors beside it from docs/FORMATS.md, without a line of memcon: a second implementation.

    python tests/vectors/generate.py

Each derivation and layout is written out again with struct and hashlib, the tree by its recursive
definition, the bundle's container by the standard library's zipfile, ciphertexts by AES-GCM of
`cryptography`. tests/record/test_vectors.py checks that this gives the checked-in files and that
memcon.record gives the same values. The damaged ones are made of these by negative.py.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import runpy
import struct
import zipfile
from pathlib import Path
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


# Section 1


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


# Sections 2 and 3


def beat(kind: int, state: int, index: int, slot: int, **more: Any) -> bytes:
    fields = [
        b"memcon\x00\x01",
        u(8, kind) + u(8, state) + u(16, more.get("flags", 0)) + u(32, PERIOD_MS),
        u(64, index) + u(64, slot),
        more.get("instance", sample("instance")[:16]),
        more["slot_root"],
        sample("configuration root"),
        more.get("note", ZERO32) + u(64, more.get("note_size", 0)),
        u(64, more.get("drand_round", 0)) + more.get("drand", ZERO32),
        more.get("statement", ZERO32),
        ZERO32,
    ]
    return b"".join(fields)


def wrap(index: int, slot: int, tree_root: bytes) -> bytes:
    return sha(tag("slot"), sha(ORIGIN.encode()), u(64, index), u(64, slot), u(8, 16), tree_root)


GENESIS_STATEMENT = canonical(
    {
        "kind": "genesis", "origin": ORIGIN, "period_ms": PERIOD_MS, "b": 3, "g": 2,
        "created": "2026-11-24T00:00:00Z",
        "keys": ["memcon.example/calls/1+00000000+AQ=="],
        "predecessor": None,
    }
)  # fmt: skip
OFF_STATEMENT = canonical(
    {
        "kind": "off",
        "origin": ORIGIN,
        "slot": SLOT + 9,
        "by": "duty officer",
        "how": "console",
        "reason": "maintenance – Wartung",
        "lines": ["line-1"],
    }
)


ON_STATEMENT = canonical(
    {
        "kind": "on", "origin": ORIGIN, "slot": SLOT + 20, "by": "duty officer", "how": "console",
        "reason": "maintenance over", "lines": [],
    }
)  # fmt: skip
EXPLANATION = canonical(
    {
        "kind": "explanation", "origin": ORIGIN, "first": SLOT + 12, "last": SLOT + 14,
        "by": "duty officer", "how": "console", "reason": "a fuse",
    }
)  # fmt: skip


def beats() -> dict[str, Any]:
    fillers = tree(derive(X, "slotkey", u(64, 0), u(64, SLOT - 7)), {})[0]
    leaves = {
        "genesis": beat(
            0, 4, 0, SLOT - 7, instance=bytes(16), slot_root=wrap(0, SLOT - 7, fillers),
            statement=sha(GENESIS_STATEMENT),
        ),
        "beat": beat(
            1, 1, INDEX, SLOT, slot_root=wrap(INDEX, SLOT, sample("root")), note=sample("note"),
            note_size=7, drand_round=5_000_000, drand=sample("drand signature"), flags=3,
        ),
        "off": beat(
            1, 4, 8, SLOT + 9, slot_root=wrap(8, SLOT + 9, sample("root")), note=sample("note 2"),
            note_size=8, statement=sha(OFF_STATEMENT),
        ),
        "tombstone": beat(2, 4, 9, SLOT + 10, slot_root=wrap(9, SLOT + 10, sample("root")), flags=4),
    }  # fmt: skip
    return {
        "origin": ORIGIN,
        "leaves": {name: leaf.hex() for name, leaf in leaves.items()},
        "wrapped": {
            "index": INDEX, "slot": SLOT, "root": sample("root").hex(),
            "value": wrap(INDEX, SLOT, sample("root")).hex(),
        },
        "statements": {
            "genesis": GENESIS_STATEMENT.hex(),
            "off": OFF_STATEMENT.hex(),
            "on": ON_STATEMENT.hex(),
            "explanation": EXPLANATION.hex(),
        },
        "line": {"name": "Kabinett ☎", "pseudonym": derive(X, "line", "Kabinett ☎".encode())[:8].hex()},
    }  # fmt: skip


def tree(slot_key: bytes, leaves: dict[int, bytes]) -> tuple[bytes, dict[int, bytes]]:
    """Root and the paths of all used lanes, by the definition of a node."""

    def node(level: int, position: int) -> bytes:
        low, high = position << level, (position + 1) << level
        if not any(low <= lane < high for lane in leaves):
            return derive(slot_key, "filler", u(8, level), u(32, position))
        if level == 0:
            salt = derive(slot_key, "salt/lane", u(32, position))
            return sha(tag("lane"), u(32, position), salt, leaves[position])
        return sha(b"\x01", node(level - 1, 2 * position), node(level - 1, 2 * position + 1))

    paths = {lane: b"".join(node(i, (lane >> i) ^ 1) for i in range(16)) for lane in leaves}
    return node(16, 0), paths


SLOT_LEAF = b"".join(
    [b"mcslot\x00\x01", u(64, SLOT), u(64, INDEX), u(64, 43), u(64, 6), u(32, 1), u(32, 1), bytes(16)]
)
NOTE_LEAF = b"".join(
    [b"mcnote\x00\x01", u(16, 4), u(16, 0), u(32, 65535), u(64, 5), u(64, SLOT), u(64, INDEX)]
)
NOTE_LEAF += sample("object") + bytes(8)


def slot_record(index: int, slot: int, leaves: dict[int, bytes]) -> bytes:
    body = u(64, index) + u(64, slot) + u(32, len(leaves))
    for lane in sorted(leaves):
        body += u(32, lane) + u(32, len(leaves[lane])) + leaves[lane]
    return u(32, len(body) + 32) + body + sha(body)


def slots_file() -> bytes:
    used = {0: SLOT_LEAF, LANE: call_leaves()["first"], 65535: NOTE_LEAF}
    return b"mcslots\x01" + slot_record(INDEX, SLOT, used) + slot_record(8, SLOT + 9, {0: SLOT_LEAF})


def slots() -> dict[str, Any]:
    slot_key = derive(X, "slotkey", u(64, INDEX), u(64, SLOT))
    twenty = {0: SLOT_LEAF} | {(i * 2749) % 65536: NOTE_LEAF for i in range(1, 20)}
    sets = [{}, {0: SLOT_LEAF}, {0: SLOT_LEAF, LANE: call_leaves()["first"], 65535: NOTE_LEAF}, twenty]
    trees = []
    for leaves in sets:
        top, paths = tree(slot_key, leaves)
        listed = {str(k): v.hex() for k, v in leaves.items()}
        shown = {str(k): v.hex() if len(leaves) <= 3 else sha(v).hex() for k, v in paths.items()}
        trees.append({"leaves": listed, "root": top.hex(), "paths": shown})
    return {
        "slot_key": slot_key.hex(),
        "paths_are": "whole with up to 3 lanes, else their SHA-256",
        "trees": trees,
        "slot_leaf": SLOT_LEAF.hex(),
        "note_leaf": NOTE_LEAF.hex(),
        "slots_file": slots_file().hex(),
    }


# Section 4


def opening(which: int, data: bytes) -> bytes:
    return sha(tag("opening"), u(8, which), derive(K, "salt/opening", u(8, which)), data)


OPENINGS = {
    1: canonical([{"aor": "sip:a@example", "id": "p1", "label": "1", "name": "A", "role": None}]),
    2: canonical({"session": "7+OTu30qRvk="}),
    3: INVITE,
    4: b"",
    5: BYE,
}


def call_head(form: int, index: int, chain: bytes, numbers: tuple[int, int, int, int], streams: int) -> bytes:
    first_segment, segments, first_event, events = numbers
    fields = [
        b"mccall\x00\x01", u(8, form), u(8, 0), u(16, streams), u(32, LANE), u(64, CALL),
        u(64, SLOT + index - INDEX), u(64, index), chain, u(32, first_segment), u(32, segments),
        sample(f"segment root {index}"), u(32, first_event), u(32, events), sample(f"event root {index}"),
        u(32, 2), u(32, 0), sample("table root"), bytes(8),
    ]  # fmt: skip
    return b"".join(fields)


def call_first() -> bytes:
    fixed = HANDLE + u(64, START) + u(64, 77 * NS) + sha(tag("callkey"), K)
    fixed += sample("custodians") + sample("wraps")
    return fixed + b"".join(opening(i, OPENINGS[i]) for i in range(1, 5))


def call_last(segments: int) -> bytes:
    fixed = u(32, segments) + u(32, 9) + u(8, 1) + u(8, 1) + bytes(6)
    end = u(64, START + 21 * NS) + u(64, 21 * NS)
    return fixed + sample("call root") + opening(5, BYE) + end


def stream_entry(stream: int, kind: int, empty: set[int]) -> bytes:
    bitmap = bytearray(16)
    for i in empty:
        bitmap[i // 8] |= 0x80 >> (i % 8)
    counts = u(64, 1000) + u(64, 1003) + u(64, 2) + u(64, 1) + u(32, 1004) + u(32, 5)
    return u(16, stream) + u(8, kind) + bytes(5) + counts + bytes(bitmap)


def call_leaves() -> dict[str, bytes]:
    two = stream_entry(0, 1, {0}) + stream_entry(1, 2, {1, 7})
    first = call_head(1, INDEX, ZERO32, (0, 8, 0, 3), 2) + call_first() + two
    middle = call_head(0, 8, sha(tag("callleaf"), first), (8, 10, 3, 0), 2) + two
    last = call_head(2, 9, sha(tag("callleaf"), middle), (18, 3, 3, 6), 1) + call_last(21)
    both = call_head(3, INDEX, ZERO32, (0, 128, 0, 9), 1) + call_first() + call_last(128)
    return {
        "first": first,
        "middle": middle,
        "last": last + stream_entry(0, 1, {2}),
        "first+last": both + stream_entry(0, 1, {0, 64, 127}),
    }


def leaves_file() -> bytes:
    out = b"mcleavs\x01" + u(64, CALL)
    leaves = call_leaves()
    for index, name in ((INDEX, "first"), (8, "middle"), (9, "last")):
        slot_key = derive(X, "slotkey", u(64, index), u(64, SLOT + index - INDEX))
        _, paths = tree(slot_key, {0: SLOT_LEAF, LANE: leaves[name]})
        salt = derive(slot_key, "salt/lane", u(32, LANE))
        out += u(32, len(leaves[name])) + leaves[name] + u(64, index) + u(64, SLOT + index - INDEX)
        out += u(32, LANE) + salt + paths[LANE]
    return out


def calls() -> dict[str, Any]:
    leaves = call_leaves()
    receipt = tag("receipt") + u(8, len(ORIGIN)) + ORIGIN.encode() + u(64, SLOT)
    return {
        "leaves": {name: leaf.hex() for name, leaf in leaves.items()},
        "chain": {name: sha(tag("callleaf"), leaf).hex() for name, leaf in leaves.items()},
        "openings": {str(i): {"data": d.hex(), "value": opening(i, d).hex()} for i, d in OPENINGS.items()},
        "leaves_file": leaves_file().hex(),
        "receipt": {
            "origin": ORIGIN, "slot": SLOT, "handle": HANDLE.hex(), "invite": INVITE.hex(),
            "value": (receipt + sha(tag("handle"), HANDLE) + sha(INVITE)).hex(),
        },
    }  # fmt: skip


# Sections 6 to 8


def rtp(sequence: int, timestamp: int, payload: bytes) -> bytes:
    return struct.pack(">BBHII", 0x80, 0, sequence, timestamp, 0x1234ABCD) + payload


def block(
    segment: int, stream: int, position: int, kind: int, stamps: tuple[int, int], packets: dict[int, bytes]
) -> bytes:
    head = b"mcblock\x01" + u(32, segment) + u(16, stream) + u(8, position) + u(8, kind)
    head += u(32, len(packets)) + u(32, stamps[0]) + u(32, stamps[1]) + u(32, 0)
    lengths = b"".join(u(16, len(p)) for p in packets.values())
    return head + b"".join(u(64, at) for at in packets) + lengths + b"".join(packets.values())


Key = tuple[int, int, int]


def segment_blocks() -> dict[Key, bytes]:
    opened = b"\x01" + sha(tag("srtp"), b"a packet that was opened")
    packets = {3_000_100_000: rtp(10, 0xFFFFFFF0, b"\xd5" * 4), 3_020_100_000: rtp(11, 0x90, b"\x55" * 4)}
    return {
        (0, 0, 1): block(3, 0, 0, 1, (0xFFFFFFF0, 0x90), packets),
        (0, 1, 1): block(3, 0, 1, 1, (0, 0), {3_200_000_000: b"", 3_200_000_001: b"no RTP"}),
        (1, 4, 2): block(3, 1, 4, 2, (0, 0), {3_999_999_999: bytes.fromhex("80c90001") + b"ssrc"}),
        (0x8002, 0, 3): block(
            3, 0x8002, 0, 3, (0, 0), {3_000_000_001: opened, 3_000_000_002: b"\0" + b"as it came"}
        ),
    }


def commitment(key: Key, data: bytes) -> bytes:
    stream, position, kind = key
    salt = derive(K, "salt/block", u(32, 3), u(16, stream), u(8, position), u(8, kind))
    return sha(tag("block"), salt, data)


def segment(n: int, blocks: dict[Key, bytes]) -> dict[str, bytes]:
    entries = content = b""
    for key, data in sorted(blocks.items()):
        place = u(16, key[0]) + u(8, key[1]) + u(8, key[2])
        entries += place + commitment(key, data)
        content += place + u(32, len(data)) + data
    content = u(32, len(blocks)) + content
    p = sha(tag("blocks"), u(32, n), u(32, len(blocks)), entries)
    key_bytes = derive(K, "key/segment", u(32, n), p)
    c = seal(key_bytes, content)
    s = sha(tag("segment"), u(32, n), u(32, len(c)), p, sha(c))
    return {"plaintext_root": p, "content": content, "key": key_bytes, "ciphertext": c, "hash": s}


def segments() -> dict[str, Any]:
    full, empty = segment(3, segment_blocks()), segment(0, {})
    blocks = [
        {"place": list(k), "block": b.hex(), "commitment": commitment(k, b).hex()}
        for k, b in segment_blocks().items()
    ]
    entry = canonical({"entry": 1, "kind": "rtp", "label": "1", "stream": 0})
    return {
        "segment": 3,
        "blocks": blocks,
        "full": {name: value.hex() for name, value in full.items()},
        "empty": {name: value.hex() for name, value in empty.items()},
        "root_of_both": root([empty["hash"], full["hash"]]).hex(),
        "root_of_none": root([]).hex(),
        "media_file": media_file().hex(),
        "stream_entry": entry.hex(),
        "stream_hash": sha(tag("stream"), u(32, 1), derive(K, "salt/stream", u(32, 1)), entry).hex(),
    }


def media_file() -> bytes:
    out = b"mcmedia\x01" + u(64, CALL)
    for n in range(2):
        s = segment(n, {})
        out += u(32, n) + u(32, len(s["ciphertext"])) + s["plaintext_root"] + s["ciphertext"]
    return out


def event(number: int, facts: object, raw: bytes) -> dict[str, bytes]:
    text = canonical(facts)
    head = b"mcevent\x01" + u(32, number) + u(32, len(text)) + u(64, 5 * NS) + u(64, START + 5 * NS)
    data = head + text + raw
    e = sha(tag("event"), derive(K, "salt/event", u(32, number)), data)
    key = derive(K, "key/event", u(32, number), e)
    c = seal(key, data)
    h = sha(tag("eventleaf"), u(32, number), u(32, len(c)), e, sha(c))
    return {"event": data, "commitment": e, "key": key, "ciphertext": c, "hash": h}


EVENTS = [
    ({"type": "sip", "direction": "in", "transport": "tcp", "local": "a", "remote": "b"}, INVITE),
    ({"type": "oddity", "text": "a label twice: „1“"}, b""),
]


def events_file() -> bytes:
    out = b"mcevnts\x01" + u(64, CALL)
    for n, (facts, raw) in enumerate(EVENTS):
        e = event(n, facts, raw)
        out += u(32, n) + u(32, len(e["ciphertext"])) + e["commitment"] + e["ciphertext"]
    return out


def record_file() -> bytes:
    data = canonical({"line": "all", "oddities": []})
    c = sha(tag("record"), derive(K, "salt/record"), data)
    return b"mcrecrd\x01" + c + seal(derive(K, "key/record", c), data)


def events() -> dict[str, Any]:
    made = [event(n, facts, raw) for n, (facts, raw) in enumerate(EVENTS)]
    return {
        "events": [{name: value.hex() for name, value in e.items()} for e in made],
        "events_file": events_file().hex(),
        "record": canonical({"line": "all", "oddities": []}).hex(),
        "record_file": record_file().hex(),
    }


# Section 9


def configuration() -> dict[str, Any]:
    texts = {
        "custodians": [], "fleet": [ORIGIN], "keys": {"log": [], "receipt": ""},
        "lines": [{"match": "*", "name": "all"}], "recorder": {}, "software": {"memcon": "0.1.0"},
    }  # fmt: skip
    parts = {name: canonical(value) for name, value in texts.items()}
    commitments = {}
    for name, part in parts.items():
        salt = derive(X, "salt/config", name.encode())
        commitments[name] = sha(tag("config"), u(8, len(name)), name.encode(), salt, part)
    return {
        "parts": {name: part.hex() for name, part in parts.items()},
        "commitments": {name: c.hex() for name, c in commitments.items()},
        "root": root([commitments[name] for name in sorted(commitments)]).hex(),
    }


# Section 12


def journal_records() -> list[bytes]:
    packets = [rtp(1, 160, b"\xd5"), b"", b"\x00"]
    media = u(64, START) + u(64, 78 * NS) + u(32, 3) + u(32, 0) + u(32, 1) + u(32, 2) + u(32, 1)
    media += b"".join(u(64, START + i) for i in range(3)) + b"".join(u(16, len(p)) for p in packets)
    facts = canonical({"type": "sip", "key": "a", "wall": str(START), "mono": str(78 * NS)})
    control = u(32, len(facts)) + facts + u(32, 2) + u(32, len(INVITE)) + INVITE + u(32, 0)
    tick = u(64, START + 5) + u(64, 78 * NS + 5) + u(64, START + 4)
    stop = canonical({"by": "operator", "why": "stop"})
    bodies = [(1, media + b"".join(packets)), (2, control), (3, tick), (4, stop)]
    return [u(32, len(body)) + u(8, type_) + bytes(3) + body for type_, body in bodies]


def journal() -> dict[str, Any]:
    key, instance = sample("journal key"), sample("instance")[:16]
    header = b"mcjrnl\x00\x01" + instance + u(64, 2) + u(64, 500) + u(64, START) + sha(key)[:8] + bytes(8)
    plaintext = b"".join(journal_records())
    head = b"MCFR" + u(32, len(plaintext) + 16) + u(64, 500)
    nonce = u(32, 0) + u(64, 500)
    return {
        "key": key.hex(),
        "header": header.hex(),
        "plaintext": plaintext.hex(),
        "nonce": nonce.hex(),
        "frame_head": head.hex(),
        "frame": (head + AESGCM(key).encrypt(nonce, plaintext, instance + head)).hex(),
    }


# Section 14


def shown(salt: bytes, data: bytes) -> bytes:
    return u(8, 1) + salt + u(32, len(data)) + data


def bundle_files() -> dict[str, bytes]:
    blocks = segment_blocks()
    c = segment(3, blocks)["ciphertext"]
    media = b"mcopenm\x01" + u(64, CALL) + u(32, 3) + u(32, len(c)) + sha(c) + u(32, len(blocks))
    for (stream, position, kind), data in sorted(blocks.items()):
        salt = derive(K, "salt/block", u(32, 3), u(16, stream), u(8, position), u(8, kind))
        media += u(16, stream) + u(8, position) + u(8, kind)
        media += shown(salt, data) if position else u(8, 0) + commitment((stream, position, kind), data)
    events_ = b"mcopene\x01" + u(64, CALL)
    for n, (facts, raw) in enumerate(EVENTS):
        e = event(n, facts, raw)
        events_ += u(32, n) + u(32, len(e["ciphertext"])) + sha(e["ciphertext"])
        events_ += shown(derive(K, "salt/event", u(32, n)), e["event"]) if n else u(8, 0) + e["commitment"]
    streams = b"mcopens\x01" + u(64, CALL) + u(32, 0) + shown(derive(K, "salt/stream", u(32, 0)), b"{}")
    openings = b"mcopeno\x01" + u(64, CALL) + u(8, 1) + u(8, 0) + opening(1, OPENINGS[1])
    openings += u(8, 5) + shown(derive(K, "salt/opening", u(8, 5)), BYE)
    config = b"mcopenc\x01" + u(8, 4) + b"keys" + shown(derive(X, "salt/config", b"keys"), b"{}")
    config += u(8, 5) + b"lines" + u(8, 0) + sample("lines")
    proof = u(8, 2) + sample("proof 1") + sample("proof 2")
    leaves = {name: bytes.fromhex(leaf) for name, leaf in beats()["leaves"].items()}
    return {
        "README.txt": b"Check it.\n",
        "checkpoint": b"a note\n",
        "policy": b"log\n",
        "beats.mcb": b"mcbeats\x01" + u(64, 10) + u(64, 0) + leaves["genesis"] + proof
        + u(64, INDEX) + leaves["beat"] + u(8, 0),
        "leaves.mcl": leaves_file(),
        "media.mcb": media,
        "events.mcb": events_,
        "streams.mcb": streams + u(32, 1) + u(8, 0) + sample("entry 1"),
        "openings.mcb": openings,
        "config.mcb": config,
        "statement/" + sha(GENESIS_STATEMENT).hex(): GENESIS_STATEMENT,
    }  # fmt: skip


def container(files: dict[str, bytes]) -> bytes:
    """The zip by the standard library, with the form of section 14."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 0
            archive.writestr(info, data)
            info.external_attr = 0  # writestr puts a file mode there
    return out.getvalue()


def manifest(files: dict[str, bytes]) -> bytes:
    listed = {name: {"bytes": len(data), "sha256": sha(data).hex()} for name, data in files.items()}
    return canonical({"bundle": "memcon/1", "origin": ORIGIN, "call": CALL, "files": listed})


def bundle() -> dict[str, Any]:
    files = bundle_files()
    small = {name: files[name] for name in ("README.txt", "policy", "config.mcb")}
    return {
        "origin": ORIGIN,
        "call": CALL,
        "files": {name: data.hex() for name, data in files.items()},
        "small": sorted(small),
        "manifest": manifest(small).hex(),
        "container": container({"manifest.json": manifest(small), **small}).hex(),
        "sha256_of_whole": sha(container({"manifest.json": manifest(files), **files})).hex(),
    }


def canonical_texts() -> dict[str, Any]:
    texts = [
        "{}", "[]", "null", "true", "0", "-1", "9007199254740991", "-9007199254740991", '""',
        '{"a":[1,{"b":false}],"b":null}', r'"\"\\\b\f\n\r\t\u0000\u001f/' + "\x7f\u2028é😀" + '"',
        '{"\uff5e":1,"\U00010000":2}',
    ]  # fmt: skip
    return {"texts": [text.encode().hex() for text in texts]}


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


def silence() -> dict[str, Any]:
    """A log of five slots, then nothing; the signatures are of no key: a reader of the form needs none."""
    said = canonical(
        {"kind": "genesis", "origin": ORIGIN, "period_ms": PERIOD_MS, "b": 3, "g": 2,
         "created": "2026-11-24T00:00:00Z", "keys": ["key"], "predecessor": None}
    )  # fmt: skip
    leaves = []
    for n in range(5):
        head = b"memcon\x00\x01" + u(8, 1 if n else 0) + u(8, 1 if n else 4) + u(16, 0) + u(32, PERIOD_MS)
        place = u(64, n) + u(64, SLOT + n) + bytes(16) + sample("root") + sample("config")
        rest = bytes(80) + (bytes(32) if n else sha(said)) + ZERO32
        leaves.append(head + place + rest)
    paths = {n: [b64(one) for one in audit_path(n, leaves)] for n in (0, 4)}
    note = f"{ORIGIN}\n5\n{b64(root(leaves))}\n\n\u2014 {ORIGIN} {b64(sample('signature'))}\n"
    parts = [
        "\n".join(["memcon/silence/v1", f"statement {b64(said)}", f"leaf 0 {b64(leaves[0])}", *paths[0]]),
        "\n".join([f"leaf 4 {b64(leaves[4])}", *paths[4]]),
        note,
    ]
    due = (SLOT + 6) * 10 + 20  # the end of the first slot without a leaf, and G
    covered: list[Any] = [
        [due, None], [due + 1, [SLOT + 5, SLOT + 5]], [due + 10, [SLOT + 5, SLOT + 5]],
        [due + 11, [SLOT + 5, SLOT + 6]], [due + 1001, [SLOT + 5, SLOT + 105]],
    ]  # fmt: skip
    return {
        "size": 5,
        "certificate": "\n\n".join(parts),
        "covered": covered,
        "index_entry": (u(64, 5) + u(64, due + 1) + sha("\n\n".join(parts).encode())).hex(),
    }


def dossier_entries() -> dict[str, Any]:
    """Two entries of a dossier, the second naming the first (FORMATS §18)."""
    head: dict[str, Any] = {"title": "", "participants": [], "start": "2017-01-28",
            "channel": "telephone", "call": None, "note": "", "example": False}  # fmt: skip
    claim = {"text": "Ñandú & Öl", "about": "", "note": ""}
    files: list[bytes] = []
    for n, (kind, body) in enumerate([("dossier", head), ("claim", claim)], 1):
        files.append(
            canonical(
                {
                    "format": "memcon/dossier/1",
                    "dossier": "2017-01-28/1",
                    "n": n,
                    "previous": sha(files[-1]).hex() if files else "0" * 64,
                    "kind": kind,
                    "by": "A. Archivist",
                    "at": "2026-11-24T03:42:00Z",
                    "body": body,
                }
            )
        )
    return {"entries": [{"bytes": data.hex(), "hash": sha(data).hex()} for data in files]}


def structure() -> dict[str, Any]:
    """Section 19: two slots, opened, and what stands before the ciphertext."""
    first, last = INDEX, INDEX + 1
    name = ORIGIN.encode("ascii")
    place = u(64, first) + u(64, last) + u(8, len(name)) + name
    leaves = [{0: SLOT_LEAF, LANE: call_leaves()["first"], 65535: NOTE_LEAF}, {0: SLOT_LEAF}]
    opened = b"mcstruc\x01" + place
    for n, used in enumerate(leaves):
        key = derive(X, "slotkey", u(64, first + n), u(64, SLOT + n))
        body = u(64, first + n) + u(64, SLOT + n) + key + u(32, len(used))
        for lane, leaf in used.items():
            body += u(32, lane) + u(32, len(leaf)) + leaf
        opened += u(32, len(body)) + body
    public = sha(b"an overseer's key") * 38
    head = b"mcseald\x01" + place + sha(tag("overseer"), public)[:8]
    return {
        "origin": ORIGIN,
        "opened_without_filling": opened.hex(),
        "opened_bytes": 65536,
        "opened_hash": sha(opened.ljust(65536, b"\0")).hex(),
        "overseer_public_key": public.hex(),
        "sealed_head": head.hex(),
        "sealed_info": (tag("structure") + head).hex(),
    }


def build() -> dict[str, str]:
    """File name -> text of every vector file of this module."""
    made = {
        "beat": beats(), "bundle": bundle(), "call": calls(), "canonical": canonical_texts(),
        "config": configuration(), "event": events(), "journal": journal(), "secrets": secrets(),
        "segment": segments(), "silence": silence(), "slot": slots(), "dossier": dossier_entries(),
        "structure": structure(),
    }  # fmt: skip
    return {f"{name}.json": json.dumps(v, indent=1, sort_keys=True) + "\n" for name, v in made.items()}


def main() -> None:
    here = Path(__file__).parent
    for name, text in build().items():
        (here / name).write_text(text, encoding="ascii")
    runpy.run_path(str(here / "negative.py"), run_name="__main__")


if __name__ == "__main__":
    main()
