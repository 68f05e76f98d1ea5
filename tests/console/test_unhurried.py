"""What takes as long as a call is long never keeps its page waiting."""

from __future__ import annotations

import threading

import pytest

from memcon.console import unhurried
from memcon.console.unhurried import Unhurried
from memcon.errors import MachineError


class Slow:
    """Makes peaks when it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.asked: list[int] = []

    def peaks(self, number: int) -> dict[str, bytes]:
        self.asked.append(number)
        assert self.let.wait(60)
        if number == 13:
            raise MachineError("reading media.mcb: Input/output error")
        return {"A": bytes([number])}


def test_what_is_there_comes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unhurried, "PATIENCE", 10)
    slow = Slow()
    slow.let.set()
    made = Unhurried(slow.peaks)
    assert made.get(1) == {"A": b"\x01"}
    assert made.get(1) == {"A": b"\x01"}
    assert slow.asked == [1, 1]


def test_a_page_does_not_wait_and_two_readers_ask_once(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow()
    made = Unhurried(slow.peaks)
    assert made.get(1) is None
    assert made.get(1) is None
    assert slow.asked == [1]
    monkeypatch.setattr(unhurried, "PATIENCE", 10)
    slow.let.set()
    assert made.get(1) == {"A": b"\x01"}


def test_a_failure_is_the_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unhurried, "PATIENCE", 10)
    slow = Slow()
    slow.let.set()
    with pytest.raises(MachineError, match="Input/output"):
        Unhurried(slow.peaks).get(13)
