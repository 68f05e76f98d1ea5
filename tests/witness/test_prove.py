"""Silence proved by a stranger: who has the log's files, the policy, and no key."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from tests.verify.builder import START, World
from tests.witness.kit import Reply
from tests.witness.site import until

from memcon.cli.main import main
from memcon.clock import NS, SystemClock
from memcon.errors import FormatError, MemconError
from memcon.record.silence import Certificate
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.merkle import consistency_proof, leaf_hash
from memcon.tlog.note import Note
from memcon.tlog.witness import AddCheckpoint
from memcon.verify.silence import verify_silence
from memcon.verify.sources import Directory
from memcon.witness import prove as prover
from memcon.witness.client import WitnessClient
from memcon.witness.keys import QuickVerifier
from memcon.witness.prove import Proved, prove

if TYPE_CHECKING:
    from tests.witness.site import Site


def seen(site: Site, *, size: int | None = None, world: World | None = None) -> None:
    """All witnesses cosign the log as it is now."""
    data = (world or site.world).checkpoint(size)
    note = Note.parse(data)
    for server, witness in zip(site.servers, site.witnesses, strict=True):
        keys = [QuickVerifier(key) for key in witness._cosigner.vkeys]
        client = WitnessClient(server.url + "/sub", keys)
        assert client.submit(note, Checkpoint.parse(note.text), lambda old: []).problem == ""
        client.close()


def silent(site: Site, slots: float = 10) -> None:
    """Stop the log's beats for so many slots from its last leaf's end on."""
    end = site.world.slot * site.world.period_ms * 1_000_000
    site.clock.step_wall(end + int(slots * site.world.period_ms * 1_000_000) - site.clock.wall_ns())


def ask(site: Site) -> Proved:
    return prove(Directory(site.log), site.policy)


def test_a_silent_log(site: Site) -> None:
    site.grow(4)
    silent(site)
    proved = ask(site)
    assert proved.certificate is not None
    last = START // 2 + 4
    assert proved.covered == (
        last + 1,
        last + 7,
    )  # ten slots, of which two are its grace and one must be past
    report = verify_silence(proved.certificate, site.policy, "c")
    assert report.ok
    assert report.facts["slots"] == [last + 1, last + 7]
    assert len(Certificate.parse(proved.certificate).note.signatures) == 2 + 6


def test_a_log_that_is_not_overdue(site: Site) -> None:
    silent(site, 2)
    proved = ask(site)
    assert (proved.certificate, proved.covered, proved.conflicts) == (None, None, [])
    assert proved.time is not None


def test_too_few_answer(site: Site) -> None:
    site.moods |= {0: lambda _: Reply(), 2: lambda _: Reply(503)}
    silent(site)
    proved = ask(site)
    assert (proved.certificate, proved.time) == (None, None)
    assert len(proved.problems) == 2
    site.moods[1] = lambda _: Reply()
    assert ask(site).stamps == []
    del site.moods[0]
    site.moods = {2: site.moods[2]}
    assert ask(site).certificate is not None


def test_growth_that_is_withheld(site: Site) -> None:
    site.grow(4)
    seen(site)
    files = {path: path.read_bytes() for path in site.log.rglob("*") if path.is_file()}
    site.grow(3)
    grow_seen = site.world.checkpoint()
    for witness in site.witnesses:  # as if the recorder had submitted what it does not serve
        proof = consistency_proof(5, [leaf_hash(e) for e in site.world.entries])
        answer = witness.decide(AddCheckpoint(5, tuple(proof), Note.parse(grow_seen)).to_bytes())
        assert answer.status == 200
        site.ledgers[site.witnesses.index(witness)].append(answer.record, lambda _: None)
    for path in site.log.rglob("*"):
        if path.is_file() and path not in files:
            path.unlink()
    for path, data in files.items():
        path.write_bytes(data)
    silent(site)
    proved = ask(site)
    assert proved.certificate is None
    assert [conflict.kind for conflict in proved.conflicts] == ["withheld"] * 3
    report = verify_silence(proved.conflicts[0].encode(), site.policy, "c")
    assert list(report.counts) == ["log-withheld"]


def test_two_histories(site: Site) -> None:
    other = World(key_name="log")
    other.genesis()
    for _ in range(4):
        other.beat(skip=1)
    seen(site, world=other)
    site.grow(4)
    proved = ask(site)
    assert [conflict.kind for conflict in proved.conflicts] == ["fork"] * 3
    report = verify_silence(proved.conflicts[0].encode(), site.policy, "c")
    assert list(report.counts) == ["log-fork"]


def test_a_witness_that_only_says_so_convicts_nobody(site: Site) -> None:
    site.moods[0] = lambda reply: Reply(409, body=b"99\n")
    site.moods[1] = lambda reply: Reply(422 if reply.status == 200 else reply.status, body=b"x")
    silent(site)
    proved = ask(site)
    assert proved.conflicts == []
    assert len(proved.problems) == 2


def test_a_log_that_grows_in_between_is_asked_again(site: Site) -> None:
    grown: list[int] = []

    def grow(reply: Reply) -> Reply:
        if not grown:
            grown.append(1)
            site.grow()
            return Reply(409, body=b"2\n")
        return reply

    site.moods[0] = grow
    silent(site, 20)
    proved = ask(site)
    assert proved.size == 2


def test_what_cannot_be_proved(site: Site) -> None:
    (site.log / "statement").rename(site.log / "elsewhere")
    with pytest.raises(FormatError, match="statement that its first leaf names"):
        ask(site)
    (site.log / "checkpoint").write_bytes(
        site.world.sign(Checkpoint(site.world.origin, 0, bytes(32)).to_bytes())
    )
    with pytest.raises(FormatError, match="has no leaf"):
        ask(site)
    (site.log / "checkpoint").unlink()
    with pytest.raises(FormatError, match="no checkpoint"):
        ask(site)


def test_a_damaged_mirror_gives_no_certificate_that_does_not_hold(site: Site) -> None:
    site.grow(4)
    silent(site)
    root = site.log
    paths = [p for p in root.rglob("*") if p.is_file() and p.name not in ("1", "2", "3")]

    def cut(path: Path) -> None:
        path.write_bytes(whole[: len(whole) // 2])

    def swap(path: Path) -> None:
        path.write_bytes(whole[::-1])

    for path in paths:
        whole = path.read_bytes()
        for damage in (Path.touch, cut, swap, Path.mkdir, os.mkfifo):
            path.unlink()
            damage(path)
            try:
                proved = ask(site)
            except MemconError as error:
                assert str(error)  # noqa: PT017 # any of several kinds, each in words
            else:
                assert proved.certificate is not None
                assert verify_silence(proved.certificate, site.policy, "c").ok
            path.rmdir() if path.is_dir() else path.unlink()
            path.write_bytes(whole)
    assert len(paths) >= 4
    assert ask(site).certificate is not None


def test_a_witness_that_drips_keeps_nobody_waiting(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of three are enough; the third never answers, and is told as late."""
    monkeypatch.setattr(prover, "GRACE_NS", NS // 20)
    site.grow(2)
    silent(site)
    wait = threading.Event()

    def hang(reply: Reply) -> Reply:
        wait.wait(60)
        return reply

    site.moods[2] = hang
    try:
        proved = ask(site)
        assert proved.certificate is not None
        assert [problem for problem in proved.problems.values()] == [prover.TOO_LATE]
        site.moods[1] = hang
        monkeypatch.setattr(prover, "MOST_NS", NS // 5)
        proved = ask(site)
        assert (proved.certificate, list(proved.problems.values())) == (None, [prover.TOO_LATE] * 2)
    finally:
        wait.set()
        until(lambda: not any("(submit)" in thread.name for thread in threading.enumerate()))


class TestCommand:
    def run(self, *words: str) -> Any:
        return CliRunner().invoke(main, ["silence", *words])

    def test_prove_and_check(self, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "mine").write_bytes(site.text)
        policy = ["--policy", str(tmp_path / "mine")]
        early = self.run("prove", str(site.log), *policy)
        assert (early.exit_code, "was not overdue" in early.output) == (1, True)
        silent(site)
        monkeypatch.setattr(SystemClock, "wall_ns", lambda _: site.clock.wall_ns())
        proved = self.run("prove", str(site.log), *policy, "--to", "c.silence", "--json")
        assert proved.exit_code == 0, proved.output
        said = json.loads(proved.output)
        assert said["files"] == ["c.silence"]
        assert len(said["cosigned"]) == 6
        told = self.run("prove", str(site.log), *policy)
        assert "was silent from" in told.output
        checked = self.run("check", "c.silence", *policy, "--json")
        assert (checked.exit_code, json.loads(checked.output)["facts"]["slots"]) == (0, said["slots"])
        assert "Found\n  - Nothing." in self.run("check", "c.silence", *policy).output
        Path("c.silence").write_bytes(b"")
        assert self.run("check", "c.silence", *policy).exit_code == 2
        site.moods = {n: lambda _: Reply() for n in range(3)}
        assert "Too few" in self.run("prove", str(site.log), *policy).output

    def test_a_conflict_is_written(self, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        test_two_histories(site)
        (tmp_path / "mine").write_bytes(site.text)
        done = self.run("prove", str(site.log), "--policy", "mine")
        assert (done.exit_code, "is in conflict" in done.output) == (1, True)
        (first, *_) = tmp_path.glob("*.conflict")
        assert self.run("check", str(first), "--policy", "mine").exit_code == 1
