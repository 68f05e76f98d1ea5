"""Calls taken in, in the register: found, counted apart, told from recorded ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from memcon.catalogue.catalogue import Catalogue, Filter
from memcon.catalogue.intakes import RefusedFile, began
from memcon.catalogue.numbers import display_number, parse_display
from memcon.clock import NS
from memcon.errors import FormatError
from memcon.record.entry import NO_ENTRY
from memcon.record.intake import Intake, TakenFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = "2026-11-24T03:42:00Z"


def intake(n: int = 1, **stated: Any) -> Intake:
    lane = {"name": "channel 1", "codec": "mp3", "rate": 8000, "source": {}, "begins_ms": 1500, "party": "a",
            "duration_ms": 4000, "received": 90, "expected": 100, "gaps_ms": [[3000, 5000]]}  # fmt: skip
    holt = {"id": "a", "name": "Ambassador Holt", "aor": "", "label": "", "role": ""}
    said = {"start": "2017-01-28T17:00:00Z", "start_by": "A", "title": "The call", "note": "", "ids": ["x"],
            "parties": [holt]}  # fmt: skip
    found = {"form": "media", "duration_ms": 5500, "lanes": [lane], "remarks": [{"code": "c", "text": "odd"}]}
    file = TakenFile("original", f"{n:064x}", 12, "audio/mpeg")
    previous = NO_ENTRY if n == 1 else "ab" * 32
    return Intake(n, previous, "A", AT, "tape-7.mp3", (file,), said | stated, found)


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    made = Catalogue(tmp_path / "catalogue.sqlite")
    yield made
    made.close()


def test_one_is_a_line_of_the_register(catalogue: Catalogue) -> None:
    catalogue.intakes.put(intake(), "cd" * 32)
    for text in ("holt", "tape", "T001", "t1", "call"):
        page = catalogue.register(Filter(text=text))
        assert [(row.display, row.state, row.number) for row in page.rows] == [("T001", "taken", -1)], text
    row = page.rows[0]
    assert (row.parties, row.duration, row.lost) == (("Ambassador Holt",), 5_500_000_000, 10)
    assert row.start_wall == 1_485_622_800 * NS
    assert page.by_state == {"live": 0, "recorded": 0, "partly": 0, "taken": 1, "none": 0, "accounts": 0}
    detail = catalogue.call(-1)
    assert detail is not None
    assert detail.oddities == ("odd",)
    assert list(detail.streams[0].seconds) == [0, 1, 1, 0, 0, 1]
    assert detail.streams[0].participant == "a"


def test_put_twice_it_stands_once(catalogue: Catalogue) -> None:
    catalogue.intakes.put(intake(), "cd" * 32)
    catalogue.intakes.put(intake(title="Another"), "cd" * 32)
    assert catalogue.register(Filter(text="another")).total == 1
    assert catalogue.register().total == 1


def test_known_bytes_and_seals(catalogue: Catalogue) -> None:
    index = catalogue.intakes
    assert (index.last(), index.newest(5), index.line(1)) == (0, [], None)
    for n in (1, 2, 3):
        index.put(intake(n), f"{n + 100:064x}")
    assert index.find(f"{2:064x}") == 2
    assert index.find("ff" * 32) is None
    assert [line.n for line in index.newest(2)] == [3, 2]
    assert index.unsealed() == [1, 2, 3]
    note = {"hash": f"{102:064x}", "number": 5, "type": 10, "slot": 77, "index": 9}
    catalogue.dossiers.put_notes([note])
    assert index.unsealed() == [1, 3]
    line = index.line(2)
    assert line is not None
    assert (line.beat, line.slot) == (9, 77)


def test_what_was_refused_is_not_tried_again_while_it_stays_as_it_is(catalogue: Catalogue) -> None:
    index = catalogue.intakes
    file = RefusedFile("/in/a.wav", 12, 99, "ingest-empty", "the file is empty", 5)
    index.refuse(file)
    assert index.was_refused("/in/a.wav", 12, 99)
    assert not index.was_refused("/in/a.wav", 13, 99)
    assert not index.was_refused("/in/a.wav", 12, 98)
    assert index.refusals(5) == [file]
    index.forget_refused("/in/a.wav")
    assert index.refusals(5) == []


@pytest.mark.parametrize("start", ["", "some day", "../2017"])
def test_without_a_known_start_it_stands_where_it_was_taken_in(start: str) -> None:
    assert began(intake(start=start)) == 1_795_491_720 * NS


def test_what_was_found_must_be_readable(catalogue: Catalogue) -> None:
    broken = intake()
    del broken.found["lanes"][0]["codec"]
    with pytest.raises(FormatError, match="T1"):
        catalogue.intakes.put(broken, "cd" * 32)


def test_numbers_are_told_apart() -> None:
    assert display_number(-61, 0) == "T061"
    assert display_number(-1234, 0) == "T1234"
    assert parse_display("T061") == (None, -61)
    assert parse_display(" t1 ") == (None, -1)
    for text in ("T0", "T", "T-1", "2026-11-24/T1", "T1x"):
        assert parse_display(text) is None
