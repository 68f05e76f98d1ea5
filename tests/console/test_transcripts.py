"""The words of a call on its page: versions, differences, citations, and what stands there without any."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.console.dossier_rig import said
from tests.console.fakes import make_office
from tests.console.said import long_call, solheim_keller, utterance

from memcon.console import transcript_section
from memcon.console.transcript_cite import MOST_WORDS, milliseconds, said_between
from memcon.console.transcript_words import FILES
from memcon.errors import UsageError
from memcon.record.transcript import Lane, hash_of
from memcon.release.citing import Cited

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient
    from tests.console.fakes import Office
    from tests.console.said import FakeBook


@pytest.fixture
def book(office: Office) -> FakeBook:
    return office.transcripts


def test_the_words_of_a_call_stand_on_its_page(reader: TestClient) -> None:
    page = reader.get("/calls/7").text
    text = said(page)
    assert (
        "Version 2 of 23 November 2026, 14:19 UTC , corrected over version 1 by olaf; not yet sealed" in text
    )
    assert "A claim about the audio, not the record itself" in text
    assert "Ingrid Solheim Then we open the lower gates at six this evening" in text
    assert "hold 31 s, no audio was sent" in text
    assert "Yes. And the 3 s lost we should tell the harbour master" in text
    assert "[uncertain: Tarnbeg ] culvert" in text
    assert "no, translated by base 1.0: Han bekrefter tallet." in text
    assert "1 loss shorter than 0.2 s" in text
    assert 'data-t="259.3" data-e="259.65">Yes.</span>' in page
    assert 'id="t=259.3" href="#t=259.3" data-second="259.3"' in page
    assert "1 change from version 1 to version 2" in text
    assert "sealed in leaf 2,252,100" in text


def test_an_earlier_version_has_its_address(reader: TestClient) -> None:
    text = said(reader.get("/calls/7?version=1").text)
    assert "by machine: faster-whisper 1.2.1, tiny.en, 1, digest 9f419f41…9f41c02e" in text
    assert "Tarnbeck (unsure) culvert" in text
    assert "Not the version shown by default" in text
    assert reader.get("/calls/7?version=3").status_code == 404
    assert reader.get("/calls/38?version=1").status_code == 404
    assert "Version 2 of" in said(reader.get("/calls/7?version=x").text)


def test_a_newer_version_by_machine_is_named_and_not_shown(book: FakeBook, reader: TestClient) -> None:
    better = replace(solheim_keller(), note="a larger model")
    book.store.append(better)
    page = reader.get("/calls/7").text
    assert "Version 3, by machine" in said(page)
    assert "/calls/7/transcript/compare?from=2&amp;to=3" in page
    assert "“a larger model”" in said(page)


def test_a_version_is_given_out_as_it_is_sealed(book: FakeBook, reader: TestClient) -> None:
    answer = reader.get("/calls/7/transcript/1.json")
    assert hash_of(answer.content) == book.handed_in[0]
    assert json.loads(answer.content)["version"] == 1
    assert 'filename="2026-11-23-0007-transcript-1.json"' in answer.headers["content-disposition"]
    for path in ("/calls/7/transcript/9.json", "/calls/38/transcript/1.json", "/calls/999/transcript/1.json"):
        assert reader.get(path).status_code == 404


def test_two_versions_are_compared(reader: TestClient) -> None:
    text = said(reader.get("/calls/7/transcript/compare?from=2&to=1").text)
    assert "1 change from version 2 to version 1" in text
    assert "replaced Tarnbeg Tarnbeck" in text
    assert "The words, marks and speakers of both versions are the same" in said(
        reader.get("/calls/7/transcript/compare?from=1&to=1").text
    )
    assert reader.get("/calls/7/transcript/compare?from=1&to=9").status_code == 404
    assert reader.get("/calls/38/transcript/compare").status_code == 404


def test_a_span_is_cited_with_version_and_hash(book: FakeBook, reader: TestClient) -> None:
    page = reader.get("/calls/7/transcript/cite?from=2:08.3&to=132.5").text
    text = said(page)
    assert "Ingrid Solheim: Then we open the lower gates at six this evening, on" in text
    assert "Tomas Keller: Yes," in text
    assert "At 2:08–2:13 (08:48:40 UTC). Transcript, version 2 of 23 November 2026" in text
    assert f"corrected by olaf, SHA-256 {book.store.head('call-7', 2).hash}" in text
    assert "https://callroom.example/calls/7?version=2#t=128.3,132.5" in text
    assert 'href="/calls/7?version=2#t=128.3,132.5"' in page
    assert "by machine" in said(reader.get("/calls/7/transcript/cite?from=0:01&to=1:59&version=1").text)
    assert "No word stands between" in said(reader.get("/calls/7/transcript/cite?from=1&to=2").text)
    for bad in ("from=2&to=1", "from=x&to=5", "from=1&to=1:2:3:4", ""):
        assert reader.get(f"/calls/7/transcript/cite?{bad}").status_code == 400
    assert reader.get("/calls/7/transcript/cite?from=1&to=2&version=9").status_code == 404


def test_a_span_without_an_address_of_the_office_is_said(tmp_path: Path) -> None:
    client = make_office(tmp_path, public_url="").client("vera")
    text = said(client.get("/calls/7/transcript/cite?from=130&to=131").text)
    assert "/calls/7?version=2#t=130,131" in text
    assert "holds on this machine only" in text


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("137", 137_000),
        ("2:17", 137_000),
        ("1:02:17.5", 3_737_500),
        (" 0.25 ", 250),
        ("1:2:3:4", None),
        ("-1", None),
        ("1.2345", None),
        ("١", None),
        ("", None),
    ],
)
def test_a_place_is_written_in_many_ways(text: str, ms: int | None) -> None:
    assert milliseconds(text) == ms


def test_a_long_quotation_ends_somewhere() -> None:
    quoted = said_between(long_call(60), 0, 3_600_000)
    assert sum(len(text.split()) for _, text in quoted) == MOST_WORDS + 1
    assert quoted[-1][1].endswith(" …")


def test_without_a_transcript_the_page_says_what_to_do(book: FakeBook, reader: TestClient) -> None:
    assert "run memcon transcribe 38 where the recorder is" in said(reader.get("/calls/38").text)
    book.installed = False
    text = said(reader.get("/calls/38").text)
    assert "speech recognition is not installed here" in text
    assert "scripts/setup --speech" in text
    assert "Speech recognition is not installed here" in said(reader.get("/calls/40").text)
    for silent in ("/calls/39", "/calls/36"):
        assert 'id="transcript"' not in reader.get(silent).text


def test_words_are_taken_away_in_every_format_there_is(tmp_path: Path) -> None:
    class Files:
        def make(self, number: int, kind: str, version: int | None = None) -> str:
            if version == 9:
                raise UsageError("there is no version 9")
            return f"{kind} of version {version} of call {number}"

        def cited(self, number: int, span: tuple[int, int] | None, version: int | None) -> Cited:
            if span is not None and span[1] > 400_000:
                raise UsageError("the span is not within the call")
            return Cited("2026-11-23/0007", "A–B", 0, True, "", "log/1", "leaf 1", "ab", "transcript", span)

    office = make_office(tmp_path, word_files=Files())
    reader = office.client("vera")
    page = reader.get("/calls/7").text
    for one in FILES:
        assert f'/calls/7/transcript/file/{one.kind}?version=2"' in page
        answer = reader.get(f"/calls/7/transcript/file/{one.kind}?version=2")
        assert answer.text == f"{one.kind} of version 2 of call 7"
        assert answer.headers["content-type"].startswith(one.media_type.split(";")[0])
        assert f'"2026-11-23-0007-version-2.{one.suffix}"' in answer.headers["content-disposition"]
    cited = said(reader.get("/calls/7/transcript/cite?from=2:08&to=2:10").text)
    assert "In the archives' form:" in cited
    assert "Call 2026-11-23/0007, A–B" in cited
    assert "https://callroom.example/calls/7?version=2#t=128" in cited
    assert reader.get("/calls/7/transcript/cite?from=2:08&to=22:10").status_code == 400
    for gone in ("vtt?version=9", "tei"):
        assert reader.get(f"/calls/7/transcript/file/{gone}").status_code == 404
    assert office.client("mira").get("/calls/7/transcript/file/vtt").status_code == 403


def test_words_appear_while_a_call_goes_on(book: FakeBook, reader: TestClient) -> None:
    assert "No words yet" in said(reader.get("/calls/40").text)
    early, late = utterance("Good morning, Minister.", 2000), utterance("The figures are here.", 490_000)
    book.heard[40] = (Lane("A", speaker="Ingrid Solheim", utterances=(early, late)),)
    page = reader.get("/calls/40").text
    assert 'id="w-0" data-into="words" data-inside><div class="turn">' in page
    assert "words of a call that goes on are not sealed yet" in said(page)
    fragment = reader.get("/fragments/call/40?minute=8").text
    assert 'id="w-8"' in fragment
    assert "The</span> " in fragment
    assert 'id="w-0"' not in fragment
    assert 'id="w-0"' in reader.get("/fragments/call/40").text
    assert 'data-words="/fragments/words/40"' in page
    words = reader.get("/fragments/words/40?minute=8").text
    assert 'id="w-8"' in words
    assert 'id="w-5"' not in words
    assert "score" not in words


def test_words_that_cannot_be_read_are_said_to_be_so(book: FakeBook, reader: TestClient) -> None:
    book.damaged.add(40)
    for path in ("/calls/40", "/fragments/call/40", "/fragments/words/40"):
        answer = reader.get(path)
        assert answer.status_code == 200
        assert "cannot be read: their file is damaged" in said(answer.text)


def test_words_heard_stand_until_the_transcript_is_written(book: FakeBook, reader: TestClient) -> None:
    book.heard[38] = (Lane("A", utterances=(utterance("Good morning.", 2000),)),)
    text = said(reader.get("/calls/38").text)
    assert "its transcript is being written" in text
    assert "Unknown speaker Good morning." in text


def test_an_overseer_has_no_words(office: Office) -> None:
    overseer = office.client("mira")
    assert "lower" not in said(overseer.get("/calls/7").text)
    for path in ("1.json", "compare", "cite?from=1&to=9"):
        assert overseer.get(f"/calls/7/transcript/{path}").status_code == 403
    office.transcripts.heard[40] = (Lane("A", utterances=(utterance("secret", 1000),)),)
    assert "secret" not in overseer.get("/fragments/call/40").text
    assert overseer.get("/fragments/words/40").status_code == 404


def test_a_console_without_transcripts_has_no_such_pages(tmp_path: Path) -> None:
    client = make_office(tmp_path, transcripts=None).client("vera")
    assert 'id="transcript"' not in client.get("/calls/7").text
    assert client.get("/calls/7/transcript/1.json").status_code == 404
    assert client.get("/fragments/call/40").status_code == 200


def test_a_long_transcript_is_shown_in_parts(
    book: FakeBook, reader: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcript_section, "PART_WORDS", 500)
    book.store.append(long_call(10))
    page = reader.get("/calls/38").text
    assert 'data-first="0" aria-current="page"' in page
    assert 'id="w-1"' in page
    assert 'id="w-4"' not in page
    last = reader.get("/calls/38?part=5").text
    assert 'id="w-9"' in last
    assert 'id="w-1"' not in last


def test_a_hostile_transcript_stays_text(reader: TestClient) -> None:
    for path in ("/calls/37", "/calls/37/transcript/compare", "/calls/37/transcript/cite?from=1&to=3"):
        page = reader.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_many_versions_are_listed_in_part(book: FakeBook, reader: TestClient) -> None:
    for _ in range(transcript_section.LISTED):
        book.store.append(solheim_keller())
    text = said(reader.get("/calls/7?version=1").text)
    assert "22 versions: who, when" in text
    assert "2 earlier versions" in text
    assert "Version 1 of 23 November" in text
