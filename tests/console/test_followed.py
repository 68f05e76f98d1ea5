"""The pages of what followed: the time line, its filters, writing, and the answer on coincidence."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.console.dossier_rig import desk, office, said, sealed, token, writer

from memcon.aftermath.desk import FollowedDesk

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from memcon.accounts.desk import AccountsDesk

D = "/d/2017-01-28/1"
__all__ = ["desk", "office", "sealed", "writer"]  # fixtures
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
EVENTS = Path(__file__).parents[1] / "vectors" / "events"


@pytest.fixture
def data() -> Path:
    folder = Path(os.environ.get("MEMCON_TEST_DATA", Path(__file__).resolve().parents[3] / "shared/data"))
    if not (folder / "events").is_dir():
        pytest.skip("no test data: set MEMCON_TEST_DATA")
    return folder / "events"


def send(client: TestClient, kind: str, **fields: str) -> tuple[int, str]:
    answer = client.post(f"{D}/followed/{kind}", data={"token": token(client, f"{D}/events"), **fields})
    return answer.status_code, said(answer.text)


def test_accounts_stand_side_by_side_with_who_says_so(reader: TestClient) -> None:
    for page in (f"{D}/events", D):
        told = said(reader.get(page).text)
        assert "5 killed, 14 wounded" in told
        assert "20 killed, at least 30 wounded" in told
        assert "0 to 10 killed (best 0)" in told
        assert "a technical licence" in told
        assert "an easing of sanctions" in told
        assert "2017-01-27 to 2017-01-28" in told


def test_the_line_is_chosen_from_and_taken_away(reader: TestClient) -> None:
    acts = said(reader.get(f"{D}/events?kind=act").text)
    assert "Cyber General License" in acts
    assert "Fighting at Avdiivka" not in acts.split("Time line")[1].split("Write")[0]
    assert "'soon' is no day" in said(reader.get(f"{D}/events?from=soon").text)
    svg = reader.get(f"{D}/events.svg?q=avdiivka")
    assert svg.headers["content-type"] == "image/svg+xml"
    assert ET.fromstring(svg.content).get("role") == "group"  # noqa: S314
    told = json.loads(reader.get(f"{D}/timeline.json").text)
    assert {e["group"] for e in told["events"]} >= {"call", "event", "act"}
    assert all(D in e["text"]["text"] for e in told["events"])


def test_who_writes_is_kept_and_hostile_words_stay_words(writer: TestClient, desk: AccountsDesk) -> None:
    status, _ = send(writer, "event", title=HOSTILE, when="2017-02~", place=HOSTILE, cameo="19")
    assert status == 303
    event = desk.read("2017-01-28/1").others[-1].entry
    assert (event.by, event.body["title"], event.body["cameo"]) == ("olaf", HOSTILE, "19")
    send(writer, "account", event=str(event.n), who=HOSTILE, killed_low="3", says=HOSTILE, article=HOSTILE)
    send(writer, "reading", event=str(event.n), who="x", calls_it=HOSTILE)
    send(writer, "hypothesis", text=HOSTILE, chosen="before")
    for page in (D, f"{D}/events", f"{D}/coincidence", f"{D}/events.svg", f"{D}/timeline.json"):
        text = writer.get(page).text
        assert "<script>alert" not in text
        assert "<img" not in text
    assert "at least 3 killed" in said(writer.get(f"{D}/events").text)


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("event", {"title": "x", "when": "2017-02-30"}, "is no day there can be"),
        ("event", {"title": "", "when": "2017"}, "is missing"),
        ("account", {"event": "1", "who": "x"}, "entry 1 is no event"),
        ("account", {"event": "one", "who": "x"}, "is no number"),
        ("study", {"calls": "2017-01-28"}, "not said whether the hypothesis"),
        ("study", {"chosen": "after", "set": "ffffff", "calls": "2017-01-28"}, "no set"),
        ("claim", {}, "There is no such form"),
    ],
)
def test_what_cannot_be_written_is_said(
    writer: TestClient, kind: str, fields: dict[str, str], words: str
) -> None:
    status, told = send(writer, kind, **fields)
    assert status in (400, 404)
    assert words in told


def test_a_reader_reads(reader: TestClient, writer: TestClient) -> None:
    assert "followed/event" not in reader.get(f"{D}/events").text
    answer = reader.post(f"{D}/followed/event", data={"token": "x", "title": "x", "when": "2017"})
    assert answer.status_code == 403
    assert reader.get("/d/2016-01-01/1/events").status_code == 404
    assert "followed/event" in writer.get(f"{D}/events").text


def test_the_answer_is_worked_out_on_the_page_and_kept(
    writer: TestClient, desk: AccountsDesk, sealed: list[str], data: Path
) -> None:
    calls = (data / "leader-calls-us-ru.csv").read_text().splitlines()[1:]
    name = "ucdp_ged_ukraine_2014_2021_compact.csv"
    fields = {
        "token": token(writer, f"{D}/events"),
        "calls": "\n".join(line.split(",")[0] for line in calls),
        "from": "2015-03-01",
        "to": "2021-12-31",
        "chosen": "after",
        "windows": "3, 1, 2, 7",
    }
    answer = writer.post(
        f"{D}/followed/study", data=fields, files={"file": (name, (data / name).read_bytes())}
    )
    assert answer.status_code == 303
    for page in (f"{D}/coincidence", D):
        told = said(writer.get(page).text)
        assert "What followed was rare, about 1 day in 600; but it was picked after the fact" in told
        assert "one event cannot tell a cause from chance" in told
        assert "24 4 of 2,498" in told
        assert "3 d, total 2.28 1.89 .253" in told
        assert "UCDP Georeferenced Event Dataset" in told
    kept = desk.read("2017-01-28/1").others[-1]
    assert (kept.entry.kind, kept.entry.by) == ("study", "olaf")
    assert kept.hash in sealed
    assert name in writer.get(f"{D}/coincidence").text  # the file can be asked again


@pytest.mark.parametrize(
    "picture", [None, {}, {"bars": [1], "width": 0, "mark": 0, "said": ["", ""], "label": ""}]
)
def test_a_study_written_by_hand_breaks_no_page(
    reader: TestClient, desk: AccountsDesk, picture: dict[str, object] | None
) -> None:
    answer = {"sentence": HOSTILE, "seen": [HOSTILE], "not_concluded": [HOSTILE], "how": HOSTILE}
    body = {"answer": answer, "facts": {"class": HOSTILE}, "picture": picture}
    FollowedDesk(desk).write("2017-01-28/1", "study", "M. Allory", body)
    for page in (D, f"{D}/coincidence"):
        told = reader.get(page)
        assert told.status_code == 200
        assert "The numbers of this study cannot be read" in told.text
        assert "<script>alert" not in told.text


def test_a_study_of_other_files_and_of_too_much(writer: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {
        "token": token(writer, f"{D}/events"),
        "calls": "2031-03-01\n2017-01",
        "chosen": "unknown",
        "windows": "1",
    }
    files = {"file": ("ucdp.csv", (EVENTS / "ucdp.csv").read_bytes())}
    answer = writer.post(f"{D}/followed/study", data={**fields, "windows": "x"}, files=files)
    assert "write lengths in days" in said(answer.text)
    answer = writer.post(f"{D}/followed/study", data=fields, files=files)
    assert "lies outside the span" in said(answer.text)
    monkeypatch.setattr("memcon.console.followed_study.MOST_BYTES", 10)
    answer = writer.post(f"{D}/followed/study", data=fields, files=files)
    assert "memcon events import" in said(answer.text)
