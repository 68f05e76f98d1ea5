from __future__ import annotations

from dataclasses import replace

import pytest

from memcon.errors import FormatError, LocalError
from memcon.record import beat

BEAT = beat.Beat(
    beat.Kind.BEAT, beat.State.RECORDING, 10_000, 7, 179_550_000, bytes(16), bytes(32), bytes(32)
)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"flags": 8}, "flags 0x0008"),
        ({"period_ms": 0}, "a period of 0 ms"),
        ({"index": 0}, "genesis is index 0"),
        ({"kind": beat.Kind.GENESIS}, "genesis is index 0"),
        ({"kind": beat.Kind.GENESIS, "index": 0}, "state 1, not 4"),
        ({"kind": beat.Kind.GENESIS, "index": 0, "state": beat.State.OFF}, "names no statement"),
        ({"instance": bytes(15)}, "not 16 bytes wide"),
        ({"slot_root": bytes(33)}, "not 32 bytes wide"),
        ({"slot": 2**64}, "beat: "),
    ],
)
def test_writes_nothing_that_cannot_be_read(change: dict[str, object], problem: str) -> None:
    with pytest.raises(LocalError, match=problem):
        replace(BEAT, **change).encode()  # type: ignore[arg-type]  # each change fits its field


def test_slot_arithmetic() -> None:
    assert beat.slot_of(BEAT.slot_start_ns(), BEAT.period_ms) == BEAT.slot
    assert beat.slot_of(BEAT.slot_end_ns() - 1, BEAT.period_ms) == BEAT.slot
    assert beat.slot_of(BEAT.slot_end_ns(), BEAT.period_ms) == BEAT.slot + 1


def test_the_wrap_binds_everything() -> None:
    args = ("log.example/1", 7, 8, 16, bytes(32))
    others = [("log.example/2", 7, 8, 16, bytes(32)), ("log.example/1", 8, 8, 16, bytes(32))]
    others += [("log.example/1", 7, 9, 16, bytes(32)), ("log.example/1", 7, 8, 15, bytes(32))]
    others += [("log.example/1", 7, 8, 16, b"\x01" * 32)]
    assert len({beat.wrap_slot_root(*a) for a in [args, *others]}) == 6
    with pytest.raises(FormatError, match="origin"):
        beat.wrap_slot_root("\ud800", 7, 8, 16, bytes(32))
