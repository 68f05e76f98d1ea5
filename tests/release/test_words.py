"""Subtitles, text and JSON of a transcript; the first two read by somebody else's program."""

from __future__ import annotations

import io
import json

import webvtt
from hypothesis import given
from hypothesis import strategies as st

from memcon.record.transcript import Lane, Stretch, Subject, Transcript, Translation, Utterance, Word, decode
from memcon.release.words import MOST_LETTERS, MOST_MS, About, clock, cues, document, plain, srt, vtt

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=30)
ABOUT = About("Call 2026-11-24/0007", "A. Holt and B. Rahn", "2026-11-24T09:14:07Z", 2,
              "A. Listener", "2026-11-28T09:00:00Z", "ab" * 32, "The call is sealed.")  # fmt: skip


def words(text: str, start: int = 0, step: int = 400) -> tuple[Word, ...]:
    return tuple(Word(one, start + step * n, start + step * n + 300) for n, one in enumerate(text.split()))


def transcript() -> Transcript:
    of = Subject("call", "7", "ab" * 32, 100_000, "cd" * 32)
    said = words("Good morning, <Mr> & Mrs. --> here we are.", 1200)
    russian = Translation("en", "Good evening.", "A. Interpreter")
    heard = (Word("Добрый", 6000, 6400), Word("", 6400, 6500, None, ("inaudible",)))
    gaps = Stretch(20_000, 23_000, "lost"), Stretch(30_000, 61_000, "hold"), Stretch(5, 9, "tone")
    a = Lane("A", "p1", "A. <Holt>", (0,), "en", "set", (Utterance(1200, 5000, said),), gaps)
    b = Lane("B", utterances=(Utterance(6000, 6500, heard, language="ru", translations=(russian,)),))
    return Transcript(of, "A. Listener", (a, b), at="2026-11-28T09:00:00Z")


def test_webvtt_is_read_by_webvtt_py() -> None:
    read = webvtt.from_buffer(io.StringIO(vtt(transcript(), ABOUT)))
    assert [(c.start, c.end, c.voice) for c in read.captions][:2] == [
        ("00:00:01.200", "00:00:04.700", "A. &lt;Holt&gt;"),
        ("00:00:06.000", "00:00:06.500", "Unknown speaker"),
    ]
    assert "[3 s lost]" in read[2].text
    assert "[hold 31 s]" in read[3].text
    assert len(read) == 4
    head = vtt(transcript(), ABOUT).split("\n\n")[1]
    assert head.startswith("NOTE\n")
    assert "version 2, by A. Listener" in head
    assert "ab" * 32 in head


def test_srt_is_read_by_webvtt_py() -> None:
    read = webvtt.from_buffer(io.StringIO(srt(transcript(), ABOUT)), format="srt")
    assert [c.start for c in read.captions] == [
        "00:00:01.200",
        "00:00:06.000",
        "00:00:20.000",
        "00:00:30.000",
    ]
    assert read[0].text == "A. ‹Holt›: Good morning, ‹Mr› & Mrs. → here we are."
    assert read[1].text == "Unknown speaker: Добрый [inaudible]"


@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=30), max_size=40
        ),
        max_size=4,
    ),
    st.integers(100, 3000),
)
def test_any_words_come_out_once_in_cues_that_can_be_read(texts: list[list[str]], step: int) -> None:
    lanes = tuple(
        Lane(chr(65 + n), utterances=(Utterance(0, 10_000_000, words(" ".join(some), step=step)),))
        for n, some in enumerate(texts)
    )
    made = Transcript(Subject("call", "7", "ab" * 32, 9000, "cd" * 32), "x", lanes)
    found = cues(made)
    assert sorted(" ".join(c.text for c in found).split()) == sorted(w for some in texts for w in some)
    for cue in found:
        single = " " not in cue.text
        assert cue.end > cue.start
        assert single or cue.end - cue.start <= MOST_MS
        assert single or len(cue.text) <= MOST_LETTERS
    assert len(webvtt.from_buffer(io.StringIO(vtt(made, ABOUT)))) == len(found)


def test_text_says_who_when_and_what_was_not_heard() -> None:
    text = plain(transcript(), ABOUT)
    assert "[00:00:01] A. <Holt>: Good morning, <Mr> & Mrs. --> here we are." in text
    assert "[00:00:06] Unknown speaker: Добрый [inaudible]" in text
    assert "(en, A. Interpreter) Good evening." in text
    assert "[00:00:20] [3 s lost]" in text
    assert text.index("[hold 31 s]") > text.index("[3 s lost]")
    assert "A claim about the sound, not the sound." in text


def test_json_holds_the_version_whole() -> None:
    read = json.loads(document(transcript(), ABOUT))
    again = json.dumps(read["transcript"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert decode(again) == transcript()
    assert read["about"]["digest"] == "ab" * 32


def test_times() -> None:
    assert clock(3_723_004, ".") == "01:02:03.004"
    assert clock(360_000_000, ",") == "100:00:00,000"
