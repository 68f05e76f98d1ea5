"""A small recorder for tests: it makes logs, calls, bundles and vault objects by docs/FORMATS.md.

Everything is settled by arguments, so that a test can also play the dishonest operator: change what
is recorded, sealed, listed or signed, and see whether it shows.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.verify.recorded import Call, Packet, rtp, speech
from tests.verify.worlds import (
    IDENTITY,
    INSTANCE,
    NS,
    ORIGIN,
    START,
    STRUCTURE,
    World,
    begun,
    make_keys,
    pseudo,
    write_files,
)

from memcon.record import beat as beats
from memcon.record import call as calls
from memcon.record import hashing, opened, segment
from memcon.record.bundle import write_bundle
from memcon.record.config import PARTS
from memcon.record.hashing import sha256
from memcon.record.opened import Opened, OpenedBlock, OpenedEvent, OpenedSegment, ProvenBeat

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "IDENTITY",
    "INSTANCE",
    "NS",
    "ORIGIN",
    "START",
    "STRUCTURE",
    "Bundle",
    "Call",
    "Packet",
    "World",
    "begun",
    "bundle",
    "make_keys",
    "ocfl_object",
    "placed",
    "pseudo",
    "rtp",
    "simple",
    "speech",
    "vault_files",
    "write_files",
]


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
