"""A call of a small recorder for tests, as it is recorded and sealed by docs/FORMATS.md."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.verify.worlds import NS, pseudo

from memcon.record import call as calls
from memcon.record import canonical, hashing, segment
from memcon.record.config import hash_root
from memcon.record.hashing import ZERO32, sha256

if TYPE_CHECKING:
    from tests.verify.worlds import World


def rtp(
    sequence: int, stamp: int, payload: bytes = bytes(20), *, pt: int = 0, ssrc: int = 7, head: int = 0x80
) -> bytes:
    """An RTP packet."""
    return struct.pack(">BBHII", head, pt, sequence & 0xFFFF, stamp & 0xFFFFFFFF, ssrc) + payload


@dataclass
class Packet:
    """A packet for the recorder: arrival in ns since the call's start."""

    since: int
    stream: int
    kind: int
    data: bytes


def speech(
    seconds: float, stream: int, *, every_ms: int = 100, first: float = 0, size: int = 20
) -> list[Packet]:
    """A stream of RTP packets, by default ten a second with few bytes, so that bundles stay small."""
    packets = []
    for n in range(int(seconds * 1000 / every_ms)):
        since = int(first * NS) + n * every_ms * 1_000_000 + 1_000_000
        data = rtp(n, 1000 + 8 * every_ms * n, pseudo(f"{stream}/{n}", size), ssrc=7 + stream)
        packets.append(Packet(since, stream, segment.KIND_RTP, data))
    return packets


@dataclass
class Call:
    """A call as it is being recorded. `duration` is in ns; `ends` False leaves it open."""

    world: World
    number: int = 1
    lane: int = 4711
    start_wall: int = 0
    duration: int = 5 * NS
    packets: list[Packet] = field(default_factory=list)
    streams: list[tuple[int, int]] = field(default_factory=lambda: [(0, 1), (2, 1)])
    lost: dict[int, int] = field(default_factory=dict)
    cause: int = 1
    ends: bool = True
    chain: bytes = ZERO32
    flags: int = 0
    leaves: list[bytes] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    roots: list[bytes] = field(default_factory=list)
    ciphertexts: list[bytes] = field(default_factory=list)
    blocks: list[list[tuple[int, int, int, bytes]]] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    event_hashes: list[bytes] = field(default_factory=list)
    event_ciphertexts: list[bytes] = field(default_factory=list)
    event_commitments: list[bytes] = field(default_factory=list)
    wraps: bytes = b'[{"id":"archive","wrap":""}]'
    invite: bytes = b"INVITE sip:recorder@example SIP/2.0\r\n\r\n"
    bye: bytes = b"BYE sip:recorder@example SIP/2.0\r\n\r\n"

    def __post_init__(self) -> None:
        self.start_wall = self.start_wall or self.world.slot * self.world.period_ms * 1_000_000 + 300_000_000
        self.key = sha256(b"call %d" % self.number)
        self.custodians = self.world.config["custodians"]
        self.handle = sha256(b"handle %d" % self.number)
        self.openings = {
            1: canonical.dumps([{"id": "a", "name": "President A", "aor": "sip:a@example"}]),
            2: canonical.dumps({"session": "s1"}),
            3: self.invite,
            4: b"",
            5: self.bye,
        }
        self.table = [
            canonical.dumps(
                {
                    "entry": n,
                    "stream": stream,
                    "kind": kind,
                    "label": str(n),
                    "mline": n,
                    "port": 4000 + n,
                    "codecs": [{"pt": 0, "name": "PCMU", "rate": 8000, "channels": 1}],
                    "direction": "sendonly",
                    "participant": None,
                }
            )
            for n, (stream, kind) in enumerate(self.streams)
        ]
        self.done = False
        self._seconds: dict[int, list[Packet]] = {}
        self._totals: dict[tuple[int, int], int] = {}

    def second(self, n: int) -> list[Packet]:
        """The packets that arrived in one second."""
        if not self._seconds:
            for p in self.packets:
                self._seconds.setdefault(p.since // NS, []).append(p)
        return self._seconds.get(n, [])

    def cut(self, second: int) -> list[tuple[int, int, int, bytes]]:
        """The blocks of one second."""
        places: dict[tuple[int, int, int], list[Packet]] = {}
        for p in self.second(second):
            places.setdefault((p.stream, p.since % NS // 200_000_000, p.kind), []).append(p)
        blocks = []
        for (stream, position, kind), inside in sorted(places.items()):
            stamps = [int.from_bytes(p.data[4:8], "big") for p in inside] if kind == 1 else [0]
            blocks.append(
                (
                    stream,
                    position,
                    kind,
                    segment.encode_block(
                        second,
                        stream,
                        position,
                        kind,
                        min(stamps),
                        max(stamps),
                        b"".join(p.since.to_bytes(8, "big") for p in inside),
                        b"".join(len(p.data).to_bytes(2, "big") for p in inside),
                        b"".join(p.data for p in inside),
                    ),
                )
            )
        return blocks

    def salt(self, second: int, stream: int, position: int, kind: int) -> bytes:
        return hashing.block_salt(self.key, second, stream, position, kind)

    def seal_second(self, second: int) -> None:
        blocks = self.cut(second)
        entries = [
            (s, p, k, segment.block_commitment(self.salt(second, s, p, k), data)) for s, p, k, data in blocks
        ]
        plain = sha256(
            hashing.tag("blocks")
            + struct.pack(">II", second, len(entries))
            + b"".join(struct.pack(">HBB32s", *entry) for entry in entries)
        )
        content = b"".join(data for *_, data in blocks)
        ciphertext = hashlib.shake_256(self.key + content).digest(len(content) + 16)
        self.blocks.append(blocks)
        self.roots.append(plain)
        self.ciphertexts.append(ciphertext)
        self.hashes.append(segment.segment_hash(second, len(ciphertext), plain, sha256(ciphertext)))

    def event(self, since: int, facts: dict[str, Any], raw: bytes = b"") -> None:
        number = len(self.events)
        data = segment.Event(number, since, self.start_wall + since, facts, raw).encode()
        commitment = segment.event_commitment(hashing.event_salt(self.key, number), data)
        ciphertext = hashlib.shake_256(self.key + data).digest(len(data) + 16)
        self.events.append(data)
        self.event_commitments.append(commitment)
        self.event_ciphertexts.append(ciphertext)
        self.event_hashes.append(segment.event_hash(number, len(ciphertext), commitment, sha256(ciphertext)))

    def opening(self, which: int) -> bytes:
        return segment.opening_commitment(which, hashing.opening_salt(self.key, which), self.openings[which])

    def step(self, index: int, slot: int, slot_end: int) -> bytes | None:
        """This call's leaf in a slot, or None before its start and after its end."""
        if self.done or self.start_wall >= slot_end:
            return None
        end_wall = self.start_wall + self.duration
        last = self.ends and end_wall < slot_end
        due = max(1, -(-self.duration // NS)) if last else (slot_end - self.start_wall) // NS
        first_segment, first_event, first = len(self.hashes), len(self.events), not self.leaves
        for second in range(first_segment, due):
            self.seal_second(second)
        if first:
            facts = {"type": "sip", "direction": "in", "transport": "udp", "local": "l", "remote": "r"}
            self.event(0, facts, self.invite)
        if last:
            self.event(self.duration, {"type": "end", "cause": 1, "who": 1})
        leaf = calls.CallLeaf(
            self.lane,
            self.number,
            slot,
            index,
            self.chain,
            first_segment,
            due - first_segment,
            hash_root(self.hashes[first_segment:]),
            first_event,
            len(self.events) - first_event,
            hash_root(self.event_hashes[first_event:]),
            len(self.table),
            hash_root(self.stream_hashes()),
            tuple(self.count(s, k, first_segment, due) for s, k in self.streams),
            self.first() if first else None,
            self.last() if last else None,
            self.flags,
        )
        self.done = last
        made = self.change(leaf).encode()
        self.chain = calls.chain_hash(made)
        self.leaves.append(made)
        self.places.append((index, slot))
        return made

    def first(self) -> calls.First:
        """What its first leaf says of its beginning."""
        return calls.First(
            self.handle,
            self.start_wall,
            NS,
            hashing.call_key_hash(self.key),
            sha256(self.custodians),
            sha256(self.wraps),
            *(self.opening(which) for which in (1, 2, 3, 4)),
        )

    def last(self) -> calls.Last:
        """What its last leaf says of its end and of the whole."""
        return calls.Last(
            len(self.hashes),
            len(self.events),
            self.cause,
            1,
            hash_root(self.hashes),
            self.opening(5),
            self.start_wall + self.duration,
            self.duration,
        )

    def change(self, leaf: calls.CallLeaf) -> calls.CallLeaf:
        """A dishonest operator's chance: what is sealed in place of this leaf."""
        return leaf

    def stream_hashes(self) -> list[bytes]:
        return [
            segment.stream_hash(n, hashing.stream_salt(self.key, n), data)
            for n, data in enumerate(self.table)
        ]

    def count(self, stream: int, kind: int, first: int, end: int) -> calls.StreamCount:
        empty, total = 0, self._totals.get((stream, kind), 0)
        for n in range(first, end):
            here = sum((p.stream, p.kind) == (stream, kind) for p in self.second(n))
            total += here
            if not here:
                empty |= 1 << (127 - (n - first))
        self._totals[stream, kind] = total
        lost = self.lost.get(stream, 0)
        return calls.StreamCount(stream, kind, total, total + lost, lost, 0, 0, 0, empty.to_bytes(16, "big"))
