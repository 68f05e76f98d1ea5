"""`memcon transcribe` with a stand-in engine."""

from __future__ import annotations

import json
import wave
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner, Result
from tests.running import copy
from tests.service.test_intakes import make_home
from tests.transcribe.sounds import FakeEngine, int16, line, quiet, voice

from memcon.cli import transcribe
from memcon.cli.main import main
from memcon.clock import SystemClock
from memcon.errors import UsageError
from memcon.service import transcribing
from memcon.service.transcripts import open_transcripts
from memcon.transcribe.frames import RATE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    made = FakeEngine()
    monkeypatch.setattr(transcribing, "load_engine", lambda *_, **__: made)
    monkeypatch.setattr(transcribe, "need_engine", lambda: None)
    return made


def test_calls_are_transcribed_and_changes_said(tmp_path: Path, engine: FakeEngine) -> None:
    home, _ = copy(tmp_path / "home")
    run = CliRunner()
    said = run.invoke(main, ["transcribe", "--all", "--home", str(home.root)])
    assert said.exit_code == 0, said.output
    assert "call 1: version 1, " in said.output
    said = run.invoke(main, ["transcribe", "--all", "--home", str(home.root)])
    assert "is of this model already" in said.output
    engine.texts[()] = ["other"]
    said = run.invoke(main, ["transcribe", "1", "--again", "--home", str(home.root)])
    assert "against version 1: " in said.output
    assert "-> other" in said.output
    engine.texts.clear()
    said = run.invoke(
        main, ["transcribe", "1", "--again", "--model", "better", "--json", "--home", str(home.root)]
    )
    (report,) = json.loads(said.output)
    assert (report["version"], report["compared_with"]) == (3, 2)
    assert report["changes"][0]["before"] == "other"
    shown = run.invoke(main, ["show", "1", "--home", str(home.root)])
    assert "transcript, version 3 by fake fake-model" in shown.output
    assert "Ingrid Solheim: w1" in shown.output
    as_json = json.loads(run.invoke(main, ["show", "1", "--json", "--home", str(home.root)]).output)
    assert as_json["transcript"]["version"] == 3


def test_one_that_fails_does_not_stop_the_others(tmp_path: Path, engine: FakeEngine) -> None:
    home, _ = copy(tmp_path / "home")
    said = CliRunner().invoke(main, ["transcribe", "9", "1", "--json", "--home", str(home.root)])
    assert said.exit_code == 1
    assert "call 9 is not in the vault" in said.stderr
    reports = json.loads(said.stdout)
    assert [report["call"] for report in reports] == [9, 1]
    assert reports[1]["version"] == 1


def test_what_is_not_said_or_not_there_is_an_error(
    tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, _ = copy(tmp_path / "home")
    for words in ([], ["1", "--all"]):
        said = CliRunner().invoke(main, ["transcribe", *words, "--home", str(home.root)])
        assert (said.exit_code, "say which calls" in said.stderr) == (2, True)

    def missing() -> None:
        raise UsageError("speech recognition is not installed", cure="Install it")

    monkeypatch.setattr(transcribe, "need_engine", missing)
    said = CliRunner().invoke(main, ["transcribe", "1", "--home", str(home.root)])
    assert (said.exit_code, said.stderr) == (2, "memcon: speech recognition is not installed. Install it\n")


def test_status_says_how_far_behind_transcription_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMCON_RUN", str(tmp_path / "run"))
    home, _ = copy(tmp_path / "home")
    assert "transcribing" not in CliRunner().invoke(main, ["status", "--home", str(home.root)]).output
    home.run.mkdir(exist_ok=True)
    said = {
        "live": {"3": 1500, "4": 200},
        "waiting": 2,
        "troubles": ["call 1: broken"],
        "trouble": "no model",
    }
    home.status("speech").write_text(json.dumps(said))
    shown = CliRunner().invoke(main, ["status", "--home", str(home.root)]).output
    assert "transcribing 2 calls that go on, 1.5 s behind; 2 that have ended wait" in shown
    assert "call 1: broken" in shown
    assert "no model" in shown


def test_what_was_taken_in_from_a_file_is_transcribed_too(tmp_path: Path, engine: FakeEngine) -> None:
    home = make_home(tmp_path)
    tape = tmp_path / "tape.wav"
    sides = [line(quiet(1000), voice(1500), quiet(1500)), line(quiet(3000), voice(600), quiet(400))]
    with wave.open(str(tape), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.stack([int16(side) for side in sides], axis=1).astype("<i2").tobytes())

    def ask(*words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--home", str(home.root)])

    taken = ask("ingest", str(tape), "--by", "A. Archivist", "--speaker", "Ada", "--speaker", "Grace")
    assert taken.exit_code == 0, taken.output
    said = ask("transcribe", "--all")
    assert (said.exit_code, "call T001: version 1" in said.output) == (0, True), said.output
    made = open_transcripts(home, SystemClock()).current("intake-1")
    assert made is not None
    of = made.transcript.of
    assert (of.kind, of.id, of.handle, of.duration) == ("intake", "1", "", 4000)
    spans = [(lane.speaker, [round(u.start, -2) for u in lane.utterances]) for lane in made.transcript.lanes]
    assert spans == [("Ada", [1000]), ("Grace", [3000])]
    assert "already" in ask("transcribe", "T001").output
