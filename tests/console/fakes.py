"""An invented office for the console's tests: calls, beats, files and users, all of them fake."""

from __future__ import annotations

import math
import warnings
import wave
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from argon2 import PasswordHasher
from tests.console.said import FakeBook, make_book

from memcon.clock import NS, ManualClock
from memcon.console.app import create_app
from memcon.console.call_view import remark_of
from memcon.console.deps import (
    HEARD,
    HELD,
    NOTHING,
    UNSEALED,
    Beat,
    CallEvent,
    CallPage,
    CallRow,
    CallState,
    ConsoleDeps,
    Disk,
    FileKind,
    Lane,
    Offer,
    Process,
    Query,
    RecorderStatus,
    RegisterPage,
    SealRow,
)
from memcon.console.score import gaps, seal_of
from memcon.console.users import Users
from memcon.errors import UsageError
from memcon.tlog.note import COSIGNATURE_MLDSA44, ED25519, VerifierKey
from memcon.verify.findings import Report

with warnings.catch_warnings():
    # it would like another client than the one that is pinned; both do what is needed here
    warnings.filterwarnings("ignore", message=".*starlette.testclient")
    from starlette.testclient import TestClient

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from starlette.applications import Starlette

PERIOD = 10 * NS
NOW = 1_795_443_592 * NS  # 23 November 2026, 14:19:52 UTC
ORIGIN = "recorder.callroom.example/arland-1"
PASSWORD = "four plain words here"
VKEY = str(VerifierKey(ORIGIN, ED25519, bytes(range(32))))
LONG_VKEY = str(VerifierKey(ORIGIN, COSIGNATURE_MLDSA44, bytes(1312)))


def peaks(seconds: bytes, phase: int) -> bytes:
    """Loudness that looks like talk: turns of about half a minute, silence between."""
    told = bytearray()
    for i, code in enumerate(seconds):
        turn = math.sin((i + phase) / 9) + 0.4 * math.sin((i + phase) / 2.3)
        told.append(max(0, min(100, int(70 * turn))) if code == HEARD else 0)
    return bytes(told)


def row(
    number: int, state: CallState, began: int, seconds: int, parties: tuple[str, ...], lanes: Sequence[Lane]
) -> CallRow:
    return CallRow(
        number=number,
        display=f"2026-11-23/{number:04d}",
        state=state,
        began=began,
        duration=seconds * NS - NS // 2,
        parties=parties,
        line="all",
        sealed=sum(code != UNSEALED for code in seal_of(lanes)),
        remark=remark_of(gaps(lanes)),
        seal=seal_of(lanes),
    )


def seals(began: int, seconds: int, first_index: int) -> tuple[SealRow, ...]:
    """Beats of a call: each seals the seconds that ended in its slot, 0.3 s after the slot's end."""
    rows: list[SealRow] = []
    done, slot = 0, began // PERIOD
    while done < seconds:
        end = (slot + 1) * PERIOD
        upto = min(seconds, max(done, (end - began) // NS))
        rows.append(SealRow(first_index + len(rows), slot * PERIOD, end, end + 3 * NS // 10, done, upto - 1))
        done, slot = upto, slot + 1
    return tuple(rows)


def call(
    number: int,
    state: CallState,
    began: int,
    lanes: tuple[Lane, ...],
    parties: tuple[str, ...],
    events: tuple[CallEvent, ...] = (),
    oddities: tuple[str, ...] = (),
) -> CallPage:
    seconds = max((len(lane.seconds) for lane in lanes), default=0)
    return CallPage(
        row=row(number, state, began, seconds, parties, lanes),
        lanes=lanes,
        events=events,
        seals=seals(began, seconds, 2_252_016 + number),
        facts=(("Handle in the log", "5e0d77a19c34b8f2" * 4), ("SIP Call-ID", "a" * 120)),
        oddities=oddities,
        ended_by="" if state == "live" else "ended by the sender",
        call_root=""
        if state == "live"
        else "c7a903e15b6f2d8094ce7713f0a862bd1e55d94c380ba7f60c2e8d9146fab357",
    )


def lane(letter: str, name: str, seconds: bytes, *, lost: int = 0) -> Lane:
    received = 50 * seconds.count(HEARD)
    about = "sip:callroom@arland.example · G.711 A-law"
    return Lane(
        letter, name, about, seconds, received, received + lost, peaks=peaks(seconds, 14 * ord(letter))
    )


def solheim_keller(number: int = 7) -> CallPage:
    """The call of the mock: 348 s, a hold of 31 s, 3 s of lane B lost."""
    a = bytearray([HEARD] * 348)
    a[182:213] = bytes([HELD] * 31)
    b = bytearray(a)
    b[261:264] = bytes([NOTHING] * 3)
    return call(
        number,
        "partly",
        NOW - 20_000 * NS,
        (lane("A", "Ingrid Solheim", bytes(a)), lane("B", "Tomas Keller", bytes(b), lost=150)),
        ("Ingrid Solheim", "Tomas Keller"),
        (
            CallEvent(0, 0, "sip", "INVITE from 192.0.2.10:5060 over UDP", "signalling"),
            CallEvent(1, 182 * NS, "hold", "Hold begins, both lanes", "signalling"),
            CallEvent(2, 213 * NS, "resume", "Hold ends, both lanes", "signalling"),
            CallEvent(3, 348 * NS, "sip", "BYE from the sender", "signalling"),
        ),
        ("The metadata names no session group",),
    )


def all_calls() -> list[CallPage]:
    """Newest first; 30 calls of one party after those with a story."""
    day = 86_400 * NS
    live = bytes([HEARD] * 500)
    whole = bytes([HEARD] * 1443)
    hostile = '<script>alert("x")</script> & "Sons"'
    made = [
        call(
            40,
            "live",
            NOW - 508 * NS,
            (lane("A", "Ingrid Solheim", live), lane("B", "Minister of Finance", live)),
            ("Ingrid Solheim", "Minister of Finance"),
        ),
        call(
            39,
            "none",
            NOW - 4000 * NS,
            (lane("A", "Duty desk", bytes([NOTHING] * 33)),),
            ("Duty desk", "Press Agency"),
        ),
        call(
            38,
            "recorded",
            NOW - 6000 * NS,
            (lane("A", "Ingrid Solheim", whole), lane("B", "President of the Assembly", whole)),
            ("Ingrid Solheim", "President of the Assembly"),
        ),
        call(37, "recorded", NOW - 9000 * NS, (lane("A", hostile, bytes([HEARD] * 12)),), (hostile, "")),
        call(36, "none", NOW - 9500 * NS, (), ("Harbour Master",)),
        solheim_keller(7),
    ]
    made += [
        call(
            n,
            "recorded",
            NOW - (40 - n) * day,
            (lane("A", "Duty desk", bytes([HEARD] * (9 * n))),),
            ("Duty desk",),
        )
        for n in range(35, 0, -1)
        if n != 7
    ]
    return sorted(made, key=lambda one: -one.row.number)


@dataclass
class FakeRegister:
    """Counts what it is asked, so that a test can see a page ask once, not once a row."""

    clock: ManualClock
    calls: list[CallPage] = field(default_factory=all_calls)
    asked: list[str] = field(default_factory=list)
    beats: tuple[Beat, ...] | None = None
    fail: Exception | None = None
    off: str = ""
    changed: dict[str, Any] = field(default_factory=dict)

    def search(self, query: Query) -> RegisterPage:
        self.asked.append("search")
        if self.fail:
            raise self.fail
        rows = [one.row for one in self.calls]
        by_state: dict[CallState, int] = {}
        for one in rows:
            by_state[one.state] = by_state.get(one.state, 0) + 1
        found = [one for one in rows if self._fits(one, query)]
        start = (query.page - 1) * query.size
        return RegisterPage(
            tuple(found[start : start + query.size]),
            len(found),
            len(rows),
            min((one.began for one in rows), default=None),
            by_state,
            tuple(one for one in rows if one.state == "live"),
        )

    @staticmethod
    def _fits(one: CallRow, query: Query) -> bool:
        text = " ".join(one.parties).lower()
        return (
            query.text.lower() in text
            and (query.since is None or one.began >= query.since)
            and (query.until is None or one.began < query.until)
            and (not query.states or one.state in query.states)
        )

    def lines(self) -> tuple[str, ...]:
        return ("all", "office")

    def live(self) -> tuple[CallRow, ...]:
        self.asked.append("live")
        return tuple(one.row for one in self.calls if one.row.state == "live")

    def call(self, number: int) -> CallPage | None:
        self.asked.append("call")
        return next((one for one in self.calls if one.row.number == number), None)

    def status(self, beats: int) -> RecorderStatus:
        self.asked.append("status")
        last = self.clock.wall_ns() // PERIOD - 1
        mine = self.beats
        if mine is None:
            mine = tuple(
                Beat(
                    2_288_400 - (last - slot),
                    slot,
                    1,
                    0,
                    (slot + 1) * PERIOD,
                    (slot + 1) * PERIOD + 3 * NS // 10,
                )
                for slot in range(last - beats + 1, last + 1)
            )
        status = RecorderStatus(
            name="arland-1",
            origin=ORIGIN,
            period_ns=PERIOD,
            genesis_slot=last - 2_288_400,
            beats=mine[-beats:],
            tree_size=2_288_401,
            vkeys=(VKEY, LONG_VKEY),
            live_calls=len(self.live()),
            processes=(
                Process("capture", "2 calls open, 4 sockets", self.clock.wall_ns(), running=True),
                Process("seal", "last beat 2288400", self.clock.wall_ns(), running=True),
                Process("office", "not heard of", None, running=False),
            ),
            losses=(("Packets dropped by this machine", "0 of 1,203,114"), ("Journal waiting", "0.2 s")),
            disk=Disk("/var/lib/memcon", 212_000_000_000, 500_000_000_000),
            off=self.off,
        )
        return replace(status, **self.changed)


@dataclass
class FakeFiles:
    """Audio, downloads, waveform and log from one directory."""

    root: Path

    def path(self, number: int, which: str, kind: str = "wav") -> Path:
        if number == 38 and kind == "flac":
            return self.root / "not-there.flac"
        if which not in ("all", "A", "B"):
            raise UsageError(f"call {number} has no lane {which}")
        target = self.root / f"{number}-{which}.{kind}"
        if not target.exists():
            write_wav(target, 12)
        return target

    def peaks(self, number: int) -> dict[str, bytes]:
        return {}


@dataclass
class FakeExporter:
    root: Path

    def offers(self, number: int) -> tuple[Offer, ...]:
        return (
            Offer("bundle", 5_900_000),
            Offer("pcap", None),
            Offer("flac", 3_800_000),
            Offer("wav", 11_100_000),
        )

    def path(self, number: int, kind: FileKind) -> Path:
        if kind == "pcap":
            raise UsageError("the call's key is locked", cure="Unlock a custodian")
        target = self.root / f"{number}.{kind}"
        target.write_bytes(b"PK\x03\x04" + bytes(2000))
        return target


@dataclass
class FakeLog:
    root: Path

    def path(self, name: str) -> Path | None:
        target = self.root / name
        return target if target.is_file() else None


@dataclass
class FakeVerifier:
    """Finds nothing, or what it is told to find."""

    asked: list[int] = field(default_factory=list)
    bad: bool = False

    def verify_call(self, number: int) -> Report:
        self.asked.append(number)
        if number == 40:
            raise UsageError("the call is still going on", cure="Verify it when it has ended")
        report = Report(f"call {number}", "bundle")
        report.headline = "The recording is unaltered and whole from its first leaf to its last"
        report.checked += [
            "The checkpoint of 2,288,401 leaves is signed by the key that was given",
            "348 of 348 seconds match their seals",
        ]
        report.not_checked.append("When the slots were: only the operator's clock says so")
        report.limits.append("No key was given")
        if self.bad:
            report.headline = "The recording is not what was sealed"
            report.add("media-segment", "media.mcb", "second 17 does not match its seal", second=17)
            report.add("withheld", "events.mcb", "the INVITE is withheld")
            report.add("policy-keys", "policy", "the policy states another key")
            for _ in range(102):
                report.add("media-block", "media.mcb", "a block contradicts itself", second=1)
        return report


def write_wav(path: Path, seconds: int) -> None:
    """Two channels of a quiet tone, 8000 Hz, 16 bit."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(8000)
        frame = b"".join(
            int(3000 * math.sin(i * math.tau / 40)).to_bytes(2, "little", signed=True) * 2 for i in range(40)
        )
        out.writeframes(frame * (8000 * seconds // 40))


@dataclass
class Office:
    """The whole fake: its parts can be changed by a test before a page is asked for."""

    app: Starlette
    register: FakeRegister
    verifier: FakeVerifier
    users: Users
    clock: ManualClock
    deps: ConsoleDeps

    @property
    def transcripts(self) -> FakeBook:
        assert isinstance(self.deps.transcripts, FakeBook)
        return self.deps.transcripts

    def client(self, name: str | None = None) -> TestClient:
        """A browser, signed in by a link when a name is given."""
        client = TestClient(
            self.app, base_url="http://localhost", follow_redirects=False, raise_server_exceptions=False
        )
        if name is not None:
            assert client.get(f"/login/{self.users.new_link(name)}").status_code == 200
        return client


def make_office(root: Path, clock: ManualClock | None = None, **changes: object) -> Office:
    """An office in a directory, with a user of each role; the reader's password is PASSWORD."""
    clock = clock or ManualClock(NOW)
    log = root / "log"
    (log / "tile" / "0" / "x001").mkdir(parents=True)
    (log / "tile" / "entries").mkdir()
    (log / "statement").mkdir()
    (log / "checkpoint").write_text(f"{ORIGIN}\n2288401\nroot\n")
    (log / "tile" / "0" / "x001" / "234").write_bytes(bytes(8192))
    (log / "statement" / ("ab" * 32)).write_text("{}")
    (root / "secret").write_text("not of the log")
    (root / "memcon-verify.pyz").write_bytes(b"PK verifier")
    files = root / "files"
    files.mkdir()
    users = Users(root / "users.json", clock, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    users.add("vera", "reader", PASSWORD)
    for name, role in (("olaf", "operator"), ("mira", "overseer"), ("kurt", "custodian")):
        users.add(name, role)
    register, verifier = FakeRegister(clock), FakeVerifier()
    deps = ConsoleDeps(
        register=register,
        audio=FakeFiles(files),
        waveform=FakeFiles(files),
        verifier=verifier,
        exporter=FakeExporter(files),
        users=users,
        log=FakeLog(log),
        clock=clock,
        session_key=bytes(range(32)),
        hosts=("0.0.0.0:8080", "Recorder.Example:443"),
        office="Call Room of the Prime Minister, Arland",
        public_url="https://callroom.example/",
        verifier_file=root / "memcon-verify.pyz",
        transcripts=make_book(root / "home", clock),
    )
    deps = replace(deps, **changes)  # type: ignore[arg-type] # each test names fields of ConsoleDeps
    return Office(create_app(deps), register, verifier, users, clock, deps)
