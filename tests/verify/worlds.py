"""The log of a small recorder for tests: its keys, leaves, statements and slots by docs/FORMATS.md."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from memcon.record import beat as beats
from memcon.record import canonical, hashing, slottree
from memcon.record.config import PARTS, commit_parts, config_root
from memcon.record.hashing import sha256
from memcon.record.opened import ProvenBeat
from memcon.record.statement import Genesis
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.cosignature import Cosignature, mldsa44_message
from memcon.tlog.merkle import inclusion_proof, leaf_hash, root
from memcon.tlog.note import COSIGNATURE_MLDSA44, ED25519, Note, Signature, VerifierKey
from memcon.tlog.tiles import TileWriter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.verify.recorded import Call

NS = 1_000_000_000
START = 1_800_000_000
ORIGIN = "recorder.example/1"
IDENTITY = f"urn:memcon:{sha256(ORIGIN.encode()).hex()[:16]}:call:1"
STRUCTURE = sha256(b"structure")
INSTANCE = sha256(b"instance")[:16]


def pseudo(name: str, size: int) -> bytes:
    """Bytes that look random and are always the same."""
    return hashlib.shake_256(name.encode()).digest(size)


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


def begun(*, mldsa: bool = False, **settings: Any) -> World:
    """A log that has begun and has one beat."""
    world = World(mldsa=mldsa, **settings)
    world.genesis()
    world.beat()
    return world
