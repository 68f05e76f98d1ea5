"""What is taken away of a call in words: subtitles, text, JSON, a vCon, a citation; recorded or taken in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.clock import NS, utc
from memcon.console.lanes import lane_letters
from memcon.errors import MemconError, UsageError
from memcon.release.citing import Cited
from memcon.release.vcon import CallFacts, Proof, Sound, make_vcon
from memcon.release.words import WRITERS, About
from memcon.service.transcripts import open_transcripts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.catalogue.catalogue import Catalogue
    from memcon.catalogue.rows import CallDetail, StreamRow
    from memcon.clock import Clock
    from memcon.service.archive import Archive
    from memcon.service.config import Config
    from memcon.service.intakes import Intakes
    from memcon.store.paths import Home
    from memcon.store.transcripts import Kept

WORDS = tuple(WRITERS)
"""Formats that need a transcript."""
FORMATS = (*WORDS, "vcon")
SUFFIX = {"vtt": ".vtt", "srt": ".srt", "text": ".txt", "json": ".json", "vcon": ".vcon.json"}
MEDIA_TYPES = {
    "vtt": "text/vtt", "srt": "application/x-subrip", "text": "text/plain; charset=utf-8",
    "json": "application/json", "vcon": "application/vcon+json",
}  # fmt: skip


@dataclass(slots=True)
class Exporting:
    """Makes files of words of one home's calls. `office` and `address` stand in citations."""

    home: Home
    config: Config
    clock: Clock
    catalogue: Catalogue
    archive: Archive
    intakes: Intakes
    office: str = ""

    def make(self, number: int, kind: str, version: int | None = None) -> str:
        """A file as text. UsageError where there is no such call, version or transcript."""
        call = self._call(number)
        kept = self.transcript(number, version)
        if kind == "vcon":
            return self._vcon(call, kept)
        if kept is None:
            raise UsageError(
                f"call {call.row.display} has no transcript",
                cure="memcon transcribe makes one; flac, wav and vcon need none",
            )
        return WRITERS[kind](kept.transcript, self._about(call, kept))

    def transcript(self, number: int, version: int | None = None) -> Kept | None:
        """A version of the transcript, by default the current one; None where there is none."""
        store = open_transcripts(self.home, self.clock)
        key = f"intake-{-number}" if number < 0 else f"call-{number}"
        if version is not None:
            return store.read(key, version)
        return store.current(key)

    def cited(self, number: int, span: tuple[int, int] | None, version: int | None) -> Cited:
        """What a citation is made of."""
        call, kept = self._call(number), self.transcript(number, version)
        row = call.row
        digest, what = self._sealed(call)
        taken = self.intakes.intake(-number).at[:10] if number < 0 else ""
        if span is not None and not 0 <= span[0] < span[1] <= max(1, (row.duration or 0) // 1_000_000 + 1000):
            raise UsageError(
                "the span is not within the call",
                cure="Give --from and --to as 1:02 and 1:30, --to after --from",
            )
        base = self.config.console_url or ""
        path = f"/taken-in/{-number}" if number < 0 else f"/calls/{number}"
        return Cited(
            display=row.display,
            parties="–".join(row.parties or ()) or "parties not named",
            wall=row.start_wall,
            exact=number > 0,
            office=self.office,
            origin=self.config.origin,
            leaves=self._leaves(call),
            digest=kept.hash if kept is not None else digest,
            digest_of="transcript" if kept is not None else what,
            span=span,
            version=kept.transcript.version if kept is not None else 0,
            version_by=kept.transcript.by if kept is not None else "",
            version_at=kept.transcript.at if kept is not None else "",
            taken_in=taken,
            address=f"{base}{path}" if base else "",
        )

    # --- facts ---

    def _call(self, number: int) -> CallDetail:
        if number < 0 and self.catalogue.row(number) is None:
            self.intakes.catch_up()
        found = self.catalogue.call(number)
        if found is None:
            name = f"T{-number:03d}" if number < 0 else str(number)
            raise UsageError(f"there is no call {name}", cure="memcon calls lists them")
        if found.row.state == "live":
            raise UsageError(
                f"call {found.row.display} is still going on", cure="Take it away when it has ended"
            )
        return found

    def _sealed(self, call: CallDetail) -> tuple[str, str]:
        """(digest in hex, of what) that seals the call."""
        if call.row.number > 0:
            return call.call_root or "", "call"
        line = self.intakes.line(-call.row.number)
        return (line.hash if line is not None else ""), "statement of intake"

    def _leaves(self, call: CallDetail) -> str:
        if call.beats:
            return f"leaves {call.beats[0].index}–{call.beats[-1].index}"
        line = self.intakes.line(-call.row.number) if call.row.number < 0 else None
        return f"leaf {line.beat}" if line is not None and line.beat is not None else ""

    def _about(self, call: CallDetail, kept: Kept) -> About:
        row, it = call.row, kept.transcript
        digest, what = self._sealed(call)
        sealed = f"The {what} is sealed as {digest}" if digest else "The call is not sealed yet"
        leaves = self._leaves(call)
        return About(
            call=f"Call {row.display}" + (", taken in from a file" if row.number < 0 else ""),
            title=" and ".join(row.parties or ()) or "Parties not named",
            date=utc(row.start_wall),
            version=it.version,
            by=it.by,
            at=it.at,
            digest=kept.hash,
            proof=f"{sealed} in log {self.config.origin}{', ' + leaves if leaves else ''}.",
        )

    # --- vCon ---

    def _vcon(self, call: CallDetail, kept: Kept | None) -> str:
        row = call.row
        places = {str(party["id"]): place for place, party in enumerate(call.parties)}
        facts = CallFacts(
            identity=f"{self.config.origin} {row.display}",
            subject=f"Call {row.display}" + (", taken in from a file" if row.number < 0 else ""),
            start=row.start_wall,
            duration=row.duration or 0,
            parties=call.parties,
            recorder=f"memcon recorder {self.config.origin}",
            history=_history(call, places),
            recorded=row.number > 0,
            sound=self._sound(call, places),
            transcript=None if kept is None else kept.transcript,
            proofs=self._proofs(call),
        )
        return make_vcon(facts, self.clock.wall_ns())

    def _sound(self, call: CallDetail, places: dict[str, int]) -> Sound | None:
        number = call.row.number
        try:
            if number < 0:
                path = self.intakes.audio(-number, "all", "flac")
            else:
                path = self.archive.path(number, "all", "flac")
        except MemconError:  # nothing was heard, or the custodian's key is not here
            return None
        channels = _channels(call, places)
        name = f"call-{call.row.display.replace('/', '-')}.flac"
        return Sound(path.read_bytes(), "audio/flac", name, channels)

    def _proofs(self, call: CallDetail) -> list[Proof]:
        number, name = call.row.number, call.row.display.replace("/", "-")
        if number > 0:
            try:
                data = self.archive.bundle(number)
            except MemconError:
                return []
            purpose = "proof: the call sealed second by second; check it with memcon-verify"
            return [Proof(data, "application/zip", f"{name}.bundle", purpose)]
        return [
            Proof(
                self.intakes.shelf.statement(-number), "application/json", f"{name}.intake.json",
                "statement of what was taken in, whose SHA-256 the log names; nothing before it is proved",
            ),
            Proof(
                self.intakes.original(-number).read_bytes(), self.intakes.intake(-number).files[0].media_type,
                self.intakes.intake(-number).name, "the file that was taken in, byte for byte",
            ),
        ]  # fmt: skip


def _channels(call: CallDetail, places: dict[str, int]) -> Sequence[Sequence[int]]:
    """For each channel of the sound the places of its parties; of a mean of many, everybody."""
    letters = lane_letters(call)
    lanes: dict[str, list[int]] = {letter: [] for letter in letters.values()}
    for stream in call.streams:
        letter = letters.get(stream.stream)
        if letter is not None:
            mine = [places[one] for one in _speakers(call, stream) if one in places]
            lanes[letter] += [one for one in mine if one not in lanes[letter]]
    if call.row.number < 0 and len(lanes) > 2:
        return [sorted({place for some in lanes.values() for place in some})]
    return [lanes[letter] for letter in sorted(lanes, key=lambda one: (len(one), one))]


def _speakers(call: CallDetail, stream: StreamRow) -> list[str]:
    """Ids of who speaks in a stream: its own party, or all that are mixed into it."""
    if stream.participant:
        return [stream.participant]
    label = stream.label
    return [str(party["id"]) for party in call.parties if party.get("label") and party["label"] == label]


def _history(call: CallDetail, places: dict[str, int]) -> list[tuple[int, int, str]]:
    """Holds and pauses: of the party that sends the stream, or of all."""
    by_stream = {stream.stream: stream.participant for stream in call.streams}
    found = []
    for event in call.events:
        kind = str(event.facts.get("type"))
        if kind not in ("hold", "resume", "pause", "unpause"):
            continue
        who = by_stream.get(event.facts.get("stream", -1))
        mine = [places[who]] if who in places else list(places.values())
        found += [(call.row.start_wall + event.since, place, kind) for place in mine]
    return found


def span_of(first: str | None, last: str | None) -> tuple[int, int] | None:
    """`1:02` and `1:30` as ms; None where neither is given. UsageError for what is no place in a call."""
    if first is None and last is None:
        return None
    start = place_of(first) if first is not None else 0
    return start, place_of(last) if last is not None else start + NS // 1_000_000


def place_of(text: str) -> int:
    """A place in a call, `62`, `1:02` or `1:01:02.5`, in ms. UsageError for anything else."""
    parts = text.strip().split(":")
    seconds = parts[-1].partition(".")
    plain = [*parts[:-1], seconds[0], seconds[2] or "0"]
    if len(parts) > 3 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in plain):
        raise UsageError(f"{text!r} is no place in a call", cure="Write it as 1:02 or 1:01:02")
    whole = 0
    for part in [*parts[:-1], seconds[0]]:
        whole = whole * 60 + int(part)
    return whole * 1000 + int(f"{seconds[2]:0<3}"[:3] or 0)
