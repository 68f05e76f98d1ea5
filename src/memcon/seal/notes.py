"""NOTEs on their way into a slot (FORMATS §5): configurations, and what the office hands in.

The office hands in by an empty file `work/notes/<type>-<hex of the object's hash>`; it is removed when
the NOTE's beat stands in the log. After a crash between the two a NOTE is not sealed twice where
the newest slots tell of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memcon.errors import LocalError
from memcon.record import canonical
from memcon.record.hashing import sha256
from memcon.record.slottree import NOTE_MAGIC, NOTE_TYPES, decode_note_leaf
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memcon.store.paths import Home

CONFIGURATION = 1
MAX_IN_SLOT = 1024
"""What finds no place waits for the next slot; far below the lanes, so that calls always find one."""
_NAME = re.compile(r"([1-9][0-9]?)-([0-9a-f]{64})")


def submit_note(home: Home, type_: int, digest: bytes) -> None:
    """Ask for a NOTE about an object with this SHA-256; it is sealed in one of the next slots."""
    if type_ not in NOTE_TYPES or len(digest) != 32:
        raise LocalError(f"no NOTE of type {type_} over {len(digest)} bytes")
    path = home.notes / f"{type_}-{digest.hex()}"
    if path.exists():  # it waits already, and stands durably: after a crash thousands are handed in again
        return
    durable.make_dirs(home.notes)
    durable.write_file(path, b"")


class NoteQueue:
    """What waits to be sealed. `next` is the number of the next NOTE that enters a slot."""

    def __init__(self, home: Home, next_number: int) -> None:
        self._home = home
        self.next = next_number
        self._own: list[tuple[int, bytes]] = []
        self._taken: list[tuple[int, bytes]] = []

    def add_config(self, root: bytes, parts: Mapping[str, bytes]) -> None:
        """Keep the parts of a configuration and seal their hash."""
        data = canonical.dumps({name: part.decode("utf-8") for name, part in parts.items()})
        durable.make_dirs(self._home.config_parts)
        durable.write_file(self._home.config_parts / f"{root.hex()}.json", data)
        self._own.append((CONFIGURATION, sha256(data)))

    def config_of(self, root: bytes) -> dict[str, bytes]:
        """The kept parts of a configuration by its root; empty where they are not known."""
        data = durable.read_if_there(self._home.config_parts / f"{root.hex()}.json")
        if data is None:
            return {}
        value = canonical.loads(data, "configuration parts")
        return {name: str(part).encode("utf-8") for name, part in value.items()}

    def take(self) -> list[tuple[int, int, bytes]]:
        """(number, type, hash) of the NOTEs for the slot that closes now."""
        waiting = dict.fromkeys([*self._own, *self._handed_in()])
        self._taken = list(waiting)[:MAX_IN_SLOT]
        first, self.next = self.next, self.next + len(self._taken)
        return [(first + i, type_, digest) for i, (type_, digest) in enumerate(self._taken)]

    def _handed_in(self) -> list[tuple[int, bytes]]:
        folder = self._home.notes
        if not folder.is_dir():
            return []
        found = (_NAME.fullmatch(p.name) for p in sorted(folder.iterdir()))
        notes = ((int(m[1]), bytes.fromhex(m[2])) for m in found if m)
        return [(type_, digest) for type_, digest in notes if type_ in NOTE_TYPES]

    def sealed(self) -> None:
        """The slot they were taken for stands in the log."""
        for note in self._taken:
            self._forget(*note)
        self._taken = []

    def seen(self, leaves: Mapping[int, bytes]) -> None:
        """The leaves of a slot that the log holds already: its NOTEs need not be sealed any more."""
        for leaf in leaves.values():
            if leaf.startswith(NOTE_MAGIC):
                note = decode_note_leaf(leaf)
                self._forget(note.type, note.object_hash)

    def _forget(self, type_: int, digest: bytes) -> None:
        if (type_, digest) in self._own:
            self._own.remove((type_, digest))
        durable.remove_file(self._home.notes / f"{type_}-{digest.hex()}")
