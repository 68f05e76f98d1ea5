"""Vectors of beats and statements (FORMATS §2, §10)."""

from __future__ import annotations

from typing import Any

from tests.vectors.basis import (
    INDEX,
    ORIGIN,
    PERIOD_MS,
    SLOT,
    ZERO32,
    X,
    canonical,
    derive,
    sample,
    sha,
    tag,
    u,
)
from tests.vectors.slots import tree


def beat(kind: int, state: int, index: int, slot: int, **more: Any) -> bytes:
    fields = [
        b"memcon\x00\x01",
        u(8, kind) + u(8, state) + u(16, more.get("flags", 0)) + u(32, PERIOD_MS),
        u(64, index) + u(64, slot),
        more.get("instance", sample("instance")[:16]),
        more["slot_root"],
        sample("configuration root"),
        more.get("note", ZERO32) + u(64, more.get("note_size", 0)),
        u(64, more.get("drand_round", 0)) + more.get("drand", ZERO32),
        more.get("statement", ZERO32),
        ZERO32,
    ]
    return b"".join(fields)


def wrap(index: int, slot: int, tree_root: bytes) -> bytes:
    return sha(tag("slot"), sha(ORIGIN.encode()), u(64, index), u(64, slot), u(8, 16), tree_root)


GENESIS_STATEMENT = canonical(
    {
        "kind": "genesis", "origin": ORIGIN, "period_ms": PERIOD_MS, "b": 3, "g": 2,
        "created": "2026-11-24T00:00:00Z",
        "keys": ["memcon.example/calls/1+00000000+AQ=="],
        "predecessor": None,
    }
)  # fmt: skip
OFF_STATEMENT = canonical(
    {
        "kind": "off",
        "origin": ORIGIN,
        "slot": SLOT + 9,
        "by": "duty officer",
        "how": "console",
        "reason": "maintenance – Wartung",
        "lines": ["line-1"],
    }
)


ON_STATEMENT = canonical(
    {
        "kind": "on", "origin": ORIGIN, "slot": SLOT + 20, "by": "duty officer", "how": "console",
        "reason": "maintenance over", "lines": [],
    }
)  # fmt: skip
EXPLANATION = canonical(
    {
        "kind": "explanation", "origin": ORIGIN, "first": SLOT + 12, "last": SLOT + 14,
        "by": "duty officer", "how": "console", "reason": "a fuse",
    }
)  # fmt: skip


def beats() -> dict[str, Any]:
    fillers = tree(derive(X, "slotkey", u(64, 0), u(64, SLOT - 7)), {})[0]
    leaves = {
        "genesis": beat(
            0, 4, 0, SLOT - 7, instance=bytes(16), slot_root=wrap(0, SLOT - 7, fillers),
            statement=sha(GENESIS_STATEMENT),
        ),
        "beat": beat(
            1, 1, INDEX, SLOT, slot_root=wrap(INDEX, SLOT, sample("root")), note=sample("note"),
            note_size=7, drand_round=5_000_000, drand=sample("drand signature"), flags=3,
        ),
        "off": beat(
            1, 4, 8, SLOT + 9, slot_root=wrap(8, SLOT + 9, sample("root")), note=sample("note 2"),
            note_size=8, statement=sha(OFF_STATEMENT),
        ),
        "tombstone": beat(2, 4, 9, SLOT + 10, slot_root=wrap(9, SLOT + 10, sample("root")), flags=4),
    }  # fmt: skip
    return {
        "origin": ORIGIN,
        "leaves": {name: leaf.hex() for name, leaf in leaves.items()},
        "wrapped": {
            "index": INDEX, "slot": SLOT, "root": sample("root").hex(),
            "value": wrap(INDEX, SLOT, sample("root")).hex(),
        },
        "statements": {
            "genesis": GENESIS_STATEMENT.hex(),
            "off": OFF_STATEMENT.hex(),
            "on": ON_STATEMENT.hex(),
            "explanation": EXPLANATION.hex(),
        },
        "line": {"name": "Kabinett ☎", "pseudonym": derive(X, "line", "Kabinett ☎".encode())[:8].hex()},
    }  # fmt: skip
