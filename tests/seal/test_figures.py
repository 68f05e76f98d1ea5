from __future__ import annotations

from typing import TYPE_CHECKING, cast

from memcon.clock import BOUNDS_S, NS, Durations
from memcon.seal.figures import Figures

if TYPE_CHECKING:
    from memcon.seal.call_state import Call


class Progress:
    """What figures ask of a call: its counts by the latest leaf."""

    def __init__(self, *streams: list[int], complete: bool = False) -> None:
        self._streams = list(streams)
        self.complete = complete

    def progress(self) -> list[object]:
        return [1, self._streams]


def of(*streams: list[int], complete: bool = False) -> Call:
    return cast("Call", Progress(*streams, complete=complete))


def test_each_lost_packet_is_in_one_account() -> None:
    figures = Figures()
    ended = of([0, 95, 100, 3, 2, 1], [1, 4, 0, 0, 0, 0], complete=True)  # 93 of 100 came, once each
    figures.ended(ended)
    going_on = of([0, 50, 52, 5, 0, 0])  # more dropped than is missing yet: the numbering has not said it
    said = figures.to_json([ended, going_on])
    assert said["packets"] == {
        "received": 149, "socket": 8, "sequence": 4, "duplicates": 2, "reordered": 1,
    }  # fmt: skip
    assert said["calls_ended"] == 1


def test_durations_are_counted_by_upper_bounds() -> None:
    took = Durations()
    for ns in (NS // 1000, NS // 1000 + 1, 31 * NS, -5):
        took.add(ns)
    said = took.to_json()
    counts = said["counts"]
    assert isinstance(counts, list)
    assert counts == [2, 1, *[0] * (len(BOUNDS_S) - 2), 1]
    assert said["total_s"] == (2 * (NS // 1000) + 1 + 31 * NS) / NS


def test_beats_are_counted_twice_how_late_and_how_long() -> None:
    figures = Figures()
    figures.beat(NS, NS // 100)
    said = figures.to_json([])
    assert said["beats_late"] == {"counts": [int(b == 1.0) for b in BOUNDS_S] + [0], "total_s": 1.0}
    assert said["beats_made"] == {"counts": [int(b == 0.01) for b in BOUNDS_S] + [0], "total_s": 0.01}
