"""A slot becomes a beat: lanes, slot tree, slot record, log entry, checkpoint.

Lanes are random to anyone without the structure key and the same after every crash: the lane of a
call is D(X, `lane`, handle || u32 attempt), of a NOTE D(X, `lane`, u64 note number || u32 attempt),
its first eight bytes modulo 65,535, plus 1; the first attempt (from 0) whose lane is free counts.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import beat, hashing, slottree
from memcon.record.hashing import ZERO32
from memcon.record.slottree import DEPTH, LANES, SlotTree
from memcon.seal.genesis import read_genesis
from memcon.seal.keys import CheckpointSigner
from memcon.seal.slots_file import SlotsFile
from memcon.store.tiles import LogStore

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from memcon.clock import Clock
    from memcon.seal.keys import Keys
    from memcon.store.paths import Home

_NUMBER = struct.Struct(">Q")
_ATTEMPT = struct.Struct(">I")
MAX_IN_SLOT = LANES - 1


def free_lane(structure_key: bytes, name: bytes, used: Collection[int]) -> int:
    """The lane of `name`; there must be a free one."""
    attempt = 0
    while True:
        digest = hashing.derive(structure_key, "lane", name + _ATTEMPT.pack(attempt))
        lane = _NUMBER.unpack_from(digest)[0] % MAX_IN_SLOT + 1
        if lane not in used:
            return int(lane)
        attempt += 1


def note_name(number: int) -> bytes:
    """What the lane of a NOTE is derived from."""
    return _NUMBER.pack(number)


@dataclass(frozen=True, slots=True)
class Published:
    """A beat that stands in the log. `made`, `published`: wall, ns; `elapsed`: monotonic ns between."""

    beat: beat.Beat
    tree: SlotTree
    made: int
    published: int
    elapsed: int


class Sequencer:
    """Appends beats to the log of one home; the only writer of `log/` and `slots/`.

    The order in which a beat becomes public: slot record (synced), entry bundle, tiles (synced),
    checkpoint. After a crash between them `open` finds either a slot record without a beat, which
    it cuts off, or a beat without a checkpoint, which it publishes.
    """

    def __init__(self, home: Home, keys: Keys, clock: Clock) -> None:
        self._clock = clock
        self._structure = keys.structure
        self.store = LogStore(home.log)
        self.slots = SlotsFile(home)
        self.origin = self.store.checkpoint().origin
        self._sign = CheckpointSigner(keys, self.origin)
        self.store.open(self._sign)  # before anything is read: a power cut may have emptied partial tiles
        self.genesis, statement = read_genesis(self.store)
        if statement.origin != self.origin:
            raise FormatError("log", f"its checkpoint is of {self.origin}, leaf 0 of {statement.origin}")
        self.period_ms, self.b = statement.period_ms, statement.b
        self.last = self.beat_at(self.store.size - 1)

    @property
    def period_ns(self) -> int:
        return self.period_ms * 1_000_000

    @property
    def next_index(self) -> int:
        return self.store.size

    def beat_at(self, index: int) -> beat.Beat:
        """A beat that is in the log."""
        return beat.decode(next(self.store.entries(index, index + 1)))

    def tree(self, index: int, slot: int, leaves: Mapping[int, bytes]) -> SlotTree:
        """The tree of a slot."""
        return SlotTree(hashing.slot_key(self._structure, index, slot), leaves)

    def publish(
        self,
        slot: int,
        leaves: Mapping[int, bytes],
        *,
        state: beat.State,
        flags: int,
        instance: bytes,
        config_root: bytes,
        statement: bytes = ZERO32,
        note: tuple[bytes, int] = (ZERO32, 0),
        drand: tuple[int, bytes] = (0, ZERO32),
    ) -> Published:
        """Make the beat of a slot and return when its checkpoint stands.

        `note` is the quorum-cosigned note it names: hash and tree size; `drand` the round: number and H of
        its signature.
        """
        index = self.next_index
        made, since = self._clock.wall_ns(), self._clock.monotonic_ns()
        tree = self.tree(index, slot, leaves)
        leaf = beat.Beat(
            kind=beat.Kind.BEAT,
            state=state,
            period_ms=self.period_ms,
            index=index,
            slot=slot,
            instance=instance,
            slot_root=beat.wrap_slot_root(self.origin, index, slot, DEPTH, tree.root),
            config_root=config_root,
            flags=flags,
            note_hash=note[0],
            note_size=note[1],
            drand_round=drand[0],
            drand_hash=drand[1],
            statement=statement,
        )
        record = slottree.encode_slot_record(index, slot, leaves)
        self.slots.append(slot * self.period_ns, instance, record)
        self.store.publish(self.origin, [leaf.encode()], self._sign)
        self.last = leaf
        elapsed = self._clock.monotonic_ns() - since
        return Published(leaf, tree, made, self._clock.wall_ns(), elapsed)

    def close(self) -> None:
        self.slots.close()
