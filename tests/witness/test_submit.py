"""The recorder's side against witnesses that answer, are late, lie, hang or are away."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.tlog.conftest import TestKey
from tests.verify.builder import World
from tests.witness.kit import Reply
from tests.witness.site import Site, until

from memcon.clock import NS, SystemClock
from memcon.errors import FormatError
from memcon.record import evidence
from memcon.record.hashing import sha256
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import Note
from memcon.tlog.policy import Policy
from memcon.witness.archive import Archive
from memcon.witness.client import Connection, WitnessClient, WitnessError
from memcon.witness.keys import QuickVerifier
from memcon.witness.submit import Newest, Submitter, by_address

if TYPE_CHECKING:
    from pathlib import Path

Answers = "Callable[[str, str, bytes], Reply]"


class Running:
    """A submitter in a thread; `told` are the notes it archived."""

    def __init__(self, site: Site, **changes: Any) -> None:
        self.told: list[Newest] = []
        self.came = threading.Condition()
        self.stop = threading.Event()
        said: dict[str, Any] = {"period_ns": NS, "tell": self._tell, "seconds": 2.0, **changes}
        self.submitter = Submitter(site.log, site.policy, SystemClock(), **said)
        self.thread = threading.Thread(target=self.submitter.run, args=(self.stop,), daemon=True)
        self.thread.start()

    def _tell(self, note: Newest) -> None:
        with self.came:
            self.told.append(note)
            self.came.notify_all()

    def until(self, size: int) -> Newest:
        with self.came:
            assert self.came.wait_for(lambda: self.told and self.told[-1].size >= size, 60)
            return self.told[-1]

    def end(self) -> None:
        self.stop.set()
        self.thread.join(60)
        assert not self.thread.is_alive()


def verdict(site: Site, newest: Newest) -> int:
    """The archived note holds by its hash and by the policy; how many cosignatures it has."""
    data = (site.log / "note" / newest.digest.hex()).read_bytes()
    assert sha256(data) == newest.digest
    found = site.policy.evaluate(Note.parse(data))
    assert found.quorum_time == newest.quorum_time
    assert found.checkpoint.size == newest.size
    return len(found.stamps)


def test_every_checkpoint_is_cosigned_and_archived(site: Site) -> None:
    running = Running(site)
    first = running.until(1)
    site.clock.advance(NS)
    site.grow(299)
    second = running.until(300)
    assert [verdict(site, note) for note in (first, second)] == [6, 6]
    assert (first.quorum_time, second.quorum_time, second.age_time) == (
        1_800_000_000,
        1_800_000_001,
        1_800_000_001,
    )
    assert sha256((site.log / "cosigned").read_bytes()) == second.digest
    index = (site.log / evidence.index_path(first.quorum_time)).read_bytes()
    assert [(e.size, e.digest) for e in evidence.read_entries(index)] == [
        (1, first.digest),
        (300, second.digest),
    ]
    status = running.submitter.status(3, NS)
    assert status["size"] == 300
    assert [w["problem"] for w in status["witnesses"]] == [""] * 3
    running.end()


def test_a_new_start_refreshes_the_last_checkpoint(site: Site) -> None:
    running = Running(site)
    first = running.until(1)
    running.end()
    site.clock.advance(100 * NS)
    running = Running(site)
    again = running.until(1)
    running.end()
    assert (again.size, again.quorum_time - first.quorum_time) == (1, 100)
    assert again.digest != first.digest
    assert verdict(site, first) == verdict(site, again) == 6


def test_one_away_is_in_the_slack_and_two_are_not(site: Site) -> None:
    site.moods[0] = lambda reply: Reply()
    running = Running(site, period_ns=NS // 10)
    assert verdict(site, running.until(1)) == 4
    site.moods[1] = lambda reply: Reply(503, body=b"later\n")
    site.grow()
    until(lambda: running.submitter.seen[site.servers[1].url + "/sub/"].problem)
    assert "answers 503: 'later'" in running.submitter.seen[site.servers[1].url + "/sub/"].problem
    assert "no answer" in running.submitter.seen[site.servers[0].url + "/sub/"].problem
    assert running.told[-1].size == 1
    del site.moods[1]
    assert verdict(site, running.until(2)) == 4
    running.end()


def test_a_late_cosignature_is_kept_beside(site: Site) -> None:
    late = threading.Event()

    def slow(reply: Reply) -> Reply:
        assert late.wait(60)
        return reply

    site.moods[2] = slow
    running = Running(site, seconds=20.0)
    assert verdict(site, running.until(1)) == 4
    late.set()
    path = site.log / evidence.cosignature_path(1_800_000_000)
    until(lambda: path.exists() and path.stat().st_size)
    ((note, _),) = evidence.read_cosignatures(path.read_bytes())
    assert {s.name for s in note.signatures} == {"w2.example"}
    running.end()


def test_a_log_that_went_back_is_told(site: Site) -> None:
    site.grow(4)
    running = Running(site)
    running.until(5)
    running.end()
    site.world.entries = site.world.entries[:3]
    site.publish()
    running = Running(site)
    until(lambda: all("restored from a copy" in seen.problem for seen in running.submitter.seen.values()))
    assert not running.told
    running.stop.set()


def test_trouble_of_the_disk_is_told(site: Site) -> None:
    (site.log / "checkpoint").write_bytes(b"no note")
    submitter = Submitter(site.log, site.policy, SystemClock(), period_ns=NS, tell=lambda _: None)
    submitter.step()
    assert "note" in submitter.trouble
    site.publish()
    submitter.step()
    assert submitter.trouble == ""
    assert submitter.status(3, NS)["quorum"] is False


def test_a_witness_needs_an_address(site: Site) -> None:
    text = f"witness w {site.witnesses[0]._cosigner.vkeys[0]}\nquorum w\n"
    with pytest.raises(FormatError, match="has no address"):
        by_address(Policy.parse(text.encode()))


class TestClient:
    def client(self, site: Site, n: int = 0) -> WitnessClient:
        keys = [QuickVerifier(key) for key in site.witnesses[n]._cosigner.vkeys]
        site.clients.append(WitnessClient(site.servers[n].url + "/sub", keys, 2.0))
        return site.clients[-1]

    def submit(self, site: Site, client: WitnessClient) -> str:
        note = Note.parse((site.log / "checkpoint").read_bytes())
        return client.submit(note, Checkpoint.parse(note.text), lambda old: []).problem

    @pytest.mark.parametrize(
        ("mood", "problem"),
        [
            (Reply(409, body=b"7\n"), "has cosigned 7 leaves already"),
            (Reply(409, body=b"1\n"), "says 409 again and again"),
            (Reply(409, body=b"seven\n"), "not a decimal"),
            (Reply(500, body=b"\xff" * 999), "answers 500"),
            (Reply(200, body=b""), "newline"),
            (Reply(200, body=b"x" * (1 << 19)), "answers more than"),
            (Reply(200, body=b"\xe2\x80\x94 stranger AAAAAAAA\n"), "not signed by any known key"),
            (Reply(), "no answer"),
        ],
    )
    def test_what_a_witness_must_not_answer(self, site: Site, mood: Reply, problem: str) -> None:
        site.moods[0] = lambda _: mood
        assert problem in self.submit(site, self.client(site))

    def test_a_cosignature_that_does_not_hold(self, site: Site) -> None:
        key = TestKey("w0.example", 4, 1)
        site.moods[0] = lambda reply: Reply(200, body=key.sign(b"other\n0\nx\n", 7).line())
        assert "does not verify" in self.submit(site, self.client(site))

    def test_a_connection_that_went_stale_is_opened_again(self, site: Site) -> None:
        client = self.client(site)
        assert self.submit(site, client) == ""
        assert client._connection._open is not None
        client._connection._open.sock.close()  # as a peer that has timed out
        assert self.submit(site, client) == ""
        client.close()
        client.close()

    def test_a_witness_that_hangs(self, site: Site) -> None:
        go_on = threading.Event()

        def hang(reply: Reply) -> Reply:
            go_on.wait(60)
            return reply

        client = WitnessClient(site.servers[0].url + "/sub", [], 0.5)
        assert client.latest("nothing.example") is None
        site.moods[0] = hang
        assert "timed out" in self.submit(site, client)
        assert "timed out" in self.submit(site, client)
        go_on.set()

    def test_addresses(self) -> None:
        for url in ("ftp://x/", "x", "https://"):
            with pytest.raises(WitnessError, match="is no http"):
                Connection(url)
        assert "no answer" in outcome_of("https://127.0.0.1:1/")

    def test_the_newest_it_cosigned(self, site: Site) -> None:
        client, origin = self.client(site), site.world.origin
        assert client.latest(origin) is None
        self.submit(site, client)
        found = client.latest(origin)
        assert found is not None
        assert Checkpoint.parse(found.text).size == 1
        for mood, error in (
            (Reply(500), WitnessError),
            (Reply(200, body=b"no note"), FormatError),
            (
                Reply(
                    200, body=Note(b"other.example\n0\n" + b"A" * 43 + b"=\n", found.signatures).to_bytes()
                ),
                FormatError,
            ),
            (Reply(200, body=site.world.checkpoint()), FormatError),
        ):
            site.moods[0] = lambda _, mood=mood: mood  # type: ignore[misc]
            with pytest.raises(error):
                client.latest(origin)


def outcome_of(url: str) -> str:
    """What a client says of an address where nobody is."""
    world = World()
    world.genesis()
    note = Note.parse(world.checkpoint())
    return WitnessClient(url, [], 1.0).submit(note, Checkpoint.parse(note.text), lambda old: []).problem


class TestArchive:
    def test_a_torn_index_is_mended(self, tmp_path: Path) -> None:
        archive = Archive(tmp_path)
        archive.add_note(b"one", 1, 5)
        path = tmp_path / evidence.index_path(5)
        path.write_bytes(path.read_bytes() + b"torn")
        archive.add_note(b"two", 2, 6)
        archive.add_note(b"two", 2, 6)
        assert [entry.size for entry in evidence.read_entries(path.read_bytes())] == [1, 2]
        assert (tmp_path / "cosigned").read_bytes() == b"two"
        archive.add_note(b"zero", 0, 6, newest=False)
        assert (tmp_path / "cosigned").read_bytes() == b"two"

    def test_loose_cosignatures_of_a_day_have_a_bound(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        archive = Archive(tmp_path)
        note = Note(b"x\n", (TestKey("k").sign(b"x\n"),))
        record = len(evidence.encode_cosignatures(note))
        monkeypatch.setattr("memcon.witness.archive.MAX_LOOSE", 2 * record)
        for _ in range(4):
            archive.add_cosignatures(note, 5)
        archive.add_cosignatures(note, 5 + 86_400)
        sizes = [(tmp_path / evidence.cosignature_path(t)).stat().st_size for t in (5, 5 + 86_400)]
        assert sizes == [2 * record, record]

    def test_certificates_and_conflicts(self, tmp_path: Path) -> None:
        archive = Archive(tmp_path)
        assert list(archive.certificates()) == []
        digest = archive.add_certificate(b"certificate", 3, 7)
        assert [(e.size, e.time, e.digest) for e in archive.certificates()] == [(3, 7, digest)]
        note = Note(b"x\n", (TestKey("k").sign(b"x\n"),))
        digest = archive.add_conflict(evidence.Conflict("fork", note, note))
        assert evidence.read_conflict((tmp_path / f"conflict/{digest.hex()}").read_bytes()).kind == "fork"
