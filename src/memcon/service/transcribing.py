"""Kept calls transcribed: their sound, who speaks in which channel, the model, and the version written.

What `memcon transcribe` and the listening process both do with a call that has ended.
"""

from __future__ import annotations

import fnmatch
import wave
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from memcon import __version__
from memcon.catalogue.structure import held
from memcon.errors import UsageError
from memcon.record.intake import hash_of
from memcon.record.segment import NS
from memcon.record.transcript import Subject, lane_name
from memcon.record.transcript_diff import differences
from memcon.release.audio import render
from memcon.transcribe.lane import Channel, Wishes
from memcon.transcribe.names import likely_names
from memcon.transcribe.whisper import load_engine
from memcon.transcribe.whole import transcribe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from memcon.record.canonical import Json
    from memcon.record.transcript import Transcript
    from memcon.record.transcript_diff import Change
    from memcon.release.audio import Channel as Sound
    from memcon.release.media import OpenCall
    from memcon.service.archive import Archive
    from memcon.service.config import Speech
    from memcon.service.intakes import Intakes
    from memcon.store.transcripts import Kept, TranscriptStore
    from memcon.transcribe.engine import Engine

Asked: TypeAlias = "tuple[Subject, Sequence[Mapping[str, Json]], Callable[[], list[Channel]]]"
"""What is transcribed, whose voices it has, and its sound when it is needed."""
WRITER = f"memcon {__version__}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one call: the version written (None: the newest is of the same model and sound), and what
    it says otherwise than the one shown before."""

    kept: Kept | None
    changes: tuple[Change, ...] = ()
    before: Transcript | None = None


class Transcriber:
    """Transcribes kept calls into a store. The model is loaded when it is first needed."""

    def __init__(
        self,
        archive: Archive,
        store: TranscriptStore,
        speech: Speech,
        *,
        engine: Engine | None = None,
        intakes: Intakes | None = None,
    ) -> None:
        self._archive = archive
        self._intakes = intakes
        self._store = store
        self._speech = speech
        self._engine = engine

    @property
    def engine(self) -> Engine:
        """The configured model, loaded. Raises UsageError or FormatError where it cannot be."""
        if self._engine is None:
            said = self._speech
            self._engine = load_engine(said.model, said.digest, beam=said.beam, threads=said.threads)
        return self._engine

    def transcribe(
        self, number: int, *, again: bool = False, say: Callable[[int, int], object] = lambda *_: None
    ) -> Outcome:
        """Write the next version of a call's transcript, unless its newest machine's version is of the same
        model, settings and sound (`again`: even so). Raises UsageError where the call cannot be opened.

        A number below 0 is that of a call taken in from a file.
        """
        of, parties, channels = self._taken(-number) if number < 0 else self._recorded(number)
        wishes = self.wishes(name_of(party) for party in parties)
        if not again and self._is_done(of, wishes):
            return Outcome(None)
        before = self._store.current(of.key)
        draft = transcribe(of, channels(), self.engine, wishes, WRITER, say)
        kept = self._store.append(draft)
        changes = tuple(differences(before.transcript, kept.transcript)) if before else ()
        return Outcome(kept, changes, before.transcript if before else None)

    def _recorded(self, number: int) -> Asked:
        call = self._archive.open(number)
        record = call.record()
        return subject_of(call), record.get("parties") or [], lambda: self._channels(call, record)

    def _taken(self, n: int) -> Asked:
        if self._intakes is None:
            raise UsageError(f"T{n:03d} was taken in from a file, and none can be read here")
        intakes, intake = self._intakes, self._intakes.intake(n)
        of = Subject("intake", str(n), hash_of(intake.encode()), int(intake.found["duration_ms"]))
        parties = {party["id"]: party for party in intake.stated["parties"]}

        def channels() -> list[Channel]:
            made = []
            for place, lane in enumerate(intake.found["lanes"]):
                party = parties.get(lane["party"], {})
                samples, rate = read_wav(intakes.audio(n, lane_name(place), "wav"))
                made.append(
                    Channel(
                        lane_name(place),
                        samples[: of.duration * rate // 1000],
                        rate,
                        lane["party"] or None,
                        name_of(party),
                        lost=tuple((a, b) for a, b in lane["gaps_ms"] if a < b <= of.duration),
                        language=self.language(name_of(party), str(party.get("aor") or "")),
                    )
                )
            return made

        return of, list(parties.values()), channels

    def wishes(self, parties: Iterable[str]) -> Wishes:
        """The hot words of a call with these parties, and what else the configuration asks for."""
        return Wishes(likely_names(list(parties), self._speech.hot_words), self._speech.translate)

    def language(self, *names: str) -> str | None:
        """The language that is set for a line, a name or an address; None: it is to be found."""
        return language_of(self._speech.languages, names)

    def _is_done(self, of: Subject, wishes: Wishes) -> bool:
        listed = [one.version for one in self._store.versions(of.key) if one.kind == "machine"]
        if not listed:
            return False
        newest = self._store.read(of.key, listed[-1]).transcript
        return newest.of == of and newest.machine == self.engine.machine("whole", wishes.hot_words)

    def _channels(self, call: OpenCall, record: Mapping[str, Json]) -> list[Channel]:
        audio = render(call)
        spans = held([(event.since, event.facts) for event in call.events()], audio.duration)
        addresses = {party["id"]: str(party.get("aor") or "") for party in record.get("parties") or []}
        line = str(record.get("line") or "")
        return [
            channel_of(
                lane_name(n), sound, audio.rate, spans,
                self.language(sound.name, addresses.get(sound.participant or "", ""), line),
            )
            for n, sound in enumerate(audio.channels)
        ]  # fmt: skip


def read_wav(path: Path) -> tuple[NDArray[np.int16], int]:
    """The samples of a WAV of one channel and 16 bits that memcon wrote, left on the disk, and their rate."""
    with wave.open(str(path)) as file:
        count, rate = file.getnframes(), file.getframerate()
    if not count:
        return np.zeros(0, dtype=np.int16), rate
    data: NDArray[np.int16] = np.memmap(path, "<i2", "r", path.stat().st_size - 2 * count, (count,))
    return data, rate


def subject_of(call: OpenCall) -> Subject:
    """What a transcript of an ended call is of: its handle and root, as the log commits to them."""
    last, handle = call.last(), call.first().handle.hex()
    return Subject("call", str(call.number), last.call_root.hex(), ms_of(last.duration), handle)


def ms_of(ns: int) -> int:
    """Milliseconds begun."""
    return -(-ns // (NS // 1000))


def channel_of(
    name: str,
    sound: Sound,
    rate: int,
    spans: Mapping[int | None, Sequence[tuple[int, int]]],
    language: str | None,
) -> Channel:
    """A channel of a call's audio as it is transcribed; `spans` are holds by stream, in ns."""
    holds = [span for stream in (None, *sound.streams) for span in spans.get(stream, ())]
    return Channel(
        name,
        sound.samples,
        rate,
        sound.participant,
        sound.name if sound.participant else "",
        sound.streams,
        tuple((a // 1_000_000, b // 1_000_000) for a, b in sound.lost),
        tuple((a // 1_000_000, b // 1_000_000) for a, b in sorted(holds)),
        language,
    )


def named(number: int) -> str:
    """A call as a person names it."""
    return str(number) if number > 0 else f"T{-number:03d}"


def name_of(party: Mapping[str, Json]) -> str:
    """A party's name, or nothing: an address is no name."""
    return str(party.get("name") or "")


def language_of(patterns: Sequence[tuple[str, str]], names: Sequence[str]) -> str | None:
    """The language of the first pattern that fits one of the names."""
    for pattern, language in patterns:
        if any(name and fnmatch.fnmatchcase(name.casefold(), pattern.casefold()) for name in names):
            return language
    return None
