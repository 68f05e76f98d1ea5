"""The search of a home: what it takes from files, what it tells, what a person types and sees."""

from __future__ import annotations

import json
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from tests.intake.media import write_wav
from tests.service.test_intakes import make_home

from memcon.catalogue.catalogue import Catalogue
from memcon.cli.main import main
from memcon.clock import SystemClock
from memcon.console.app import create_app
from memcon.errors import FormatError, UsageError
from memcon.record.transcript import Lane, Machine, Subject, Transcript, Utterance, Word
from memcon.service.archive import Archive
from memcon.service.config import load
from memcon.service.intakes import Intakes
from memcon.service.office import console_deps
from memcon.service.searching import open_search
from memcon.service.transcripts import open_transcripts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from memcon.service.searching import Searching
    from memcon.store.paths import Home


def run(home: Home, *words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(main, [*words, "--home", str(home.root)])
    assert done.exit_code == code, done.output
    return json.loads(done.output) if "--json" in words else done.output


@contextmanager
def opened(home: Home) -> Iterator[Searching]:
    with closing(Catalogue(home.catalogue)) as catalogue:
        searching = open_search(home, load(home.config), SystemClock(), catalogue)
        yield searching
        searching.close()


def write_transcript(home: Home, text: str, *, corrected: bool = False) -> None:
    words = tuple(Word(one, 61_000 + 400 * n, 61_300 + 400 * n) for n, one in enumerate(text.split()))
    lane = Lane("A", speaker="A. Holt", language="en", utterances=(Utterance(61_000, 90_000, words),))
    machine = None if corrected else Machine("an engine", "1", "a model", "1", "")
    draft = Transcript(Subject("intake", "1", "ab" * 32, 120_000), "A. Listener", (lane,), machine,
                       corrects=1 if corrected else None)  # fmt: skip
    open_transcripts(home, SystemClock()).append(draft)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = make_home(tmp_path)
    run(
        made,
        "ingest",
        str(write_wav(tmp_path / "tape.wav", 95.0)),
        "--party",
        "A. Holt",
        "--start",
        "2017-01-28",
    )
    readout = tmp_path / "a.txt"
    readout.write_text("They discussed sanctions.\n\nThey agreed on prisoners.")
    run(made, "dossier", "new", "2017-01-28", "--title", "The call", "--participant", "A;President Adams;US")
    run(made, "dossier", "add", "2017-01-28/1", str(readout))
    write_transcript(made, "We spoke of sanctions and of nothing else.")
    return made


def test_a_person_finds_words_in_all_of_it(home: Home) -> None:
    told = run(home, "search", "sanction", "--json")
    kinds = {hit["kind"]: hit for hit in told["hits"]}
    assert set(kinds) == {"transcript", "dossier"}
    assert (kinds["transcript"]["call"], kinds["transcript"]["at_ms"]) == ("T001", 62_200)
    assert kinds["transcript"]["start"] == "2017-01-28T00:00:00Z"
    assert (kinds["dossier"]["dossier"], kinds["dossier"]["source"]) == ("2017-01-28/1", 2)
    text = run(home, "search", "speaker:holt", "sanctions")
    assert "T001 at 1:02" in text
    assert "[sanctions]" in text
    assert "T001" in run(home, "search", "in:calls party:holt")
    assert "Nothing" in run(home, "search", "unicorn")
    assert "quotation mark" in run(home, "search", '"open', code=2)


def test_a_claim_is_found_with_its_state(home: Home) -> None:
    write = ("dossier", "write", "2017-01-28/1")
    claim = run(home, *write, "claim", "text=The tape was stopped", "--json")["entry"]
    step = ("appearance", f"claim={claim}", "who=A. Guest", "stance=suggests", "words=it was perhaps stopped")
    run(home, *write, *step, "origin=true", "conjecture=true")
    run(home, *write, "appearance", f"claim={claim}", "who=A. Guest", "stance=retracts", "words=I guessed")
    told = run(home, "search", "tape", "--json")
    (hit,) = (hit for hit in told["hits"] if hit["kind"] == "dossier")
    passage = " ".join(part["text"] for part in hit["snippet"])
    assert "A claim: “The tape was stopped” One origin, a conjecture; withdrawn by its author." in passage
    assert "A. Guest suggests: it was perhaps stopped" in passage


def test_what_changed_is_indexed_again_and_a_rebuild_gives_the_same(home: Home) -> None:
    with opened(home) as searching:
        assert searching.catch_up().documents == 4
        assert searching.catch_up().documents == 0
        write_transcript(home, "We spoke of embargoes.", corrected=True)
        assert searching.catch_up().documents == 1
        assert [hit.kind for hit in searching.ask("sanctions").hits] == ["dossier"]
        assert searching.ask("only:corrected embargo").hits[0].version == 2
        before = set(searching.index.known().items())
        assert searching.rebuild().documents == 4
        assert set(searching.index.known().items()) == before
    assert "4 documents" in run(home, "rebuild")


def test_a_damaged_transcript_does_not_stop_the_others(home: Home) -> None:
    next(home.transcripts.glob("*/*.json")).write_bytes(b"{}")
    with opened(home) as searching:
        done = searching.catch_up()
        assert done.documents == 3
        assert len(done.problems) == 1


class _Hook(BaseHTTPRequestHandler):
    heard: list[dict[str, Any]] = []  # noqa: RUF012 # of the class: one server a test

    def do_POST(self) -> None:
        self.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def webhook() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Hook)
    _Hook.heard = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_kept_search_gives_word_once_of_what_is_new(home: Home, webhook: str) -> None:
    with home.config.open("a") as file:
        file.write(f'\n[alerts]\nwebhook = "{webhook}"\n')
    run(home, "search", "sanctions")  # what is there already is nothing new
    assert "Kept" in run(home, "search", "save", "embargo watch", "embargo*", "speaker:holt", "--by", "Ada")
    assert run(home, "search", "saved", "--json")[0]["query"] == "embargo* speaker:holt"
    assert "Nothing was found" in run(home, "search", "alerts")
    write_transcript(home, "We spoke of embargoes.", corrected=True)
    run(home, "search", "sanctions")
    (told,) = run(home, "search", "alerts", "--json")
    assert (told["search"], told["ref"], told["second"]) == ("embargo watch", "-1", 62)
    assert [one["search"] for one in _Hook.heard] == ["embargo watch"]
    assert "embargoes" in _Hook.heard[0]["text"]
    write_transcript(home, "Embargoes, again.", corrected=True)
    run(home, "search", "sanctions")
    run(home, "rebuild")
    assert len(run(home, "search", "alerts", "--json")) == len(_Hook.heard) == 1
    assert "embargo watch" in run(home, "search", "saved")
    run(home, "search", "forget", "embargo watch")
    assert "No search is kept" in run(home, "search", "saved")
    run(home, "search", "forget", "embargo watch", code=2)
    run(home, "search", "save", "x", '"open', code=2)
    run(home, "search", "save", "../x", "a", code=2)


def test_kept_searches_that_cannot_be_read_are_said(home: Home) -> None:
    with opened(home) as searching:
        home.searches.write_text("[7]")
        with pytest.raises(FormatError, match="searches"):
            searching.alerts.saved()
        home.searches.write_text(json.dumps([{"name": "a", "query": '"', "by": "b", "at": "c"}]))
        home.alerts.write_bytes(b'{"search": "a", "ref": "9"}\n{"torn')
        assert searching.alerts.told() == [{"search": "a", "ref": "9"}]
        assert "cannot be read" in searching.catch_up().problems[0]
        home.searches.unlink()
        for n in range(200):
            home.searches.write_text(
                json.dumps([{"name": f"n{i}", "query": "a", "by": "b", "at": "c"} for i in range(n + 1)])
            )
        with pytest.raises(UsageError, match="200"):
            searching.alerts.save("one more", "a", "b")


def test_the_page_finds_opens_and_says_what_is_wrong(home: Home) -> None:
    from starlette.testclient import TestClient

    config, clock = load(home.config), SystemClock()
    with closing(Catalogue(home.catalogue)) as catalogue:
        searching = open_search(home, config, clock, catalogue)
        searching.catch_up()
        intakes = Intakes(home, config, clock, catalogue)
        deps = console_deps(home, config, clock, catalogue, Archive(home, config, clock), intakes, searching)
        deps.users.add("ada", "reader")
        deps.users.add("otto", "overseer")
        with TestClient(create_app(deps), base_url="http://localhost") as client:
            client.get(f"/login/{deps.users.new_link('ada')}")
            assert 'href="/search"' in client.get("/").text
            assert "How to ask" in client.get("/search").text
            page = client.get("/search?q=sanctions").text
            assert 'href="/taken-in/1#t=62"' in page
            assert 'href="/d/2017-01-28/1/source/2"' in page
            assert "<mark>sanctions</mark>" in page
            assert client.get("/d/2017-01-28/1/source/2").status_code == 200
            assert "Nothing that is indexed fits" in client.get("/search?q=unicorn&page=x").text
            wrong = client.get("/search", params={"q": '"<b>'})
            assert wrong.status_code == 400
            assert "quotation mark is not closed" in wrong.text
            assert "<b>" not in wrong.text.replace("<b>A. Holt", "")
        with TestClient(create_app(deps), base_url="http://localhost") as client:
            client.get(f"/login/{deps.users.new_link('otto')}")
            assert client.get("/search?q=sanctions").status_code == 403
        searching.close()
        intakes.close()


def test_it_is_taken_away_in_words_and_cited(home: Home, tmp_path: Path) -> None:
    import webvtt

    made = run(home, "export", "T1", "--format", "vtt", "--to", str(tmp_path), "--json")
    assert made["path"].endswith("call-T001.vtt")
    assert "sanctions" in webvtt.read(made["path"])[0].text
    for kind in ("srt", "text", "json"):
        run(home, "export", "T1", "--format", kind, "--to", str(tmp_path / kind))
    assert "A. Holt: We spoke of sanctions" in (tmp_path / "text").read_text()
    run(home, "export", "T1", "--format", "vcon", "--to", str(tmp_path / "vcon"))
    vcon = json.loads((tmp_path / "vcon").read_text())
    assert [one["type"] for one in vcon["dialog"]] == ["recording-set", "recording"]
    assert [one["mediatype"] for one in vcon["attachments"]] == ["application/json", "audio/wav"]
    assert vcon["analysis"][0]["body"]["of"]["id"] == "1"
    told = run(home, "cite", "T1", "--from", "1:02", "--to", "1:30", "--json")
    assert told["version"] == 1
    assert told["span_ms"] == [62_000, 90_000]
    assert told["digest"] in told["archives"]
    assert "Chicago:" in run(home, "cite", "T1", "--office", "Call Room of Arland")
    run(home, "export", "T1", "--format", "vtt", "--version", "2", "--to", str(tmp_path / "x"), code=2)
    run(home, "export", "T1", "--format", "vtt", "--to", str(tmp_path / "text"), code=2)
    for words in (
        ("T2",),
        ("T1", "--from", "2:00"),
        ("T1", "--from", "x"),
        ("T1", "--to", "1:2:3:4"),
        ("7",),
    ):
        run(home, "cite", *words, code=2)


def test_a_call_known_from_accounts_is_one_finding_its_dossier(home: Home) -> None:
    with opened(home) as searching:
        assert searching.catch_up().problems == ()
        assert {ref for kind, ref, _ in searching.index.known() if kind == "call"} == {"-1"}
        assert {ref for kind, ref, _ in searching.index.known() if kind == "dossier"} == {"2017-01-28/1"}
