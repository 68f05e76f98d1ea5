"""A transcript as files that other programs read: WebVTT, SRT, plain text, JSON.

Derived from one version of a claim about the sound, which each of them names with its digest. What was lost
or on hold stands at its true place, as words in brackets; who spoke is said, not guessed.
"""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memcon.record.transcript import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memcon.record.transcript import Lane, Transcript, Utterance, Word

MOST_MS = 7000
MOST_LETTERS = 84
"""Two lines of 42: what is read while it is said (Netflix, BBC and EBU guidelines agree)."""
SHORTEST_MS = 300
UNKNOWN = "Unknown speaker"
SHOWN = ("lost", "hold")


@dataclass(frozen=True, slots=True)
class About:
    """What every file says of itself: the call in words, and which version this is."""

    call: str
    title: str
    date: str
    version: int
    by: str
    at: str
    digest: str
    proof: str

    def lines(self) -> list[str]:
        """As lines of text."""
        return [
            f"{self.title}. {self.call}, {self.date}.",
            f"Transcript version {self.version}, by {self.by}, {self.at}; SHA-256 {self.digest}.",
            f"A claim about the sound, not the sound. {self.proof}",
        ]


@dataclass(frozen=True, slots=True)
class Cue:
    """Words from `start` to `end`, ms; `speaker` empty for what nobody says."""

    start: int
    end: int
    speaker: str
    text: str


def cues(transcript: Transcript) -> list[Cue]:
    """What is shown when, in order of time."""
    found = [cue for lane in transcript.lanes for cue in _lane(lane)]
    return sorted(found, key=lambda cue: (cue.start, cue.end, cue.speaker))


def _lane(lane: Lane) -> Iterator[Cue]:
    for utterance in lane.utterances:
        yield from _utterance(utterance, utterance.speaker or lane.speaker or UNKNOWN, lane.language)
    yield from _gaps(lane)


def _gaps(lane: Lane) -> Iterator[Cue]:
    for stretch in lane.stretches:
        if stretch.what in SHOWN and stretch.end > stretch.start:
            seconds = max(1, round((stretch.end - stretch.start) / 1000))
            what = f"[{seconds} s lost]" if stretch.what == "lost" else f"[hold {seconds} s]"
            yield Cue(stretch.start, stretch.end, lane.speaker, what)


def _utterance(utterance: Utterance, speaker: str, language: str) -> Iterator[Cue]:
    spoken = utterance.language or language
    here: list[Word] = []
    for word in utterance.words:
        if here and _full([*here, word], spoken):
            yield _cue(here, speaker, spoken)
            here = []
        here.append(word)
    if here:
        yield _cue(here, speaker, spoken)


def _full(words: Sequence[Word], language: str) -> bool:
    return words[-1].end - words[0].start > MOST_MS or len(text_of(words, language)) > MOST_LETTERS


def _cue(words: Sequence[Word], speaker: str, language: str) -> Cue:
    end = max(words[-1].end, words[0].start + SHORTEST_MS)
    return Cue(words[0].start, end, speaker, " ".join(text_of(words, language).split()))


def clock(ms: int, point: str) -> str:
    """`01:02:03.004`."""
    seconds, rest = divmod(ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{rest:03d}"


def vtt(transcript: Transcript, about: About) -> str:
    """WebVTT (W3C, 2019): voices as `<v>`, the head as a NOTE."""
    note = "\n".join(line.replace("-->", "→") for line in about.lines())
    parts = [f"WEBVTT\n\nNOTE\n{note}\n"]
    for n, cue in enumerate(cues(transcript), 1):
        text = html.escape(cue.text, quote=False)
        voice = f"<v {_voice(cue.speaker)}>{text}</v>" if cue.speaker else text
        parts.append(f"{n}\n{clock(cue.start, '.')} --> {clock(cue.end, '.')}\n{voice}\n")
    return "\n".join(parts)


def _voice(name: str) -> str:
    """A speaker in an annotation: no angle bracket and no line end can stand there."""
    return html.escape(" ".join(name.split()), quote=False)


def srt(transcript: Transcript, _about: About) -> str:
    """SubRip: it has no place for a head, and no way to write an angle bracket that begins no tag."""
    parts = []
    for n, cue in enumerate(cues(transcript), 1):
        said = f"{cue.speaker}: {cue.text}" if cue.speaker else cue.text
        text = said.replace("-->", "→").replace("<", "‹").replace(">", "›")
        parts.append(f"{n}\n{clock(cue.start, ',')} --> {clock(cue.end, ',')}\n{text}\n")
    return "\n".join(parts)


def plain(transcript: Transcript, about: About) -> str:
    """Text: a line for each utterance, with when it began."""
    rows: list[tuple[int, str]] = []
    for lane in transcript.lanes:
        for one in lane.utterances:
            name = one.speaker or lane.speaker or UNKNOWN
            text = text_of(one.words, one.language or lane.language)
            rows.append((one.start, f"[{clock(one.start, '.')[:8]}] {name}: {text}"))
            rows += [(one.start, f"           ({t.language}, {t.by}) {t.text}") for t in one.translations]
        rows += [(cue.start, f"[{clock(cue.start, '.')[:8]}] {cue.text}") for cue in _gaps(lane)]
    body = [text for _, text in sorted(rows, key=lambda row: row[0])]
    return "\n".join([*about.lines(), "", *body]) + "\n"


def document(transcript: Transcript, about: About) -> str:
    """JSON: what the head of the other files says, and the version whole."""
    facts: dict[str, Any] = json.loads(transcript.encode())
    head = {key: getattr(about, key) for key in about.__slots__}
    return json.dumps({"about": head, "transcript": facts}, ensure_ascii=False, indent=1) + "\n"


WRITERS = {"vtt": vtt, "srt": srt, "text": plain, "json": document}
