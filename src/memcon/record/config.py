"""The configuration root in each beat, part by part (FORMATS §9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.record.hashing import config_salt, sha256, tag
from memcon.tlog.merkle import leaf_hash, root

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS = ("custodians", "fleet", "keys", "lines", "recorder", "software")


def config_commitment(name: str, salt: bytes, part: bytes) -> bytes:
    """Commitment of one part, 32 bytes."""
    raw = name.encode("ascii")
    return sha256(tag("config") + bytes([len(raw)]) + raw + salt + part)


def hash_root(hashes: list[bytes]) -> bytes:
    """Root over 32-byte values, as FORMATS uses the word."""
    return root([leaf_hash(h) for h in hashes])


def config_root(commitments: Mapping[str, bytes]) -> bytes:
    """The root over the commitments of all parts, in the order of PARTS."""
    return hash_root([commitments[name] for name in PARTS])


def commit_parts(structure_key: bytes, parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Commitments of `parts` (name -> canonical JSON) under the recorder's structure key."""
    return {name: config_commitment(name, config_salt(structure_key, name), parts[name]) for name in PARTS}
