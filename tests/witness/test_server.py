"""HTTP: what a client sees, what a restart keeps, what a full disk does."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.witness.kit import COSIGNER, KEY, ORIGIN, Served, ask, note, request

from memcon.clock import NS
from memcon.errors import FormatError, LocalError, MachineError
from memcon.store.durable import AppendFile
from memcon.tlog.cosignature import verifier
from memcon.tlog.note import Note, verify
from memcon.tlog.witness import MAX_REQUEST, monitoring_path
from memcon.witness.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.errors import MemconError

OWN = {(key.name, key.key_id) for key in COSIGNER.vkeys}
MONITOR = "/" + monitoring_path(ORIGIN)


def test_cosigned_checkpoints_are_served(served: Served) -> None:
    assert served.get(MONITOR).status == 404
    served.post(request(0, 5))
    reply = served.get(MONITOR)
    assert reply.status == 200
    found = Note.parse(reply.body)
    assert found.text == note(5).text
    assert len(verify(found, [verifier(KEY.key), *(verifier(k) for k in COSIGNER.vkeys)])) == 3
    assert served.ask("HEAD", MONITOR).body == b""
    assert b"5 leaves, 2027-01-15T08:00:00Z" in served.get("/").body


def test_whoever_waits_for_new_leaves_is_told(served: Served) -> None:
    told: list[str] = []
    served.app._cosigned = told.append
    served.post(request(0, 5))
    served.post(request(0, 5))
    served.post(request(5, 5))
    assert told == [ORIGIN]


def test_a_refresh_keeps_the_logs_signatures(served: Served) -> None:
    served.post(request(0, 5))
    served.clock.advance(NS)
    served.post(request(5, 5))
    served.again()
    assert [s.name for s in Note.parse(served.get(MONITOR).body).signatures] == [
        ORIGIN,
        "w.example",
        "w.example",
    ]
    assert served.witness.latest[ORIGIN].time == 1_800_000_001


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/add-checkpoint", 405),
        ("POST", "/", 405),
        ("GET", "/nothing", 404),
        ("GET", "/mirror/x/checkpoint", 404),
        ("PUT", MONITOR, 405),
    ],
)
def test_other_places(served: Served, method: str, path: str, status: int) -> None:
    assert served.ask(method, path).status == status


def test_a_body_too_long_and_one_that_never_ends(tmp_path: Path) -> None:
    served = Served(tmp_path, body_seconds=0.01)
    assert served.post(b"x" * (MAX_REQUEST + 1)).status == 413
    assert asyncio.run(ask(served.app, "POST", "/add-checkpoint", b"old 1\n", hang=True)).status == 408
    served.ledger.close()


def test_a_client_that_goes_away(served: Served) -> None:
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    statuses: list[int] = []

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    asyncio.run(served.app({"type": "http", "method": "POST", "path": "/add-checkpoint"}, gone, send))
    assert statuses[0] == 400


def test_lifespan(served: Served) -> None:
    said = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> dict[str, str]:
        return said.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(served.app({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_mirrors_are_static_files(tmp_path: Path) -> None:
    (tmp_path / "m/abc/tile/0").mkdir(parents=True)
    (tmp_path / "m/abc/tile/0/000").write_bytes(b"tile")
    (tmp_path / "m/abc/checkpoint").write_bytes(b"note")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "m/abc/link").symlink_to(tmp_path / "secret")
    served = Served(tmp_path, mirror=tmp_path / "m")
    reply = served.get("/mirror/abc/tile/0/000")
    assert (reply.status, reply.body) == (200, b"tile")
    assert "immutable" in reply.headers["cache-control"]
    reply = served.get("/mirror/abc/checkpoint")
    assert reply.headers["content-type"].startswith("text/plain")
    assert reply.headers["cache-control"] == "no-cache"
    for path in (
        "abc/nothing",
        "abc/link",
        "../secret",
        "abc/../../secret",
        "abc//checkpoint",
        "abc",
        ".x",
        "a\0b",
        "a" * 3000,
    ):
        assert served.get(f"/mirror/{path}").status == 404
    assert b"/mirror/" in served.get("/").body
    served.ledger.close()


def test_what_was_answered_is_on_the_disk(served: Served) -> None:
    for old, size in ((0, 3), (3, 7)):
        assert served.post(request(old, size)).status == 200
        (file,) = (served.folder / "ledger").iterdir()
        copy = served.folder / f"copy{size}"
        copy.mkdir()
        (copy / file.name).write_bytes(file.read_bytes())
        again = Ledger(copy, OWN)
        assert again.latest[ORIGIN].checkpoint.size == size
        again.close()


def test_a_torn_record_is_cut_off(served: Served) -> None:
    served.post(request(0, 3))
    served.ledger.close()
    (file,) = (served.folder / "ledger").iterdir()
    whole = file.read_bytes()
    for end in (1, 3, 4, 50, len(whole) - 1):
        file.write_bytes(whole + whole[:end])
        served.start()
        assert served.witness.latest[ORIGIN].checkpoint.size == 3
        served.ledger.close()
        assert file.read_bytes() == whole
    served.start()


def test_a_new_file_begins_with_the_state(tmp_path: Path) -> None:
    served = Served(tmp_path, file_size=1)
    for n in range(4):
        assert served.post(request(n, n + 1)).status == 200
    served.again()
    assert served.witness.latest[ORIGIN].checkpoint.size == 4
    assert served.post(request(4, 5)).status == 200
    served.ledger.close()
    assert len(list((tmp_path / "ledger").iterdir())) == 6


def test_a_damaged_ledger_is_refused(served: Served) -> None:
    served.ledger.close()
    (file,) = (served.folder / "ledger").iterdir()
    for data in (b"\xff" * 9, len(note(3).to_bytes()).to_bytes(4, "big") + note(3).to_bytes()):
        file.write_bytes(data)
        with pytest.raises(FormatError):
            Ledger(served.folder / "ledger", OWN)
    file.unlink()
    served.start()


def test_a_disk_that_refuses_ends_the_cosigning(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.post(request(0, 3))

    def refuse(self: AppendFile) -> None:
        raise MachineError("no space")

    monkeypatch.setattr(AppendFile, "sync", refuse)
    assert served.post(request(3, 4)).status == 500
    monkeypatch.undo()
    assert served.post(request(4, 5)).status == 500
    assert Note.parse(served.get(MONITOR).body).text == note(3).text


def test_one_sync_serves_all_that_wait(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, syncs = threading.Event(), threading.Event(), []
    sync = AppendFile.sync

    def slow(self: AppendFile) -> None:
        syncs.append(1)
        begun.set()
        assert go_on.wait(60)
        sync(self)

    monkeypatch.setattr(AppendFile, "sync", slow)
    done: list[MemconError | None] = []
    served.ledger.append(None, done.append)
    assert begun.wait(60)
    for _ in range(20):
        served.ledger.append(None, done.append)
    go_on.set()
    served.ledger.close()
    assert (len(syncs), done) == (2, [None] * 21)
    served.ledger.append(None, done.append)
    assert isinstance(done[-1], LocalError)


def test_waiting_writers_are_told_of_the_failure(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def fail(self: AppendFile, data: bytes) -> None:
        begun.set()
        assert go_on.wait(60)
        raise MachineError("no space")

    monkeypatch.setattr(AppendFile, "write", fail)
    done: list[MemconError | None] = []
    served.ledger.append(None, done.append)
    assert begun.wait(60)
    served.ledger.append(None, done.append)
    go_on.set()
    served.ledger._thread.join()
    assert [str(one) for one in done] == ["no space"] * 2
