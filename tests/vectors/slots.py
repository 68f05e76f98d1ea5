"""The slot tree by its definition, and two of its leaves (FORMATS §3, §5)."""

from __future__ import annotations

from tests.vectors.basis import (
    INDEX,
    SLOT,
    derive,
    sample,
    sha,
    tag,
    u,
)


def tree(slot_key: bytes, leaves: dict[int, bytes]) -> tuple[bytes, dict[int, bytes]]:
    """Root and the paths of all used lanes, by the definition of a node."""

    def node(level: int, position: int) -> bytes:
        low, high = position << level, (position + 1) << level
        if not any(low <= lane < high for lane in leaves):
            return derive(slot_key, "filler", u(8, level), u(32, position))
        if level == 0:
            salt = derive(slot_key, "salt/lane", u(32, position))
            return sha(tag("lane"), u(32, position), salt, leaves[position])
        return sha(b"\x01", node(level - 1, 2 * position), node(level - 1, 2 * position + 1))

    paths = {lane: b"".join(node(i, (lane >> i) ^ 1) for i in range(16)) for lane in leaves}
    return node(16, 0), paths


SLOT_LEAF = b"".join(
    [b"mcslot\x00\x01", u(64, SLOT), u(64, INDEX), u(64, 43), u(64, 6), u(32, 1), u(32, 1), bytes(16)]
)
NOTE_LEAF = b"".join(
    [b"mcnote\x00\x01", u(16, 4), u(16, 0), u(32, 65535), u(64, 5), u(64, SLOT), u(64, INDEX)]
)
NOTE_LEAF += sample("object") + bytes(8)
