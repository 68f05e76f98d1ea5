"""Kept calls transcribed by a stand-in engine: what is written, when it is passed over, what changed."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from tests.running import copy
from tests.transcribe.sounds import FakeEngine

from memcon.clock import SystemClock
from memcon.errors import UsageError
from memcon.record.call import decode as decode_leaf
from memcon.service import transcribing
from memcon.service.archive import Archive
from memcon.service.transcribing import Transcriber, language_of, ms_of, subject_of
from memcon.service.transcripts import open_transcripts
from memcon.transcribe.models import find_model

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.service.config import Config
    from memcon.store.paths import Home


def worker(home: Home, config: Config, engine: FakeEngine) -> Transcriber:
    archive = Archive(home, config, SystemClock())
    return Transcriber(archive, open_transcripts(home, SystemClock()), config.speech, engine=engine)


def test_a_call_is_transcribed_once_by_each_model(tmp_path: Path) -> None:
    home, config = copy(tmp_path / "home")
    first = worker(home, config, FakeEngine()).transcribe(1)
    assert first.kept is not None
    made = first.kept.transcript
    assert [(lane.name, lane.speaker) for lane in made.lanes] == [
        ("A", "Ingrid Solheim"),
        ("B", "Tomas Keller"),
    ]
    assert made.lanes[0].words()
    assert {s.what for lane in made.lanes for s in lane.stretches} >= {"hold"}
    assert made.machine is not None
    assert made.machine.settings["hot_words"] == ["Ingrid Solheim", "Tomas Keller"]
    assert (home.notes / f"3-{first.kept.hash}").exists()
    assert first.changes == ()
    assert worker(home, config, FakeEngine()).transcribe(1).kept is None
    again = worker(home, config, FakeEngine()).transcribe(1, again=True)
    assert again.kept is not None
    assert (again.kept.transcript.version, again.changes) == (2, ())
    hears = FakeEngine(texts={(): ["other"]})
    other = worker(
        home, replace(config, speech=replace(config.speech, hot_words=("Harrow",))), hears
    ).transcribe(1)
    assert other.kept is not None
    assert other.before is not None
    assert other.kept.transcript.version == 3
    assert {change.after for change in other.changes} == {"other"}


def test_what_it_is_of_is_what_the_log_commits_to(tmp_path: Path) -> None:
    home, config = copy(tmp_path / "home")
    call = Archive(home, config, SystemClock()).open(1)
    last = [decode_leaf(placed.leaf).last for placed in call.leaves()][-1]
    assert last is not None
    of = subject_of(call)
    assert (of.key, of.digest, of.duration) == ("call-1", last.call_root.hex(), ms_of(last.duration))
    assert of.handle == call.first().handle.hex()
    home.local_custodian.unlink()
    with pytest.raises(UsageError, match="custodian"):
        worker(home, config, FakeEngine()).transcribe(1)


@pytest.mark.parametrize(
    ("languages", "asked", "language", "found"),
    [
        ((("*solheim@office.example", "no"), ("all", "de")), "no", "no", "set"),
        ((("*keller*", "fr"), ("all", "de")), "de", "de", "set"),  # the line's, as only hers is not set
        ((("*keller*", "fr"),), None, "uk", "identified"),
    ],
)
def test_languages_set_by_participant_and_line_reach_the_engine_and_translations_stand_beside(
    tmp_path: Path, languages: tuple[tuple[str, str], ...], asked: str | None, language: str, found: str
) -> None:
    home, config = copy(tmp_path / "home")
    engine = FakeEngine(language="uk")
    speech = replace(config.speech, languages=languages, translate=True)
    done = worker(home, replace(config, speech=speech), engine).transcribe(1)
    assert done.kept is not None
    lane = done.kept.transcript.lanes[0]  # she speaks first, and for as long as the call is
    assert {one for _, one, _ in engine.asked} == {asked}
    assert (lane.speaker, lane.language, lane.found) == ("Ingrid Solheim", language, found)
    assert lane.utterances[0].words[0].text == "w1"  # what was said stays in its own words
    assert [(t.language, t.text) for t in lane.utterances[0].translations] == [("en", "translated")]


def test_a_model_in_a_folder_serves_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, config = copy(tmp_path / "home")
    folder = tmp_path / "models" / "ours-2026"
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"weights")
    loaded: list[tuple[str, str | None]] = []

    def load(wanted: str, digest: str | None = None, *, beam: int, threads: int) -> FakeEngine:
        loaded.append((find_model(wanted, digest).name, find_model(wanted, digest).digest))
        assert (beam, threads) == (1, 1)
        return FakeEngine()

    monkeypatch.setattr(transcribing, "load_engine", load)
    speech = replace(config.speech, model=str(folder), digest=None)
    archive = Archive(home, config, SystemClock())
    office = Transcriber(archive, open_transcripts(home, SystemClock()), speech)
    assert office.transcribe(1).kept is not None
    assert loaded == [("ours-2026", sha256(b"weights").hexdigest())]


def test_a_language_is_set_by_line_name_or_address() -> None:
    patterns = [("*@kremlin.example", "ru"), ("Tokyo*", "ja"), ("*", "en")]
    assert language_of(patterns, ["Ivan", "sip:ivan@Kremlin.example", "all"]) == "ru"
    assert language_of(patterns, ["", "", "tokyo desk"]) == "ja"
    assert language_of(patterns, [""]) is None
    assert language_of(patterns, ["x"]) == "en"
