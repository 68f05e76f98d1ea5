"""The loudness of a call never keeps its page waiting."""

from __future__ import annotations

import threading

import pytest

from memcon.console import loudness
from memcon.console.loudness import Loudness
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
    monkeypatch.setattr(loudness, "PATIENCE", 10)
    slow = Slow()
    slow.let.set()
    made = Loudness(slow)
    assert made.peaks(1) == {"A": b"\x01"}
    assert made.peaks(1) == {"A": b"\x01"}
    assert slow.asked == [1, 1]


def test_a_page_does_not_wait_and_two_readers_ask_once(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow()
    made = Loudness(slow)
    assert made.peaks(1) is None
    assert made.peaks(1) is None
    assert slow.asked == [1]
    monkeypatch.setattr(loudness, "PATIENCE", 10)
    slow.let.set()
    assert made.peaks(1) == {"A": b"\x01"}


def test_a_failure_is_the_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loudness, "PATIENCE", 10)
    slow = Slow()
    slow.let.set()
    with pytest.raises(MachineError, match="Input/output"):
        Loudness(slow).peaks(13)
