"""The files of dossiers: appended, chained, never replaced."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from memcon.clock import ManualClock
from memcon.errors import FormatError, MachineError, UsageError
from memcon.store import dossiers
from memcon.store.dossiers import DossierStore
from memcon.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def sealed() -> list[tuple[int, bytes]]:
    return []


@pytest.fixture
def store(tmp_path: Path, sealed: list[tuple[int, bytes]]) -> DossierStore:
    return DossierStore(Home(tmp_path), ManualClock(), lambda *note: sealed.append(note))


def test_what_is_written_is_read_and_handed_in(store: DossierStore, sealed: list[tuple[int, bytes]]) -> None:
    assert store.ids() == []
    made = store.create("2017-01-28", "A", {"x": 1})
    assert made.entry.dossier == "2017-01-28/1"
    store.append("2017-01-28/1", "source", "B", {"y": 2})
    kept = store.read("2017-01-28/1")
    assert [(k.entry.n, k.entry.kind, k.entry.by) for k in kept] == [(1, "dossier", "A"), (2, "source", "B")]
    assert sealed == [(9, bytes.fromhex(kept[0].hash)), (2, bytes.fromhex(kept[1].hash))]
    assert store.last("2017-01-28/1") == 2
    assert store.seal_again() == 2
    assert sealed[2:] == sealed[:2]


def test_ids_stand_by_date_then_number(store: DossierStore, tmp_path: Path) -> None:
    for date in ("undated", "2017", "2017-01-28", *["1999"] * 11):
        store.create(date, "A", {})
    (tmp_path / "dossiers" / "notes.txt").write_text("no dossier")
    assert store.ids()[:2] == ["1999/1", "1999/2"]
    assert store.ids()[9:] == ["1999/10", "1999/11", "2017/1", "2017-01-28/1", "undated/1"]


def test_what_is_no_date_or_nobody_makes_nothing(store: DossierStore, tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        store.create("../../etc", "A", {})
    with pytest.raises(FormatError):
        store.create("2017", " ", {})
    assert not (tmp_path / "dossiers").exists()


def test_an_altered_entry_shows(store: DossierStore, tmp_path: Path) -> None:
    store.create("2017", "A", {"x": 1})
    store.append("2017/1", "claim", "A", {"x": 2})
    store.append("2017/1", "claim", "A", {"x": 3})
    path = tmp_path / "dossiers/2017-1/entries/000002-claim.json"
    path.write_bytes(path.read_bytes().replace(b'"x":2', b'"x":4'))
    with pytest.raises(FormatError, match="does not follow"):
        store.read("2017/1")
    path.unlink()
    with pytest.raises(FormatError, match="does not follow"):
        store.read("2017/1")


def test_files_are_kept_once_under_their_hash(store: DossierStore, tmp_path: Path) -> None:
    store.create("2017", "A", {})
    digest = store.put("2017/1", b"bytes")
    assert store.put("2017/1", b"bytes") == digest
    assert store.get("2017/1", digest) == b"bytes"
    path = tmp_path / "dossiers/2017-1/files" / digest
    path.write_bytes(b"others")
    with pytest.raises(FormatError, match="not what was sealed"):
        store.get("2017/1", digest)
    path.unlink()
    for name in (digest, "../entries/000001-dossier.json"):
        with pytest.raises(FormatError, match="not there"):
            store.get("2017/1", name)


def test_what_is_not_there_is_said(store: DossierStore) -> None:
    with pytest.raises(UsageError, match="no dossier"):
        store.read("2017/1")
    with pytest.raises(FormatError):
        store.append("2017-1", "claim", "A", {})


def test_a_full_dossier_takes_no_more(store: DossierStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dossiers, "MOST_ENTRIES", 1)
    store.create("2017", "A", {})
    with pytest.raises(UsageError, match="full"):
        store.append("2017/1", "claim", "A", {})


def test_a_directory_that_cannot_be_written_is_the_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "dossiers").write_text("a file")
    store = DossierStore(Home(tmp_path), ManualClock(), lambda *_: None)
    with pytest.raises(MachineError):
        store.create("2017", "A", {})


def test_a_name_that_cannot_be_made_is_the_machines_fault(
    store: DossierStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, mode: int = 0) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "dossiers").mkdir()
    monkeypatch.setattr(type(tmp_path), "mkdir", full)
    with pytest.raises(MachineError, match="No space"):
        store.create("2017", "A", {})


def test_more_dossiers_of_a_day_than_there_are_numbers(
    store: DossierStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create("2017", "A", {})
    monkeypatch.setattr(dossiers, "range", lambda *_: [1], raising=False)
    with pytest.raises(UsageError, match="999,999"):
        store.create("2017", "A", {})


def test_writers_at_once_lose_nothing(store: DossierStore) -> None:
    store.create("2017", "A", {})

    def write() -> None:
        for n in range(5):
            store.append("2017/1", "claim", "A", {"n": n})

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.read("2017/1")) == 21


def test_a_dossier_without_entries_is_empty(store: DossierStore, tmp_path: Path) -> None:
    (tmp_path / "dossiers/2017-1").mkdir(parents=True)
    assert store.read("2017/1") == []
