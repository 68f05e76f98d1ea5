"""The pages of dossiers: read, written on, and safe from what a source holds."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from tests.accounts.test_intake import warc_of
from tests.console.dossier_rig import desk, office, said, sealed, token, writer
from tests.console.fakes import make_office

from memcon.console import dossier_words as words
from memcon.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from httpx import Response
    from starlette.testclient import TestClient
    from tests.console.fakes import Office

    from memcon.accounts.desk import AccountsDesk

ID = "2017-01-28/1"
__all__ = ["desk", "office", "sealed", "writer"]  # fixtures
HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(1)> "quoted" & <a href="javascript:x">x</a>.'


def post(client: TestClient, path: str, at: str = f"/d/{ID}", **fields: str) -> Response:
    answer: Response = client.post(path, data={"token": token(client, at), **fields})
    return answer


@pytest.mark.parametrize(
    "path", ["/dossiers", "/dossiers?q=kremlin&has=claims", f"/d/{ID}", f"/d/{ID}/source/2"]
)
def test_pages_come_whole_without_inline_code_and_readers_find_no_form(reader: TestClient, path: str) -> None:
    page = reader.get(path)
    assert page.status_code == 200
    assert " style=" not in page.text
    assert "onclick" not in page.text
    assert "/write/" not in page.text


def test_the_claim_is_shown_with_one_origin_withdrawn_before_anything_else(reader: TestClient) -> None:
    text = said(reader.get(f"/d/{ID}").text)
    sentence = "One origin, a conjecture; withdrawn by its author"
    assert text.index(sentence) < text.index("Recording equipment was switched off")
    assert "Origin. Ilan Berman" in text
    assert "takes back 0 Ilan Berman" in text


def test_the_comparison_says_what_rests_on_one_side(reader: TestClient) -> None:
    text = said(reader.get(f"/d/{ID}").text)
    assert "9 of 12 topics rest on the account of The Kremlin alone." in text
    assert "A is complete and does not mention it" in text
    assert "B is not, so nothing can be called omitted by B" in text
    assert "entries not sealed yet" in text
    assert "Example, built from published facts" in text


def test_the_register_finds_and_pages(reader: TestClient, desk: AccountsDesk) -> None:
    for n in range(30):
        desk.open("P", {"start": f"19{n + 10}", "title": f"Call number {n}"})
    assert "31 dossiers" in said(reader.get("/dossiers").text)
    assert "page 1 of 2" in said(reader.get("/dossiers").text)
    assert "Call number 0" in said(reader.get("/dossiers?page=2").text)
    assert "Trump" in said(reader.get("/dossiers?q=snopes").text)
    assert "No dossier matches" in said(reader.get("/dossiers?q=zebra").text)
    found = said(reader.get("/dossiers?from=2017-01-01&to=2017-12-31&record=readout").text)
    assert "1 dossier, page" in found


@pytest.mark.parametrize(
    ("kind", "body", "word"),
    [
        ("duration", {"text": "half an hourglass", "who": "Wilhelmina"}, "wilhelmina"),
        ("record", {"class": "telcon", "state": "said to exist", "text": "in a zeppelin"}, "zeppelin"),
        ("overrule", {"topic": "trade", "status": "both", "why": "meant by quixotry"}, "quixotry"),
        ("claim", {"text": "It was the xylophone"}, "xylophone"),
        ("source", {"title": "By zeitgeist", "name": "a"}, "words"),
    ],
)
def test_the_register_finds_whatever_was_written(
    reader: TestClient, desk: AccountsDesk, kind: str, body: dict[str, str], word: str
) -> None:
    id_ = desk.open("P", {"start": "1931", "title": "A call to be found"}).id
    if kind == "source":
        desk.add_source(id_, "P", b"Aaa words. " + b" ".join(b"w%d" % n for n in range(30_000)), body)
        assert "A call to be found" in said(reader.get("/dossiers?q=zeitgeist").text)
    else:
        desk.write(id_, kind, "P", body)
    assert "A call to be found" in said(reader.get(f"/dossiers?q={word}").text)


def test_a_russian_readout_is_found_by_the_name_of_its_topic(reader: TestClient, desk: AccountsDesk) -> None:
    people = [
        {"side": s, "name": n, "office": "", "country": c} for s, n, c in (("A", "X", "US"), ("B", "Y", "RU"))
    ]
    id_ = desk.open("P", {"start": "1932", "title": "A call in two languages", "participants": people}).id
    for side, text in (("A", "They spoke of trade."), ("B", "Обсуждалась ядерная программа КНДР.")):
        desk.add_source(id_, "P", text.encode(), {"side": side, "readout": True})
    assert "A call in two languages" in said(reader.get("/dossiers?q=north+korea").text)


def test_a_circle_that_somebody_wrote_into_the_files_breaks_no_page(
    reader: TestClient, desk: AccountsDesk
) -> None:
    id_ = desk.open("P", {"start": "1933", "title": "A circle"}).id
    claim = desk.write(id_, "claim", "P", {"text": "It was so"}).entry.n
    said_ = [
        desk.write(id_, "appearance", "P", {"claim": claim, "who": who, "stance": "asserts"}).entry.n
        for who in ("X", "Y", "Z")
    ]
    for from_, to in zip(said_, [*said_[1:], said_[0]], strict=True):
        desk.store.append(id_, "derivation", "P", {"from": from_, "to": to, "kind": "quoted", "note": ""})
    page = reader.get(f"/d/{id_}")
    assert page.status_code == 200
    assert "Not traced: what comes from what runs in a circle" in said(page.text)
    assert "Independent origins not traced" in said(page.text)
    for kind in ("jsonld", "prov", "ftm", "csv"):
        assert reader.get(f"/d/{id_}/export/{kind}").status_code == 200


def test_a_researcher_makes_a_dossier_on_the_pages(writer: TestClient, desk: AccountsDesk) -> None:
    made = post(
        writer, "/dossiers/new", "/dossiers/new", start="2018-03-27", channel="telephone", nameA="Ada",
        officeA="President of Arland", countryA="us", nameB="Emil", countryB="fr",
    )  # fmt: skip
    assert made.headers["location"] == "/d/2018-03-27/1"
    page = "/d/2018-03-27/1"
    for side, text in (("A", "They discussed Syria and trade."), ("B", "They discussed Syria.")):
        added = post(
            writer, f"{page}/source", page, pasted=text, side=side, readout="1", completeness="complete"
        )
        assert added.status_code == 303
    assert "1 of 2 topics rests on the account" in said(writer.get(page).text)
    assert "Both texts are held complete" in said(writer.get(page).text)
    ruled = post(writer, f"{page}/write/overrule", page, topic="trade", status="both", why="meant by B")
    assert ruled.headers["location"].startswith(f"{page}#e")
    assert "olaf" in said(writer.get(page).text)
    assert "All 2 topics stand in both accounts" in said(writer.get(page).text)
    marked = post(
        writer,
        f"{page}/write/point",
        f"{page}/source/3",
        source="3",
        start="0",
        end="21",
        kind="tone",
        page="3",
    )
    assert marked.headers["location"] == f"{page}/source/3#e5"
    assert "marked by a person" in said(writer.get(f"{page}/source/3").text)
    link = post(writer, f"{page}/write/link", page, first="2:0", second="3:0", linked="0", why="other things")
    assert link.status_code == 303
    assert desk.read("2018-03-27/1").links[0].linked is False
    claim = post(writer, f"{page}/write/claim", page, text="They argued")
    assert claim.status_code == 303
    for who in ("X", "Y"):
        post(writer, f"{page}/write/appearance", page, claim="7", who=who, stance="asserts", origin="1")
    join = {"from": "8", "to": "9", "kind": "derived"}
    assert post(writer, f"{page}/write/derivation", page, **join).status_code == 303
    back = post(writer, f"{page}/write/derivation", page, **{"from": "9", "to": "8", "kind": "derived"})
    assert back.status_code == 400
    assert "nothing derives from itself" in said(back.text)
    graded = post(
        writer, f"{page}/write/grade", page, appearance="8", reliability="B", credibility="1", why="x"
    )
    assert graded.status_code == 303
    assert "has 1 established origin" in said(writer.get(page).text)
    assert {k.entry.by for k in desk.read("2018-03-27/1").kept} == {"olaf"}


def test_a_file_is_taken_in_and_given_back_as_it_came(writer: TestClient, desk: AccountsDesk) -> None:
    data = f"<html><body><p>They spoke. {HOSTILE}</p></body></html>".encode()
    token = re.search(r'name="token" value="([^"]+)"', writer.get(f"/d/{ID}").text)
    assert token is not None
    added = writer.post(
        f"/d/{ID}/source", data={"token": token[1], "address": "https://a.example"},
        files={"file": ("a.html", data, "text/html")},
    )  # fmt: skip
    where = added.headers["location"]
    page = writer.get(where)
    assert "<script>alert" not in page.text
    assert "onerror=alert" not in page.text.replace("&#34;", "")
    raw = writer.get(f"{where}/original")
    assert raw.content == data
    assert raw.headers["content-type"] == "application/octet-stream"
    assert raw.headers["content-disposition"].startswith("attachment")
    again = writer.post(
        f"/d/{ID}/source", data={"token": token[1], "address": "https://a.example"},
        files={"file": ("a.html", data + b"<!-- later -->", "text/html")},
    )  # fmt: skip
    assert "The words are the same" in said(writer.get(again.headers["location"]).text)
    assert "one voice, not two" in said(writer.get(f"/d/{ID}").text)
    assert post(writer, f"/d/{ID}/source", pasted="").status_code == 400


def test_hostile_words_stay_words(writer: TestClient, desk: AccountsDesk) -> None:
    id_ = desk.open(HOSTILE[:190], {"title": HOSTILE, "note": HOSTILE, "start": "2001"}).id
    desk.add_source(
        id_, "P", HOSTILE.encode(), {"title": HOSTILE, "address": "javascript:alert(1)", "side": "A"}
    )
    desk.write(id_, "claim", "P", {"text": HOSTILE})
    desk.write(id_, "appearance", "P", {"claim": 3, "who": HOSTILE, "stance": "asserts", "words": HOSTILE})
    for path in (f"/d/{id_}", f"/d/{id_}/source/2", "/dossiers"):
        page = writer.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert 'href="javascript:' not in page


def test_readers_and_strangers_write_nothing(office: Office, reader: TestClient, desk: AccountsDesk) -> None:
    before = desk.read(ID).version
    token = re.search(r'name="token" value="([^"]+)"', reader.get(f"/d/{ID}").text)
    assert token is not None
    assert reader.post(f"/d/{ID}/write/claim", data={"token": token[1], "text": "x"}).status_code == 403
    assert reader.get("/dossiers/new").status_code == 403
    assert office.client().get(f"/d/{ID}").status_code == 303
    assert office.client("olaf").post(f"/d/{ID}/write/claim", data={"text": "x"}).status_code == 403
    assert desk.read(ID).version == before


@pytest.mark.parametrize(
    "path",
    [
        "/d/2018-01-01/1",
        "/d/nonsense/1",
        f"/d/{ID}/source/1",
        f"/d/{ID}/source/99/original",
        f"/d/{ID}/export/xml",
    ],
)
def test_what_is_not_there_is_404(reader: TestClient, path: str) -> None:
    assert reader.get(path).status_code == 404


def test_what_is_wrong_is_said_and_nothing_is_written(writer: TestClient, desk: AccountsDesk) -> None:
    before = desk.read(ID).version
    bad = post(writer, "/dossiers/new", "/dossiers/new", start="28.1.2017", nameA="Ada")
    assert bad.status_code == 400
    assert "Write 2017-01-28" in said(bad.text)
    assert 'value="28.1.2017"' in bad.text
    assert post(writer, f"/d/{ID}/write/grade", appearance="two").status_code == 400
    assert post(writer, f"/d/{ID}/write/source", sha256="x").status_code == 404
    assert post(writer, f"/d/{ID}/write/nonsense").status_code == 404
    assert desk.read(ID).version == before


def test_exports_are_downloads(reader: TestClient) -> None:
    for kind in ("jsonld", "prov", "ftm", "csv"):
        answer = reader.get(f"/d/{ID}/export/{kind}")
        assert answer.status_code == 200
        assert "attachment" in answer.headers["content-disposition"]
    assert json.loads(reader.get(f"/d/{ID}/export/jsonld").text)["@graph"]


def test_an_address_is_fetched_when_somebody_asks(desk: AccountsDesk, tmp_path: Path) -> None:
    asked: list[str] = []

    def fetch(address: str) -> bytes:
        asked.append(address)
        if "inside" in address:
            raise UsageError("it is an address of this machine")
        return warc_of((address, b"<p>They spoke of Syria.</p>"))

    (tmp_path / "other").mkdir()
    client = make_office(tmp_path / "other", dossiers=desk, fetch_source=fetch).client("olaf")
    assert client.get(f"/d/{ID}").status_code == 200
    assert asked == []
    added = post(client, f"/d/{ID}/source", fetch=" https://a.example/x ", side="A")
    page = said(client.get(added.headers["location"]).text)
    assert asked == ["https://a.example/x"]
    assert "They spoke of Syria." in page
    assert "https://a.example/x" in page
    assert "of this machine" in said(post(client, f"/d/{ID}/source", fetch="https://inside.example").text)
    assert post(client, f"/d/{ID}/source", fetch="https://a.example/y", pasted="Words").status_code == 303
    assert len(asked) == 2


def test_a_console_that_fetches_nothing_says_so(writer: TestClient) -> None:
    assert 'name="fetch"' not in writer.get(f"/d/{ID}").text
    assert "fetches nothing" in said(post(writer, f"/d/{ID}/source", fetch="https://a.example").text)


def test_it_is_taken_away_as_a_bundle(desk: AccountsDesk, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    office = make_office(tmp_path / "other", dossiers=desk, bundle_dossier=lambda id_: b"PK " + id_.encode())
    client = office.client("vera")
    page = said(client.get(f"/d/{ID}").text)
    assert "memcon-verify.pyz dossier dossier-2017-01-28-1.zip --key" in page
    answer = client.get(f"/d/{ID}/bundle")
    assert answer.content == b"PK 2017-01-28/1"
    assert 'filename="dossier-2017-01-28-1.zip"' in answer.headers["content-disposition"]


def test_without_a_maker_there_is_no_bundle(reader: TestClient) -> None:
    assert "Take it away" not in reader.get(f"/d/{ID}").text
    assert reader.get(f"/d/{ID}/bundle").status_code == 404


def test_a_console_without_dossiers_says_so(tmp_path: Path) -> None:
    assert make_office(tmp_path).client("vera").get("/dossiers").status_code == 404


def test_a_damaged_dossier_fails_alone(reader: TestClient, desk: AccountsDesk, tmp_path: Path) -> None:
    path = next((tmp_path / "home/dossiers/2017-01-28-1/entries").glob("*-claim.json"))
    path.write_bytes(path.read_bytes().replace(b"switched", b"swltched"))
    answer = reader.get(f"/d/{ID}")
    assert answer.status_code == 500
    assert "does not follow from the entry before" in said(answer.text)
    assert reader.get("/dossiers").status_code == 200


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "date not known"),
        ("2017-01-28", "28 January 2017, hour not established"),
        ("2017-01-28~", "28 January 2017, hour not established, about"),
        ("2017-01-28T17:05Z", "28 January 2017, 17:05 UTC"),
        ("2017-01-28T17:05", "28 January 2017, 17:05 zone not known"),
        ("2017-01-28T17:05+03:00", "28 January 2017, 17:05 +03:00"),
        ("2017?", "2017?, uncertain"),
    ],
)
def test_dates_in_words(text: str, told: str) -> None:
    assert words.date_words(text) == told
