"""The beat: the 256-byte public leaf, one per slot (FORMATS §2), and the slot root it shows (§3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from memcon.errors import FormatError
from memcon.record.hashing import ZERO32, sha256, tag
from memcon.record.layout import Layout, Problem, refuse_to_read, refuse_to_write

MAGIC = b"memcon\x00\x01"
SIZE = 256
_LAYOUT = Layout("beat", ">8sBBHIQQ16s32s32s32sQQ32s32s32s")
_WRAP = Layout("slot root", ">QQB32s")

FLAG_LATE_BACKLOG = 1
FLAG_CLOCK_STEP = 2
FLAG_RESTORED = 4
_FLAGS = FLAG_LATE_BACKLOG | FLAG_CLOCK_STEP | FLAG_RESTORED


class Kind(IntEnum):
    GENESIS = 0
    BEAT = 1
    TOMBSTONE = 2


class State(IntEnum):
    RECORDING = 1
    DEGRADED = 2
    PARTLY_OFF = 3
    OFF = 4


@dataclass(frozen=True, slots=True)
class Beat:
    """One public leaf. Hashes are 32 bytes, `instance` 16; absent hashes are 32 zero bytes."""

    kind: Kind
    state: State
    period_ms: int
    index: int
    slot: int
    instance: bytes
    slot_root: bytes
    config_root: bytes
    flags: int = 0
    note_hash: bytes = ZERO32
    note_size: int = 0
    drand_round: int = 0
    drand_hash: bytes = ZERO32
    statement: bytes = ZERO32

    def encode(self) -> bytes:
        """The 256 bytes that go into the log. Raises LocalError for what could not be read back."""
        refuse_to_write("beat", self._problem())
        return _LAYOUT.pack(
            MAGIC,
            self.kind,
            self.state,
            self.flags,
            self.period_ms,
            self.index,
            self.slot,
            self.instance,
            self.slot_root,
            self.config_root,
            self.note_hash,
            self.note_size,
            self.drand_round,
            self.drand_hash,
            self.statement,
            ZERO32,
        )

    def _problem(self) -> Problem:
        if self.flags & ~_FLAGS:
            return f"flags {self.flags:#06x} are unknown", 10
        if self.period_ms == 0:
            return "a period of 0 ms", 12
        if (self.kind == Kind.GENESIS) != (self.index == 0):
            return f"index {self.index} in a leaf of kind {self.kind:d}: genesis is index 0", 16
        if self.kind == Kind.GENESIS:
            return self._genesis_problem()
        return None

    def _genesis_problem(self) -> Problem:
        if self.state != State.OFF:
            return f"genesis in state {self.state:d}, not 4", 9
        if any(self.instance):
            return "genesis has an instance", 32
        if self.statement == ZERO32:
            return "genesis names no statement", 192
        return None

    def slot_start_ns(self) -> int:
        """Wall time at which the slot began, in ns."""
        return self.slot * self.period_ms * 1_000_000

    def slot_end_ns(self) -> int:
        """Wall time at which the slot ended, in ns."""
        return (self.slot + 1) * self.period_ms * 1_000_000


def decode(data: bytes) -> Beat:
    """Read a public leaf; raises FormatError naming the field's offset."""
    if len(data) != SIZE:
        raise FormatError("beat", f"is {len(data)} bytes long, not {SIZE}")
    (
        magic,
        kind,
        state,
        flags,
        period,
        index,
        slot,
        instance,
        root,
        config,
        note,
        size,
        round_,
        drand,
        said,
        rest,
    ) = _LAYOUT.unpack(data)
    if magic != MAGIC:
        raise FormatError("beat", "does not begin with the magic", where=0)
    if kind not in Kind.__members__.values():
        raise FormatError("beat", f"kind {kind} is unknown", where=8)
    if state not in State.__members__.values():
        raise FormatError("beat", f"state {state} is unknown", where=9)
    if rest != ZERO32:
        raise FormatError("beat", "reserved bytes are not zero", where=224)
    beat = Beat(
        Kind(kind),
        State(state),
        period,
        index,
        slot,
        instance,
        root,
        config,
        flags,
        note,
        size,
        round_,
        drand,
        said,
    )
    refuse_to_read("beat", beat._problem())
    return beat


def wrap_slot_root(origin: str, index: int, slot: int, depth: int, root: bytes) -> bytes:
    """The slot root as the beat shows it (FORMATS §3): tied to the log, the index and the slot."""
    try:
        name = sha256(origin.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise FormatError("origin", "is no UTF-8 text", where=error.start) from error
    return sha256(tag("slot") + name + _WRAP.pack(index, slot, depth, root))


def slot_of(wall_ns: int, period_ms: int) -> int:
    """The slot a wall time falls into."""
    return wall_ns // (period_ms * 1_000_000)
