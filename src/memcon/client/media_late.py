"""What a bad network does to packets on their way out, and the packets that it keeps for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Faults:
    """As probabilities per packet, drawn from a generator that the caller seeds; and `jitter_ms`."""

    generator: np.random.Generator
    lose: float = 0.0
    repeat: float = 0.0
    reorder: float = 0.0  # the packet leaves one packet time later, after its successor
    jitter_ms: float = 0.0  # each packet leaves up to so much later, evenly drawn

    def draw(self, count: int, ticks_ms: float, packet_ticks: int) -> tuple[Ints, Ints, int]:
        """For each of so many packets: how often it is sent (0 to 2), and how many ticks of `ticks_ms` late;
        and how many were picked to change places with their successor."""
        chance = self.generator.random((3, count))
        lost = chance[0] < self.lose
        held = ~lost & (chance[1] < self.reorder)
        times = np.where(lost, 0, np.where(~held & (chance[2] < self.repeat), 2, 1))
        late = np.where(held, packet_ticks, 0)
        if self.jitter_ms:
            late = late + (self.generator.random(count) * self.jitter_ms / ticks_ms).astype(np.int64)
        return times, late, int(np.count_nonzero(held))


@dataclass(frozen=True, slots=True)
class Waiting:
    """Packets put aside, row by row: whose (`handles`), which of the stream, where to, the bytes."""

    handles: Ints
    index: Ints
    names: Bytes
    packets: Bytes

    def __getitem__(self, which: npt.NDArray[np.bool_]) -> Waiting:
        return Waiting(self.handles[which], self.index[which], self.names[which], self.packets[which])


class Late:
    """Packets that leave at a later tick, in the order in which they were put aside."""

    def __init__(self) -> None:
        self._due: dict[int, list[Waiting]] = {}

    def put(self, ticks: Ints, packets: Waiting) -> None:
        """Keep copies of them until these ticks."""
        for tick in np.unique(ticks).tolist():
            self._due.setdefault(tick, []).append(packets[ticks == tick])

    def take(self, tick: int) -> list[Waiting]:
        """What leaves now."""
        return self._due.pop(tick, [])

    def drop(self, handle: int) -> list[int]:
        """Forget a stream's packets; which of the stream they were."""
        found: list[int] = []
        for tick, pieces in self._due.items():
            self._due[tick] = [piece[piece.handles != handle] for piece in pieces]
            found += [int(n) for piece in pieces for n in piece.index[piece.handles == handle]]
        return found
