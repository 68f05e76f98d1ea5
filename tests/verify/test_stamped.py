"""Time stamps over a log's cosigned notes, from an authority that `openssl ts` plays."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest
import rfc3161_client as tsp
from tests.sharing import copy_of
from tests.verify import builder as b
from tests.verify import worlds
from tests.verify.test_sync import Files
from tests.verify.watched import Watched
from tests.verify.witnesses import quick_check
from tests.witness.tsa import Tsa

from memcon.errors import FormatError
from memcon.record import evidence
from memcon.record.hashing import sha256
from memcon.tlog.policy import Policy
from memcon.tlog.tiles import TileReader
from memcon.verify import stamped, verify_log
from memcon.verify.findings import Report
from memcon.verify.window import windows

if TYPE_CHECKING:
    from pathlib import Path


@functools.cache
def tsa() -> Tsa:
    """One authority for all of these: its keys take half a second."""
    root = copy_of("tsa", lambda folder: Tsa(folder / "tsa").close())
    return Tsa.at(root / "tsa")


def token(data: bytes, algorithm: Any = tsp.HashAlgorithm.SHA256) -> bytes:
    """The authority's answer about some bytes."""
    query = tsp.TimestampRequestBuilder().data(data).hash_algorithm(algorithm).build()
    return tsa().reply(query.as_bytes())


def keep(watched: Watched, data: bytes, size: int = 3) -> str:
    """Have the log serve a token; its path."""
    path = evidence.hashed_path("timestamp", sha256(data))
    watched.extra[path] = data
    watched.append(evidence.STAMP_INDEX, evidence.Entry(size, 1, sha256(data)).encode())
    return path


def note(watched: Watched) -> bytes:
    return watched.extra[evidence.hashed_path("note", watched.newest[0])]


def read(watched: Watched, roots: bytes | None) -> tuple[list[int | None], Report]:
    """The time each of the leaves 1 to 5 has by an authority, in the window that is made of it."""
    report = Report("log", "log")
    policy = Policy.parse(watched.policy())
    found = windows(Files(watched), policy, 1, 5, report, quick_check, roots=roots)
    return [one.stamped for one in found], report


@pytest.fixture(autouse=True)
def _begun_in_the_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """The authority's clock is the machine's: the log must have been there by then."""
    monkeypatch.setattr(worlds, "START", 1_700_000_000)


def test_a_token_dated_before_the_beats_that_it_is_over_dates_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worlds, "START", 4_000_000_000)
    watched = Watched().beats(1, 9)
    keep(watched, token(note(watched)))
    times, report = read(watched, tsa().roots)
    assert (times, report.counts) == ([None] * 5, {"timestamp-form": 1})
    assert "before the last beat" in report.findings[0].text


def test_a_log_of_other_leaves_has_no_beat_that_a_token_could_be_dated_before() -> None:
    world = worlds.World(mldsa=False)
    world.entries = [b"entry"]
    stamped._after_its_leaves(TileReader(world.files().get, 1), 1, 0)


def test_a_token_over_more_than_is_served_shows_nothing_of_it() -> None:
    watched = Watched().beats(1, 12)
    keep(watched, token(note(watched)), 13)
    smaller = Watched().beats(1, 9)
    smaller.extra = watched.extra
    times, report = read(smaller, tsa().roots)
    assert (times, report.counts) == ([None] * 5, {})


def test_an_answer_that_the_library_cannot_bear_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unheard(Exception):
        pass

    def decode(_: bytes) -> None:
        raise Unheard

    monkeypatch.setattr(tsp, "decode_timestamp_response", decode)
    with pytest.raises(FormatError, match="Unheard"):
        stamped.check_token(tsp, b"", [])


def test_a_token_dates_every_leaf_of_the_tree_that_its_note_is_of() -> None:
    watched = Watched().beats(1, 3)
    keep(watched, token(note(watched)), 4)
    watched.beats(4, 9)
    times, report = read(watched, tsa().roots)
    assert times[:3] == [times[0]] * 3
    assert times[0] is not None
    assert times[3:] == [None, None]
    assert not report.counts
    assert "1 of 1 time stamp hold under roots of yours; the newest: 4 leaves" in report.checked[-1]


def test_without_the_library_or_roots_nothing_is_believed_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched().beats(1, 9)
    keep(watched, token(note(watched)))
    times, report = read(watched, None)
    assert times == [None] * 5
    assert report.not_checked[-1] == "1 time stamp of authorities: no roots of yours were given"
    monkeypatch.setattr(stamped, "LIBRARY", "rfc3161_client_that_is_not_there")
    _, report = read(watched, tsa().roots)
    assert report.not_checked[-1] == "1 time stamp of authorities: rfc3161-client is not installed"


def test_tokens_that_do_not_hold_are_findings(tmp_path: Path) -> None:
    watched = Watched().beats(1, 9)
    twin = Watched().beats(1, 2)
    twin.beat(4)
    watched.extra[evidence.hashed_path("note", twin.newest[0])] = note(twin)
    good = token(note(watched))
    paths = [
        keep(watched, good[:-1]),
        keep(watched, good.replace(watched.newest[0], bytes(32))),
        keep(watched, token(b"something else")),
        keep(watched, token(note(watched), tsp.HashAlgorithm.SHA512)),
        keep(watched, token(note(twin))),
    ]
    watched.append(evidence.STAMP_INDEX, evidence.Entry(3, 1, sha256(b"gone")).encode())
    times, report = read(watched, tsa().roots)
    assert times == [None] * 5
    assert report.counts == {"timestamp-form": 6}
    assert [one.where for one in report.findings[:5]] == paths


def test_roots_of_others_are_not_those_it_was_signed_under(tmp_path: Path) -> None:
    watched = Watched().beats(1, 9)
    keep(watched, token(note(watched)))
    other = Tsa(tmp_path / "other")
    other.close()
    assert read(watched, other.roots)[1].counts == {"timestamp-form": 1}
    with pytest.raises(FormatError, match="no PEM certificates"):
        read(watched, b"no certificate")


def test_a_whole_log_is_checked_with_its_tokens(tmp_path: Path) -> None:
    world = b.begun()
    world.beat()
    files = {**world.files()}
    data = token(files["checkpoint"])
    files[evidence.hashed_path("note", sha256(files["checkpoint"]))] = files["checkpoint"]
    files[evidence.hashed_path("timestamp", sha256(data))] = data
    files[evidence.STAMP_INDEX] = evidence.Entry(3, 1, sha256(data)).encode()
    folder = str(b.write_files(tmp_path, files))
    report = verify_log(folder, roots=tsa().roots)
    assert not report.counts
    assert "time stamp hold" in report.checked[-1]
