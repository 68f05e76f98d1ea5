"""What is said in the demonstration's call, told as it is written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from memcon.clock import ManualClock
from memcon.record.transcript import Lane, Machine, Subject, Transcript, Utterance, Word
from memcon.service import demo_words
from memcon.service.demo_words import Words
from memcon.service.transcripts import open_transcripts
from memcon.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

OF = Subject("call", "1", "ab" * 32, 9000, "cd" * 32)
MACHINE = Machine("fake", "1", "tiny", "", "ef" * 32, "live")
SAID = Utterance(1000, 2000, (Word("Good", 1000, 1400), Word("morning.", 1400, 2000)))
LANE = Lane("A", "p1", "Ada", utterances=(SAID,))
DRAFT = Transcript(OF, "memcon", (LANE,), MACHINE, at="2026-11-28T08:00:00Z")


def test_each_utterance_is_told_once_with_how_late_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMCON_RUN", str(tmp_path / "run"))
    monkeypatch.setattr(demo_words, "installed", lambda: True)
    home, clock, said = Home(tmp_path), ManualClock(), list[str]()
    words = Words(home, clock, said.append, clock.wall_ns() // 1_000_000)
    words.expect(-1)
    assert "first words will be late" in said.pop()
    home.run.mkdir()
    home.status("speech").touch()
    words.expect()
    assert "being loaded" in said.pop()
    said.clear()
    words.look()
    assert said == []
    home.live_transcripts.mkdir(parents=True)
    path = home.live_transcripts / "1.json"
    path.write_bytes(DRAFT.encode())
    clock.advance(3_500_000_000)
    words.look()
    words.look()
    assert said == ["       Ada, 1.5 s after it: Good morning."]
    later = replace(SAID, start=1500, end=9000, words=())
    again = replace(DRAFT, lanes=(replace(LANE, speaker="", utterances=(SAID, later)),))
    path.write_bytes(again.encode())
    words.look()
    assert said[1].startswith("       A, ")
    assert not words.kept()
    words.wait(-1)
    assert "still being transcribed" in said.pop()
    words.conclude()
    assert len(said) == 2
    open_transcripts(home, clock).append(DRAFT)
    assert words.kept()
    words.wait(60)
    words.conclude()
    assert "version 1, 2 words, by fake tiny" in said[2]


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_words, "installed", lambda: False)
    said = list[str]()
    words = Words(Home(tmp_path), ManualClock(), said.append)
    words.expect()
    assert "scripts/setup --speech" in said[0]
    assert words.kept()
