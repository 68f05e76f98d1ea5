"""Time stamps over the newest note: asked for once a day, checked, kept; what authorities get wrong."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import rfc3161_client as tsp
from tests.witness.kit import note
from tests.witness.site import until
from tests.witness.tsa import Tsa

from memcon.clock import NS, ManualClock
from memcon.errors import UsageError
from memcon.record import evidence
from memcon.verify import stamped
from memcon.witness import stamping
from memcon.witness.archive import Archive
from memcon.witness.stamping import RETRY_NS, Stamper
from memcon.witness.submit import Newest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY_NS = 86_400 * NS


@pytest.fixture
def tsa(tmp_path: Path) -> Iterator[Tsa]:
    tsa = Tsa(tmp_path / "tsa")
    yield tsa
    tsa.close()


class Kept:
    """An archive with a note in it, and who has it stamped; its authority's clock is the machine's."""

    def __init__(self, folder: Path, tsa: Tsa, *, roots: bytes | None = None) -> None:
        self.archive = Archive(folder / "log")
        self.clock = ManualClock(folder.stat().st_mtime_ns)
        data = note(5).to_bytes()
        self.newest = Newest(self.archive.add_note(data, 5, 1), 5, 1, 1)
        self.stamper = Stamper(self.archive, [tsa.url], self.clock, roots)

    def entries(self) -> list[evidence.Entry]:
        path = self.archive.root / evidence.STAMP_INDEX
        return list(evidence.read_entries(path.read_bytes() if path.exists() else b""))

    @property
    def problem(self) -> str:
        found: str = self.stamper.status()[0]["problem"]
        return found


def test_once_a_day_and_what_is_kept_holds(tmp_path: Path, tsa: Tsa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamping, "MOST_APART", 2 * 86_400)  # the authority's own clock does not go along
    kept = Kept(tmp_path, tsa, roots=tsa.roots)
    kept.stamper.step()  # nothing to stamp yet
    kept.stamper.offer(kept.newest)
    for _ in range(3):
        kept.stamper.step()
    assert (tsa.asked, kept.problem) == (1, "")
    (entry,) = kept.entries()
    data = (kept.archive.root / evidence.hashed_path("timestamp", entry.digest)).read_bytes()
    assert stamped.check_token(tsp, data, stamped.read_roots(tsa.roots)) == (kept.newest.digest, entry.time)
    assert entry.size == 5
    again = Stamper(kept.archive, [tsa.url], ManualClock(entry.time * NS))  # after a start on the same day
    again.offer(kept.newest)
    again.step()
    assert tsa.asked == 1
    kept.clock.advance(DAY_NS)
    kept.stamper.step()
    assert (tsa.asked, len(kept.entries())) == (2, 2)


def test_an_authority_that_is_away_is_asked_again_later(tmp_path: Path, tsa: Tsa) -> None:
    kept = Kept(tmp_path, tsa)
    kept.stamper.offer(kept.newest)
    tsa.broken = True
    kept.stamper.step()
    assert "answers 503" in kept.problem
    tsa.broken = False
    kept.stamper.step()
    assert tsa.asked == 1
    kept.clock.advance(RETRY_NS)
    kept.stamper.step()
    assert (kept.problem, len(kept.entries())) == ("", 1)


@pytest.mark.parametrize(
    "why", ["is over something else", "another question", "refused", "time stamp", "roots"]
)
def test_an_answer_that_does_not_fit_is_not_kept(
    tmp_path: Path, tsa: Tsa, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    other = tsp.TimestampRequestBuilder().data(note(6).to_bytes()).hash_algorithm(tsp.HashAlgorithm.SHA256)
    same = tsp.TimestampRequestBuilder().data(note(5).to_bytes()).hash_algorithm(tsp.HashAlgorithm.SHA256)
    answers = {
        "is over something else": tsa.reply(other.build().as_bytes()),
        "another question": tsa.reply(same.build().as_bytes()),
        "refused": tsa.reply(b"no query"),
        "time stamp": b"no answer",
    }
    roots = tsa.roots
    if why == "roots":
        stranger = Tsa(tmp_path / "stranger")
        stranger.close()
        roots = stranger.roots
    else:
        monkeypatch.setattr(tsa, "reply", lambda _: answers[why])
    kept = Kept(tmp_path, tsa, roots=roots)
    kept.stamper.offer(kept.newest)
    kept.stamper.step()
    assert kept.problem
    assert why in ("roots", "time stamp") or why in kept.problem
    assert kept.entries() == []


def test_an_authority_whose_clock_is_far_off_dates_nothing(tmp_path: Path, tsa: Tsa) -> None:
    kept = Kept(tmp_path, tsa, roots=tsa.roots)
    kept.clock.advance(30 * DAY_NS)
    kept.stamper.offer(kept.newest)
    kept.stamper.step()
    assert "that clock or this one is wrong" in kept.problem
    assert kept.entries() == []


def test_answers_that_the_library_cannot_bear(
    tmp_path: Path, tsa: Tsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One byte of a certificate in it, and the library raises what is no ValueError."""

    class Unheard(Exception):
        pass

    def decode(_: bytes) -> None:
        raise Unheard

    kept = Kept(tmp_path, tsa)
    monkeypatch.setattr(tsp, "decode_timestamp_response", decode)
    kept.stamper.offer(kept.newest)
    kept.stamper.step()
    assert "Unheard" in kept.problem


def test_the_thread_and_a_missing_library(tmp_path: Path, tsa: Tsa, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, stop = Kept(tmp_path, tsa), threading.Event()
    monkeypatch.setattr("memcon.witness.stamping.LOOK_SECONDS", 0.01)
    kept.stamper.offer(kept.newest)
    thread = threading.Thread(target=kept.stamper.run, args=(stop,))
    thread.start()
    until(kept.entries)
    stop.set()
    thread.join()
    monkeypatch.setattr(stamped, "LIBRARY", "rfc3161_client_that_is_not_there")
    with pytest.raises(UsageError, match="pip install"):
        Kept(tmp_path, tsa)
