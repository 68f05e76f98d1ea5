"""Versions of a transcript: written and read, and refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.errors import FormatError
from memcon.record import canonical, transcript_form
from memcon.record.transcript import (
    Lane,
    Machine,
    Stretch,
    Subject,
    Transcript,
    Translation,
    Utterance,
    Word,
    decode,
    decode_head,
    hash_of,
    lane_name,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

OF = Subject("call", "12", "ab" * 32, 60_000, "cd" * 32)
SAID = Utterance(
    1000, 2000, (Word("Good", 1000, 1200, 900), Word("morning.", 1300, 2000, 400, ("uncertain",)))
)
LANE = Lane("A", "p1", "Ada", (0,), "en", "set", (SAID,), (Stretch(3000, 4000, "lost"),))
MACHINE = Machine("fake", "1", "tiny", "r1", "ef" * 32, settings={"beam": 1, "hot": ["Öl"], "vad": None})
GOOD = Transcript(OF, "memcon", (LANE, Lane("B")), MACHINE, at="2026-11-28T08:00:00Z")

_words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=9)


@given(st.lists(st.tuples(_words, st.integers(0, 300), st.none() | st.integers(0, 1000)), max_size=8))
def test_what_is_written_is_read(rows: list[tuple[str, int, int | None]]) -> None:
    at, words = 0, []
    for text, length, sure in rows:
        words.append(Word(text, at, at + length, sure))
        at += length
    said = Utterance(0, at, tuple(words), "Somebody", "ru", (Translation("en", "x", "y"),))
    made = replace(GOOD, lanes=(replace(LANE, utterances=(said,)),))
    assert decode(made.encode()) == made


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        decode(data)


@given(st.binary(max_size=200) | st.sampled_from([b"[]", b"{}", b"3", b"[" * 100_000]))
def test_a_head_of_other_bytes_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        decode_head(data)


def test_a_head_is_all_but_the_lanes() -> None:
    assert decode_head(GOOD.encode()) == replace(GOOD, lanes=())


def test_vectors(vectors: Callable[[str], Any]) -> None:
    rows = vectors("transcript")["versions"]
    files = [bytes.fromhex(row["bytes"]) for row in rows]
    first, second = (decode(data) for data in files)
    assert [one.encode() for one in (first, second)] == files
    assert [hash_of(data) for data in files] == [row["hash"] for row in rows]
    assert (first.kind, second.kind, first.note_type) == ("machine", "corrected", 3)
    assert second.previous == rows[0]["hash"]
    assert (first.of.key, first.count(), second.count()) == ("call-7", 2, 3)
    assert text_of(second.lanes[0].words()) == "Good evening. [inaudible]"


def test_text_of_languages_without_spaces() -> None:
    words = [Word("今日", 0, 1), Word("は", 1, 2)]
    assert (text_of(words, "ja"), text_of(words, "zh-Hant"), text_of(words, "en")) == (
        "今日は",
        "今日は",
        "今日 は",
    )


def test_lanes_have_letters_however_many() -> None:
    assert [lane_name(n) for n in (0, 25, 26, 52, 701)] == ["A", "Z", "AA", "BA", "ZZ"]


def _with(**change: Any) -> Transcript:
    return replace(GOOD, lanes=(replace(LANE, **change),))


def _saying(*words: Word, **change: Any) -> Transcript:
    return _with(utterances=(replace(SAID, words=words, **change),))


@pytest.mark.parametrize(
    ("bad", "where"),
    [
        (replace(GOOD, by=" "), "by"),
        (replace(GOOD, at=""), "at"),
        (replace(GOOD, version=0), "previous"),
        (replace(GOOD, version=2), "previous"),
        (replace(GOOD, previous="ab" * 32), "previous"),
        (replace(GOOD, corrects=1, version=2, previous="ab" * 32), "corrects"),
        (replace(GOOD, machine=None, corrects=2, version=2, previous="ab" * 32), "corrects"),
        (replace(GOOD, of=replace(OF, kind="letter")), "of kind"),
        (replace(GOOD, of=replace(OF, id="../x")), "of id"),
        (replace(GOOD, of=replace(OF, handle="")), "of"),
        (replace(GOOD, of=replace(OF, kind="intake")), "of"),
        (replace(GOOD, machine=replace(MACHINE, model_digest="x")), "machine model_digest"),
        (replace(GOOD, machine=replace(MACHINE, settings={"x": [1]})), "machine settings"),
        (replace(GOOD, lanes=(LANE, LANE)), "lanes"),
        (_with(name="a"), "lane 1 name"),
        (_with(streams=(-1,)), "lane A"),
        (_with(language="English"), "lane 1 language"),
        (_with(stretches=(Stretch(2000, 2000, "lost"),)), "lane A"),
        (_with(stretches=(Stretch(2000, 60_001, "lost"),)), "lane A"),
        (_with(stretches=(Stretch(2000, 3000, "cut"),)), "lane A, stretch"),
        (_with(utterances=(SAID, replace(SAID, start=500))), "lane A, utterance 2"),
        (_with(utterances=(replace(SAID, end=60_001),)), "lane A, utterance 1"),
        (_saying(translations=(Translation("en", " ", "x"),)), "lane A, utterance 1, translation"),
        (_saying(Word("x", 999, 1000)), "lane A, utterance 1, word 1"),
        (_saying(Word("x", 1500, 1600), Word("y", 1400, 1600)), "lane A, utterance 1, word 2"),
        (_saying(Word("x", 1500, 2001)), "lane A, utterance 1, word 1"),
        (_saying(Word("x", 1500, 1500.5)), "lane A, utterance 1, word 1"),  # type: ignore[arg-type]
        (_saying(Word("x", 1500, 1600, 1001)), "lane A, utterance 1, word 1"),
        (_saying(Word("x", 1500, 1600, 1, ("loud",))), "lane A, utterance 1, word 1"),
        (_saying(Word("x", 1500, 1600, 1, ("uncertain",) * 2)), "lane A, utterance 1, word 1"),
        (_saying(Word(" x", 1500, 1600)), "lane A, utterance 1, word 1"),
        (_saying(Word("", 1500, 1600, None, ("uncertain",))), "lane A, utterance 1, word 1"),
    ],
)
def test_what_is_no_version_is_neither_written_nor_read(bad: Transcript, where: str) -> None:
    with pytest.raises(FormatError) as refused:
        bad.encode()
    assert refused.value.where == where


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.pop("note"),
        lambda f: f.update(format="memcon/transcript/2"),
        lambda f: f.update(kind="corrected"),
        lambda f: f.update(lanes={}),
        lambda f: f.update(of=[]),
        lambda f: f["lanes"].insert(0, 1),
        lambda f: f["machine"].update(settings=[]),
        lambda f: f["lanes"][0]["stretches"].append([1, 2]),
        lambda f: f["lanes"][0]["utterances"][0]["words"].append(["x", 2000, 2000]),
    ],
)
def test_other_forms_are_not_read(change: Callable[[dict[str, Any]], None]) -> None:
    facts = canonical.loads(GOOD.encode())
    change(facts)
    with pytest.raises(FormatError):
        decode(canonical.dumps(facts))


def test_too_long_is_neither_written_nor_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = GOOD.encode()
    monkeypatch.setattr(transcript_form, "MAX_BYTES", len(data) - 1)
    for attempt in (GOOD.encode, lambda: decode(data)):
        with pytest.raises(FormatError, match="longer"):
            attempt()
