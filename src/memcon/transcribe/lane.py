"""One participant's channel as a lane of a transcript: found, decoded stretch by stretch, and placed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from memcon.record.transcript import Lane, Stretch
from memcon.transcribe import endpoint
from memcon.transcribe.frames import Frames, analyse
from memcon.transcribe.music import seconds_of_music
from memcon.transcribe.names import hear_names, sureness
from memcon.transcribe.placing import utterances
from memcon.transcribe.sound import at_rate, concealed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from memcon.record.transcript import Utterance
    from memcon.transcribe.engine import Engine, Heard
    from memcon.transcribe.frames import Samples

PAD_MS = 300
"""Sound given before and after a stretch; where a neighbour is nearer, half the way to it."""
NOBODY = 600
"""An engine that doubts more than this (thousandths) that anybody spoke, and is not sure of its words, heard
noise."""
UNSURE = 450
BLOCK_MS = 60_000
LEAST_LOST_MS = 20
LEAST_NOISE_MS = 1000
LEAST_MUSIC_MS = 2000


@dataclass(frozen=True, slots=True)
class Channel:
    """What is transcribed: int16 mono at `rate` Hz from the call's start, and what is known of it.

    `lost` and `holds`: spans in ms. `language` None: to be found.
    """

    name: str
    samples: NDArray[np.int16]
    rate: int
    participant: str | None = None
    speaker: str = ""
    streams: tuple[int, ...] = ()
    lost: tuple[tuple[int, int], ...] = ()
    holds: tuple[tuple[int, int], ...] = ()
    language: str | None = None


@dataclass(slots=True)
class Wishes:
    """How lanes are heard: likely names, and whether a translation into English stands beside."""

    hot_words: Sequence[str] = ()
    translate: bool = False
    pause: int = endpoint.LONG_PAUSE_MS


@dataclass(slots=True)
class _Found:
    utterances: list[Utterance] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    languages: dict[str, int] = field(default_factory=dict)
    how: str = "unknown"


def transcribe_lane(
    channel: Channel, engine: Engine, wishes: Wishes, say: Callable[[int, int], None] = lambda *_: None
) -> Lane:
    """Decode a whole channel. `say` hears how much of it (ms) is done, of how much."""
    length = len(channel.samples) * 1000 // channel.rate
    found = _Found()
    found.stretches += [Stretch(a, b, "lost") for a, b in channel.lost if b - a >= LEAST_LOST_MS]
    found.stretches += [Stretch(a, b, "hold") for a, b in channel.holds if a < b]
    # The last frame may reach beyond the last sample.
    pieces = [
        replace(piece, end=min(piece.end, length)) for piece in endpoint.pieces(frames_of(channel, length))
    ]
    music = music_of(channel, length, [piece for piece in pieces if piece.tone])
    found.stretches += [Stretch(start, end, "music") for start, end in music]
    voices = [piece for piece in pieces if piece.tone or _within(piece, music) * 2 < piece.end - piece.start]
    stretches = endpoint.joined(voices, wishes.pause)
    for n, stretch in enumerate(stretches):
        if stretch.pieces[0].tone:
            found.stretches.append(Stretch(stretch.start, stretch.end, "tone"))
        else:
            low, high = padded(stretches, n, length)
            hear_stretch(sound_of(channel, low, high), low, stretch, engine, channel, wishes, found)
        say(stretch.end, length)
    found.stretches.sort(key=lambda s: (s.start, s.end))
    language = max(found.languages, key=lambda tag: found.languages[tag], default=channel.language or "und")
    return Lane(
        channel.name,
        channel.participant,
        channel.speaker,
        channel.streams,
        language,
        found.how,
        tuple(replace(u, language="" if u.language == language else u.language) for u in found.utterances),
        tuple(found.stretches),
    )


def sound_of(channel: Channel, start: int, end: int) -> Samples:
    """What a channel sounds like from `start` to `end` (ms), as it is recognised."""
    here = [(a - start, b - start) for a, b in channel.lost if a < end and b > start]
    cut = channel.samples[start * channel.rate // 1000 : end * channel.rate // 1000]
    return at_rate(concealed(cut, channel.rate, [(max(a, 0), b) for a, b in here]), channel.rate)


def frames_of(channel: Channel, length: int) -> Frames:
    """The frames of a whole channel, looked at a minute at a time: hours of sound are not held twice."""
    parts = [analyse(sound_of(channel, at, min(at + BLOCK_MS, length))) for at in range(0, length, BLOCK_MS)]
    if not parts:
        return analyse(sound_of(channel, 0, 0))
    return Frames(np.concatenate([p.level for p in parts]), np.concatenate([p.pitch for p in parts]))


def music_of(channel: Channel, length: int, tones: Sequence[endpoint.Piece]) -> list[tuple[int, int]]:
    """Spans of music (ms), in whole seconds; what is a tone for half of a second is none."""
    flags: list[bool] = []
    for at in range(0, length, BLOCK_MS):  # with a second on either side, so that blocks do not show
        low, high = max(0, at - 1000), min(at + BLOCK_MS + 1000, length)
        seconds = seconds_of_music(sound_of(channel, low, high))
        first = (at - low) // 1000
        flags += seconds[first : first + BLOCK_MS // 1000]
    toned = [(piece.start, piece.end) for piece in tones]
    spans: list[tuple[int, int]] = []
    for n, flag in enumerate(flags):
        start, end = n * 1000, min(n * 1000 + 1000, length)
        if not flag or _within(endpoint.Piece(start, end), toned) * 2 >= end - start:
            continue
        spans.append((spans.pop()[0] if spans and spans[-1][1] == start else start, end))
    return [span for span in spans if span[1] - span[0] >= LEAST_MUSIC_MS]


def _within(piece: endpoint.Piece, spans: Sequence[tuple[int, int]]) -> int:
    """How much of a piece (ms) lies in the spans."""
    return sum(max(0, min(piece.end, end) - max(piece.start, start)) for start, end in spans)


def padded(stretches: Sequence[endpoint.Stretch], n: int, length: int) -> tuple[int, int]:
    """(start, end) in ms of the sound that stretch n is given with: its padding reaches into no other."""
    here = stretches[n]
    before = (stretches[n - 1].end + here.start) // 2 if n else 0
    after = (here.end + stretches[n + 1].start) // 2 if n + 1 < len(stretches) else length
    return max(here.start - PAD_MS, before), min(here.end + PAD_MS, after, length)


def hear_stretch(
    sound: Samples,
    at: int,
    stretch: endpoint.Stretch,
    engine: Engine,
    channel: Channel,
    wishes: Wishes,
    found: _Found,
) -> None:
    """Decode one stretch, whose sound begins at `at` ms, into `found`."""
    heard = hear_names(engine, sound, channel.language, wishes.hot_words, translate=wishes.translate)
    if invented(heard):
        if stretch.end - stretch.start >= LEAST_NOISE_MS:
            found.stretches.append(Stretch(stretch.start, stretch.end, "noise"))
        return
    found.how = heard.found
    found.languages[heard.language] = found.languages.get(heard.language, 0) + len(heard.words)
    said = utterances(heard, at, stretch, engine.machine("whole", ()).model)
    found.utterances += [replace(one, language=heard.language) for one in said]


def invented(heard: Heard) -> bool:
    """Whether the engine, by its own doubts, wrote words for sound that nobody spoke."""
    if not heard.words:
        return True
    return heard.doubt > NOBODY and sureness(heard) < UNSURE
