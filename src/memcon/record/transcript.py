"""A transcript: what somebody, or a program, says was said in one call (FORMATS §20).

It is a *derived claim about* the audio, never the record of it. Every word has its time since the call's
start; versions are only added, each naming the hash of the one before; each is sealed as a NOTE.

For the rooms that read and write transcripts:

    Transcript, Lane, Utterance, Word, Stretch, Translation, Machine, Subject    what a version holds
    Transcript.encode(), decode(data), hash_of(data)      canonical JSON, strictly read
    lane_name(place)                                      0 -> "A", 25 -> "Z", 26 -> "AA"
    decode_head(data)                                     a version without its words, quickly
    text_of(words, language), joiner(language)            words as running text, what stands between them
    memcon.record.transcript_diff.differences(old, new)   word by word what changed
    memcon.store.transcripts.TranscriptStore              versions, current, read, append

Times are whole milliseconds since the call's start, confidences thousandths.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memcon.errors import FormatError
from memcon.record import canonical
from memcon.record.hashing import sha256
from memcon.record.transcript_form import (
    MARKS,
    MAX_BYTES,
    NO_VERSION,
    STRETCHES,
    VERSION,
    WHAT,
    check_facts,
    check_size,
    read_facts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from memcon.record.canonical import Json

__all__ = ["MARKS", "MAX_BYTES", "NO_VERSION", "STRETCHES", "VERSION"]

NOTE_TRANSCRIPT = 3
"""The type of the NOTE that seals a version."""
UNKNOWN = "und"
"""BCP 47 for a language nobody found."""
_UNSPACED = {"zh", "ja", "th", "lo", "km", "my", "bo", "yue"}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a transcript is of: `kind` call (`id` its number) or intake (`id` of the object taken in).

    `handle`: a call's random handle, hex, else empty. `digest`: hex, the call root of a call, the digest
    that seals the object of what was taken in. `duration` in ms.
    """

    kind: str
    id: str
    digest: str
    duration: int
    handle: str = ""

    @property
    def key(self) -> str:
        """The name its versions are kept under: `call-12`."""
        return f"{self.kind}-{self.id}"


@dataclass(frozen=True, slots=True)
class Machine:
    """The program that wrote a version. `model_digest`: SHA-256 of its weights, hex, or empty where it has
    no one file. `settings`: whatever changes its answer. `made`: live (while the call went on) or whole."""

    engine: str
    engine_version: str
    model: str
    model_version: str
    model_digest: str
    made: str = "whole"
    settings: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Word:
    """One word as written, punctuation and all. `confidence` None: a person's. No text: inaudible."""

    text: str
    start: int
    end: int
    confidence: int | None = None
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Translation:
    """The words of an utterance in another language, by a model or a person: beside them, never instead."""

    language: str
    text: str
    by: str


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was said without a longer pause. `speaker`, `language`: where they are not the lane's."""

    start: int
    end: int
    words: tuple[Word, ...] = ()
    speaker: str = ""
    language: str = ""
    translations: tuple[Translation, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a lane that holds no words for a reason: lost, hold, tone, noise or music."""

    start: int
    end: int
    what: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One participant's channel, named as everywhere: A, B, …

    `speaker` empty: an *unknown speaker*. `found`: how the language was found: set (by configuration),
    identified, model (it knows one only), person, unknown.
    """

    name: str
    participant: str | None = None
    speaker: str = ""
    streams: tuple[int, ...] = ()
    language: str = UNKNOWN
    found: str = "unknown"
    utterances: tuple[Utterance, ...] = ()
    stretches: tuple[Stretch, ...] = ()

    def words(self) -> list[Word]:
        """All words in their order."""
        return [word for utterance in self.utterances for word in utterance.words]


@dataclass(frozen=True, slots=True)
class Transcript:
    """One version. `by`: who wrote it, a person or the program's name; `machine`: null for a person's.

    `corrects`: the version that a person's was written over. `version`, `previous` (hex) and `at` (UTC)
    are set by the store that keeps it.
    """

    of: Subject
    by: str
    lanes: tuple[Lane, ...]
    machine: Machine | None = None
    corrects: int | None = None
    note: str = ""
    version: int = 1
    previous: str = NO_VERSION
    at: str = ""

    @property
    def kind(self) -> str:
        """`machine` or `corrected`."""
        return "corrected" if self.machine is None else "machine"

    @property
    def note_type(self) -> int:
        """The type of the NOTE that seals it."""
        return NOTE_TRANSCRIPT

    def count(self) -> int:
        """How many words there are."""
        return sum(len(utterance.words) for lane in self.lanes for utterance in lane.utterances)

    def encode(self) -> bytes:
        """The bytes that are kept and sealed. Raises FormatError for what could not be read back."""
        facts = _facts(self)
        check_facts(facts)
        data = canonical.dumps(facts, WHAT)
        check_size(len(data))
        return data


def decode(data: bytes) -> Transcript:
    """Read a version; raises FormatError, naming lane, utterance and word."""
    return _transcript(read_facts(data))


def _transcript(facts: Mapping[str, Any]) -> Transcript:
    machine = facts["machine"]
    return Transcript(
        of=Subject(**facts["of"]),
        by=facts["by"],
        lanes=tuple(map(_lane, facts["lanes"])),
        machine=None if machine is None else Machine(**machine),
        **{key: facts[key] for key in ("corrects", "note", "version", "previous", "at")},
    )


def decode_head(data: bytes) -> Transcript:
    """A version without its lanes, which are neither checked nor kept: for lists of versions.

    Raises FormatError for what is not written like one; `decode` says whether it is one.
    """
    try:
        facts = json.loads(data)
        facts["lanes"] = []
    except (ValueError, TypeError, RecursionError) as error:
        raise FormatError(WHAT, "is no JSON object") from error
    check_facts(facts)
    return _transcript(facts)


def hash_of(data: bytes) -> str:
    """What the next version names and the NOTE seals: SHA-256 of the bytes, hex."""
    return sha256(data).hex()


def lane_name(place: int) -> str:
    """The letters of the lane at a place from 0 on: A to Z, then AA to ZZ."""
    first, last = divmod(place, 26)
    return (chr(ord("A") + first - 1) if first else "") + chr(ord("A") + last)


def text_of(words: Iterable[Word], language: str = "") -> str:
    """Words as running text, an inaudible one without text as `[inaudible]`."""
    return joiner(language).join(word.text or "[inaudible]" for word in words)


def joiner(language: str) -> str:
    """What stands between two words of a language: a space, or nothing."""
    return "" if language.split("-")[0] in _UNSPACED else " "


def _facts(it: Transcript) -> dict[str, Any]:
    return {
        "format": VERSION,
        "kind": it.kind,
        "of": _named(it.of),
        "by": it.by,
        "machine": None
        if it.machine is None
        else _named(it.machine) | {"settings": dict(it.machine.settings)},
        "corrects": it.corrects,
        "note": it.note,
        "version": it.version,
        "previous": it.previous,
        "at": it.at,
        "lanes": [
            _named(lane)
            | {
                "streams": list(lane.streams),
                "utterances": [_utterance_facts(one) for one in lane.utterances],
                "stretches": [[s.start, s.end, s.what] for s in lane.stretches],
            }
            for lane in it.lanes
        ],
    }


def _named(value: Subject | Machine | Lane | Utterance) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def _utterance_facts(one: Utterance) -> dict[str, Any]:
    return _named(one) | {
        "words": [[w.text, w.start, w.end, w.confidence, list(w.marks)] for w in one.words],
        "translations": [[t.language, t.text, t.by] for t in one.translations],
    }


def _lane(facts: dict[str, Any]) -> Lane:
    made = {
        "streams": tuple(facts["streams"]),
        "utterances": tuple(map(_utterance, facts["utterances"])),
        "stretches": tuple(Stretch(*one) for one in facts["stretches"]),
    }
    return Lane(**facts | made)


def _utterance(facts: dict[str, Any]) -> Utterance:
    words = tuple(
        Word(text, start, end, sure, tuple(marks)) for text, start, end, sure, marks in facts["words"]
    )
    return Utterance(
        **facts | {"words": words, "translations": tuple(Translation(*one) for one in facts["translations"])}
    )
