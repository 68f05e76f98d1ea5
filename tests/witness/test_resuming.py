"""A witness that has forgotten what it cosigned does not begin again in silence."""

from __future__ import annotations

import queue
import shutil
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.witness.kit import KEY, ORIGIN, note, request

from memcon.cli.main import main
from memcon.clock import ManualClock
from memcon.errors import FormatError, UsageError
from memcon.store.durable import write_file
from memcon.tlog.checkpoint import Checkpoint
from memcon.witness.core import Witness
from memcon.witness.ledger import Ledger, has_ledger
from memcon.witness.process import about
from memcon.witness.resuming import begun_anew, ready_ledger, resume
from memcon.witness.settings import init_home

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.errors import MemconError
    from memcon.tlog.note import Note
    from memcon.witness.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    policy = f"log {KEY.key} http://127.0.0.1:1/\nquorum none\n".encode()
    return init_home(
        tmp_path / "w", "w.example", kinds=("ed25519", "mldsa44"), listen="127.0.0.1:8090", policy=policy,
        mirror=True,
    )  # fmt: skip


class Running:
    """The witness without its server."""

    def __init__(self, settings: Settings) -> None:
        cosigner = settings.cosigner()
        self.said: list[str] = []
        self.ledger = Ledger(settings.ledger, {(key.name, key.key_id) for key in cosigner.vkeys})
        try:
            resume(settings, cosigner, self.ledger, self.said.append)
        except BaseException:
            self.ledger.close()
            raise
        self.witness = Witness(cosigner, [KEY.key], ManualClock(), self.ledger.latest)

    def post(self, body: bytes) -> tuple[int, bytes]:
        answer = self.witness.decide(body)
        if answer.record is not None:
            done: queue.SimpleQueue[MemconError | None] = queue.SimpleQueue()
            self.ledger.append(answer.record, done.put)
            assert done.get() is None
        return answer.status, answer.body

    def note(self) -> Note:
        return self.ledger.latest[ORIGIN].note()


def serve(settings: Settings, *bodies: bytes) -> Note:
    """Cosign these, stop, and give the newest note."""
    running = Running(settings)
    for body in bodies:
        assert running.post(body)[0] == 200
    running.ledger.close()
    return running.note()


def test_a_ledger_that_is_gone_is_missed_and_begun_anew_only_on_demand(home: Settings) -> None:
    ready_ledger(home, ManualClock(), begin_anew=False)  # as it was made
    serve(home, request(0, 5))
    shutil.rmtree(home.ledger)
    done = CliRunner().invoke(main, ["witness", "serve", "--home", str(home.home)])
    assert done.exit_code == 2
    assert "could cosign a second history" in done.output
    assert not has_ledger(home.ledger)
    assert "Begun anew" not in about(home)
    ready_ledger(home, ManualClock(), begin_anew=True)
    assert len(begun_anew(home)) == 1
    assert f"Begun anew at {begun_anew(home)[0]}" in about(home)
    serve(home, request(0, 3, "b"))
    with pytest.raises(UsageError, match="there is a ledger"):
        ready_ledger(home, ManualClock(), begin_anew=True)


def test_a_ledger_behind_its_mirror_goes_on_from_the_mirror(home: Settings) -> None:
    newest = serve(home, request(0, 5), request(5, 9))
    shutil.rmtree(home.ledger)
    home.mirror_of(ORIGIN).mkdir(parents=True)
    (home.mirror_of(ORIGIN) / "checkpoint").write_bytes(newest.to_bytes())
    ready_ledger(home, ManualClock(), begin_anew=True)
    running = Running(home)
    assert "the mirror has 9" in running.said[0]
    assert running.post(request(0, 9, "b")) == (409, b"9\n")
    running.ledger.close()
    again = Running(home)
    assert again.said == []
    assert Checkpoint.parse(again.note().text).size == 9
    again.ledger.close()


def test_what_stands_in_a_mirror_without_this_witness_s_signature_is_no_word_of_its(home: Settings) -> None:
    serve(home, request(0, 5))
    home.mirror_of(ORIGIN).mkdir(parents=True)
    for data in (note(9).to_bytes(), b"none", b""):
        (home.mirror_of(ORIGIN) / "checkpoint").write_bytes(data)
        running = Running(home)
        assert (running.said, running.post(request(5, 6))[0] in (200, 409)) == ([], True)
        running.ledger.close()


def test_two_trees_of_one_size_are_refused_and_kept_as_a_conflict(home: Settings) -> None:
    first = serve(home, request(0, 5))
    shutil.rmtree(home.ledger)
    ready_ledger(home, ManualClock(), begin_anew=True)
    serve(home, request(0, 5, "b"))
    home.mirror_of(ORIGIN).mkdir(parents=True)
    (home.mirror_of(ORIGIN) / "cosigned").write_bytes(first.to_bytes())
    with pytest.raises(FormatError, match="two trees of 5 leaves"):
        Running(home)
    assert len(list((home.mirror_of(ORIGIN) / "conflict").iterdir())) == 1


def test_a_ledger_that_was_altered_is_refused(home: Settings) -> None:
    serve(home, request(0, 5), request(5, 8))
    path = max(home.ledger.iterdir())
    whole = path.read_bytes()
    for old, new in ((b"\n8\n", b"\n3\n"), (b"log.example/1\n8", b"log.example/2\n8")):
        at = whole.rindex(old)
        write_file(path, whole[:at] + new + whole[at + len(old) :])
        with pytest.raises(FormatError, match="is not what this witness signed"):
            Running(home)
    write_file(path, whole[:-1])  # a record that nobody was answered
    running = Running(home)
    assert running.post(request(0, 8)) == (409, b"5\n")
    running.ledger.close()
