"""The watched folder, and the page where files are taken in."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from tests.intake.media import write_wav
from tests.service.test_intakes import make_home

from memcon.catalogue.catalogue import Catalogue
from memcon.clock import ManualClock, SystemClock
from memcon.console.app import create_app
from memcon.errors import MachineError
from memcon.service.archive import Archive
from memcon.service.config import load
from memcon.service.intakes import Intakes
from memcon.service.office import console_deps
from memcon.service.watching import SETTLED_NS, Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.testclient import TestClient

    from memcon.store.paths import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = make_home(tmp_path)
    (made.root / "in").mkdir()
    with made.config.open("a") as file:
        file.write('\n[intake]\nwatch = "in"\n')
    return made


@pytest.fixture
def intakes(home: Home) -> Iterator[Intakes]:
    with closing(Catalogue(home.catalogue)) as catalogue:
        made = Intakes(home, load(home.config), SystemClock(), catalogue)
        yield made
        made.close()


def test_what_settles_is_taken_in_once_and_what_is_refused_is_not_tried_again(
    home: Home, intakes: Intakes
) -> None:
    clock = ManualClock()
    folder = home.root / "in"
    watcher = Watcher(folder, intakes, clock)
    assert watcher.look() == 0
    tape = write_wav(folder / "tape.wav")
    (folder / "note.txt").write_text("hello")
    (folder / ".part.wav").write_bytes(b"x")
    assert watcher.look() == 0  # it may still be growing
    tape.write_bytes(tape.read_bytes() + b"\0\0")
    clock.advance(SETTLED_NS)
    assert watcher.look() == 0  # it grew
    assert [(one.path, one.code) for one in intakes.refusals(5)] == [
        (str(folder / "note.txt"), "ingest-unknown")
    ]
    clock.advance(SETTLED_NS)
    assert watcher.look() == 1
    assert (watcher.state.files, watcher.state.done, watcher.state.problem) == (2, 2, "")
    clock.advance(SETTLED_NS)
    assert watcher.look() == 0
    again = Watcher(folder, intakes, clock)  # after a start
    again.look()
    clock.advance(SETTLED_NS)
    assert again.look() == 0
    assert intakes.shelf.last() == 1
    assert intakes.intake(1).by == "watched folder"
    (folder / "note.txt").unlink()
    write_wav(folder / "note.txt", 1.0)  # the same name, another file
    again.look()
    clock.advance(SETTLED_NS)
    assert again.look() == 1
    assert intakes.refusals(5) == []


def test_a_folder_that_is_not_there_is_said(home: Home, intakes: Intakes) -> None:
    (home.root / "in").rmdir()
    watcher = Watcher(home.root / "in", intakes, ManualClock())
    with pytest.raises(MachineError, match="looking into"):
        watcher.look()
    assert watcher.state.problem


@pytest.fixture
def clients(home: Home, intakes: Intakes) -> Iterator[dict[str, TestClient]]:
    from starlette.testclient import TestClient

    config, clock = load(home.config), SystemClock()
    with closing(Catalogue(home.catalogue)) as catalogue:
        deps = console_deps(home, config, clock, catalogue, Archive(home, config, clock), intakes)
        made = {}
        for name, role in (("olaf", "operator"), ("vera", "reader")):
            deps.users.add(name, role)
            made[name] = TestClient(create_app(deps), base_url="http://localhost")
            made[name].get(f"/login/{deps.users.new_link(name)}")
        yield made
        for client in made.values():
            client.close()


def send(client: TestClient, *files: tuple[str, bytes], **more: Any) -> Any:
    token = client.get("/take-in").text.partition('name="token" value="')[2].partition('"')[0]
    headers = more.pop("headers", {})
    upload = [("file", one) for one in files] or None
    return client.post("/take-in", data={"token": token, **more}, files=upload, headers=headers)


def test_files_are_taken_in_over_the_page(
    clients: dict[str, TestClient], tmp_path: Path, intakes: Intakes
) -> None:
    sound = write_wav(tmp_path / "s.wav", 1.0, 8000, 2).read_bytes()
    client = clients["olaf"]
    assert 'href="/take-in"' in client.get("/").text
    page = send(
        client, ("tape.wav", sound), ("bad.wav", b"hello"), start="2017-01-28", title="The call",
        speakers="A. Holt\nB. Rahn", note="From a cassette",
    )  # fmt: skip
    assert page.status_code == 200
    assert 'Taken in as <a href="/taken-in/1">T001</a>: tape.wav' in page.text
    assert "ingest-unknown" in page.text
    intake = intakes.intake(1)
    assert (intake.by, intake.stated["title"], intake.stated["note"]) == (
        "olaf",
        "The call",
        "From a cassette",
    )
    assert [lane["party"] for lane in intake.found["lanes"]] == ["stated-1", "stated-2"]
    told = send(client, ("again.wav", sound), headers={"accept": "application/json"}).json()
    assert told["files"][0] | {"text": ""} == {
        "file": "again.wav", "state": "known", "call": "T001", "address": "/taken-in/1", "text": "",
    }  # fmt: skip
    assert "Known already" in send(client, ("../../x.wav", sound)).text
    listed = client.get("/take-in").text
    assert "The watched folder" in listed
    assert "tape.wav" in listed


def test_what_cannot_be_meant_and_who_may_not_is_said(
    clients: dict[str, TestClient], intakes: Intakes
) -> None:
    client = clients["olaf"]
    assert send(client).status_code == 400
    assert "Nothing was taken in" in send(client, ("a.wav", b"x"), start="yesterday").text
    told = send(client, ("a.wav", b"x"), start="yesterday", headers={"accept": "application/json"})
    assert (told.status_code, "yesterday" in told.json()["problem"]) == (400, True)
    many = send(client, ("a.wav", b"x"), headers={"accept": "application/json"}).json()
    assert many["files"][0]["state"] == "refused"
    assert send(clients["vera"], ("a.wav", b"x")).status_code == 403
    assert "An operator or a custodian" in clients["vera"].get("/take-in").text
    assert client.post("/take-in", data={}).status_code == 403
    assert intakes.shelf.last() == 0
