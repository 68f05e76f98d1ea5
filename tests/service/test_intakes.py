"""Taking in on a real home without a line: sealed, checked, found again, seen, heard, taken away."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from tests.intake.media import write_wav
from tests.service.test_dossiers import serve_until_sealed

from memcon.catalogue.catalogue import Catalogue
from memcon.cli.main import main
from memcon.clock import SystemClock
from memcon.console.app import create_app
from memcon.record.transcript import Lane, Machine, Subject, Transcript, Utterance, Word
from memcon.seal.keys import load_keys
from memcon.service.archive import Archive
from memcon.service.config import load, template
from memcon.service.demo import free_port
from memcon.service.intakes import Intakes
from memcon.service.office import console_deps
from memcon.service.rebuilding import rebuild_catalogue
from memcon.service.setup import init_home
from memcon.service.transcripts import open_transcripts
from memcon.store.paths import Home
from memcon.verify import main as verifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.testclient import TestClient


def run(home: Home, *words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(main, [*words, "--home", str(home.root)])
    assert done.exit_code == code, done.output
    return json.loads(done.output) if "--json" in words else done.output


def make_home(root: Path) -> Home:
    home = Home(root / "home")
    port = free_port(socket.SOCK_STREAM)
    text = template("intakes.example/1", period=1, sip_port=None, console_port=port, ports="36000-36100")
    init_home(home, text, SystemClock())
    return home


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home into which a stereo call and a damaged one were taken, sealed by a recorder without lines."""
    root = tmp_path_factory.mktemp("intakes")
    home = make_home(root)
    folder = root / "tapes"
    (folder / "deep").mkdir(parents=True)
    write_wav(folder / "a.wav", 2.0, 8000, 2)
    cut = write_wav(folder / "deep" / "b.wav")
    cut.write_bytes(cut.read_bytes()[:-100])
    (folder / ".hidden.wav").write_bytes(b"x")
    (folder / "deep" / "readme.txt").write_text("hello")
    told = run(
        home, "ingest", str(folder), "--by", "A. Archivist", "--start", "2017-01-28", "--title", "The call",
        "--speaker", "A. Holt", "--speaker", "B. Rahn", "--json", code=1,
    )  # fmt: skip
    assert [one["call"] for one in told["taken"]] == ["T001"]
    assert {one["code"] for one in told["refused"]} == {"ingest-truncated", "ingest-unknown"}
    assert "not yet sealed" in run(home, "show", "T1")
    again = run(home, "ingest", str(folder / "a.wav"), str(cut), "--damaged", "--json")
    assert [one["call"] for one in again["known"]] == ["T001"]
    assert [one["call"] for one in again["taken"]] == ["T002"]
    with closing(Catalogue(home.catalogue)) as catalogue:
        serve_until_sealed(home, catalogue)
    return home


def test_the_register_and_show_say_taken_in(filled: Home) -> None:
    rows = run(filled, "calls", "--json")["calls"]
    assert {row["call"]: row["state"] for row in rows} == {"T001": "taken", "T002": "taken"}
    assert "Taken in" in run(filled, "calls")
    shown = run(filled, "show", "T001", "--json")
    assert shown["sealed"]["index"] > 0
    assert shown["proves"] == "what stood here when it was sealed; nothing before the intake"
    assert [lane["party"] for lane in shown["found"]["lanes"]] == ["stated-1", "stated-2"]
    text = run(filled, "show", "T002")
    assert "nothing before that is proved" in text
    assert "ingest-damaged" in text
    assert "sealed by leaf" in text
    run(filled, "show", "T003", code=2)


def test_verify_checks_it_and_finds_what_was_taken_away(filled: Home, tmp_path: Path) -> None:
    log, vault = run(filled, "verify", "--json")
    assert log["ok"] and vault["ok"]  # noqa: PT018 # one statement of two reports
    assert "2 of 2 calls taken in are sealed in the log" in vault["checked"]
    home = Home(tmp_path / "home")
    shutil.copytree(filled.root, home.root)
    with closing(Catalogue(home.catalogue)) as catalogue:
        files = Intakes(home, load(home.config), SystemClock(), catalogue).shelf.files(2)
    shutil.rmtree(files["original"].parents[2])
    vault = run(home, "verify", "--json", code=1)[1]
    assert [one["code"] for one in vault["findings"]] == ["intake-missing"]


def test_rebuild_finds_it(filled: Home, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    shutil.copytree(filled.root, home.root)
    home.catalogue.unlink()
    before = run(filled, "calls", "--json")
    with closing(Catalogue(home.catalogue)) as catalogue:
        config = load(home.config)
        archive = Archive(home, config, SystemClock())
        done = rebuild_catalogue(home, config, catalogue, archive, lambda _: None)
        assert (done.taken, done.problems) == (2, ())
        assert catalogue.intakes.unsealed() == []
    assert run(home, "calls", "--json") == before
    assert "2 calls taken in" in run(home, "rebuild")


def test_it_is_taken_away_as_it_came_and_as_sound_and_checked_by_a_stranger(
    filled: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "out"
    run(filled, "export", "T1", "--format", "original", "--to", str(to))
    assert to.read_bytes()[:4] == b"RIFF"
    made = run(filled, "export", "T1", "--format", "flac", "--to", str(tmp_path), "--json")
    assert made["path"].endswith("call-T001.flac")
    bundle = run(filled, "export", "T1", "--format", "bundle", "--to", str(tmp_path), "--json")["path"]
    key = str(load_keys(filled.keys).vkeys("intakes.example/1")[0])
    assert verifier.main([bundle, "--key", key, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["kind"], report["findings"]) == ("intake", [])
    assert report["headline"].endswith("It is sealed in the log whose key you gave.")
    with zipfile.ZipFile(bundle) as opened:
        assert opened.read("original") == to.read_bytes()
        assert b"memcon-verify.pyz intake FILE" in opened.read("README.txt")
    run(filled, "export", "T1", "--format", "pcap", "--to", str(tmp_path / "x"), code=2)
    run(filled, "export", "1", "--format", "original", "--to", str(tmp_path / "x"), code=2)


@pytest.fixture
def client(filled: Home) -> Iterator[TestClient]:
    from starlette.testclient import TestClient

    config, clock = load(filled.config), SystemClock()
    catalogue = Catalogue(filled.catalogue)
    intakes = Intakes(filled, config, clock, catalogue)
    deps = console_deps(filled, config, clock, catalogue, Archive(filled, config, clock), intakes)
    if not filled.users.exists():
        deps.users.add("ada", "operator")
        deps.users.add("otto", "overseer")
    with TestClient(create_app(deps), base_url="http://localhost") as made:
        made.get(f"/login/{deps.users.new_link('ada')}")
        yield made
    intakes.close()
    catalogue.close()


def test_its_page_says_what_it_is_and_plays(client: TestClient) -> None:
    register = client.get("/").text
    assert 'href="/taken-in/1"' in register
    assert "Nothing before that is proved" in register
    assert "sealed at intake only" in register
    page = client.get("/taken-in/1").text
    assert "never recorded here" in page
    assert "nothing before that is proved" in page
    assert "Sealed by leaf" in page
    assert "28 January 2017" in page or "2017-01-28, by the word of A. Archivist" in page
    assert "A alone: A. Holt" in page
    for address, kind in (("audio/all.flac", "audio/flac"), ("audio/B.wav", "audio/wav")):
        sound = client.get(f"/taken-in/1/{address}")
        assert (sound.status_code, sound.headers["content-type"]) == (200, kind)
        assert len(sound.content) > 1000
    partly = client.get("/taken-in/1/audio/all.flac", headers={"range": "bytes=0-9"})
    assert (partly.status_code, len(partly.content)) == (206, 10)
    got = client.get("/taken-in/1/download/original")
    assert got.content[:4] == b"RIFF"
    assert "T001.a.wav" in got.headers["content-disposition"]
    bundle = client.get("/taken-in/1/download/bundle")
    assert (bundle.status_code, bundle.content[:2]) == (200, b"PK")
    assert "T001.bundle" in bundle.headers["content-disposition"]
    for gone in ("9", "1/audio/C.wav", "1/audio/all.ogg", "1/download/pcap"):
        assert client.get(f"/taken-in/{gone}").status_code == 404


def test_it_is_verified_from_its_page(client: TestClient) -> None:
    token = client.get("/taken-in/1").text.partition('name="token" value="')[2].partition('"')[0]
    done = client.post("/taken-in/1/verify", data={"token": token})
    assert done.status_code == 200
    assert "Intake 1 is unaltered since it was taken in" in done.text
    assert "commits to it" in done.text


def test_its_words_are_read_and_corrected(client: TestClient, filled: Home) -> None:
    assert "No transcript yet." in client.get("/taken-in/1").text
    of = Subject("intake", "1", "ab" * 32, 2000)
    said = Lane("A", speaker="A. Holt", utterances=(Utterance(0, 900, (Word("Gas", 0, 900, 800),)),))
    machine = Machine("fake", "1", "tiny", "", "")
    first = open_transcripts(filled, SystemClock()).append(Transcript(of, "memcon", (said,), machine))
    page = client.get("/taken-in/1").text
    assert 'data-t="0" data-e="0.9">Gas</span>' in page
    token = page.partition('name="token" value="')[2].partition('"')[0]
    cited = client.get("/taken-in/1/transcript/cite?from=0&to=1").text
    assert "sound recording, taken in on" in cited
    assert f"SHA-256 {first.hash}" in cited
    assert "/taken-in/1/audio/all.flac" in client.get("/taken-in/1/transcript/correct").text
    for kind, begins in (("vtt", "WEBVTT"), ("srt", "1\n"), ("json", "{"), ("vcon", "{")):
        got = client.get(f"/taken-in/1/transcript/file/{kind}?version=1")
        assert (got.status_code, got.text.startswith(begins)) == (200, True), kind
    assert "In Chicago&#39;s form" in cited
    part = {"speaker": "", "text": "Gas prices"}
    edit = {"lane": "A", "start": 0, "before": "Gas", "parts": [part]}
    form = {"token": token, "base": "1", "hash": first.hash, "seen": first.hash}
    form["corrections"] = json.dumps({"edits": [edit], "speakers": {}, "note": ""})
    assert client.post("/taken-in/1/transcript/correct", data=form).json()["version"] == 2
    assert "prices" in client.get("/taken-in/1").text


def test_killed_in_the_middle_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    folder = tmp_path / "tapes"
    folder.mkdir()
    for n in range(24):
        write_wav(folder / f"{n:02d}.wav", 0.1 + n / 8000)
    program = "from memcon.cli.main import main; main()"
    words = [sys.executable, "-c", program, "ingest", str(folder), "--home", str(home.root), "--json"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list(home.vault.glob("*/*/*/*/0=*"))) < 5:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    stands = len(list(home.vault.glob("*/*/*/*/0=*")))
    assert 5 <= stands < 24
    told = run(home, "ingest", str(folder), "--json")
    assert (len(told["known"]), len(told["taken"]), told["refused"]) == (stands, 24 - stands, [])
    _, vault = run(home, "verify", "--json")
    assert [one["code"] for one in vault["findings"]] == ["intake-unsealed"] * 24
    assert len([p for p in home.notes.iterdir() if p.name.startswith("10-")]) == 24
    assert [p.name for p in home.intake_work.iterdir()] == [".lock"]
