"""A small recorder for tests: it makes logs, calls, bundles and vault objects by docs/FORMATS.md.

Everything is settled by arguments, so that a test can also play the dishonest operator: change what
is recorded, sealed, listed or signed, and see whether it shows.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from memcon.record import beat as beats
from memcon.record import call as calls
from memcon.record import canonical, hashing, opened, segment, slottree
from memcon.record.bundle import write_bundle
from memcon.record.config import PARTS, commit_parts, config_root, hash_root
from memcon.record.hashing import ZERO32, sha256
from memcon.record.opened import Opened, OpenedBlock, OpenedEvent, OpenedSegment, ProvenBeat
from memcon.record.statement import Genesis
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.cosignature import Cosignature, mldsa44_message
from memcon.tlog.merkle import inclusion_proof, leaf_hash, root
from memcon.tlog.note import COSIGNATURE_MLDSA44, ED25519, Note, Signature, VerifierKey
from memcon.tlog.tiles import TileWriter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NS = 1_000_000_000
START = 1_800_000_000
ORIGIN = "recorder.example/1"
IDENTITY = f"urn:memcon:{sha256(ORIGIN.encode()).hex()[:16]}:call:1"
STRUCTURE = sha256(b"structure")
INSTANCE = sha256(b"instance")[:16]


def pseudo(name: str, size: int) -> bytes:
    """Bytes that look random and are always the same."""
    return hashlib.shake_256(name.encode()).digest(size)


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


def make_keys(name: str) -> tuple[Ed25519PrivateKey, MLDSA44PrivateKey]:
    """Signing keys from a name."""
    ed = Ed25519PrivateKey.from_private_bytes(sha256(name.encode()))
    return ed, MLDSA44PrivateKey.from_seed_bytes(sha256(name.encode() + b"ml"))


@dataclass
class World:
    """A log and what its slots hold."""

    origin: str = ORIGIN
    period_ms: int = 2000
    mldsa: bool = True
    key_name: str = "log"
    entries: list[bytes] = field(default_factory=list)
    statements: dict[str, bytes] = field(default_factory=dict)
    trees: dict[int, slottree.SlotTree] = field(default_factory=dict)
    records: list[bytes] = field(default_factory=list)
    slot: int = 0
    next_call: int = 1
    next_note: int = 1
    config: dict[str, bytes] = field(default_factory=dict)
    statement_keys: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        self.slot = START * 1000 // self.period_ms
        self.ed, self.ml = make_keys(self.key_name)
        self.config = self.config or self.default_config()

    def default_config(self) -> dict[str, bytes]:
        """The configuration parts."""
        parts = {name: canonical.dumps({"part": name}) for name in PARTS}
        parts["keys"] = canonical.dumps({"receipt": "00" * 32, "log": list(self.vkeys())})
        parts["custodians"] = canonical.dumps([])
        return parts

    def keys(self) -> list[VerifierKey]:
        """The log's public keys."""
        keys = [VerifierKey(self.origin, ED25519, self.ed.public_key().public_bytes_raw())]
        if self.mldsa:
            raw = self.ml.public_key().public_bytes_raw()
            keys.append(VerifierKey(self.origin, COSIGNATURE_MLDSA44, raw))
        return keys

    def vkeys(self) -> list[str]:
        return [str(key) for key in self.keys()]

    def config_root(self) -> bytes:
        return config_root(commit_parts(STRUCTURE, self.config))

    def state(self, data: bytes) -> bytes:
        """Keep a statement; its hash."""
        self.statements[sha256(data).hex()] = data
        return sha256(data)

    def genesis(self, said: Genesis | None = None, *, flags: int = 0) -> None:
        """Begin the log."""
        keys = self.statement_keys if self.statement_keys is not None else tuple(self.vkeys())
        said = said or Genesis(self.origin, self.period_ms, 3, 2, "2027-01-15T08:00:00Z", keys)
        tree = slottree.SlotTree(hashing.slot_key(STRUCTURE, 0, self.slot), {})
        leaf = beats.Beat(
            beats.Kind.GENESIS,
            beats.State.OFF,
            self.period_ms,
            0,
            self.slot,
            bytes(16),
            beats.wrap_slot_root(self.origin, 0, self.slot, slottree.DEPTH, tree.root),
            self.config_root(),
            statement=self.state(said.encode()),
            flags=flags,
        )
        self.entries.append(leaf.encode())
        self.slot += 1

    def beat(
        self, calls_: Iterable[Call] = (), *, notes: int = 0, skip: int = 0, **changes: Any
    ) -> beats.Beat:
        """Seal one slot, with a leaf of each call that is open in it."""
        self.slot += skip
        index, slot = len(self.entries), self.slot
        leaves: dict[int, bytes] = {}
        for call in calls_:
            made = call.step(index, slot, (slot + 1) * self.period_ms * 1_000_000)
            if made is not None:
                leaves[call.lane] = made
                self.next_call = max(self.next_call, call.number + 1)
        for n in range(notes):
            lane = 60000 + n
            note = slottree.NoteLeaf(4, lane, self.next_note, slot, index, sha256(b"object"))
            leaves[lane] = note.encode()
            self.next_note += 1
        slot_leaf = slottree.SlotLeaf(slot, index, self.next_call, self.next_note, len(leaves) - notes, notes)
        leaves[0] = slot_leaf.encode()
        tree = slottree.SlotTree(hashing.slot_key(STRUCTURE, index, slot), leaves)
        self.trees[index] = tree
        self.records.append(slottree.encode_slot_record(index, slot, leaves))
        beat = beats.Beat(
            beats.Kind.BEAT,
            beats.State.RECORDING,
            self.period_ms,
            index,
            slot,
            INSTANCE,
            beats.wrap_slot_root(self.origin, index, slot, slottree.DEPTH, tree.root),
            self.config_root(),
        )
        beat = replace(beat, **changes)
        self.entries.append(beat.encode())
        self.slot += 1
        return beat

    def sign(self, text: bytes) -> bytes:
        """A note over a checkpoint's text, with the log's keys."""
        signatures = []
        for key in self.keys():
            if key.kind == ED25519:
                blob = self.ed.sign(text)
            else:
                message = mldsa44_message(key.name, 0, Checkpoint.parse(text))
                blob = Cosignature(0, self.ml.sign(message)).to_bytes()
            signatures.append(Signature(key.name, key.key_id, blob))
        return Note(text, tuple(signatures)).to_bytes()

    def checkpoint(self, size: int | None = None) -> bytes:
        """The signed checkpoint."""
        entries = self.entries[:size]
        text = Checkpoint(self.origin, len(entries), root([leaf_hash(e) for e in entries])).to_bytes()
        return self.sign(text)

    def files(self, *, step: int | None = None) -> dict[str, bytes]:
        """The log's files; with `step`, as a log that grew by so many leaves at a time has them."""
        writer, files = TileWriter(), dict[str, bytes]()
        step = step or max(1, len(self.entries))
        for at in range(0, len(self.entries), step):
            writer, made = writer.append(self.entries[at : at + step])
            files |= made
        files |= {f"statement/{name}": data for name, data in self.statements.items()}
        files["checkpoint"] = self.checkpoint()
        return files

    def proven(self, index: int, size: int | None = None) -> ProvenBeat:
        """A leaf with its inclusion proof."""
        hashes = [leaf_hash(e) for e in self.entries[:size]]
        return ProvenBeat(index, self.entries[index], tuple(inclusion_proof(index, hashes)))


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


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
        part = None
        if first:
            part = calls.First(
                self.handle,
                self.start_wall,
                NS,
                hashing.call_key_hash(self.key),
                sha256(self.custodians),
                sha256(self.wraps),
                *(self.opening(which) for which in (1, 2, 3, 4)),
            )
        end = None
        if last:
            root_ = hash_root(self.hashes)
            end = calls.Last(
                len(self.hashes),
                len(self.events),
                self.cause,
                1,
                root_,
                self.opening(5),
                end_wall,
                self.duration,
            )
            self.done = True
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
            part,
            end,
            self.flags,
        )
        made = self.change(leaf).encode()
        self.chain = calls.chain_hash(made)
        self.leaves.append(made)
        self.places.append((index, slot))
        return made

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


@dataclass
class Bundle:
    """The parts of a bundle, to be changed before it is packed."""

    world: World
    call: Call
    size: int
    checkpoint: bytes
    beats: list[ProvenBeat]
    leaves: list[calls.PlacedLeaf]
    media: list[OpenedSegment]
    events: list[OpenedEvent]
    streams: list[Opened]
    openings: list[tuple[int, Opened]]
    config: list[tuple[str, Opened]]
    statements: dict[str, bytes]
    policy: bytes

    def files(self) -> dict[str, bytes]:
        """The bundle's entries but for the manifest."""
        n = self.call.number
        files = {
            "README.txt": b"How to check it.\n",
            "checkpoint": self.checkpoint,
            "policy": self.policy,
            "beats.mcb": opened.encode_beats(self.size, self.beats),
            "leaves.mcl": calls.encode_leaves_head(n) + b"".join(leaf.encode() for leaf in self.leaves),
            "media.mcb": b"".join(opened.encode_media(n, self.media)),
            "events.mcb": opened.encode_events(n, self.events),
            "streams.mcb": opened.encode_streams(n, self.streams),
            "openings.mcb": opened.encode_openings(n, self.openings),
            "config.mcb": opened.encode_config(self.config),
        }
        return files | {f"statement/{name}": data for name, data in self.statements.items()}

    def pack(self) -> bytes:
        """The bundle's bytes."""
        return write_bundle(self.world.origin, self.call.number, self.files())


def bundle(
    world: World, call: Call, *, withhold: Iterable[tuple[int, int]] = (), size: int | None = None
) -> Bundle:
    """A bundle of a call; `withhold` names (second, stream) pairs whose blocks are not shown."""
    hidden = set(withhold)
    tree_size = size or len(world.entries)
    media = []
    for n, blocks in enumerate(call.blocks):
        items = []
        for stream, position, kind, data in blocks:
            salt = call.salt(n, stream, position, kind)
            shown = Opened(data, salt)
            if (n, stream) in hidden:
                shown = Opened(None, commitment=segment.block_commitment(salt, data))
            items.append(OpenedBlock(stream, position, kind, shown))
        ciphertext = call.ciphertexts[n]
        media.append(OpenedSegment(n, len(ciphertext), sha256(ciphertext), items))
    events = [
        OpenedEvent(n, len(ct), sha256(ct), Opened(call.events[n], hashing.event_salt(call.key, n)))
        for n, ct in enumerate(call.event_ciphertexts)
    ]
    streams = [Opened(data, hashing.stream_salt(call.key, n)) for n, data in enumerate(call.table)]
    shown_openings = [
        (which, Opened(data, hashing.opening_salt(call.key, which)))
        for which, data in call.openings.items()
        if which < 5 or call.done
    ]
    config = [(name, Opened(world.config[name], hashing.config_salt(STRUCTURE, name))) for name in PARTS]
    genesis = beats.decode(world.entries[0])
    return Bundle(
        world,
        call,
        tree_size,
        world.checkpoint(tree_size),
        [world.proven(index, tree_size) for index in (0, *(index for index, _ in call.places))],
        placed(world, call),
        media,
        events,
        streams,
        shown_openings,
        config,
        {genesis.statement.hex(): world.statements[genesis.statement.hex()]},
        "".join(f"log {vkey}\n" for vkey in world.vkeys()).encode() + b"quorum none\n",
    )


def placed(world: World, call: Call) -> list[calls.PlacedLeaf]:
    """A call's leaves with their paths."""
    return [
        calls.PlacedLeaf(
            leaf,
            index,
            slot,
            call.lane,
            world.trees[index].salt(call.lane),
            world.trees[index].path(call.lane),
        )
        for leaf, (index, slot) in zip(call.leaves, call.places, strict=True)
    ]


def vault_files(world: World, call: Call) -> dict[str, bytes]:
    """The logical files of a call's vault object."""
    media = segment.encode_sealed_head(segment.MEDIA_MAGIC, call.number)
    for n, (plain, ct) in enumerate(zip(call.roots, call.ciphertexts, strict=True)):
        media += segment.Sealed(n, plain, memoryview(ct)).encode()
    events = segment.encode_sealed_head(segment.EVENTS_MAGIC, call.number)
    for n, (commitment, ct) in enumerate(zip(call.event_commitments, call.event_ciphertexts, strict=True)):
        events += segment.Sealed(n, commitment, memoryview(ct)).encode()
    indexes = (0, *(index for index, _ in call.places))
    return {
        "media.mcs": media,
        "events.mce": events,
        "leaves.mcl": calls.encode_leaves_head(call.number)
        + b"".join(leaf.encode() for leaf in placed(world, call)),
        "wraps.json": call.wraps,
        "custodians.json": call.custodians,
        "record.mcr": segment.RECORD_MAGIC + pseudo("record", 90),
        "beats.mcb": opened.encode_beats(len(world.entries), [world.proven(i) for i in indexes]),
        "checkpoint": world.checkpoint(),
    }


def ocfl_object(files: dict[str, bytes], identity: str = IDENTITY) -> dict[str, bytes]:
    """The files of an OCFL 1.1 object with one version."""
    state: dict[str, list[str]] = {}
    for name, data in files.items():
        state.setdefault(hashlib.sha512(data).hexdigest(), []).append(name)
    inventory = {
        "id": identity,
        "type": "https://ocfl.io/1.1/spec/#inventory",
        "digestAlgorithm": "sha512",
        "head": "v1",
        "manifest": {digest: [f"v1/content/{names[0]}"] for digest, names in state.items()},
        "versions": {
            "v1": {
                "created": "2027-01-15T09:00:00Z",
                "message": "kept",
                "user": {"name": "memcon"},
                "state": state,
            }
        },
    }
    raw = json.dumps(inventory, indent=1).encode()
    sidecar = f"{hashlib.sha512(raw).hexdigest()} inventory.json\n".encode()
    made = {"0=ocfl_object_1.1": b"ocfl_object_1.1\n"}
    for folder in ("", "v1/"):
        made[f"{folder}inventory.json"] = raw
        made[f"{folder}inventory.json.sha512"] = sidecar
    return made | {f"v1/content/{names[0]}": files[names[0]] for names in state.values()}


def begun(*, mldsa: bool = False, **settings: Any) -> World:
    """A log that has begun and has one beat."""
    world = World(mldsa=mldsa, **settings)
    world.genesis()
    world.beat()
    return world


def simple(
    seconds: float = 5, *, world: World | None = None, after: int = 1, call: Call | None = None
) -> tuple[World, Call]:
    """A log with one call of two streams in it and some beats around."""
    world = world or begun()
    call = call or Call(world, duration=int(seconds * NS), packets=[*speech(seconds, 0), *speech(seconds, 2)])
    while not call.done:
        world.beat([call])
    for _ in range(after):
        world.beat()
    return world, call
