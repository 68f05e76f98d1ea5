"""The configuration root in each beat, part by part (FORMATS §9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record.hashing import config_salt, salted, tag, text_field
from memcon.record.layout import brief
from memcon.tlog.merkle import leaf_hash, root

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS = ("custodians", "fleet", "keys", "lines", "recorder", "software")


def config_commitment(name: str, salt: bytes, part: bytes) -> bytes:
    """Commitment of one part, 32 bytes. Raises FormatError for a name that is not short ASCII."""
    return salted(tag("config") + text_field(name, "configuration part name", "ascii"), salt, part)


def hash_root(hashes: list[bytes]) -> bytes:
    """Root over 32-byte values, as FORMATS uses the word."""
    return root([leaf_hash(h) for h in hashes])


def _check_names(parts: Mapping[str, bytes]) -> None:
    if set(parts) != set(PARTS):
        wrong = ", ".join(brief(name) for name in sorted(set(parts) ^ set(PARTS))[:6])
        raise FormatError("configuration", f"parts missing or unknown: {wrong}")


def config_root(commitments: Mapping[str, bytes]) -> bytes:
    """The root over the commitments of all parts, in the order of PARTS; all of them, no others."""
    _check_names(commitments)
    return hash_root([commitments[name] for name in PARTS])


def commit_parts(structure_key: bytes, parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Commitments of `parts` (name -> canonical JSON) under the recorder's structure key."""
    _check_names(parts)
    return {name: config_commitment(name, config_salt(structure_key, name), parts[name]) for name in PARTS}
