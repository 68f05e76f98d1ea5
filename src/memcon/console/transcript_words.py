"""What the pages say of a transcript's version: who wrote it, by what, when, and where it is sealed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.console.transcript_layout import SHORT_LOSS_MS, short_losses
from memcon.console.words import NBSP, at, count, day, day_start, number
from memcon.record.transcript_diff import ADDED, MARKED, REMOVED, SPEAKER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memcon.catalogue.dossiers import SealedNote
    from memcon.record.transcript import Lane, Machine, Transcript
    from memcon.record.transcript_diff import Change
    from memcon.store.transcripts import Kept

INSTALL = "scripts/setup --speech"
_WHAT = {ADDED: "put in", REMOVED: "taken out", SPEAKER: "speaker", MARKED: "marks"}


@dataclass(frozen=True, slots=True)
class FileOfWords:
    """A file that can be taken away: its kind in an address, name, media type, ending, what it is."""

    kind: str
    name: str
    media_type: str
    suffix: str
    what: str


FILES = (
    FileOfWords("vtt", "WebVTT", "text/vtt; charset=utf-8", "vtt", "subtitles with their speakers"),
    FileOfWords("srt", "SRT", "application/x-subrip", "srt", "subtitles for players that know no other"),
    FileOfWords("text", "Text", "text/plain; charset=utf-8", "txt", "to be read, with version and digest"),
    FileOfWords("json", "JSON", "application/json", "json", "every word with its times"),
    FileOfWords(
        "vcon", "vCon", "application/vcon+json", "vcon.json", "the call as one file: sound, words, proof"
    ),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A version in a list. `sealed` in words; `shown`: the one whose words stand on the page."""

    version: int
    by: str
    how: str
    when: str
    sealed: str
    hash: str
    note: str
    shown: bool
    current: bool


def when(at_utc: str) -> str:
    """`2026-11-24T03:42:00Z` as `24 November 2026, 03:42 UTC`."""
    midnight = day_start(at_utc[:10])
    shown = at_utc[:10] if midnight is None else day(midnight)
    return f"{shown}, {at_utc[11:16]} UTC"


def machine_words(machine: Machine) -> str:
    """`faster-whisper 1.2, tiny.en, digest 9f41…c02e, while the call went on`."""
    parts = [f"{machine.engine} {machine.engine_version}".strip(), machine.model]
    if machine.model_version:
        parts.append(machine.model_version)
    if machine.model_digest:
        parts.append(f"digest {machine.model_digest[:8]}…{machine.model_digest[-8:]}")
    if machine.made == "live":
        parts.append("while the call went on")
    return ", ".join(parts)


def how(it: Transcript) -> str:
    """By machine, and which; or corrected over which version."""
    if it.machine is not None:
        return f"by machine: {machine_words(it.machine)}"
    return f"corrected over version {it.corrects}" if it.corrects else "written by a person"


def sealed_words(note: SealedNote | None) -> str:
    """`sealed in leaf 2,286,672`, or `not yet sealed`."""
    return "not yet sealed" if note is None else f"sealed in leaf {number(note.index)}"


def line_of(head: Kept, notes: Mapping[str, SealedNote], *, shown: int, current: int) -> Line:
    """A version for the list of versions."""
    it = head.transcript
    return Line(
        it.version,
        it.by,
        how(it),
        when(it.at),
        sealed_words(notes.get(head.hash)),
        head.hash,
        it.note,
        it.version == shown,
        it.version == current,
    )


def lane_notes(lanes: Sequence[Lane]) -> list[str]:
    """What a reader should know of all lanes: languages that nobody checked, losses too short to draw."""
    said = []
    found = sorted({lane.language for lane in lanes if lane.found == "identified" and lane.utterances})
    if found:
        said.append(f"Language found by the machine: {', '.join(found)}.")
    losses, ms = short_losses(lanes)
    if losses:
        said.append(
            f"{count(losses, 'loss', 'losses')} shorter than {SHORT_LOSS_MS / 1000:.1f}{NBSP}s, "
            f"{ms / 1000:.1f}{NBSP}s together, are not drawn in this text."
        )
    return said


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change between two versions: where, on which lane, what was and what is."""

    second: int
    at: str
    lane: str
    what: str
    before: str
    after: str


def change_rows(changes: Sequence[Change]) -> list[ChangeRow]:
    """Changes by their time."""
    rows = sorted(changes, key=lambda c: (c.start, c.lane))
    return [
        ChangeRow(
            c.start // 1000,
            at(c.start // 1000),
            c.lane,
            _WHAT.get(c.what, "replaced"),
            c.before or _nothing(c),
            c.after or _nothing(c),
        )
        for c in rows
    ]


def _nothing(change: Change) -> str:
    return {SPEAKER: "unknown speaker", MARKED: "no mark"}.get(change.what, "")
