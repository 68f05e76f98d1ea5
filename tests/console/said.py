"""What was said in the invented calls: their transcripts, and a book of them that a test can change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from memcon.catalogue.dossiers import SealedNote
from memcon.errors import FormatError
from memcon.record.transcript import (
    Lane,
    Machine,
    Stretch,
    Subject,
    Transcript,
    Translation,
    Utterance,
    Word,
)
from memcon.store.paths import Home
from memcon.store.transcripts import TranscriptStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from memcon.clock import Clock

MACHINE = Machine("faster-whisper", "1.2.1", "tiny.en", "1", "9f41" * 15 + "c02e", settings={"beam": 1})
DURATION = 347_500
HOSTILE = '<script>alert("w")</script>'
_SOLHEIM = [
    (
        128_300,
        "Then we open the lower gates at six this evening, on our side, and you hold yours until the "
        "crest has passed. Is that what we agree?",
    ),
    (158_300, "You will have it. I am going to ask the hydrologist to join; one moment."),
    (214_300, "He confirms the figure. He also says the Tarnbeck? culvert is clear."),
    (
        240_300,
        "So the order is: lower gates at six, yours at the crest, and the ferry stopped from five until we "
        "both say otherwise.",
    ),
    (271_300, "I will call her when we hang up."),
]
_KELLER = [
    (
        112_300,
        "We have the gauge at Harrow Weir at four metres ten, and it is still rising. My people expect "
        "the crest after midnight.",
    ),
    (132_000, "Yes, yes."),
    (141_300, "Agreed. I would want it in writing to both crews before five, in the same words."),
    (259_300, "Yes. And the | we should tell the harbour master ourselves, not leave it to the press."),
]


def words(text: str, start: int, step: int = 400) -> tuple[Word, ...]:
    """Words of a text, one every `step` ms; one with `?` is unsure, after `|` three seconds are lost."""
    made, at = [], start
    for one in text.split():
        if one == "|":
            at += 3000
            continue
        sure = 410 if one.endswith("?") and len(one) > 8 else 930
        made.append(Word(one.rstrip("?") if sure == 410 else one, at, at + step - 50, sure))
        at += step
    return tuple(made)


def utterance(text: str, start: int, step: int = 400, speaker: str = "") -> Utterance:
    said = words(text, start, step)
    return Utterance(start, said[-1].end, said, speaker)


def solheim_keller(number: int = 7) -> Transcript:
    """The words of the mock, by machine: a hold on both lanes, three seconds lost inside an utterance."""
    hold = Stretch(182_000, 213_000, "hold")
    lost = (Stretch(261_000, 264_000, "lost"), Stretch(300_000, 300_060, "lost"))
    lanes = (
        Lane(
            "A",
            "p1",
            "Ingrid Solheim",
            (0,),
            "en",
            "model",
            tuple(utterance(text, at) for at, text in _SOLHEIM),
            (hold,),
        ),
        Lane(
            "B",
            "p2",
            "Tomas Keller",
            (2,),
            "en",
            "model",
            tuple(utterance(text, at) for at, text in _KELLER),
            (hold, *lost),
        ),
    )
    subject = Subject("call", str(number), "c7" * 32, DURATION, "5e" * 32)
    return Transcript(subject, "memcon 0.1.0", lanes, MACHINE)


def corrected(it: Transcript) -> Transcript:
    """The same with one word put right by a person, and marked; one utterance given a translation."""
    first, second = it.lanes
    said = first.utterances[2]
    put = tuple(
        replace(word, text="Tarnbeg", confidence=None, marks=("uncertain",))
        if word.text == "Tarnbeck"
        else word
        for word in said.words
    )
    there = (Translation("no", "Han bekrefter tallet.", "base 1.0"),)
    changed = (*first.utterances[:2], replace(said, words=put, translations=there), *first.utterances[3:])
    return replace(
        it, by="olaf", machine=None, corrects=1, lanes=(replace(first, utterances=changed), second)
    )


def long_call(minutes: int = 120, number: int = 38) -> Transcript:
    """Two people who talk in turns of six seconds, 17 words each."""
    turns = range(0, minutes * 60_000, 12_000)
    text = "the harbour master says that the lower gates stay open until the crest has passed this evening"
    lanes = tuple(
        Lane(name, None, who, (), "en", "model", tuple(utterance(text, at + after, 340) for at in turns))
        for name, who, after in (("A", "Ingrid Solheim", 0), ("B", "President of the Assembly", 6000))
    )
    subject = Subject("call", str(number), "c7" * 32, minutes * 60_000, "5e" * 32)
    return Transcript(subject, "memcon 0.1.0", lanes, MACHINE)


@dataclass
class FakeBook:
    """A book of transcripts over a store in a directory; what is handed in second is not sealed yet."""

    store: TranscriptStore
    installed: bool = True
    heard: dict[int, tuple[Lane, ...]] = field(default_factory=dict)
    handed_in: list[str] = field(default_factory=list)
    damaged: set[int] = field(default_factory=set)

    def sealed(self, hashes: Sequence[str]) -> dict[str, SealedNote]:
        open_ = self.handed_in[1:2]
        return {one: SealedNote(1, 3, 5, 2_252_100) for one in hashes if one not in open_}

    def live(self, number: int) -> Sequence[Lane]:
        if number in self.damaged:
            raise FormatError("transcript", "is no JSON")
        return self.heard.get(number, ())


def make_book(root: Path, clock: Clock) -> FakeBook:
    """Call 7 has a machine's version and a person's over it; call 37 says what no page may run."""
    handed_in: list[str] = []
    store = TranscriptStore(Home(root), clock, lambda _, digest: handed_in.append(digest.hex()))
    first = store.append(solheim_keller())
    store.append(corrected(first.transcript))
    hostile = Lane("A", None, HOSTILE, (), "en", "identified", (utterance(f"{HOSTILE} said", 1000),))
    of = Subject("call", "37", "c7" * 32, 11_500, "5e" * 32)
    store.append(Transcript(of, HOSTILE, (hostile,), MACHINE, note=HOSTILE))
    return FakeBook(store, handed_in=handed_in)
