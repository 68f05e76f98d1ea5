"""The pages over a real catalogue, log and run directory."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.catalogue.test_register_of_all import line
from tests.console.fakes import make_office
from tests.release.synthetic import ORIGIN, START, Call, Recorder, entry, rtp

from memcon.catalogue.catalogue import Catalogue
from memcon.clock import NS, ManualClock
from memcon.console import from_catalogue
from memcon.console.deps import EDGE, HEARD, HELD, NOTHING, Query
from memcon.console.from_catalogue import CatalogueRegister
from memcon.console.recorder import quorum
from memcon.errors import UsageError
from memcon.store import durable
from memcon.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from memcon.catalogue.rows import CallRow, CallStreams

NOW = START + 60 * NS


class House:
    """A home with a log, a catalogue, and calls put into both."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.recorder = Recorder(root)
        self.catalogue = Catalogue(self.home.catalogue)
        self.clock = ManualClock(NOW)
        self.register = CatalogueRegister(self.catalogue, self.home, self.clock, self.recorder.vkeys)

    def begin(self, call: Call, **changes: Any) -> None:
        """What the feed says when a call comes."""
        told = {
            "t": "call",
            "number": call.number,
            "handle": bytes([call.number]).hex() * 32,
            "wall": call.start,
            "mode": "siprec",
            "line": call.line,
            "parties": call.parties,
            "source_ids": {"from": "sip:src@a", "call_id": "a@b", "ticket_no": ["x", 7], "group_ids": []},
            "streams": call.entries,
            "oddities": ["no group"],
        }
        self.catalogue.apply([told | changes])

    def beats(self) -> None:
        """Tell the catalogue of every beat in the log."""
        said = [
            {
                "t": "beat",
                "index": b.index,
                "slot": b.slot,
                "state": int(b.state),
                "flags": 0,
                "wall": (b.slot + 1) * 10 * NS,
                "published": (b.slot + 1) * 10 * NS + NS // 4,
                "open": {},
            }
            for b in self.recorder.beats
        ]
        self.catalogue.apply(said)

    def event(self, number: int, n: int, since: int, facts: dict[str, Any]) -> None:
        said = {"t": "event", "number": number, "n": n, "since": since, "wall": START + since, "facts": facts}
        self.catalogue.apply([said])

    def end(self, call: Call) -> Path:
        """Seal the call, tell the feed, read its leaves."""
        work = self.recorder.seal(call)
        self.beats()
        self.catalogue.apply(
            [
                {
                    "t": "end",
                    "number": call.number,
                    "wall": call.start + call.duration,
                    "duration": call.duration,
                    "segments": -(-call.duration // NS),
                    "cause": call.cause,
                    "who": 1,
                },
                {"t": "done", "number": call.number},
            ]
        )
        self.catalogue.settle((work / "leaves.mcl").read_bytes())
        return work


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.catalogue.close()


def media(*streams: tuple[int, list[int]]) -> dict[int, list[tuple[int, bytes]]]:
    """One packet in each named second of a stream, numbered as they come."""
    return {
        stream: [(second * NS + NS // 2, rtp(i, 160 * i, b"x" * 160)) for i, second in enumerate(seconds)]
        for stream, seconds in streams
    }


def test_a_whole_call(house: House) -> None:
    call = Call(media=media((0, list(range(1, 12))), (2, list(range(11)))))
    house.begin(call)
    house.end(call)
    page = house.register.call(1)
    assert page is not None
    assert page.row.state == "recorded"
    assert page.row.parties == ("Solheim", "Keller")
    assert [lane.letter for lane in page.lanes] == ["A", "B"]
    assert page.lanes[0].seconds == bytes([EDGE] + [HEARD] * 11)
    assert page.lanes[1].seconds == bytes([HEARD] * 11 + [EDGE])
    assert "sip:+4712345678@a.example · G.711 µ-law, 8000 Hz" in page.lanes[0].about
    assert page.row.remark == ""
    assert page.ended_by == "ended by the sender (BYE)"
    assert len(page.call_root) == 64
    assert page.origin == ORIGIN
    assert page.oddities == ("no group",)
    assert ("Recorded by", "SIPREC (RFC 7866)") in page.facts
    assert page.facts[2:] == (("SIP Call-ID", "a@b"), ("Sent by", "sip:src@a"), ("Ticket no", "x, 7"))
    assert [seal.late for seal in page.seals] == [NS // 4] * len(page.seals)
    assert [s for seal in page.seals for s in range(seal.first, seal.last + 1)] == list(range(12))


def test_a_hold_and_a_loss(house: House) -> None:
    heard = [0, 1, 2, 6, 7, 10, 11]
    call = Call(media=media((0, heard), (2, list(range(12)))))
    house.begin(call)
    house.event(1, 1, 3 * NS, {"type": "hold", "stream": 0})
    house.event(1, 2, 6 * NS, {"type": "resume", "stream": 0})
    house.end(call)
    page = house.register.call(1)
    assert page is not None
    expected = [HEARD] * 3 + [HELD] * 3 + [HEARD] * 2 + [NOTHING] * 2 + [HEARD] * 2
    assert page.lanes[0].seconds == bytes(expected)
    assert page.row.state == "partly"
    assert page.row.remark.replace("\u00a0", " ") == "2 seconds lost on lane A at 0:08"
    assert [(event.kind, event.text) for event in page.events] == [
        ("hold", "Hold begins, lane A"),
        ("resume", "Hold ends, lane A"),
    ]


def test_the_register_asks_for_a_strip_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2, 3):
        call = Call(number=number, start=START + number * 20 * NS, media=media((0, list(range(12)))))
        house.begin(call)
        house.end(call)
    asked: list[list[int]] = []
    real = house.catalogue.streams_of

    def counted(rows: Sequence[CallRow]) -> tuple[CallStreams, ...]:
        if rows:
            asked.append([row.number for row in rows])
        return real(rows)

    monkeypatch.setattr(house.catalogue, "streams_of", counted)
    first = house.register.search(Query(size=2))
    again = house.register.search(Query(size=2))
    assert first.rows == again.rows
    assert asked == [[3, 2]]
    assert (first.total, first.all_calls, first.first_began) == (3, 3, START + 20 * NS)
    assert [row.number for row in first.rows] == [3, 2]
    assert first.rows[0].seal
    monkeypatch.setattr(from_catalogue, "KEPT_STRIPS", 1)
    house.register.search(Query(size=3))
    house.register.search(Query(size=3))
    assert asked == [[3, 2], [1], [3, 2]]


def test_search_by_name_state_and_day(house: House) -> None:
    call = Call(media=media((0, list(range(12)))))
    house.begin(call)
    house.end(call)
    assert house.register.search(Query(text="keller")).total == 1
    assert house.register.search(Query(text="nobody")).total == 0
    assert house.register.search(Query(states=frozenset({"live"}))).total == 0
    assert house.register.search(Query(until=START)).total == 0


def test_a_live_call_is_read_from_its_leaves(house: House) -> None:
    call = Call(media=media((0, list(range(5))), (2, [])))
    house.begin(call)
    (row,) = house.register.live()
    assert (row.state, row.seal, row.duration) == ("live", b"", NOW - call.start)
    work = house.recorder.seal(call)
    leaves = (work / "leaves.mcl").read_bytes()
    open_work = house.home.work_open / "1"
    durable.make_dirs(open_work)
    (open_work / "leaves.mcl").write_bytes(leaves)
    house.event(1, 1, 5 * NS, {"type": "hold"})
    page = house.register.call(1)
    assert page is not None
    assert page.lanes[0].seconds == bytes([HEARD] * 5 + [HELD] * 7)
    assert page.ended_by == ""
    (open_work / "leaves.mcl").write_bytes(leaves[:-1])
    torn = house.register.call(1)
    assert torn is not None
    assert torn.lanes[0].seconds == b""


def test_the_leaves_of_a_live_call_are_read_when_they_have_grown(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Call(media=media((0, list(range(5)))))
    house.begin(call)
    leaves = (house.recorder.seal(call) / "leaves.mcl").read_bytes()
    open_work = house.home.work_open / "1"
    durable.make_dirs(open_work)
    (open_work / "leaves.mcl").write_bytes(leaves)
    before = house.register.live()
    monkeypatch.setattr(from_catalogue, "read_structure", lambda _: pytest.fail("read again"))
    assert house.register.live() == before
    assert before[0].seal


def test_only_the_newest_live_calls_stand_at_the_top(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2, 3):
        house.begin(Call(number=number, start=START + number * NS))
    monkeypatch.setattr(from_catalogue, "MOST_LIVE", 2)
    assert [row.number for row in house.register.live()] == [3, 2]
    assert house.register.status(5).live_calls == 3


def test_a_call_without_packets(house: House) -> None:
    call = Call(number=5)
    house.begin(call)
    house.end(call)
    (row,) = house.register.search(Query()).rows
    assert row.state == "none"
    assert row.remark == "The signalling came; no packet of audio did"
    assert house.register.call(6) is None


def test_a_call_whose_recorder_stopped_and_one_sealed_after_a_crash(house: House) -> None:
    call = Call(media=media((0, list(range(12))), (2, list(range(12)))), cause=3, flags=1)
    house.begin(call)
    house.end(call)
    (row,) = house.register.search(Query()).rows
    assert row.state == "partly"
    assert "sealed from the journal after a crash" in row.remark
    assert "ended by the sender (the recorder stopped)" in row.remark


def test_a_call_nobody_has_opened_here(house: House) -> None:
    call = Call(media=media((0, list(range(12)))))
    work = house.recorder.seal(call)
    house.catalogue.settle((work / "leaves.mcl").read_bytes())
    page = house.register.call(1)
    assert page is not None
    assert page.row.parties == ()
    assert "names are locked" in page.row.remark
    assert page.lanes[0].name == "stream 0"
    assert page.seals[0].slot_start is None
    assert page.seals[0].late is None


def test_lost_packets_are_counted(house: House) -> None:
    packets = media((0, list(range(12))), (2, list(range(12))))
    packets[0] = [(since, rtp(3 * i, 0, b"")) for i, (since, _) in enumerate(packets[0])]
    call = Call(media=packets)
    house.begin(call)
    house.end(call)
    page = house.register.call(1)
    assert page is not None
    assert page.lanes[0].lost == 22
    assert page.row.remark.replace("\u00a0", " ") == "22 packets lost on the way"


def test_streams_of_one_party_share_a_lane(house: House) -> None:
    entries = [
        entry(0, 0, participant="p1"),
        entry(1, 2, participant="p1"),
        entry(2, 4, participant=None, label="9", codecs=[{"pt": 101, "name": "telephone-event"}]),
        entry(3, 6, participant="p2", direction="inactive"),
    ]
    call = Call(entries=entries, media=media((0, list(range(6))), (2, list(range(5, 12))), (4, [3])))
    house.begin(call)
    house.end(call)
    page = house.register.call(1)
    assert page is not None
    assert [(lane.letter, lane.name) for lane in page.lanes] == [
        ("A", "Solheim"),
        ("B", "Keller"),
        ("C", "stream 9"),
    ]
    assert page.lanes[0].seconds == bytes([HEARD] * 12)
    assert page.lanes[0].received == 13
    assert page.lanes[1].seconds == bytes([HELD] * 12)
    assert "inactive" in page.lanes[1].about


def test_status_of_a_recorder(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEMCON_RUN", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    quiet = house.register.status(60)
    assert (quiet.origin, quiet.name) == (ORIGIN, ORIGIN.rpartition("/")[2])
    assert (quiet.period_ns, quiet.genesis_slot) == (10 * NS, START // NS // 10 - 5)
    assert [process.running for process in quiet.processes] == [False] * 3
    assert quiet.losses == ()
    assert quiet.alarms == ("capture: not running", "seal: not running", "office: not running")
    said: dict[str, dict[str, object]] = {
        "capture": {
            "pid": os.getpid(),
            "wall": NOW,
            "calls": 2,
            "listen": ["udp 10.0.0.1:5060"],
            "packets": 1000,
            "losses": {"kernel_drops": 3, "truncated": 1, "sockets_broken": 0},
            "journal_lag_s": 0.2,
            "journal_full": True,
            "trouble": "disk slow",
        },
        "seal": {
            "pid": 8,
            "wall": NOW - 60 * NS,
            "index": 7,
            "open": 1,
            "findings": [{"text": "torn frame"}],
        },
        "office": {"pid": 9, "wall": NOW - 2 * NS, "kept": 4, "troubles": ["vault: full"]},
    }
    for name, content in said.items():
        house.home.status(name).write_text(json.dumps(content))
    house.catalogue.apply([{"t": "off", "wall": NOW, "by": "J. Ruiz", "reason": "monthly test"}])
    house.recorder.add_beat(START // NS // 10, {})
    house.beats()
    status = house.register.status(60)
    assert status.off == "By J. Ruiz: monthly test"
    assert [beat.index for beat in status.beats] == [0, 1]
    assert status.tree_size == 2
    assert [process.running for process in status.processes] == [True, False, True]
    assert status.alarms == (
        "seal: not running",
        "capture: disk slow",
        "office: vault: full",
        "capture: the journal takes no more audio: what is lost of it is counted and declared",
    )
    texts = " / ".join(process.text for process in status.processes).replace("\u00a0", " ")
    assert "2 calls open, listens on udp 10.0.0.1:5060. Trouble: disk slow" in texts
    assert "last leaf 7, 1 call open. Found: torn frame" in texts
    assert "4 calls put into the vault since it started. Trouble: vault: full" in texts
    assert dict(status.losses)["Dropped by this machine"] == "3"
    assert dict(status.losses)["Cut short"] == "1"
    assert "Sockets broken" not in dict(status.losses)
    assert "Journal" in dict(status.losses)
    assert status.disk is not None
    for broken in ("not json", "[]"):
        house.home.status("capture").write_text(broken)
        assert house.register.status(5).processes[0].text.startswith("has said nothing")


def test_there_is_no_status_without_a_log(tmp_path: Path) -> None:
    home = Home(tmp_path)
    catalogue = Catalogue(home.catalogue)
    try:
        with pytest.raises(UsageError, match="there is no log"):
            CatalogueRegister(catalogue, home, ManualClock(), ()).status(5)
    finally:
        catalogue.close()


def test_every_page_over_the_real_thing(house: House, tmp_path: Path) -> None:
    call = Call(media=media((0, list(range(12))), (2, list(range(12)))))
    house.begin(call)
    house.end(call)
    house.begin(Call(number=2, start=NOW - 5 * NS))
    (tmp_path / "office").mkdir()
    office = make_office(tmp_path / "office", house.clock, register=house.register)
    reader = office.client("vera")
    for path in ("/", "/calls/1", "/calls/2", "/status", "/fragments/call/2", "/fragments/register"):
        answer = reader.get(path)
        assert answer.status_code == 200, path
    assert "Solheim and Keller" in reader.get("/").text


def test_a_quorum_as_the_submitting_process_tells_it() -> None:
    now = 1_800_000_000 * NS
    one = {"names": ["w1", "w1pq"], "size": 9, "time": 1_800_000_000, "problem": ""}
    away = {"names": ["w2"], "size": 0, "time": 0, "problem": "no answer"}
    said = {
        "wall": now,
        "running": True,
        "quorum": True,
        "size": 12,
        "quorum_time": 1_800_000_000,
        "witnesses": [one, away, 7],
    }
    told = quorum(said, 12)
    assert told is not None
    assert (told.there, told.size, told.time) == (True, 12, now)
    assert [(w.name, w.saw, w.says, w.well) for w in told.witnesses] == [
        ("w1, w1pq", now, "agrees, 3\u00a0beats behind", True),
        ("w2", None, "no answer", False),
    ]
    stale = quorum(said | {"running": False}, 12)
    assert stale is not None
    assert not stale.there
    assert quorum({"running": False}, 12) is None
    odd = quorum({"running": True, "witnesses": [{"names": 7}]}, 0)
    assert odd is not None
    assert [(w.name, w.says) for w in odd.witnesses] == [("?", "agrees")]


def test_the_register_leads_to_a_dossier_where_nothing_was_recorded(tmp_path: Path) -> None:
    house = House(tmp_path)
    for at, date in (
        ("1962-10/1", "1962-10"),
        ("undated/1", ""),
    ):
        house.catalogue.dossiers.put(line(at, date))
    office = make_office(tmp_path / "office", register=house.register)
    client = office.client("olaf")
    page = client.get("/").text.replace("\xa0", " ")
    assert "2 calls since 1 October 1962" in page
    assert 'href="/d/1962-10/1"' in page
    assert 'href="/d/undated/1"' in page
    assert "date not known" in page
    assert "Accounts only" in page
    assert "2 sources" in page
    asked = client.get("/?party=france&state=accounts&from=1962-10-05&q=snopes").text.replace("\xa0", " ")
    assert "1 call found" in asked
    assert 'value="france"' in asked
    assert "No call matches" in client.get("/?state=recorded").text
    house.catalogue.close()
