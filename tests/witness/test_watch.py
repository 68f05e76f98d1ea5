"""The watch: certificates when beats stop, word of it once, and once again at the end."""

from __future__ import annotations

import http.server
import json
import socket
import socketserver
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.verify.builder import START
from tests.witness.kit import Reply
from tests.witness.site import until
from tests.witness.test_mirror import Tampered

from memcon.clock import NS
from memcon.errors import MachineError, UsageError
from memcon.record.beat import State
from memcon.tlog.note import Note
from memcon.tlog.witness import AddCheckpoint
from memcon.verify.silence import verify_silence
from memcon.witness import process
from memcon.witness.archive import Archive
from memcon.witness.mirror import Mirror
from memcon.witness.notify import Notifier
from memcon.witness.process import Keeper
from memcon.witness.settings import Notify
from memcon.witness.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.witness.site import Site

SLOT = START // 2  # of genesis; the site's period is 2 s, its G 2 periods


class Watched:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.source = Tampered(site.log)
        self.told: list[Mapping[str, Any]] = []
        self.said: list[str] = []
        self.cosigned = (0, 0)
        self.mirror = Mirror(site.folder / "mirror", site.world.origin, self.source, site.policy, site.clock)
        self.watch = Watch(
            self.mirror,
            site.policy,
            site.clock,
            seen=lambda: self.cosigned,
            tell=lambda _, event: self.told.append(event),
            name="w.example",
        )
        self.keeper = Keeper(self.mirror, self.watch, self.said.append)

    def at(self, slots: float) -> None:
        """Look when so many slots have passed since genesis began."""
        now = int((SLOT + slots) * 2 * NS)
        self.site.clock.advance(now - self.site.clock.wall_ns())
        self.keeper.step()

    def covered(self) -> list[list[int]]:
        """The slots, counted from genesis, of each certificate, all of which hold."""
        found = []
        for entry in Archive(self.mirror.root).certificates():
            data = (self.mirror.root / f"silence/{entry.digest.hex()}").read_bytes()
            report = verify_silence(data, self.site.policy, "c")
            assert report.ok
            found.append([slot - SLOT for slot in report.facts["slots"]])
        return found


@pytest.fixture
def watched(site: Site) -> Watched:
    return Watched(site)


def test_beats_that_stop_are_certified_within_a_period(site: Site, watched: Watched) -> None:
    site.grow(3)
    watched.at(5)  # slot 4 is missing since its end; its grace lasts until slot 7
    watched.at(7.4)
    assert watched.covered() == []
    assert watched.told == []
    watched.at(7.5)
    assert watched.covered() == [[4, 4]]
    (event,) = watched.told
    assert event["event"] == "silent"
    assert event["since"] == "2027-01-15T08:00:08Z"
    assert str(event["certificate"]).startswith("silence/")
    watched.at(8)
    assert len(watched.covered()) == 1
    watched.at(8.5)
    watched.at(40)
    watched.at(41)
    watched.at(60)
    assert [one[1] for one in watched.covered()] == [4, 5, 36, 56]
    assert len(watched.told) == 1


def test_a_site_that_keeps_its_mirror_waiting_keeps_its_watch_from_nothing(
    site: Site, watched: Watched
) -> None:
    site.grow(3)
    watched.at(5)
    site.clock.advance(20 * NS)
    waits, go, stop = threading.Event(), threading.Event(), threading.Event()

    def hang(path: str) -> bytes | None:
        waits.set()
        go.wait(60)
        raise MachineError(f"{path}: at last")

    watched.source.fetch = hang  # type: ignore[method-assign]
    keeper = watched.keeper
    threads = [threading.Thread(target=work, args=(stop,)) for work in (keeper.run, keeper.run_watch)]
    for thread in threads:
        thread.start()
    try:
        until(waits.is_set)
        until(lambda: watched.told)
        assert not go.is_set()
        assert watched.told[0]["event"] == "silent"
        assert watched.covered() != []
    finally:
        stop.set()
        go.set()
        keeper.wake.set()
        for thread in threads:
            thread.join(30)
    assert "at last" in watched.said[-1]


def test_slow_sites_take_no_turn_from_quick_ones(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """One turn for each kind: the log that was slow once waits for its own kind alone."""
    monkeypatch.setattr(process, "QUICK_TURNS", 1)
    monkeypatch.setattr(process, "SLOW_TURNS", 1)
    monkeypatch.setattr(process, "SLOW_NS", 0)
    turns, stop = process.Turns(), threading.Event()
    slow = Watched(site).mirror
    keeper = Keeper(slow, None, lambda _: None, turns)
    steps: list[int] = []
    monkeypatch.setattr(keeper, "step_mirror", lambda: steps.append(1))
    thread = threading.Thread(target=keeper.run, args=(stop,))
    thread.start()
    try:
        until(lambda: steps)
        with turns.of(slow=True):  # another slow one looks: this one waits, and a quick one does not
            keeper.wake.set()
            assert turns.of(slow=False).acquire(timeout=5)
            turns.of(slow=False).release()
            assert len(steps) == 1
            stop.set()
    finally:
        stop.set()
        keeper.wake.set()
        thread.join(30)
    assert len(steps) == 1


def test_the_end_is_told_once(site: Site, watched: Watched) -> None:
    site.grow(3)
    watched.at(20)
    site.world.beat(skip=20)
    site.grow(2)
    watched.at(27)
    watched.at(27.1)
    assert [event["event"] for event in watched.told] == ["silent", "ended"]
    assert "beats again since 2027-01-15T08:00:48Z" in str(watched.told[1]["text"])
    assert watched.told[1]["certificates"] == 1
    assert watched.watch.incident is None


@pytest.mark.parametrize("shown", ["ahead", "garbage"])
def test_leaves_that_are_no_beat_of_now_are_no_sign_of_life(site: Site, watched: Watched, shown: str) -> None:
    site.grow(3)
    watched.at(5)
    if shown == "ahead":
        site.world.beat(skip=100)
        site.grow(2)
    else:
        site.world.entries += [b"noise"] * 3
        site.publish()
    watched.at(7.4)
    assert watched.told == []
    watched.at(8)
    watched.at(30)
    (event,) = watched.told
    assert (event["event"], event["since"], event["certificate"]) == ("silent", "2027-01-15T08:00:08Z", None)
    assert "beyond leaf 3 it shows only leaves ahead of their time or unreadable (3)" in str(event["text"])
    if shown == "ahead":  # the witnesses' last word, from which anybody learns of the silence, is fresh
        seen = [witness.latest[site.world.origin] for witness in site.witnesses]
        assert {one.checkpoint.size for one in seen} == {7}
        watched.at(104)
        assert [event["event"] for event in watched.told] == ["silent", "ended"]


def test_a_declared_off_is_no_incident(site: Site, watched: Watched) -> None:
    site.world.beat(state=State.OFF)
    site.publish()
    watched.at(30)
    assert (watched.covered(), watched.told) == ([], [])


def test_what_only_this_witness_saw_is_no_silence(site: Site, watched: Watched) -> None:
    site.grow(3)
    now = (SLOT + 28) * 2
    watched.cosigned = (5, now)  # the site serves less than it had us cosign: it may be away
    watched.at(30)
    assert (watched.covered(), watched.told) == ([], [])


def test_a_last_leaf_that_nobody_fetched_is_told(site: Site, watched: Watched) -> None:
    site.grow(3)
    watched.at(5)
    watched.source.files["checkpoint"] = None
    site.grow(1)
    note = Note.parse(site.world.checkpoint())
    for witness in site.witnesses:
        witness.decide(AddCheckpoint(0, (), note).to_bytes())
    watched.cosigned = (5, (SLOT + 5) * 2)
    for slots in (9.4, 9.6, 11, 13):
        watched.at(slots)
    (event,) = watched.told
    assert event["certificate"] is None
    assert watched.covered() == []


def test_too_few_witnesses_are_told_too(site: Site, watched: Watched) -> None:
    site.grow(3)
    site.moods = {n: lambda _: Reply() for n in range(3)}
    for slots in (20, 22, 24, 26):
        watched.at(slots)
    (event,) = watched.told
    assert event["certificate"] is None
    assert "too few witnesses" in event["text"]
    site.moods.clear()
    watched.at(30)
    assert len(watched.covered()) == 1
    assert len(watched.told) == 1


@pytest.mark.parametrize("reachable", [True, False])
def test_growth_seen_elsewhere_convicts_only_a_site_that_answers(
    site: Site, watched: Watched, reachable: bool
) -> None:
    site.grow(3)
    watched.at(4)
    for _ in range(2):
        site.world.beat()
    note = Note.parse(site.world.checkpoint())
    for witness, ledger in zip(site.witnesses, site.ledgers, strict=True):
        answer = witness.decide(AddCheckpoint(0, (), note).to_bytes())
        ledger.append(answer.record, lambda _: None)
    if not reachable:
        watched.source.files["checkpoint"] = None
    watched.at(40)
    assert (watched.mirror.root / "conflict").exists() == reachable
    assert [event["event"] for event in watched.told] == (["conflict"] * 3 if reachable else [])
    assert bool(watched.said) != reachable


def test_a_log_of_another_kind_is_not_watched(site: Site, watched: Watched) -> None:
    site.world.entries = [b"entry"]
    site.publish()
    watched.at(40)
    assert watched.told == []


def test_an_empty_mirror_and_a_trouble_said_once(site: Site, watched: Watched) -> None:
    watched.source.files["checkpoint"] = None
    watched.at(1)
    watched.at(2)
    assert len(watched.said) == 1
    del watched.source.files["checkpoint"]
    (name,) = site.world.statements
    watched.source.files[f"statement/{name}"] = None
    watched.at(40)
    assert watched.told == []  # without a genesis statement nothing is due
    stop = threading.Event()
    stop.set()
    watched.keeper.run(stop)


class Mailbox(socketserver.StreamRequestHandler):
    """Just enough of SMTP to take one message."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        body = False
        for raw in self.rfile:
            line = raw.strip()
            if body and raw != b".\r\n":
                self.server.mail.append(line)  # type: ignore[attr-defined]
                continue
            if line.lower() == b"quit":
                self.wfile.write(b"221 bye\r\n")
                return
            body = line.lower() == b"data"
            self.wfile.write(b"354 go on\r\n" if body else b"250 ok\r\n")


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.posted.append(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def listeners() -> Iterator[tuple[Any, Any, socket.socket]]:
    mail = socketserver.TCPServer(("127.0.0.1", 0), Mailbox)
    hook = http.server.HTTPServer(("127.0.0.1", 0), Hook)
    mail.mail, hook.posted = [], []  # type: ignore[attr-defined]
    for server in (mail, hook):
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(60)
        yield mail, hook, syslog
    for server in (mail, hook):
        server.shutdown()
        server.server_close()


def test_word_goes_everywhere(listeners: tuple[Any, Any, socket.socket]) -> None:
    mail, hook, syslog = listeners
    where = Notify(
        webhook=f"http://127.0.0.1:{hook.server_address[1]}/hook",
        email="duty@example.org",
        smtp=f"127.0.0.1:{mail.server_address[1]}",
        syslog=f"127.0.0.1:{syslog.getsockname()[1]}",
    )
    event = {"event": "silent", "text": "The log x has been silent."}
    assert Notifier(where).send("memcon: silent", event) == []
    assert hook.posted == [event]
    assert b"To: duty@example.org" in mail.mail
    assert b"The log x has been silent." in mail.mail
    assert b"memcon-witness: The log x has been silent." in syslog.recv(1000)


def test_word_that_cannot_be_sent_is_told(tmp_path: Path) -> None:
    where = Notify("http://127.0.0.1:1/", "a@b", "127.0.0.1:1", syslog=str(tmp_path / "none"))
    problems = Notifier(where).send("s", {"text": "t"})
    assert [p.split(":")[0] for p in problems] == ["[notify] webhook", "[notify] email", "[notify] syslog"]
    assert Notifier(Notify()).send("s", {"text": "t"}) == []
    with pytest.raises(UsageError, match="no http"):
        Notifier(Notify(webhook="file:///etc/passwd"))
