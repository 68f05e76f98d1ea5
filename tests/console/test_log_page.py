"""What of a long log stands on its public page."""

from __future__ import annotations

import pytest

from memcon.console.log_page import _newest
from memcon.console.log_strip import Answers
from memcon.verify.attest import Answer, runs

GENESIS = 1000
SLOTS = 40_000  # more than are looked at first


def log(every: int, end: int = SLOTS) -> Answers:
    """Silent in each so-many-th slot, the genesis's own answer aside."""
    answers = bytes(
        Answer.SILENT if n and n % every == 0 else Answer.ATTESTED if n else Answer.UNKNOWN
        for n in range(SLOTS)
    )
    return Answers(10_000, GENESIS, answers, GENESIS + end, GENESIS + SLOTS)


@pytest.mark.parametrize(("every", "most"), [(100, 7), (100, 399), (100, 1000), (9000, 3), (15_000, 50)])
def test_the_newest_stretches_and_from_when_they_are_all(every: int, most: int) -> None:
    made = log(every)
    whole = list(runs(made.answers[1:], GENESIS + 1))
    since, found = _newest(made, most)
    assert found == whole[-most:]
    assert since == (found[0][0] if len(whole) > most else GENESIS + 1)


def test_what_nobody_can_speak_of_yet_is_no_stretch() -> None:
    assert _newest(log(100, end=0), 5) == (GENESIS + 1, [])
    assert [last for _, last, _ in _newest(log(100, end=250), 5)[1]] == [GENESIS + 100, GENESIS + 200]
