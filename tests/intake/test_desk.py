"""The desk: what is taken in whole, what is known, what leaves nothing behind; the reading process."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from tests.intake.media import InProcess, write_wav

from memcon.clock import ManualClock
from memcon.errors import FormatError, UsageError
from memcon.intake.desk import IntakeDesk, Stated, Taken
from memcon.intake.limits import Limits
from memcon.intake.reader import Reader
from memcon.intake.refusals import RefusedError
from memcon.intake.worker import answer
from memcon.store.paths import Home
from memcon.vault.intakes import IntakeShelf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from memcon.record.intake import Intake


class Known:
    """An index in memory."""

    def __init__(self) -> None:
        self.by_digest: dict[str, int] = {}

    def find(self, sha256: str) -> int | None:
        return self.by_digest.get(sha256)

    def put(self, intake: Intake, hash_: str) -> None:
        assert len(hash_) == 64
        self.by_digest.setdefault(intake.files[0].sha256, intake.n)


class Nothing:
    def fetch(self, url: str, content_hash: str, to: Path) -> None:
        raise RefusedError("ingest-vcon-reference", url)


class Rig:
    def __init__(self, root: Path, reader: Any = None) -> None:
        self.home = Home(root / "home")
        self.sealed: list[tuple[int, bytes]] = []
        self.known = Known()
        self.shelf = IntakeShelf(
            self.home, "test.example/1", ManualClock(), lambda t, h: self.sealed.append((t, h))
        )
        self.told: list[Taken] = []
        self.desk = IntakeDesk(
            self.shelf, self.known, reader or InProcess(), self.home.intake_work, Nothing(), self.told.append
        )

    def take(self, path: Path, stated: Stated | None = None, **more: Any) -> Taken:
        return self.desk.take(path, "A. Archivist", stated or Stated(), **more)

    def left(self) -> list[str]:
        work = self.home.intake_work
        return [p.name for p in work.iterdir() if p.name != ".lock"] if work.is_dir() else []


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_a_file_is_kept_byte_for_byte_and_sealed(rig: Rig, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "call.wav", channels=2)
    stated = Stated("2017-01-28", "The call", "From a cassette", ("C. Notetaker",), ("A. Holt", "B. Rahn"))
    taken = rig.take(path, stated)
    assert (taken.n, taken.twin) == (1, False)
    assert rig.shelf.files(1)["original"].read_bytes() == path.read_bytes()
    intake = rig.shelf.read(1)
    assert [party["name"] for party in intake.stated["parties"]] == ["C. Notetaker", "A. Holt", "B. Rahn"]
    ids = [party["id"] for party in intake.stated["parties"]]
    assert [lane["party"] for lane in intake.found["lanes"]] == ids[1:]
    assert (intake.stated["start"], intake.stated["start_by"]) == ("2017-01-28", "A. Archivist")
    assert [type_ for type_, _ in rig.sealed] == [10]
    assert rig.told == [taken]
    assert rig.left() == []


def test_the_same_bytes_are_known_whatever_they_are_called(rig: Rig, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "call.wav")
    rig.take(path)
    other = tmp_path / "copy.wav"
    other.write_bytes(path.read_bytes())
    assert rig.take(other) == Taken(1, twin=True)
    assert rig.shelf.last() == 1


def test_two_who_take_in_at_once_keep_it_once(rig: Rig, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "call.wav")
    answers = iter([None, 1, 1])
    rig.take(path)
    rig.known.find = lambda sha256: next(answers)  # type: ignore[method-assign]
    assert rig.take(path) == Taken(1, twin=True)
    assert rig.shelf.last() == 1


def test_a_misnamed_file_is_taken_for_what_it_is(rig: Rig, tmp_path: Path) -> None:
    taken = rig.take(write_wav(tmp_path / "call.mp3"))
    assert taken.intake is not None
    assert taken.intake.found["remarks"] == [{"code": "ingest-misnamed", "text": "named .mp3, it is WAV"}]


def bad_files(folder: Path) -> Iterator[tuple[str, Path]]:
    (folder / "empty.wav").write_bytes(b"")
    yield "ingest-empty", folder / "empty.wav"
    (folder / "note.txt").write_text("hello")
    yield "ingest-unknown", folder / "note.txt"
    cut = write_wav(folder / "cut.wav")
    cut.write_bytes(cut.read_bytes()[:-99])
    yield "ingest-truncated", cut
    yield "ingest-unreadable", folder / "gone.wav"
    (folder / "dir.wav").mkdir()
    yield "ingest-unreadable", folder / "dir.wav"


def test_what_is_refused_leaves_nothing_and_the_next_is_taken(rig: Rig, tmp_path: Path) -> None:
    for code, path in bad_files(tmp_path):
        with pytest.raises(RefusedError) as caught:
            rig.take(path)
        assert caught.value.code == code
        assert rig.left() == []
    assert rig.shelf.last() == 0
    assert rig.sealed == []
    assert rig.take(write_wav(tmp_path / "good.wav")).n == 1


def test_what_is_too_large_is_not_even_copied(tmp_path: Path) -> None:
    rig = Rig(tmp_path, InProcess(Limits(octets=100)))
    with pytest.raises(RefusedError) as caught:
        rig.take(write_wav(tmp_path / "call.wav"))
    assert caught.value.code == "ingest-limit"


def test_a_file_that_grows_meanwhile_is_left_for_later(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_wav(tmp_path / "call.wav")
    once = iter([True])

    def growing(target: Path, *pieces: bytes) -> None:
        with target.open("ab") as file:
            file.writelines(pieces)
        if next(once, False):
            path.write_bytes(path.read_bytes() + b"more")

    monkeypatch.setattr("memcon.intake.desk.durable.append", growing)
    with pytest.raises(RefusedError) as caught:
        rig.take(path)
    assert caught.value.code == "ingest-changed"


def test_what_nobody_can_mean_is_refused_before_anything_is_read(rig: Rig, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "call.wav")
    with pytest.raises(FormatError):
        rig.take(path, Stated(start="yesterday"))
    with pytest.raises(FormatError, match="lanes"):
        rig.take(path, Stated(lanes=("A", "B")))
    assert rig.shelf.last() == 0


def test_an_answer_that_makes_no_sense_is_no_answer(tmp_path: Path) -> None:
    class Odd(InProcess):
        def ask(self, question: Any, seconds: float) -> dict[str, Any]:
            return {"ok": True, "facts": 7}

    with pytest.raises(RefusedError) as caught:
        Rig(tmp_path, Odd()).take(write_wav(tmp_path / "call.wav"))
    assert caught.value.code == "ingest-crash"


def test_the_reading_process_dies_hangs_and_is_replaced(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "call.wav")
    question = {"task": "probe media", "path": str(path)}
    with Reader("memcon.service.media_worker", Limits()) as reader:
        assert reader.ask(question, 60)["facts"]["duration_ms"] == 2000
        first = reader._process
        assert first is not None
        with pytest.raises(RefusedError) as caught:
            reader.ask({"task": "probe media", "path": str(tmp_path / "none")}, 60)
        assert caught.value.code == "ingest-unreadable"
        first.send_signal(signal.SIGSTOP)
        with pytest.raises(RefusedError) as caught:
            reader.ask(question, 0.2)
        assert caught.value.code == "ingest-limit"
        assert first.poll() is not None
        assert reader.ask(question, 60)["ok"]
        second = reader._process
        assert second is not None
        os.kill(second.pid, signal.SIGKILL)
        second.wait()
        assert reader.ask(question, 60)["ok"]
    assert reader._process is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "ingest-limit"),
        (OSError(5, "Input/output error"), "ingest-unreadable"),
        (FormatError("thing", "is wrong"), "ingest-corrupt"),
        (ZeroDivisionError("of a library"), "ingest-corrupt"),
        (UsageError("too much"), ""),
    ],
)
def test_whatever_goes_wrong_in_the_process_is_an_answer(error: Exception, code: str) -> None:
    def task(_asked: object, _limits: object) -> dict[str, Any]:
        raise error

    told = answer({"t": task}, '{"task": "t"}', Limits())
    assert (told["ok"], told["code"]) == (False, code)
