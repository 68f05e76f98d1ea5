"""Correcting in the console: by whom, over which version, and that nobody's work is written over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.console.dossier_rig import said, token

from memcon.console.transcript_correcting import MOST_EDITS, lines_of, read_corrections
from memcon.errors import FormatError, UsageError

if TYPE_CHECKING:
    from httpx import Response
    from starlette.testclient import TestClient
    from tests.console.fakes import Office

AT = "/calls/7/transcript"


@pytest.fixture
def editor(office: Office) -> TestClient:
    return office.client("olaf")


def sent(office: Office, editor: TestClient, edits: list[dict[str, Any]], **changes: str) -> Response:
    """Corrections of the version that is shown, as the page sends them."""
    head = office.transcripts.store.current("call-7")
    assert head is not None
    form = {
        "token": token(editor, "/calls/7"),
        "base": str(head.transcript.version),
        "hash": head.hash,
        "seen": head.hash,
        "corrections": json.dumps({"edits": edits, "speakers": {}, "note": "heard again"}),
    }
    answer: Response = editor.post(f"{AT}/correct", data=form | changes)
    return answer


def her(office: Office, text: str = "I will call him when we hang up.") -> list[dict[str, Any]]:
    kept = office.transcripts.store.current("call-7")
    assert kept is not None
    line = next(one for one in lines_of(kept.transcript) if "when we hang up" in one["text"])
    part = {"speaker": "", "text": text}
    return [{"lane": line["lane"], "start": line["start"], "before": line["text"], "parts": [part]}]


def test_the_page_offers_the_words_to_whoever_may_correct(office: Office, editor: TestClient) -> None:
    assert 'id="correct-it" href="/calls/7/transcript/correct"' in editor.get("/calls/7").text
    page = editor.get(f"{AT}/correct")
    assert "Correcting version 2" in said(page.text)
    told = editor.get(f"{AT}/correct.json?version=2").json()
    assert told["lines"][2]["text"].endswith("says the [uncertain: Tarnbeg] culvert is clear.")
    assert (told["version"], told["hash"]) == (2, office.transcripts.store.head("call-7", 2).hash)
    assert "Correcting version 1" in said(editor.get(f"{AT}/correct?version=1").text)
    for missing in (f"{AT}/correct?version=9", "/calls/38/transcript/correct"):
        assert editor.get(missing).status_code == 404
    for name in ("vera", "mira"):
        other = office.client(name)
        assert other.get(f"{AT}/correct").status_code == 403
        assert 'id="correct-it"' not in other.get("/calls/7").text
        assert other.post(f"{AT}/correct", data={"token": token(other, "/status")}).status_code == 403


def test_a_correction_becomes_a_version_with_its_author_and_is_handed_in(
    office: Office, editor: TestClient
) -> None:
    answer = sent(office, editor, her(office))
    assert answer.json() == {"version": 3, "address": "/calls/7#transcript"}
    kept = office.transcripts.store.read("call-7", 3)
    it = kept.transcript
    assert (it.by, it.corrects, it.note, it.kind) == ("olaf", 2, "heard again", "corrected")
    assert office.transcripts.handed_in[-1] == kept.hash
    page = editor.get("/calls/7").text
    assert "I will call him when we hang up." in said(page)
    assert 'class="w hand" data-t="272.5"' in page  # in the place of `her`, at its time
    assert "1 change from version 2 to version 3" in said(page)


def test_a_correction_over_an_older_sight_is_refused_and_says_by_whom(
    office: Office, editor: TestClient
) -> None:
    edits = her(office)
    head = office.transcripts.store.head("call-7", 2)
    seen = {"base": "2", "hash": head.hash, "seen": head.hash}
    assert sent(office, office.client("kurt"), edits, **seen).status_code == 200
    late = sent(office, editor, edits, **seen)
    assert late.status_code == 409
    assert late.json() == {"version": 3, "by": "kurt", "when": "23 November 2026, 14:19 UTC"}
    assert len(office.transcripts.store.versions("call-7")) == 3


def test_two_who_save_in_the_same_moment_do_not_write_over_one_another(
    office: Office, editor: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def append(*_: object, **__: object) -> None:
        raise UsageError("version 3 was written meanwhile")

    monkeypatch.setattr(office.transcripts.store, "append", append)
    assert sent(office, editor, her(office)).status_code == 409


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"corrections": "x"}, "are no JSON"),
        ({"corrections": "[]"}, "are no JSON object"),
        ({"corrections": '{"edits": [], "speakers": {}}'}, "Nothing was changed"),
        ({"corrections": '{"edits": [{"lane": "A"}], "speakers": {}}'}, "without its parts"),
        ({"corrections": '{"edits": [{"lane": "A", "parts": []}], "speakers": {}}'}, "without the time"),
        ({"corrections": '{"edits": [], "speakers": {"A": 3}}'}, "a text that is none"),
        ({"corrections": '{"edits": [], "speakers": {"A": "' + "x" * 201 + '"}}'}, "more than 200 letters"),
        ({"base": "1"}, "is not the one that was shown"),
        ({"base": "9"}, "there is no version 9"),
        ({"base": ""}, "there is no version 0"),
    ],
)
def test_what_cannot_be_saved_is_said(
    office: Office, editor: TestClient, changes: dict[str, str], problem: str
) -> None:
    answer = sent(office, editor, [], **changes)
    assert answer.status_code == 400
    assert problem in answer.json()["problem"]
    assert len(office.transcripts.store.versions("call-7")) == 2


def test_words_that_cannot_be_kept_are_refused(office: Office, editor: TestClient) -> None:
    for bad in ("x" * 501, "a\x00b", "[uncertain: open"):
        assert sent(office, editor, her(office, bad)).status_code == 400


def test_a_form_from_elsewhere_changes_nothing(office: Office, editor: TestClient) -> None:
    assert sent(office, editor, her(office), token="x").status_code == 403
    assert editor.post(f"{AT}/restore", data={"token": "x", "version": "1"}).status_code == 403
    assert len(office.transcripts.store.versions("call-7")) == 2


def test_an_earlier_version_is_made_current_again_as_a_new_one(office: Office, editor: TestClient) -> None:
    page = editor.get("/calls/7").text
    assert "Make version 1 current again" in page
    assert "current again" not in office.client("vera").get("/calls/7").text
    store = office.transcripts.store
    form = {"token": token(editor, "/calls/7"), "seen": store.head("call-7", 2).hash, "version": "1"}
    answer = editor.post(f"{AT}/restore", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/calls/7#transcript")
    third, first = store.read("call-7", 3).transcript, store.read("call-7", 1).transcript
    assert (third.lanes, third.corrects, third.by) == (first.lanes, 1, "olaf")
    assert "Version 1 made current again" in said(editor.get("/calls/7").text)
    assert editor.post(f"{AT}/restore", data=form).status_code == 409
    form["seen"] = store.head("call-7", 3).hash
    assert editor.post(f"{AT}/restore", data=form | {"version": "9"}).status_code == 404


def test_more_edits_than_a_version_may_have_are_refused() -> None:
    edits = [{"lane": "A", "start": 0, "before": None, "parts": []}] * (MOST_EDITS + 1)
    with pytest.raises(FormatError, match="no list of at most"):
        read_corrections(json.dumps({"edits": edits, "speakers": {}}))
    made = read_corrections(json.dumps({"edits": edits[:1], "speakers": {"A": "Ada"}}))
    assert (len(made.edits), made.speakers, made.note) == (1, {"A": "Ada"}, "")
