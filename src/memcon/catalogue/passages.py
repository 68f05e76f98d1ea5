"""What is searched, cut into passages: about two minutes of talk, or a page of a document.

A search finds words that stand in one passage. It is cut where somebody has finished speaking, and kept
with the time of every word, so that a result can be shown and played without reading its transcript.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memcon.record.transcript import Transcript

LONG = 150
"""Words after which a passage ends where an utterance does."""
MOST = 300
"""Words in a passage, whatever is said without a pause."""
_WORD, _LINE, _PART = "\x1f", "\x1e", "\x1d"


@dataclass(frozen=True, slots=True)
class Said:
    """Words of one speaker without a longer pause. `speaker` is a place in the document's speakers;
    `times` are the starts of the words in ms, none for what has no time."""

    speaker: int
    language: str
    words: tuple[str, ...]
    times: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """What is found as one."""

    said: tuple[Said, ...]

    @property
    def first(self) -> int:
        """When it begins, ms; 0 for what has no time."""
        return next((one.times[0] for one in self.said if one.times), 0)

    @property
    def count(self) -> int:
        """How many words."""
        return sum(len(one.words) for one in self.said)

    def pack(self) -> bytes:
        """As it is kept: who says how many words in which language, the words, the steps between their
        times as little-endian 32-bit numbers; compressed."""
        heads = [f"{one.speaker} {len(one.words)} {len(one.times)} {one.language}" for one in self.said]
        words = _WORD.join([_WORD.join(one.words) for one in self.said])
        text = f"{_LINE.join(heads)}{_PART}{words}".encode("utf-8", "surrogatepass")
        times = np.fromiter(chain.from_iterable(one.times for one in self.said), dtype="<i4")
        steps = np.diff(times, prepend=np.int32(0)).astype("<i4")
        return zlib.compress(len(text).to_bytes(4, "little") + text + steps.tobytes(), 1)


def unpack(data: bytes) -> Passage:
    """A passage as `pack` made it."""
    plain = zlib.decompress(data)
    end = 4 + int.from_bytes(plain[:4], "little")
    heads, _, joined = plain[4:end].decode("utf-8", "surrogatepass").partition(_PART)
    words = joined.split(_WORD)
    times = np.cumsum(np.frombuffer(plain[end:], dtype="<i4")).tolist()
    said, word, time = [], 0, 0
    for head in heads.split(_LINE):
        speaker, count, timed, language = head.split(" ", 3)
        some = tuple(words[word : word + int(count)])
        said.append(Said(int(speaker), language, some, tuple(times[time : time + int(timed)])))
        word, time = word + int(count), time + int(timed)
    return Passage(tuple(said))


def cut(said: Iterable[Said]) -> Iterator[Passage]:
    """Passages of what was said, in its order."""
    here: list[Said] = []
    count = 0
    for one in said:
        for part in _short(one):
            if here and count + len(part.words) > MOST:
                yield Passage(tuple(here))
                here, count = [], 0
            here.append(part)
            count += len(part.words)
            if count >= LONG:
                yield Passage(tuple(here))
                here, count = [], 0
    if here:
        yield Passage(tuple(here))


def _short(one: Said) -> Iterator[Said]:
    if len(one.words) <= MOST:
        yield one
        return
    for at in range(0, len(one.words), LONG):
        yield Said(one.speaker, one.language, one.words[at : at + LONG], one.times[at : at + LONG])


def of_transcript(transcript: Transcript) -> tuple[list[str], list[Said]]:
    """(speakers, what was said in order of time) of a version; an unknown speaker has no name."""
    speakers: list[str] = []
    found: list[Said] = []
    for lane in transcript.lanes:
        for utterance in lane.utterances:
            name = utterance.speaker or lane.speaker
            if name not in speakers:
                speakers.append(name)
            words = [word for word in utterance.words if word.text]
            if words:
                texts = tuple(" ".join(word.text.split()) for word in words)
                times = tuple(word.start for word in words)
                language = utterance.language or lane.language
                found.append(Said(speakers.index(name), language, texts, times))
    found.sort(key=lambda one: (one.times[0], one.speaker))
    return speakers, found


def of_text(text: str, language: str) -> list[Said]:
    """A document's text: a paragraph is said without a pause, by nobody."""
    paragraphs = (line.split() for line in text.splitlines())
    return [Said(0, language, tuple(words)) for words in paragraphs if words]
