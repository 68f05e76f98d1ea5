"""Calls heard while they go on, from their sealed seconds, by a stand-in engine."""

from __future__ import annotations

import json
import shutil
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.running import copy
from tests.transcribe.sounds import FakeEngine

from memcon.catalogue.catalogue import Catalogue
from memcon.clock import NS, ManualClock, SystemClock
from memcon.errors import FormatError
from memcon.record.segment import MEDIA_MAGIC, read_sealed
from memcon.record.transcript import decode
from memcon.release.following import HEAD, Following
from memcon.service import live_call, transcribing
from memcon.service.ahead import Ahead, Arriving
from memcon.service.archive import Archive
from memcon.service.listening import Listener, run
from memcon.service.live_call import LiveCall, record_of
from memcon.service.transcribing import Transcriber
from memcon.service.transcripts import open_book, open_transcripts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class World:
    """A home in which call 1 goes on again: of its kept media so much stands in `work/open` as is told."""

    def __init__(self, root: Path, engine: FakeEngine) -> None:
        self.home, config = copy(root)
        self.home.journal.rename(root / "away")  # what it holds is sealed and long gone
        archive = Archive(self.home, config, SystemClock())
        self.key = archive.open(1).key
        self.media = archive.files(1)["media.mcs"].read_bytes()
        sizes = [len(s.encode()) for s in read_sealed(self.media, MEDIA_MAGIC)]
        self.ends = [HEAD + sum(sizes[: n + 1]) for n in range(len(sizes))]
        self.clock = ManualClock()
        self.catalogue = Catalogue(self.home.catalogue)
        self.store = open_transcripts(self.home, SystemClock())
        self.listener = Listener(
            self.home, self.clock, self.catalogue,
            Transcriber(archive, self.store, config.speech, engine=engine), self.store,
        )  # fmt: skip
        self.folder = self.home.work_open / "1"
        self.folder.mkdir(parents=True)
        self.home.run.mkdir(parents=True, exist_ok=True)
        self.home.call_key(1).write_bytes(self.key)

    def write(self, seconds: int, more: int = 0) -> None:
        """So many whole seconds stand in the file, and some bytes of the next."""
        (self.folder / "media.mcs").write_bytes(self.media[: self.ends[seconds - 1] + more])

    def look(self) -> None:
        """Until all that has come is written, and what is done beside."""
        self.until(lambda: not self.listener.look() and self.listener._careful.idle)

    def after(self) -> None:
        """Until ended calls are transcribed as far as they can be."""
        self.until(lambda: not self.listener.after() and self.listener._careful.idle)

    def until(self, done: Callable[[], bool]) -> None:
        while not done():
            threading.Event().wait(0.002)

    @property
    def shown(self) -> Path:
        return self.home.live_transcripts / "1.json"


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def world(tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("MEMCON_RUN", str(tmp_path / "run"))
    made = World(tmp_path / "home", engine)
    yield made
    made.listener.close()
    made.catalogue.close()


def test_a_call_is_heard_while_it_goes_on_and_once_more_when_it_is_over(
    world: World, engine: FakeEngine
) -> None:
    assert not world.listener.look()  # begun, and nothing sealed yet
    for seconds in range(1, len(world.ends) + 1):
        world.write(seconds, more=20 if seconds < len(world.ends) else 0)
        world.look()
    heard = len(engine.asked)
    assert heard
    shutil.rmtree(world.folder)
    world.look()
    assert world.shown.exists()
    live = decode(world.shown.read_bytes())
    book = open_book(world.home, world.clock, world.catalogue)
    assert book.live(1) == live.lanes
    assert book.live(2) == ()
    assert live.machine is not None
    assert live.machine.made == "live"
    assert [lane.speaker for lane in live.lanes] == ["Ingrid Solheim", "Tomas Keller"]
    assert live.count()
    assert world.store.versions("call-1") == []
    assert world.listener.status()["waiting"] == 1
    world.after()
    kept = world.store.newest("call-1")
    assert kept is not None
    assert kept.transcript.machine is not None
    assert kept.transcript.machine.made == "whole"
    assert not world.shown.exists()
    assert world.listener.status()["troubles"] == []


def come(world: World, early: Arriving, start: float, end: float) -> None:
    """The packets of call 1 from `start` to `end` (s) arrive."""
    file = Following(world.folder / "media.mcs", world.key)
    file.read()
    for stream, store in file.gathered._stores.items():
        at = 0
        for since, length in zip(store.arrivals, store.lengths, strict=True):
            if start * NS <= since < end * NS:
                early.gathered.add(stream, since, bytes(store.data[at : at + length]))
            at += length
    early.until = int(end * NS)


def test_what_arrives_is_heard_as_it_will_be_sealed(world: World, engine: FakeEngine) -> None:
    world.write(len(world.ends))
    early, detail = Arriving(0), world.catalogue.call(1)
    call = LiveCall(world.home, 1, world.key, lambda *_: "en", lambda _: early)
    for step in range(len(world.ends) * 10):
        come(world, early, step / 10, (step + 1) / 10)
        call.advance(detail)
    assert call.unsealed
    sealed = LiveCall(world.home, 1, world.key, lambda *_: "en")
    sealed.advance(detail)
    assert not sealed.unsealed
    for one, other in zip(call._lanes.values(), sealed._lanes.values(), strict=True):
        count = min(len(one.lane._frames), len(other.lane._frames)) - 10
        assert count > 250
        # Not to the sample: where packets came late, a later one tells better when they were sent.
        heard, due = (np.mean(lane.lane._frames.level[:count] > -60) for lane in (one, other))
        assert abs(heard - due) < 0.1
    early.ended = True
    shutil.rmtree(world.folder)
    call.advance(detail)
    assert [due for _, due in call.due()]


def test_what_is_lost_on_its_way_is_read_when_it_is_sealed(world: World) -> None:
    world.write(len(world.ends))
    early, detail = Arriving(0), world.catalogue.call(1)
    call = LiveCall(world.home, 1, world.key, lambda *_: "en", lambda _: early)
    come(world, early, 0, 1.5)
    call.advance(detail)
    states = [call.unsealed]
    heard = max(lane.lane.length for lane in call._lanes.values())
    assert 1000 < heard < 1500
    early.lost = True
    call.advance(detail)
    assert [*states, call.unsealed] == [True, False]
    assert min(lane.lane.length for lane in call._lanes.values()) > heard + 1000


def test_text_of_unsealed_sound_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(len(world.ends))
    early = Arriving(0)
    monkeypatch.setattr(Ahead, "look", lambda _: None)
    monkeypatch.setattr(Ahead, "call", lambda *_: early)
    come(world, early, 0, len(world.ends))
    world.look()
    early.ended = True
    shutil.rmtree(world.folder)
    world.look()
    text = decode(world.shown.read_bytes())
    assert text.count()
    assert text.machine is not None
    assert text.machine.settings["unsealed"] is True


def test_without_anybodys_key_what_was_written_live_is_the_transcript(world: World) -> None:
    world.write(len(world.ends))
    world.look()
    shutil.rmtree(world.folder)
    world.look()
    world.home.local_custodian.unlink()
    world.after()
    kept = world.store.newest("call-1")
    assert kept is not None
    assert kept.transcript.machine is not None
    assert kept.transcript.machine.made == "live"
    detail = world.catalogue.call(1)
    assert detail is not None
    assert kept.transcript.of.digest == detail.call_root


def test_calls_that_ended_unheard_are_found_at_the_start_and_waited_for(world: World) -> None:
    shutil.rmtree(world.folder)
    world.listener.begin()
    assert world.listener.status()["waiting"] == 1
    vault = world.home.vault.rename(world.home.root / "nowhere")
    world.after()  # not in the vault yet
    assert not world.listener.after()  # and not asked again at once
    vault.rename(world.home.vault)
    world.clock.advance(2_000_000_000)
    world.after()
    assert [one.version for one in world.store.versions("call-1")] == [1]
    world.listener.begin()
    assert world.listener.status()["waiting"] == 0


def test_who_falls_behind_leaves_sound_in_its_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_call, "BEHIND_MS", 500)
    call = LiveCall(world.home, 1, world.key, lambda *_: "en")
    detail = world.catalogue.call(1)
    call.advance(None)
    assert call.due() == []
    world.write(2)
    call.advance(detail)
    behind = call.behind
    assert behind > 500
    world.write(len(world.ends))
    call.advance(None)
    assert call.behind == behind  # what has come since waits
    assert call.due()


def test_what_does_not_open_is_said(world: World) -> None:
    world.write(len(world.ends))
    with pytest.raises(FormatError, match="does not open"):
        Following(world.folder / "media.mcs", b"x" * 32).read()
    broken = bytearray(world.media)
    broken[HEAD] ^= 1
    (world.folder / "media.mcs").write_bytes(broken)
    with pytest.raises(FormatError, match="was due"):
        Following(world.folder / "media.mcs", world.key).read()


def test_nothing_is_known_of_a_call_without_a_catalogue() -> None:
    assert record_of(None) == {"streams": [], "parties": []}


def test_the_process_says_how_it_is_and_ends_when_told(
    world: World, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcribing, "load_engine", lambda *_, **__: engine)
    world.write(len(world.ends))
    monkeypatch.setattr(Catalogue, "intakes", SimpleNamespace(last=lambda: 2))
    rounds = iter(range(200))
    run(world.home, SystemClock(), lambda _: next(rounds) > 150 or world.shown.exists())
    said = json.loads(world.home.status("speech").read_bytes())
    assert said["live"].keys() == {"1"}
    assert said["waiting"] == 3  # two taken in and one that has ended: heard when nothing goes on
    assert said["troubles"] == []
    assert decode(world.shown.read_bytes()).count()


def test_a_model_that_cannot_be_loaded_is_told_and_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def refuse(*_: object, **__: object) -> None:
        raise FormatError("model.bin", "these are other weights")

    def stop(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) > 8

    monkeypatch.setattr(transcribing, "load_engine", refuse)
    run(world.home, SystemClock(), stop)
    assert "other weights" in json.loads(world.home.status("speech").read_bytes())["trouble"]
    assert 5.0 in waits


def test_told_to_end_in_the_middle_of_a_call_it_writes_nothing_of_it(world: World) -> None:
    shutil.rmtree(world.folder)
    world.listener.begin()
    world.listener._told_to_end = lambda: True
    world.after()
    assert world.store.versions("call-1") == []
    assert world.listener.status()["waiting"] == 1
    assert world.listener.status()["troubles"] == []
