"""Dossiers of a real home: sealed without recording, indexed, found again, checked."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from memcon.catalogue.catalogue import Catalogue
from memcon.catalogue.feed import follow
from memcon.cli.main import main
from memcon.clock import SystemClock
from memcon.record import beat
from memcon.seal.keys import load_keys
from memcon.service.archive import Archive
from memcon.service.config import load, template
from memcon.service.demo import free_port, wait_for
from memcon.service.dossiers import check_dossier, hand_in_again, notes_of, open_desk
from memcon.service.rebuilding import rebuild_catalogue
from memcon.service.setup import init_home
from memcon.service.supervisor import Supervisor
from memcon.store.paths import Home
from memcon.store.tiles import LogStore


def run(home: Path, *words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(main, [*words, "--home", str(home)])
    assert done.exit_code == code, done.output
    return json.loads(done.output) if "--json" in words else done.output


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    port = free_port(socket.SOCK_STREAM)
    text = template("dossiers.example/1", period=1, sip_port=None, console_port=port, ports="36000-36100")
    init_home(made, text, SystemClock())
    return made


def serve_until_sealed(home: Home, catalogue: Catalogue) -> None:
    """Real workers, until no NOTE waits any more."""
    with (home.root / "serve.log").open("wb") as log:
        supervisor = Supervisor(home, SystemClock(), say=lambda _: None, log=log)
        supervisor.start()
        try:
            wait_for(supervisor.ready, 60, "the home was not up", SystemClock())
            waiting = lambda: not any(home.notes.iterdir())  # noqa: E731
            wait_for(waiting, 60, "the NOTEs were not sealed", SystemClock())
        finally:
            supervisor.stop("over", by="tester")
    follow(home.feed, catalogue)


def test_a_home_without_lines_seals_what_is_written(home: Home, tmp_path: Path) -> None:
    readout = tmp_path / "a.txt"
    readout.write_text("They spoke of Ukraine.")
    made = run(home.root, "dossier", "new", "2017-01-28", "--participant", "Ada Adams;President;us", "--json")
    id_ = made["dossier"]
    added = run(home.root, "dossier", "add", id_, str(readout), "--side", "A", "--readout", "--json")
    assert added[0]["bytes"] == 22
    wrote = run(home.root, "dossier", "write", id_, "claim", "text=2017", "--by", "An Archivist", "--json")
    assert wrote["entry"] == 3
    open_ = run(home.root, "dossier", "verify", id_, "--json", code=1)
    assert open_[0]["found"] == ["entries 1, 2, 3 are not sealed yet"]

    catalogue = Catalogue(home.catalogue)
    serve_until_sealed(home, catalogue)
    desk = open_desk(home, SystemClock(), catalogue)
    checked, found = check_dossier(desk, id_)
    assert found == []
    assert "3 of 3 entries are sealed in the log" in checked

    log = LogStore(home.log)
    leaves = [beat.decode(leaf) for leaf in log.entries(0, log.checkpoint().size)]
    assert {leaf.state for leaf in leaves} == {beat.State.OFF}

    before = desk.index.sealed([k.hash for k in desk.store.read(id_)])
    config = load(home.config)
    archive = Archive(home, config, SystemClock())
    done = rebuild_catalogue(home, config, catalogue, archive, lambda _: None)
    assert done.problems == ()
    assert desk.index.sealed([k.hash for k in desk.store.read(id_)]) == before
    assert run(home.root, "dossier", "list", "adams", "--json")["total"] == 1
    shown = run(home.root, "dossier", "show", id_, "--json")
    assert all(entry["sealed_in"] for entry in shown["entries"])
    assert [entry["kind"] for entry in shown["entries"]] == ["dossier", "source", "claim"]
    assert shown["entries"][2]["body"]["text"] == "2017"
    assert run(home.root, "dossier", "verify").count("checked:") == 3
    assert run(home.root, "verify", "--json")[0]["ok"]

    taken_away(home, id_, tmp_path)
    desk.store.append(id_, "claim", "A", {"text": "never handed in"})
    assert hand_in_again(desk, home) == 1
    catalogue.close()


def taken_away(home: Home, id_: str, folder: Path) -> None:
    """The dossier as a bundle, checked by the log's key, by none, changed, and with its source withheld."""
    key = str(load_keys(home.keys).vkeys(load(home.config).origin)[0])
    made = run(home.root, "dossier", "bundle", id_, "--to", str(folder), "--json")
    file = Path(made["path"])
    assert (file.name, made["unsealed"]) == ("dossier-2017-01-28-1.zip", 0)
    report = run(home.root, "verify", str(file), "--key", key, "--json")
    assert "3 of 3 are sealed in the log whose key you gave, and 1 of 1 file" in report["headline"]
    run(home.root, "verify", str(file), code=3)
    run(home.root, "dossier", "bundle", id_, "--to", str(file), code=2)
    file.write_bytes(file.read_bytes().replace(b"They spoke", b"They spake"))
    assert run(home.root, "verify", str(file), "--key", key, "--json", code=1)["exit"] == 1
    run(home.root, "dossier", "bundle", id_, "--to", str(file), "--without", "2", "--force")
    withheld = run(home.root, "verify", str(file), "--key", key, "--json")
    assert "They spoke" not in file.read_bytes().decode("latin-1")
    assert [one["code"] for one in withheld["findings"]] == ["dossier-withheld"]
    run(home.root, "dossier", "bundle", id_, "--to", str(file), "--without", "3", "--force", code=2)


def test_commands_say_what_they_did(home: Home, tmp_path: Path) -> None:
    assert "No dossier yet" in run(home.root, "dossier", "list")
    assert "Dossier 2017/1" in run(home.root, "dossier", "new", "2017", "--title", "A call", "--by", "B")
    source = tmp_path / "x.bin"
    source.write_bytes(bytes(99))
    assert "No text could be read" in run(home.root, "dossier", "add", "2017/1", str(source))
    run(home.root, "dossier", "write", "2017/1", "duration", "text=1 h", "low=3600")
    assert "Entry 4" in run(home.root, "dossier", "write", "2017/1", "claim", "text=[x")
    shown = run(home.root, "dossier", "show", "2017/1")
    assert "lasted 1 h" in shown
    assert "claim 4: [x" in shown
    assert "A call" in run(home.root, "dossier", "list")
    assert "A call" in run(home.root, "dossier", "list", "a", "call")
    assert "No dossier fits" in run(home.root, "dossier", "list", "zebra")
    assert "not sealed yet" in run(home.root, "dossier", "verify", code=1)
    file = str(tmp_path / "d.zip")
    assert "4 of 4 entries are not sealed yet" in run(home.root, "dossier", "bundle", "2017/1", "--to", file)
    assert "dossier-unsealed" in run(home.root, "verify", file, code=1)
    for words in (
        ("new", "yesterday"),
        ("new", "2017", "--participant", ";x"),
        ("write", "2017/1", "claim", "text"),
        ("write", "2017/1", "nonsense"),
        ("show", "2018/1"),
    ):
        run(home.root, "dossier", *words, code=2)
    assert list(notes_of(home)) == []
