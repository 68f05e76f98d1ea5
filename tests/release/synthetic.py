"""A small sealer for tests: one call at a time, by memcon.record alone, into a real log directory."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memcon.record import beat, call, canonical, config, hashing, segment, slottree
from memcon.record.statement import Genesis
from memcon.seal.keys import CheckpointSigner, create_keys
from memcon.store import durable
from memcon.store.tiles import LogStore

if TYPE_CHECKING:
    from pathlib import Path


NS = 1_000_000_000
ORIGIN = "test.example/recorder"
PERIOD_MS = 10_000
STRUCTURE = bytes(range(32))
INSTANCE = bytes(range(16))
START = 1_790_000_000 * NS  # a slot's start
INVITE = b"INVITE sip:srs@rec.example SIP/2.0\r\nCall-ID: a\r\nContent-Length: 0\r\n\r\n"
BYE = b"BYE sip:srs@rec.example SIP/2.0\r\nCall-ID: a\r\nContent-Length: 0\r\n\r\n"
PARTIES = [
    {"id": "p1", "name": "Solheim", "aor": "sip:+4712345678@a.example", "label": "1", "role": "caller"},
    {"id": "p2", "name": "Keller", "aor": "sip:keller@b.example", "label": "2", "role": "callee"},
]
PCMU = [{"pt": 0, "name": "PCMU", "rate": 8000, "channels": 1}]


def rtp(
    seq: int,
    stamp: int,
    payload: bytes,
    *,
    pt: int = 0,
    ssrc: int = 0x1234,
    marker: bool = False,
) -> bytes:
    """One RTP packet without extension or padding."""
    second = pt | (0x80 if marker else 0)
    return struct.pack(">BBHII", 0x80, second, seq & 0xFFFF, stamp & 0xFFFFFFFF, ssrc) + payload


def kind_of(stream: int) -> int:
    """RTP, RTCP, or the wire side of an SRTP stream."""
    return segment.KIND_WIRE if stream >= 0x8000 else 1 + stream % 2


def entry(n: int, stream: int, **changes: Any) -> dict[str, Any]:
    """A stream table entry."""
    value: dict[str, Any] = {
        "entry": n,
        "stream": stream,
        "kind": kind_of(stream),
        "label": str(stream // 2 + 1),
        "mline": stream // 2,
        "port": 20_000 + stream,
        "codecs": PCMU if stream % 2 == 0 else [],
        "direction": "sendonly",
        "participant": f"p{stream // 2 + 1}",
    }
    return value | changes


@dataclass
class Call:
    """What is to be sealed. `media` is {stream: [(since in ns, packet)]} in order of arrival."""

    number: int = 1
    duration: int = 12 * NS
    media: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=lambda: [entry(0, 0), entry(1, 2)])
    parties: list[dict[str, Any]] = field(default_factory=lambda: list(PARTIES))
    events: list[tuple[int, dict[str, Any], bytes]] = field(default_factory=list)
    start: int = START + 3 * NS
    key: bytes = b"K" * 32
    line: str = "all"
    cause: int = 1
    flags: int = 0
    invite: bytes = INVITE
    bye: bytes = BYE

    def all_events(self) -> list[segment.Event]:
        sip = {"type": "sip", "transport": "udp", "local": "10.0.0.1:5060", "remote": "10.0.0.9:5060"}
        first = (0, {**sip, "direction": "in"}, self.invite)
        last = (self.duration, {**sip, "direction": "in"}, self.bye)
        end = (self.duration, {"type": "end", "cause": self.cause, "who": 1}, b"")
        listed = [first, *self.events, *([last] if self.bye else []), end]
        return [
            segment.Event(n, since, self.start + since, facts, raw)
            for n, (since, facts, raw) in enumerate(listed)
        ]


def _gcm(key: bytes, data: bytes) -> bytes:
    return AESGCM(key).encrypt(bytes(12), data, None)


def seal_segment(
    key: bytes, n: int, media: dict[int, list[tuple[int, bytes]]]
) -> tuple[segment.Sealed, dict[int, int]]:
    """Second n: blocks cut by arrival. Returns it and {stream: packets}."""
    blocks: list[tuple[int, int, int, bytes]] = []
    counts: dict[int, int] = {}
    for stream, packets in sorted(media.items()):
        for position in range(5):
            low = n * NS + position * segment.BLOCK_NS
            here = [(max(s, low), p) for s, p in packets if low <= s < low + segment.BLOCK_NS]
            if not here:
                continue
            counts[stream] = counts.get(stream, 0) + len(here)
            arrivals = b"".join(struct.pack(">Q", s) for s, _ in here)
            lengths = b"".join(struct.pack(">H", len(p)) for _, p in here)
            kind = kind_of(stream)
            data = segment.encode_block(
                n,
                stream,
                position,
                kind,
                *_range(here, kind),
                arrivals,
                lengths,
                b"".join(p for _, p in here),
            )
            blocks.append((stream, position, kind, data))
    entries = [
        (s, p, k, segment.block_commitment(hashing.block_salt(key, n, s, p, k), data))
        for s, p, k, data in blocks
    ]
    root = segment.plaintext_root(n, entries)
    sealed = _gcm(hashing.segment_key(key, n, root), segment.segment_content(blocks))
    return segment.Sealed(n, root, memoryview(sealed)), counts


def _range(packets: list[tuple[int, bytes]], kind: int) -> tuple[int, int]:
    """Least and greatest RTP timestamp, relative to the first packet (FORMATS §6)."""
    stamps = [struct.unpack_from(">I", p, 4)[0] for _, p in packets if len(p) >= 12 and p[0] >> 6 == 2]
    if kind != segment.KIND_RTP or not stamps:
        return 0, 0
    steps = [(s - stamps[0] + (1 << 31)) % (1 << 32) - (1 << 31) for s in stamps]
    return (stamps[0] + min(steps)) % (1 << 32), (stamps[0] + max(steps)) % (1 << 32)


def _seal_event(key: bytes, event: segment.Event) -> segment.Sealed:
    data = event.encode()
    root = segment.event_commitment(hashing.event_salt(key, event.number), data)
    return segment.Sealed(
        event.number, root, memoryview(_gcm(hashing.event_key(key, event.number, root), data))
    )


def record_of(c: Call) -> dict[str, Any]:
    """The call in words, as sealing writes it into record.mcr."""
    return {
        "call": c.number,
        "handle": bytes([c.number]).hex() * 32,
        "mode": "siprec",
        "line": c.line,
        "start_wall": str(c.start),
        "start_mono": "5",
        "end_wall": str(c.start + c.duration),
        "duration": str(c.duration),
        "cause": c.cause,
        "who": 1,
        "parties": c.parties,
        "source_ids": {"sip_call_id": "a"},
        "streams": c.entries,
        "totals": [],
        "oddities": [f["text"] for _, f, _ in c.events if f["type"] == "oddity"],
        "events": [
            {"n": e.number, "since": str(e.since), "wall": str(e.wall), "facts": e.facts}
            for e in c.all_events()
        ],
    }


class Recorder:
    """A log with its beats; `seal` writes a call's directory and the beats of its slots."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = LogStore(home / "log")
        keys = create_keys(home / "keys")
        self.vkeys = [str(key) for key in keys.vkeys(ORIGIN)]
        self.sign = CheckpointSigner(keys, ORIGIN)
        self.parts = {name: canonical.dumps({}) for name in config.PARTS}
        self.parts["custodians"] = b"[]"
        self.parts["keys"] = canonical.dumps({"receipt": keys.receipt_public().hex(), "log": self.vkeys})
        genesis = Genesis(ORIGIN, PERIOD_MS, 3, 2, "2026-09-21T00:00:00Z", tuple(self.vkeys)).encode()
        named = self.log.add_statement(genesis)
        root = self._root(0, 0, {})
        first = beat.Beat(
            beat.Kind.GENESIS, beat.State.OFF, PERIOD_MS, 0, START // NS // 10 - 5, bytes(16),
            root, self.config_root, statement=named,
        )  # fmt: skip
        self.beats = [first]
        self.log.create(ORIGIN, [first.encode()], self.sign)

    @property
    def config_root(self) -> bytes:
        return config.config_root(config.commit_parts(STRUCTURE, self.parts))

    def _root(self, index: int, slot: int, leaves: dict[int, bytes]) -> bytes:
        tree = slottree.SlotTree(hashing.slot_key(STRUCTURE, index, slot), leaves)
        return beat.wrap_slot_root(ORIGIN, index, slot, slottree.DEPTH, tree.root)

    def add_beat(self, slot: int, leaves: dict[int, bytes], *, publish: bool = True) -> None:
        index = len(self.beats)
        made = beat.Beat(
            beat.Kind.BEAT, beat.State.RECORDING, PERIOD_MS, index, slot, INSTANCE,
            self._root(index, slot, leaves), self.config_root,
        )  # fmt: skip
        self.beats.append(made)
        if publish:
            self.publish()

    def publish(self) -> None:
        waiting = [b.encode() for b in self.beats[self.log.size :]]
        if waiting:
            self.log.publish(ORIGIN, waiting, self.sign)

    def seal(self, c: Call, *, publish: bool = True) -> Path:
        """Write `work/done/<number>` and the beats of its slots."""
        files = self._seal(c, publish=publish)
        work = self.home / "work" / "done" / str(c.number)
        durable.make_dirs(work)
        for name, data in files.items():
            durable.write_file(work / name, data, durable=False)
        return work

    def _seal(self, c: Call, *, publish: bool) -> dict[str, bytes]:
        total = max(1, -(-c.duration // NS))
        segments = [seal_segment(c.key, n, c.media) for n in range(total)]
        hashes = [s.hash(segment.MEDIA_MAGIC) for s, _ in segments]
        sealed_events = [_seal_event(c.key, e) for e in c.all_events()]
        event_hashes = [e.hash(segment.EVENTS_MAGIC) for e in sealed_events]
        table = [
            segment.stream_hash(n, hashing.stream_salt(c.key, n), canonical.dumps(e))
            for n, e in enumerate(c.entries)
        ]
        leaves = self._leaves(c, segments, hashes, event_hashes, table, publish=publish)
        record = canonical.dumps(record_of(c))
        commitment = segment.record_commitment(hashing.record_salt(c.key), record)
        head = segment.encode_sealed_head
        return {
            "media.mcs": head(segment.MEDIA_MAGIC, c.number) + b"".join(s.encode() for s, _ in segments),
            "events.mce": head(segment.EVENTS_MAGIC, c.number) + b"".join(e.encode() for e in sealed_events),
            "leaves.mcl": call.encode_leaves_head(c.number) + b"".join(p.encode() for p in leaves),
            "record.mcr": segment.RECORD_MAGIC
            + commitment
            + _gcm(hashing.record_key(c.key, commitment), record),
            "wraps.json": b"[]",
            "custodians.json": b"[]",
        }

    def _leaves(
        self,
        c: Call,
        segments: list[tuple[segment.Sealed, dict[int, int]]],
        hashes: list[bytes],
        event_hashes: list[bytes],
        table: list[bytes],
        *,
        publish: bool,
    ) -> list[call.PlacedLeaf]:
        placed: list[call.PlacedLeaf] = []
        slots = range(c.start // NS // 10, (c.start + c.duration) // NS // 10 + 1)
        done, chain, lane = 0, hashing.ZERO32, 7 + c.number
        totals: dict[int, int] = {}
        for slot in slots:
            last = slot == slots[-1]
            upto = len(segments) if last else min(len(segments), ((slot + 1) * 10 * NS - c.start) // NS)
            here = segments[done:upto]
            counts = []
            for e in {e["stream"]: e for e in c.entries}.values():
                stream = e["stream"]
                bits = sum(1 << (127 - i) for i, (_, n) in enumerate(here) if not n.get(stream))
                totals[stream] = totals.get(stream, 0) + sum(n.get(stream, 0) for _, n in here)
                expected = _expected(c.media.get(stream, []), upto * NS, stream)
                counts.append(
                    call.StreamCount(
                        stream, kind_of(stream), totals[stream], expected, empty=bits.to_bytes(16, "big")
                    )
                )
            index = len(self.beats)
            first_event = 0 if not placed else len(event_hashes)
            leaf = call.CallLeaf(
                lane, c.number, slot, index, chain, done, len(here), config.hash_root(hashes[done:upto]),
                first_event, len(event_hashes) - first_event, config.hash_root(event_hashes[first_event:]),
                len(table), config.hash_root(table), tuple(counts),
                first=self._first(c) if not placed else None,
                last=call.Last(
                    len(segments), len(event_hashes), c.cause, 1, config.hash_root(hashes),
                    _opening(c, 5, c.bye), c.start + c.duration, c.duration,
                ) if last else None,
                flags=c.flags,
            ).encode()  # fmt: skip
            slot_leaf = slottree.SlotLeaf(slot, index, c.number + 1, 1, 1, 0).encode()
            leaves = {0: slot_leaf, lane: leaf}
            tree = slottree.SlotTree(hashing.slot_key(STRUCTURE, index, slot), leaves)
            placed.append(call.PlacedLeaf(leaf, index, slot, lane, tree.salt(lane), tree.path(lane)))
            self.add_beat(slot, leaves, publish=publish)
            chain, done = call.chain_hash(leaf), upto
        return placed

    @staticmethod
    def _first(c: Call) -> call.First:
        return call.First(
            bytes([c.number]) * 32, c.start, 5, hashing.call_key_hash(c.key), hashing.sha256(b"[]"),
            hashing.sha256(b"[]"), _opening(c, 1, canonical.dumps(c.parties)),
            _opening(c, 2, canonical.dumps({"sip_call_id": "a"})), _opening(c, 3, c.invite),
            _opening(c, 4, b""),
        )  # fmt: skip


def _opening(c: Call, which: int, data: bytes) -> bytes:
    return segment.opening_commitment(which, hashing.opening_salt(c.key, which), data)


def _expected(packets: list[tuple[int, bytes]], until: int, stream: int) -> int:
    """By sequence numbers of RTP that do not wrap or change SSRC: enough for tests that count."""
    seqs = [struct.unpack_from(">H", p, 2)[0] for s, p in packets if s < until and len(p) >= 12]
    return max(seqs) - min(seqs) + 1 if seqs and kind_of(stream) == segment.KIND_RTP else 0
