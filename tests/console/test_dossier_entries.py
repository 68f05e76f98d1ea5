"""Each entry of a dossier at an address of its own: cited, checked, taken back with who and why."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from tests.console.dossier_rig import desk, office, said, sealed, token, writer

from memcon.console.dossier_entry import KINDS

if TYPE_CHECKING:
    from httpx import Response
    from starlette.testclient import TestClient

    from memcon.accounts.desk import AccountsDesk

ID = "2017-01-28/1"
AT = f"/d/{ID}/entry"
__all__ = ["desk", "office", "sealed", "writer"]  # fixtures


def entry_of(desk: AccountsDesk, kind: str) -> int:
    return next(k.entry.n for k in desk.read(ID).kept if k.entry.kind == kind)


def withdraw(client: TestClient, n: int, why: str = "entered by mistake") -> Response:
    fields = {"token": token(client, f"{AT}/{n}"), "entry": str(n), "why": why, "back": "entry"}
    answer: Response = client.post(f"/d/{ID}/write/withdrawal", data=fields)
    return answer


def test_every_entry_has_a_page_a_citation_and_its_bytes(reader: TestClient, desk: AccountsDesk) -> None:
    for kept in desk.read(ID).kept:
        page = said(reader.get(f"{AT}/{kept.entry.n}").text)
        assert KINDS[kept.entry.kind] in page
        assert f"Written by {kept.entry.by}, {kept.entry.at}" in page
        assert f"SHA-256 {kept.hash}. https://callroom.example{AT}/{kept.entry.n}" in page
        raw = reader.get(f"{AT}/{kept.entry.n}/original")
        assert hashlib.sha256(raw.content).hexdigest() == kept.hash
        assert raw.headers["content-disposition"].startswith("attachment")


def test_the_dossier_cites_each_of_its_items(reader: TestClient, desk: AccountsDesk) -> None:
    pages = reader.get(f"/d/{ID}").text + reader.get(f"/d/{ID}/coincidence").text
    for kept in desk.read(ID).kept:
        if kept.entry.kind not in ("dossier", "source", "derivation"):
            assert f'href="{AT}/{kept.entry.n}" aria-label="Cite' in pages, kept.entry.kind
        assert f'<a href="{AT}/{kept.entry.n}">{kept.entry.kind}</a>' in pages


def test_a_source_is_cited_as_it_was_issued(reader: TestClient) -> None:
    page = said(reader.get(f"/d/{ID}/source/2").text)
    assert "The White House" in page.partition("Cite")[2]
    assert "SHA-256" in page
    assert "https://callroom.example/d/2017-01-28/1/source/2" in page
    assert "Not sealed yet" in page


def test_what_is_taken_back_stays_with_who_and_why(writer: TestClient, desk: AccountsDesk) -> None:
    n = entry_of(desk, "duration")
    text = desk.read(ID).kept[n - 1].entry.body["text"]
    assert withdraw(writer, n).headers["location"] == f"{AT}/{n}"
    page = said(writer.get(f"{AT}/{n}").text)
    assert "Withdrawn by olaf" in page
    assert "entered by mistake" in page
    assert text in page
    assert "Take it back" not in page
    assert text not in said(writer.get(f"/d/{ID}").text)
    assert "withdrawn by olaf" in said(writer.get(f"/d/{ID}").text)
    again = writer.post(
        f"/d/{ID}/write/withdrawal",
        data={"token": token(writer, f"/d/{ID}"), "entry": str(n), "why": "again"},
    )
    assert again.status_code == 400
    assert "was withdrawn already, by olaf" in said(again.text)


def test_what_others_rest_on_is_not_taken_from_under_them(writer: TestClient, desk: AccountsDesk) -> None:
    n = desk.add_source(ID, "P", b"They spoke of Syria.", {})[0].entry.n
    desk.write(ID, "point", "P", {"source": n, "start": 0, "end": 4, "kind": "tone"})
    desk.write(ID, "record", "P", {"class": "telcon", "state": "said to exist", "source": n})
    assert "What rests on it" in said(writer.get(f"{AT}/{n}").text)
    refused = withdraw(writer, n)
    assert refused.status_code == 400
    assert f"entry {n} is used by entry {n + 2}" in said(refused.text)
    assert withdraw(writer, n + 2).status_code == 303
    assert withdraw(writer, n).status_code == 303  # the mark on its words goes with it
    assert writer.get(f"/d/{ID}").status_code == 200
    assert writer.get(f"{AT}/{n + 1}").status_code == 200


def test_an_event_goes_with_its_accounts(writer: TestClient, desk: AccountsDesk) -> None:
    assert withdraw(writer, entry_of(desk, "event")).status_code == 303
    assert writer.get(f"/d/{ID}").status_code == 200
    assert writer.get(f"{AT}/{entry_of(desk, 'account')}").status_code == 200


@pytest.mark.parametrize("path", [f"{AT}/0", f"{AT}/99999", f"{AT}/99999/original", f"{AT}/x"])
def test_no_such_entry(reader: TestClient, path: str) -> None:
    assert reader.get(path).status_code == 404


def test_a_reader_takes_nothing_back(reader: TestClient, desk: AccountsDesk) -> None:
    page = reader.get(f"{AT}/{entry_of(desk, 'claim')}").text
    assert "Take it back" not in page
    assert withdraw(reader, entry_of(desk, "duration")).status_code == 403


def test_a_recorded_call_shows_its_dossiers(
    writer: TestClient, reader: TestClient, desk: AccountsDesk
) -> None:
    assert "No dossier hangs on this call" in said(writer.get("/calls/7").text)
    assert "What was said of it" not in said(reader.get("/calls/7").text)
    made = desk.open("P", {"start": "2026-11-24", "call": 7})
    for client in (writer, reader):
        assert f"Dossier {made.id}" in said(client.get("/calls/7").text)
    assert 'name="call" type="text" class="mono" inputmode="numeric" value="7"' in (
        writer.get("/dossiers/new?call=7&start=2026-11-24").text
    )
