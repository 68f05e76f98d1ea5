"""What sealing tells the office (docs/ARCHITECTURE.md, Feed): a convenience, never a record."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memcon.record.beat import Beat
    from memcon.record.canonical import Json
    from memcon.record.slottree import NoteLeaf
    from memcon.seal.call_state import Call
    from memcon.store.paths import Home


FULL = 64 << 20
"""Bytes. The feed stands in memory (tmpfs): a full one is set aside for the office to finish."""


class Feed:
    """Appends JSON lines to `feed.jsonl` (mode 0600), together at `flush`; nothing is synced."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._path = home.feed
        self._lines: list[str] = []
        self.number = 0

    def tell(self, t: str, **keys: Json) -> None:
        self._lines.append(json.dumps({"t": t, **keys}, separators=(",", ":"), ensure_ascii=False) + "\n")

    def notes(self, placed: Iterable[NoteLeaf]) -> None:
        """NOTEs that stand in the log now."""
        for note in placed:
            self.tell(
                "note",
                hash=note.object_hash.hex(),
                number=note.number,
                type=note.type,
                slot=note.slot,
                index=note.index,
            )

    def beat(self, made: Beat, wall: int, published: int, calls: Iterable[Call]) -> None:
        """A beat that stands in the log now, and how far the open calls had come."""
        self.tell(
            "beat",
            index=made.index,
            slot=made.slot,
            state=int(made.state),
            flags=made.flags,
            wall=wall,
            published=published,
            open={str(c.number): c.progress() for c in calls if c.has_leaf},
        )

    def flush(self) -> None:
        if not self._lines:
            return
        self.number += len(self._lines)
        size = self._size()
        if size is not None and size > FULL:
            durable.set_aside(self._path, self._home.feed_before)
            size = None
        if size is None:
            # No two feeds begin alike, although the same journal is told again after a reboot.
            self._lines.insert(0, json.dumps({"t": "feed", "id": secrets.token_hex(8)}) + "\n")
        durable.append(self._path, "".join(self._lines).encode("utf-8", "replace"))
        self._lines.clear()

    def _size(self) -> int | None:
        """Of the present feed, in bytes; None where there is none."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return None
