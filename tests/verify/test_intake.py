"""Calls taken in, checked: each object by itself, and all of a home as a chain with its NOTEs."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from memcon.record.entry import NO_ENTRY
from memcon.record.intake import Intake, TakenFile, hash_of
from memcon.verify.findings import Report
from memcon.verify.intake import Found, check_chain, check_intake, found_in

SOUND = b"RIFF and so on"
ID = "urn:memcon:0123456789abcdef:intake:1"


def statement(n: int = 1, previous: str = NO_ENTRY) -> bytes:
    file = TakenFile("original", sha256(SOUND).hexdigest(), len(SOUND), "audio/wav")
    return Intake(n, previous, "A", "2026-11-24T03:42:00Z", "a.wav", (file,), {}, {"n": n}).encode()


def check(identity: str = ID, **files: bytes | None) -> Report:
    kept: dict[str, bytes | None] = {"intake.json": statement(), "original": SOUND}
    kept |= {name.replace("_json", ".json"): data for name, data in files.items()}
    report = Report("x", "object")
    check_intake(
        report, {name: memoryview(data) for name, data in kept.items() if data is not None}, identity
    )
    return report


def test_a_whole_one_says_what_is_proved_and_what_is_not() -> None:
    report = check()
    assert report.ok
    assert "nothing before that is proved" in report.headline
    assert any("before the intake" in line for line in report.not_checked)
    assert found_in(report) == Found(1, hash_of(statement()), NO_ENTRY)
    assert found_in(Report("x", "object")) is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"intake_json": b"{}"}, "intake-form"),
        ({"original": b"RIFF and so off"}, "intake-file"),
        ({"original": b"RIFF"}, "intake-file"),
        ({"original": None}, "intake-file"),
        ({"stray": b""}, "intake-file"),
        ({"identity": "urn:memcon:0123456789abcdef:intake:2"}, "object-id"),
        ({"identity": "urn:memcon:0123456789abcdef:call:1"}, "object-id"),
    ],
)
def test_what_is_wrong_with_one_has_a_code(change: dict[str, Any], code: str) -> None:
    report = check(**change)
    assert set(report.counts) == {code}
    assert not report.ok
    assert "nothing before that is proved" not in report.headline


def chain(count: int) -> list[Found]:
    found: list[Found] = []
    previous = NO_ENTRY
    for n in range(1, count + 1):
        found.append(Found(n, hash_of(statement(n, previous)), previous))
        previous = found[-1].hash
    return found


def test_a_whole_chain_with_all_its_notes() -> None:
    report = Report("x", "vault")
    found = chain(3)
    check_chain(report, found[::-1], {one.hash for one in found})
    assert report.ok
    assert report.counts == {}
    assert report.checked == ["3 of 3 calls taken in are sealed in the log"]


def test_none_at_all_is_nothing_to_say() -> None:
    report = Report("x", "vault")
    check_chain(report, [], set())
    assert (report.counts, report.checked) == ({}, [])


def test_one_without_its_note_is_told_and_is_no_error() -> None:
    report = Report("x", "vault")
    found = chain(2)
    check_chain(report, found, {found[0].hash})
    assert report.counts == {"intake-unsealed": 1}
    assert report.ok
    unasked = Report("x", "vault")
    check_chain(unasked, found, None)
    assert unasked.counts == {}


def test_what_was_taken_away_or_put_in_shows() -> None:
    found = chain(3)
    for kept, codes in (
        (found[1:], {"intake-chain": 1, "intake-missing": 1}),
        ([found[0], found[2]], {"intake-chain": 1, "intake-missing": 1}),
        (found[:2], {"intake-missing": 1}),
        ([*found, found[2]], {"intake-chain": 1}),
        ([found[0], found[1]._replace(previous="ab" * 32), found[2]], {"intake-chain": 1}),
    ):
        report = Report("x", "vault")
        check_chain(report, kept, {one.hash for one in found})
        assert report.counts == codes
        assert not report.ok
