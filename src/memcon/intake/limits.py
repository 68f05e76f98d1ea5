"""How much a file may ask for (docs/OPERATIONS.md, [intake])."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`octets` of a file, `hours` of sound, `channels` in all, `memory` of the reader in MiB.

    A file is given `base` seconds and one second for each `per_second` bytes before the reader is stopped.
    """

    octets: int = 64 << 30
    hours: int = 24
    channels: int = 64
    memory: int = 2048
    base: float = 60.0
    per_second: int = 1 << 20

    def seconds(self, size: int) -> float:
        """How long reading a file of this size may take."""
        return self.base + size / self.per_second
