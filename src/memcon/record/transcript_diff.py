"""What changed between two versions of a transcript, word by word.

Utterances of both versions that overlap in time are taken together, chain-wise, and compared as one
sequence of words: moving the borders of utterances is no change, and a long call costs no more than its
longest stretch without a common pause.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from memcon.record.transcript import Lane, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memcon.record.transcript import Transcript, Utterance, Word

ADDED, REMOVED, REPLACED, MARKED, SPEAKER = "added", "removed", "replaced", "marked", "speaker"


@dataclass(frozen=True, slots=True)
class Change:
    """One change in a lane, at `start` to `end` (ms): what stood there `before` and stands there `after`.

    `what`: added, removed or replaced words; marked: the same words with other marks, which are given;
    speaker: the same words by somebody else.
    """

    lane: str
    start: int
    end: int
    what: str
    before: str
    after: str


def differences(old: Transcript, new: Transcript) -> list[Change]:
    """All changes from `old` to `new`, by lane and time. Times and confidences alone are no change."""
    before = {lane.name: lane for lane in old.lanes}
    after = {lane.name: lane for lane in new.lanes}
    found: list[Change] = []
    for name in dict.fromkeys([*before, *after]):
        ours, theirs = before.get(name), after.get(name)
        if ours is not None and theirs is not None and ours.speaker != theirs.speaker:
            found.append(Change(name, 0, new.of.duration, SPEAKER, ours.speaker, theirs.speaker))
        language = (theirs or ours or Lane(name)).language
        for left, right in _together(ours, theirs):
            found += _compare(name, language, left, right)
    return found


def changed_words(changes: Sequence[Change]) -> tuple[int, int]:
    """(words taken away, words put there) over all changes of words."""
    words = [change for change in changes if change.what in (ADDED, REMOVED, REPLACED)]
    return sum(len(c.before.split()) for c in words), sum(len(c.after.split()) for c in words)


def _together(old: Lane | None, new: Lane | None) -> Iterator[tuple[list[Utterance], list[Utterance]]]:
    """Utterances of both versions, in groups that overlap in time."""
    all_ = [(u, 0) for u in (old.utterances if old else ())] + [
        (u, 1) for u in (new.utterances if new else ())
    ]
    all_.sort(key=lambda pair: (pair[0].start, pair[0].end, pair[1]))
    group: tuple[list[Utterance], list[Utterance]] = ([], [])
    until = -1
    for utterance, side in all_:
        if utterance.start > until and (group[0] or group[1]):
            yield group
            group = ([], [])
        group[side].append(utterance)
        until = max(until, utterance.end)
    if group[0] or group[1]:
        yield group


def _compare(lane: str, language: str, old: list[Utterance], new: list[Utterance]) -> Iterator[Change]:
    left, right = _words(old), _words(new)
    matcher = SequenceMatcher(None, [w.text for w, _ in left], [w.text for w, _ in right], autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        gone, come = [w for w, _ in left[i:j]], [w for w, _ in right[k:m]]
        if tag == "equal":
            yield from _same_words(lane, left[i:j], right[k:m])
            continue
        what = REPLACED if gone and come else REMOVED if gone else ADDED
        place = come or gone
        before, after = text_of(gone, language), text_of(come, language)
        yield Change(lane, place[0].start, place[-1].end, what, before, after)


def _words(utterances: list[Utterance]) -> list[tuple[Word, str]]:
    return [(word, one.speaker) for one in utterances for word in one.words]


def _same_words(lane: str, old: list[tuple[Word, str]], new: list[tuple[Word, str]]) -> Iterator[Change]:
    for (was, by), (now, whose) in zip(old, new, strict=True):
        if by != whose:
            yield Change(lane, now.start, now.end, SPEAKER, by, whose)
        if set(was.marks) != set(now.marks):
            before, after = ", ".join(was.marks), ", ".join(now.marks)
            yield Change(lane, now.start, now.end, MARKED, before, after)
