"""What the console needs from the rest of the house, and the values its pages are made of.

The pages know nothing of files, keys or databases: `service` gives them a `ConsoleDeps`, tests give
them fakes. `memcon.console.from_catalogue` makes the `Register` of a real catalogue.
All times are nanoseconds, all seconds of a call count from its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from memcon.accounts.desk import AccountsDesk
    from memcon.aftermath.sets import EventSets
    from memcon.catalogue.intakes import IntakeLine, RefusedFile
    from memcon.catalogue.search_answer import Answer
    from memcon.clock import Clock
    from memcon.console.transcript_deps import TranscriptBook, WordFiles
    from memcon.console.users import Users
    from memcon.intake.desk import Stated, Taken
    from memcon.record.intake import Intake
    from memcon.store.switch import Asked, Switched
    from memcon.verify.findings import Report
    from memcon.verify.window import Window

CallState = Literal["live", "recorded", "partly", "taken", "none", "accounts"]
"""The states of UI.md that a call of the register can have; `none` has signalling and no packet, `accounts`
a dossier and nothing that was recorded here."""

FileKind = Literal["bundle", "pcap", "wav", "flac", "original"]

# What a second of a lane is. One byte a second and lane: an hour of call is 3.6 kB.
NOTHING = 0  # sealed as empty, and nobody declared why
HEARD = 1  # sealed, and at least one packet came
HELD = 2  # sealed as empty, and the sender had declared a hold
UNSEALED = 3  # no seal covers it (yet)
DAMAGED = 4  # of the seal: a lane is missing in this second
EDGE = 5  # sealed as empty where a call begins or ends: nothing was owed yet, or any more


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call as a line of the register. `duration` is that so far while the call is live.

    `seal` has one code a second for the whole call: the least of its lanes (see `worst`).
    """

    number: int
    display: str
    state: CallState
    began: int
    duration: int
    parties: tuple[str, ...]
    line: str
    sealed: int
    remark: str = ""
    seal: bytes = b""
    when: str = ""
    """When it was, in words, where nobody knows it to the second."""

    @property
    def address(self) -> str:
        """Where its page stands."""
        if self.state == "accounts":
            return f"/d/{self.display}"
        return f"/taken-in/{-self.number}" if self.number < 0 else f"/calls/{self.number}"


@dataclass(frozen=True, slots=True)
class Lane:
    """One stream of a call, as a lane of the score. `seconds` has one code a second, `peaks` 0 to 100."""

    letter: str
    name: str
    about: str
    seconds: bytes
    received: int
    expected: int
    dropped: int = 0
    duplicates: int = 0
    peaks: bytes = b""

    @property
    def lost(self) -> int:
        """Packets that never came, by sequence numbers; those the kernel dropped are counted apart."""
        return max(0, self.expected - (self.received - self.duplicates) - self.dropped)


@dataclass(frozen=True, slots=True)
class CallEvent:
    """What happened to a call. `since` in ns from its start; `source` is who says so (the signalling, the
    recorder)."""

    number: int
    since: int
    kind: str
    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class SealRow:
    """One beat of a call: it seals the seconds `first` to `last` (none: last < first).

    `slot_start` and `published` are the operator's own clock, None where the index does not know them.
    """

    index: int
    slot_start: int | None
    slot_end: int | None
    published: int | None
    first: int
    last: int

    @property
    def late(self) -> int | None:
        """How long after its slot's end it stood in the log, ns; None where that is not known."""
        return None if self.published is None or self.slot_end is None else self.published - self.slot_end


@dataclass(frozen=True, slots=True)
class CallPage:
    """Everything a call's page shows, in one query's worth of work."""

    row: CallRow
    lanes: tuple[Lane, ...]
    events: tuple[CallEvent, ...]
    seals: tuple[SealRow, ...]
    facts: tuple[tuple[str, str], ...] = ()
    oddities: tuple[str, ...] = ()
    ended_by: str = ""
    call_root: str = ""
    origin: str = ""
    related: tuple[tuple[int, str, str], ...] = ()
    """Other recordings of the same call: number, as it is shown, by what they are known."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a reader asked the register: text in names, numbers and accounts, days, states, a party or
    country, a line; a page of it."""

    text: str = ""
    since: int | None = None
    until: int | None = None
    states: frozenset[CallState] = frozenset()
    party: str = ""
    line: str = ""
    page: int = 1
    size: int = 25


@dataclass(frozen=True, slots=True)
class RegisterPage:
    """One page of the register. `total` counts what the query found, `all_calls` every call there is.

    A query that too many calls fit to be counted at once has no `by_state`, and is not `exact` where
    there are more than `total`.
    """

    rows: tuple[CallRow, ...]
    total: int
    all_calls: int
    first_began: int | None
    by_state: dict[CallState, int] | None
    live: tuple[CallRow, ...] = ()
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Beat:
    """A beat that came. `state` and `flags` as FORMATS §2; `made`, `published` by the operator's clock."""

    index: int
    slot: int
    state: int
    flags: int
    made: int
    published: int | None


@dataclass(frozen=True, slots=True)
class Process:
    """What one process last said of itself."""

    name: str
    text: str
    said: int | None
    running: bool


@dataclass(frozen=True, slots=True)
class Disk:
    """Room on the disk of the home directory, in bytes."""

    path: str
    free: int
    total: int


@dataclass(frozen=True, slots=True)
class WitnessRow:
    """A witness as the recorder heard it last; `saw` in ns, None when it has cosigned nothing."""

    name: str
    saw: int | None
    size: int
    says: str
    well: bool


@dataclass(frozen=True, slots=True)
class Quorum:
    """Whether a fresh note of a quorum is there, the newest one's size and time (ns), the witnesses."""

    there: bool
    size: int
    time: int | None
    witnesses: tuple[WitnessRow, ...]


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """The recorder as the status page and the masthead show it. `beats` are oldest first.

    `genesis_slot` is the slot of leaf 0, None before there is a log. `off` is the statement of a
    declared off ("by J. Ruiz: monthly test"), empty when there is none. `quorum` is None without
    witnesses. `alarms` is what somebody has to do something about, as `memcon status` and /healthz say it.
    """

    name: str
    origin: str
    period_ns: int
    genesis_slot: int | None
    beats: tuple[Beat, ...]
    tree_size: int
    vkeys: tuple[str, ...]
    live_calls: int
    processes: tuple[Process, ...] = ()
    losses: tuple[tuple[str, str], ...] = ()
    disk: Disk | None = None
    off: str = ""
    quorum: Quorum | None = None
    alarms: tuple[str, ...] = ()


class Register(Protocol):
    """The catalogue as the pages see it. Every method is one bounded piece of work."""

    def search(self, query: Query) -> RegisterPage:
        """A page of calls, newest first. Live ones are in `live`, and also in `rows` where they belong."""
        ...

    def lines(self) -> tuple[str, ...]:
        """The names of the lines that calls came by."""
        ...

    def live(self) -> tuple[CallRow, ...]:
        """The calls that are going on, newest first."""
        ...

    def call(self, number: int) -> CallPage | None:
        """A call's page, None when there is no such number."""
        ...

    def status(self, beats: int) -> RecorderStatus:
        """The recorder and its last `beats` beats."""
        ...


class Audio(Protocol):
    """Derived audio of an ended call, made when it is asked for."""

    def path(self, number: int, which: str, kind: Literal["wav", "flac"]) -> Path:
        """A file for one lane's letter, or for `all`. UsageError where there is none."""
        ...


class Waveform(Protocol):
    """Loudness of a call, for the score."""

    def peaks(self, number: int) -> dict[str, bytes]:
        """By lane letter: one value of 0 to 100 a second. Empty when it has not been made."""
        ...


class Windows(Protocol):
    """Between which times beats were made, by witnesses."""

    def of(self, first: int, last: int) -> Sequence[Window]:
        """The window of each leaf `first` to `last`; empty where the log has no witnesses."""
        ...


class Verifier(Protocol):
    """Checks one call as a stranger would: its bundle against the log."""

    def verify_call(self, number: int) -> Report:
        """Every seal of the call checked again. Blocking; UsageError when it cannot be checked yet."""
        ...


@dataclass(frozen=True, slots=True)
class Offer:
    """A file that can be taken away; `size` in bytes, None until it has been made."""

    kind: FileKind
    size: int | None


class Exporter(Protocol):
    """Makes what a reader takes away."""

    def offers(self, number: int) -> Sequence[Offer]:
        """What there is for this call; empty while it is live."""
        ...

    def path(self, number: int, kind: FileKind) -> Path:
        """The file, made if need be. Blocking; UsageError where there is none."""
        ...


class WatchedFolder(Protocol):
    """The watched folder, as the page shows it."""

    folder: str
    files: int
    done: int
    current: str
    problem: str


class IntakeBook(Protocol):
    """Calls that were taken in from files, by their numbers from 1 on."""

    def intake(self, n: int) -> Intake:
        """Its statement. UsageError where there is none, FormatError where it is damaged."""
        ...

    def line(self, n: int) -> IntakeLine | None:
        """What the index says of it, and where its seal stands."""
        ...

    def peaks(self, n: int) -> dict[str, bytes]:
        """By lane letter: one value of 0 to 100 a second."""
        ...

    def audio(self, n: int, which: str, kind: Literal["wav", "flac"]) -> Path:
        """The sound of a lane's letter, or of `all`. UsageError where there is none."""
        ...

    def offers(self, n: int) -> Sequence[Offer]:
        """What can be taken away."""
        ...

    def newest(self, count: int) -> Sequence[IntakeLine]:
        """What was taken in last, newest first."""
        ...

    def refusals(self, count: int) -> Sequence[RefusedFile]:
        """What was not taken in of the watched folder."""
        ...

    def watched(self) -> WatchedFolder | None:
        """How far the watched folder is; None where none is watched."""
        ...

    def take_upload(self, file: BinaryIO, name: str, by: str, stated: Stated, *, damaged: bool) -> Taken:
        """Take one file in. RefusedError for one that is not; MachineError where the disk refuses."""
        ...

    def export(self, n: int, kind: FileKind) -> Path:
        """The file, made if need be. UsageError where there is none."""
        ...


class Search(Protocol):
    """Every word of transcripts, dossiers and parties."""

    def ask(self, question: str, *, page: int = 1, size: int = 20) -> Answer:
        """A page of what fits. UsageError where the question cannot be read, or takes too long."""
        ...


class Log(Protocol):
    """The public directory of the log: a path of the tlog-tiles interface to a file."""

    def path(self, name: str) -> Path | None:
        """`checkpoint`, `tile/0/000`, `statement/<hex>`; None where there is none. Never leaves the log."""
        ...


class OffSwitch(Protocol):
    """The recorder's off switch."""

    @property
    def lines(self) -> Sequence[str]:
        """The names of the lines there are."""
        ...

    def now(self) -> Switched:
        """What is off, and what was announced."""
        ...

    def ask(self, asked: Asked) -> None:
        """Ask for a turn of it; UsageError where nothing would come of it."""
        ...


@dataclass(frozen=True, slots=True)
class ConsoleDeps:
    """The console's whole world. `session_key` (32 bytes) signs sessions; it may be new at each start."""

    register: Register
    audio: Audio
    waveform: Waveform
    verifier: Verifier
    exporter: Exporter
    users: Users
    log: Log
    clock: Clock
    session_key: bytes
    hosts: tuple[str, ...] = ()
    office: str = ""
    public_url: str = ""
    version: str = "0.1.0"
    verifier_file: Path | None = None
    structure: Path | None = None
    """Where the feeds of overseers lie; None where there are none."""
    switch: OffSwitch | None = None
    secure_cookies: bool = False
    word_files: WordFiles | None = None
    dossiers: AccountsDesk | None = None
    bundle_dossier: Callable[[str], bytes] | None = None
    fetch_source: Callable[[str], bytes] | None = None
    event_sets: EventSets | None = None
    windows: Windows | None = None
    intakes: IntakeBook | None = None
    transcripts: TranscriptBook | None = None
    search: Search | None = None
