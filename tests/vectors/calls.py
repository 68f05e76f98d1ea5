"""Vectors of calls: leaves, segments, events (FORMATS §4 to §8)."""

from __future__ import annotations

import struct
from typing import Any

from tests.vectors.basis import (
    BYE,
    CALL,
    HANDLE,
    INDEX,
    INVITE,
    LANE,
    NS,
    ORIGIN,
    SLOT,
    START,
    ZERO32,
    K,
    X,
    canonical,
    derive,
    root,
    sample,
    seal,
    sha,
    tag,
    u,
)
from tests.vectors.slots import SLOT_LEAF, tree


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
