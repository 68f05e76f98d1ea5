"""The beginning of a log: the genesis statement, leaf 0, its tiles and its checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.clock import utc
from memcon.errors import FormatError
from memcon.record import beat
from memcon.record.hashing import ZERO32, slot_key
from memcon.record.slottree import DEPTH, SlotTree
from memcon.record.statement import Genesis, decode
from memcon.seal.keys import CheckpointSigner
from memcon.store import durable
from memcon.store.tiles import LogStore

if TYPE_CHECKING:
    from memcon.seal.keys import Keys
    from memcon.store.paths import Home

PERIOD_MS = 10_000
B = 3
G = 2


def create_log(
    home: Home,
    keys: Keys,
    origin: str,
    wall_ns: int,
    *,
    period_ms: int = PERIOD_MS,
    b: int = B,
    g: int = G,
    config_root: bytes = ZERO32,
    predecessor: str | None = None,
) -> bytes:
    """Begin the log of `home` at `wall_ns`; returns the checkpoint of size 1.

    Period, B and G (in periods) hold for the life of the log. Raises UsageError where there is a
    log, FormatError for a cadence that no verifier accepts.
    """
    signer = CheckpointSigner(keys, origin)
    created = utc(wall_ns)
    vkeys = tuple(str(key) for key in signer.vkeys)
    statement = Genesis(origin, period_ms, b, g, created, vkeys, predecessor).encode()
    decode(statement)  # the reader's bounds are the writer's
    slot = beat.slot_of(wall_ns, period_ms)
    root = SlotTree(slot_key(keys.structure, 0, slot), {}).root
    store = LogStore(home.log)
    durable.make_dirs(home.root)
    leaf = beat.Beat(
        kind=beat.Kind.GENESIS,
        state=beat.State.OFF,
        period_ms=period_ms,
        index=0,
        slot=slot,
        instance=bytes(16),
        slot_root=beat.wrap_slot_root(origin, 0, slot, DEPTH, root),
        config_root=config_root,
        statement=store.add_statement(statement),
    )
    return store.create(origin, [leaf.encode()], signer)


def read_genesis(store: LogStore) -> tuple[beat.Beat, Genesis]:
    """Leaf 0 and its statement; FormatError where they are not what a log begins with."""
    leaf = beat.decode(next(store.entries(0, 1)))
    data = store.fetch(f"statement/{leaf.statement.hex()}")
    if leaf.kind != beat.Kind.GENESIS or data is None:
        raise FormatError("log", "leaf 0 is no genesis, or its statement is not there", where="leaf 0")
    statement = decode(data)
    if not isinstance(statement, Genesis):
        raise FormatError("log", "leaf 0 does not name a genesis statement", where="leaf 0")
    return leaf, statement
