"""Corrections of a transcript: what a person typed, as words with times.

Pure. An utterance is typed as one line of words; marks are words too, the same that a reader sees:

    So we [crosstalk: stop the ferry] at [uncertain: Tarnbeck] [inaudible]

A word that a person leaves alone keeps its times and its confidence. One that is put in another's place keeps
the other's times. Where the number of words changes, the times in between are shared out by their letters,
and where a word is added they lie between its neighbours: no model is asked again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from memcon.errors import FormatError, UsageError
from memcon.record.transcript import MARKS, Lane, Transcript, Utterance, Word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ADDED_MS = 300
"""How long a word is taken to last that is put at an end, where nothing bounds it."""
_NAMED = "|".join(MARKS)
_OPENS = re.compile(rf"\[((?:{_NAMED})(?:,(?:{_NAMED}))*):\Z")
_ALONE = re.compile(rf"\[((?:{_NAMED})(?:,(?:{_NAMED}))*)\]\Z")
_LIKE_MARK = re.compile(rf"\[(?:{_NAMED})|\\")
_INSIDE = re.compile(r"[\\\[\]]")
_OPENING = re.compile(rf"(?<!\S)\[(?:{_NAMED})(?:,\s+(?:{_NAMED}))+(?=[:\]])")


@dataclass(frozen=True, slots=True)
class Typed:
    """One word as typed, with its marks; without text where it is inaudible."""

    text: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """What stands now where one utterance stood: several where it was split, none where it was removed."""

    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one utterance: the one of `lane` that begins at `start` and was typed as `before`, or a new
    one there, where `before` is None."""

    lane: str
    start: int
    before: str | None
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Corrections:
    """All that a person changed: utterances, and who speaks on which lane."""

    edits: tuple[Edit, ...] = ()
    speakers: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


def typed(words: Sequence[Word]) -> str:
    """Words as a person finds them to change."""
    parts: list[str] = []
    for marks, run in _runs(words):
        if not marks:
            parts += [f"\\{w.text}" if _LIKE_MARK.match(w.text) else w.text for w in run]
        elif not run[0].text:
            parts.append(f"[{', '.join(marks)}]")
        else:
            inner = " ".join(_INSIDE.sub(r"\\\g<0>", w.text) for w in run)
            parts.append(f"[{', '.join(marks)}: {inner}]")
    return " ".join(parts)


def _runs(words: Sequence[Word]) -> Iterator[tuple[tuple[str, ...], list[Word]]]:
    """Words in runs of the same marks; one without text stands alone."""
    run: list[Word] = []
    for word in words:
        if run and (run[0].marks != word.marks or not word.text or not run[0].text):
            yield run[0].marks, run
            run = []
        run.append(word)
    if run:
        yield run[0].marks, run


def read(text: str) -> list[Typed]:
    """The words of a line that a person typed. FormatError where a bracket is not closed."""
    found: list[Typed] = []
    marks: tuple[str, ...] = ()
    tokens = _OPENING.sub(lambda found: "".join(found[0].split()), text).split()
    for token in tokens:
        if marks:
            inner, closed = _inside(token)
            if inner:
                found.append(Typed(inner, marks))
            marks = () if closed else marks
        elif opens := _OPENS.match(token):
            marks = tuple(opens[1].split(","))
        elif alone := _ALONE.match(token):
            if "inaudible" not in alone[1].split(","):
                raise FormatError("words", f"{token} marks no word", cure=f"Write [{alone[1]}: the words]")
            found.append(Typed("", tuple(alone[1].split(","))))
        else:
            found.append(Typed(token[1:] if token.startswith("\\") and len(token) > 1 else token))
    if marks:
        raise FormatError("words", f"[{', '.join(marks)}: is not closed", cure="Write ] after its last word")
    return found


def _inside(token: str) -> tuple[str, bool]:
    """A token inside brackets: its text, and whether the bracket closes after it."""
    text: list[str] = []
    letters = iter(token)
    for letter in letters:
        if letter == "\\":
            text.append(next(letters, "\\"))
        elif letter == "]":
            return "".join(text) + "".join(letters), True
        else:
            text.append(letter)
    return "".join(text), False


def timed(old: Sequence[Word], new: Sequence[Typed], start: int, end: int, limit: int) -> list[Word]:
    """The new words with times between `start` and `end` ms, or `limit` where words were added at the end."""
    out: list[Word] = []
    matcher = SequenceMatcher(None, [w.text for w in old], [w.text for w in new], autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        come = new[k:m]
        if tag == "equal":
            out += [replace(word, marks=one.marks) for word, one in zip(old[i:j], come, strict=True)]
        elif j - i == m - k:
            out += [
                Word(one.text, word.start, word.end, None, one.marks)
                for word, one in zip(old[i:j], come, strict=True)
            ]
        elif come:
            out += _shared(come, *_room(old, i, j, len(come), start, end, limit))
    return out


def _room(
    old: Sequence[Word], i: int, j: int, count: int, start: int, end: int, limit: int
) -> tuple[int, int]:
    """From when to when words may lie that stand where `old[i:j]` stood; i == j: between two words."""
    after = old[j].start if j < len(old) else None
    if i < j:
        low, high = old[i].start, max(word.end for word in old[i:j])
        return low, high if after is None else max(low, min(high, after))
    low = old[i - 1].end if i else start
    if after is None:
        return low, max(low, end, min(limit, low + ADDED_MS * count))
    return min(low, after), after


def _shared(words: Sequence[Typed], low: int, high: int) -> list[Word]:
    """Times shared out by letters."""
    weights = [len(one.text) + 1 for one in words]
    whole, done, out = sum(weights), 0, []
    for one, weight in zip(words, weights, strict=True):
        first = low + (high - low) * done // whole
        done += weight
        out.append(Word(one.text, first, low + (high - low) * done // whole, None, one.marks))
    return out


def corrected(it: Transcript, changes: Corrections, by: str) -> Transcript:
    """The draft of the next version. UsageError where it changes nothing or an utterance is not there,
    FormatError where the words cannot be read."""
    names = {lane.name for lane in it.lanes}
    for name in [*changes.speakers, *(edit.lane for edit in changes.edits)]:
        if name not in names:
            raise UsageError(f"there is no lane {name[:20]}")
    lanes = tuple(_lane(lane, changes, it.of.duration) for lane in it.lanes)
    if lanes == it.lanes:
        raise UsageError("Nothing was changed", cure="Change a word, a mark or a speaker first")
    return replace(it, by=by, machine=None, corrects=it.version, note=changes.note, lanes=lanes)


def again(it: Transcript, by: str) -> Transcript:
    """The draft of a next version that says what an earlier one said."""
    note = f"Version {it.version} made current again"
    return replace(it, by=by, machine=None, corrects=it.version, note=note)


def _lane(lane: Lane, changes: Corrections, duration: int) -> Lane:
    speaker = changes.speakers.get(lane.name, lane.speaker).strip()
    edits = [edit for edit in changes.edits if edit.lane == lane.name]
    said = list(lane.utterances)
    for edit in edits:
        if edit.before is None:
            said += _new(edit, speaker, duration)
            continue
        place = next((n for n, one in enumerate(said) if _is_that(one, edit)), None)
        if place is None:
            raise UsageError(
                f"there is no utterance of lane {lane.name} at {edit.start / 1000:.1f} s with these words"
            )
        later = [one.start for one in said if one.start > said[place].start]
        said[place : place + 1] = _changed(said[place], edit, speaker, min(later, default=duration))
    said.sort(key=lambda one: one.start)
    return replace(lane, speaker=speaker, utterances=tuple(said))


def _is_that(one: Utterance, edit: Edit) -> bool:
    return one.start == edit.start and typed(one.words) == edit.before


def _changed(one: Utterance, edit: Edit, speaker: str, limit: int) -> list[Utterance]:
    """An utterance after its change: the words of all parts are laid out together, then cut apart."""
    parts = [(part, read(part.text)) for part in edit.parts]
    parts = [(part, words) for part, words in parts if words]
    words = timed(one.words, [w for _, some in parts for w in some], one.start, one.end, max(limit, one.end))
    same = len(parts) == 1 and [w.text for w in words] == [w.text for w in one.words]
    out: list[Utterance] = []
    for n, (part, some) in enumerate(parts):
        mine, words = words[: len(some)], words[len(some) :]
        last = max(word.end for word in mine)
        start = mine[0].start if n else one.start
        end = last if n < len(parts) - 1 else max(last, one.end)
        out.append(
            replace(
                one,
                start=start,
                end=end,
                words=tuple(mine),
                speaker=_other(part.speaker, speaker),
                translations=one.translations if same else (),
            )
        )
    return out


def _new(edit: Edit, speaker: str, duration: int) -> list[Utterance]:
    """Utterances where none was: their words last as long as words do."""
    out: list[Utterance] = []
    start = min(edit.start, duration)
    for part in edit.parts:
        words = read(part.text)
        if words:
            end = min(duration, start + ADDED_MS * len(words))
            said = tuple(_shared(words, start, end))
            out.append(Utterance(start, end, said, _other(part.speaker, speaker)))
            start = end
    return out


def _other(name: str, speaker: str) -> str:
    """A speaker as an utterance names them: only where it is not the lane's."""
    name = name.strip()
    return "" if name == speaker else name
