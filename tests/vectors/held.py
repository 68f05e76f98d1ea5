"""Vectors of what slots held, and of the structure feed (FORMATS §3, §13, §19)."""

from __future__ import annotations

from typing import Any

from tests.vectors.basis import (
    INDEX,
    LANE,
    ORIGIN,
    SLOT,
    X,
    derive,
    sha,
    tag,
    u,
)
from tests.vectors.calls import call_leaves
from tests.vectors.slots import NOTE_LEAF, SLOT_LEAF, tree


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
