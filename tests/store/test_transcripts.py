"""The files of transcripts: versions appended, chained, never replaced."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from memcon.clock import ManualClock
from memcon.errors import FormatError, UsageError
from memcon.record.transcript import Lane, Machine, Subject, Transcript, Utterance, Word
from memcon.store import transcripts
from memcon.store.paths import Home
from memcon.store.transcripts import Listed, TranscriptStore

if TYPE_CHECKING:
    from pathlib import Path

OF = Subject("call", "12", "ab" * 32, 60_000, "cd" * 32)
MACHINE = Machine("fake", "1", "tiny", "r1", "")


def draft(text: str = "hello", machine: Machine | None = MACHINE) -> Transcript:
    said = Utterance(0, 100, (Word(text, 0, 100),))
    return Transcript(OF, "memcon" if machine else "Ada", (Lane("A", utterances=(said,)),), machine)


@pytest.fixture
def sealed() -> list[tuple[int, bytes]]:
    return []


@pytest.fixture
def store(tmp_path: Path, sealed: list[tuple[int, bytes]]) -> TranscriptStore:
    return TranscriptStore(Home(tmp_path), ManualClock(), lambda *note: sealed.append(note))


def test_versions_are_chained_and_handed_in(store: TranscriptStore, sealed: list[tuple[int, bytes]]) -> None:
    assert (store.subjects(), store.versions("call-12"), store.newest("call-12")) == ([], [], None)
    first = store.append(draft())
    second = store.append(replace(draft("hallo", None), corrects=1), after=1)
    third = store.append(draft("hullo"))
    assert (second.transcript.previous, third.transcript.previous) == (first.hash, second.hash)
    assert [kept.hash for kept in store.read_all("call-12")] == [first.hash, second.hash, third.hash]
    assert store.hashes("call-12") == [first.hash, second.hash, third.hash]
    assert sealed == [(3, bytes.fromhex(kept.hash)) for kept in (first, second, third)]
    assert store.versions("call-12") == [Listed(1, "machine"), Listed(2, "corrected"), Listed(3, "machine")]
    assert store.newest("call-12") == third
    assert store.head("call-12", 2) == replace(second, transcript=replace(second.transcript, lanes=()))
    assert store.bytes_of("call-12", 2) == second.transcript.encode()
    for missing in (lambda: store.head("call-12", 4), lambda: store.bytes_of("call-12", 4)):
        with pytest.raises(UsageError, match="no version 4"):
            missing()


def test_a_person_outlives_a_better_model(store: TranscriptStore) -> None:
    assert store.current("call-12") is None
    store.append(draft())
    later = store.append(draft("hullo"))
    assert store.current("call-12") == later
    heard = store.append(replace(draft("hallo", None), corrects=2))
    store.append(draft("hollow"))
    assert store.current("call-12") == heard


def test_what_was_written_meanwhile_is_said(store: TranscriptStore, sealed: list[tuple[int, bytes]]) -> None:
    store.append(draft())
    store.append(draft("hullo"))
    with pytest.raises(UsageError, match="meanwhile"):
        store.append(replace(draft("hallo", None), corrects=1), after=1)
    assert len(sealed) == 2


def test_what_cannot_be_kept_makes_nothing(store: TranscriptStore, tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        store.append(draft(" x"))
    assert not (tmp_path / "transcripts").exists()


def test_keys_stand_in_order(store: TranscriptStore, tmp_path: Path) -> None:
    for number in ("12", "9", "100"):
        store.append(replace(draft(), of=replace(OF, id=number)))
    store.append(replace(draft(), of=replace(OF, kind="intake", id="2026-1", handle="")))
    (tmp_path / "transcripts/readme").write_text("no transcript")
    assert store.subjects() == ["call-9", "call-12", "call-100", "intake-2026-1"]


def test_what_was_altered_or_removed_shows(store: TranscriptStore, tmp_path: Path) -> None:
    for text in ("one", "two", "three"):
        store.append(draft(text))
    path = tmp_path / "transcripts/call-12/000002-machine.json"
    path.write_bytes(path.read_bytes().replace(b'"two"', b'"tow"'))
    assert store.read("call-12", 2).transcript.lanes[0].words()[0].text == "tow"  # its NOTE tells
    for attempt in (lambda: store.read("call-12", 3), lambda: store.read_all("call-12")):
        with pytest.raises(FormatError, match="does not follow"):
            attempt()
    path.unlink()
    with pytest.raises(FormatError, match="missing"):
        store.newest("call-12")


def test_what_is_not_there_is_said(store: TranscriptStore) -> None:
    store.append(draft())
    for version in (0, 2):
        with pytest.raises(UsageError, match="no version"):
            store.read("call-12", version)
    for key in ("../x", "letter-1", "12"):
        with pytest.raises(UsageError, match="has no transcript"):
            store.versions(key)


def test_a_full_transcript_takes_no_more(store: TranscriptStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "MOST_VERSIONS", 2)
    store.append(draft())
    store.append(draft())
    with pytest.raises(UsageError, match="2 versions"):
        store.append(draft())


def test_who_writes_at_once_writes_one_after_the_other(store: TranscriptStore) -> None:
    threads = [threading.Thread(target=store.append, args=(draft(f"w{n}"),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    words = [kept.transcript.lanes[0].words()[0].text for kept in store.read_all("call-12")]
    assert sorted(words) == [f"w{n}" for n in range(8)]
