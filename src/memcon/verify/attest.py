"""When is a slot attested? One rule, for the command line, the pages and the stand-alone verifier.

Pure: it judges what has been read and checked already. That the leaves are those of the log, that the
cosignatures hold and that the checkpoints are of this very log is settled by whoever fills `Evidence`.

    attested      its leaf is in the log, the note it names is quorum-cosigned and no older than B
                  before the slot's start, and a quorum saw it between the slot's start and end + G
    degraded, partly off, declared off    attested, and the leaf says so
    declared off  also: covered by an off statement, from the first slot that starts after the
                  statement's own quorum time until the next leaf that is not in state 4
    early         a cosignature dates it before its slot, or nothing shows that it was made after
                  start - B: it names no note, one without a quorum, or one that is too old
    late          its quorum was reached after end + G, or cannot be reached in time any more
    withheld      a quorum has cosigned a larger log than the one that is served
    silent        no leaf, and witnesses without whom there is no quorum saw, after end + G, a log
                  that is a part of this one
    unknown       no evidence either way: before the log, after its witnesses' last word

Cosignatures are dated in whole seconds, cut: a stamp T is of some time in [T, T + 1). A doubt of
less than that second is decided for the recorder.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from memcon.errors import FormatError
from memcon.record.beat import Kind, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from memcon.record.statement import Genesis
    from memcon.tlog.policy import Policy, Stamp


class Answer(IntEnum):
    """A slot's answer; of several slots the greatest, which is the worst, stands for all."""

    ATTESTED = 0
    DEGRADED = 1
    PARTLY_OFF = 2
    DECLARED_OFF = 3
    UNKNOWN = 4
    EARLY = 5
    LATE = 6
    WITHHELD = 7
    SILENT = 8


WORDS = {
    Answer.ATTESTED: "attested recording",
    Answer.DEGRADED: "degraded",
    Answer.PARTLY_OFF: "partly off",
    Answer.DECLARED_OFF: "declared off",
    Answer.UNKNOWN: "unknown",
    Answer.EARLY: "early",
    Answer.LATE: "late",
    Answer.WITHHELD: "withheld",
    Answer.SILENT: "silent",
}
_IN_TIME = {
    State.RECORDING: Answer.ATTESTED,
    State.DEGRADED: Answer.DEGRADED,
    State.PARTLY_OFF: Answer.PARTLY_OFF,
    State.OFF: Answer.DECLARED_OFF,
}


@dataclass(frozen=True, slots=True)
class Demand:
    """The loosest terms a checker accepts: the period in ms, B and G in periods."""

    period_ms: int = 60_000
    b: int = 6
    g: int = 3


@dataclass(frozen=True, slots=True)
class Terms:
    """What a log has bound itself to at its genesis: the period in ms, B and G in periods."""

    period_ms: int
    b: int
    g: int

    @classmethod
    def of(cls, genesis: Genesis, demand: Demand | None = None) -> Terms:
        """The terms of a log; raises FormatError where they are looser than the checker accepts."""
        demand = demand or Demand()
        for name, has, most in (
            ("period_ms", genesis.period_ms, demand.period_ms),
            ("b", genesis.b, demand.b),
            ("g", genesis.g, demand.g),
        ):
            if has > most:
                text = f"the log's terms allow {has}, you accept {most} at most"
                raise FormatError("genesis statement", text, where=name)
        return cls(genesis.period_ms, genesis.b, genesis.g)

    def start(self, slot: int) -> int:
        """When a slot starts, ms."""
        return slot * self.period_ms

    def deadline(self, slot: int) -> int:
        """End + G of a slot, ms."""
        return (slot + 1 + self.g) * self.period_ms

    def fresh_from(self, slot: int) -> int:
        """Start - B of a slot, ms."""
        return (slot - self.b) * self.period_ms


@dataclass(frozen=True, slots=True)
class Leaf:
    """What the rule needs to know of a leaf.

    `begins`: no earlier leaf is of its instance, and the slot before has a leaf of another one.
    `note`: the hash of the note it names, b"" where it names none. `off`: it names a statement that
    the whole recorder is off.
    """

    index: int
    slot: int
    kind: Kind
    state: State
    begins: bool = False
    note: bytes = b""
    off: bool = False


class Cosigned(NamedTuple):
    """A checkpoint of this log that witnesses of the policy have cosigned, and when."""

    size: int
    stamps: tuple[Stamp, ...]


@dataclass(slots=True)
class Evidence:
    """Everything that was read of one log.

    `leaves`: consecutive, up to the last one served; the slots after the first of them can be judged.
    `size`: leaves served. `notes`: the notes that leaves name, by hash. `seen`: every cosigned
    checkpoint, those notes, silence certificates and checkpoints of a larger size included; the larger ones
    show that something is withheld, and nothing of the leaves that are served.
    `covered_from`: ms, where an off statement is in force before the first of the leaves.
    """

    terms: Terms
    policy: Policy
    size: int
    leaves: Sequence[Leaf]
    notes: Mapping[bytes, Cosigned] = field(default_factory=dict)
    seen: Sequence[Cosigned] = ()
    covered_from: int | None = None


class Judged(NamedTuple):
    """A leaf's answer, and what it rests on: POSIX seconds, None where there is no such time.

    `ahead`: the witnesses that date it before its slot.
    """

    answer: Answer
    first_seen: int | None
    quorum: int | None
    note_age: int | None
    ahead: tuple[str, ...] = ()


def last_word(policy: Policy, seen: Iterable[Cosigned]) -> int | None:
    """The latest T such that witnesses without whom there is no quorum have all spoken at T or later."""
    latest: dict[str, int] = {}
    for one in seen:
        for name, stamp in one.stamps:
            if stamp:
                latest[name] = max(stamp, latest.get(name, stamp))
    spoken: list[str] = []
    for name, stamp in sorted(latest.items(), key=lambda item: -item[1]):
        spoken.append(name)
        if policy.blocking(spoken):
            return stamp
    return None


class Judge:
    """Judges the slots of one log by one policy."""

    def __init__(self, evidence: Evidence) -> None:
        self._e = evidence
        self._seen = sorted(evidence.seen, key=lambda one: one.size)
        self._sizes = [one.size for one in self._seen]
        self._words: dict[int, int | None] = {}
        self.covered: list[int | None] = []
        """After `slots`: before each leaf, since when (ms) an off statement is in force."""

    def word(self, size: int) -> int | None:
        """The witnesses' last word, among checkpoints of at most this size."""
        known = bisect_right(self._sizes, size)
        if known not in self._words:
            self._words[known] = last_word(self._e.policy, self._seen[:known])
        return self._words[known]

    def silent_until(self) -> int:
        """The first slot that could still get a leaf in time, as far as the witnesses have spoken."""
        word, terms = self.word(self._e.size), self._e.terms
        return 0 if word is None else -(-word * 1000 // terms.period_ms) - terms.g - 1

    def leaves(self) -> list[Judged]:
        """Each leaf by the ordinary rule, in their order, off statements set aside."""
        found = []
        rest = bisect_right(self._sizes, self._e.size)  # a larger one is not shown to hold these leaves
        earliest: dict[str, int] = {}
        first: int | None = None
        quorum: int | None = None
        for leaf in reversed(self._e.leaves):
            before = rest
            while rest and self._sizes[rest - 1] > leaf.index:
                rest -= 1
                for name, stamp in self._seen[rest].stamps:
                    if stamp:
                        earliest[name] = min(stamp, earliest.get(name, stamp))
            if rest != before and earliest:
                first, quorum = min(earliest.values()), self._e.policy.quorum_time(earliest.items())
            judged = self._leaf(leaf, first, quorum)
            if first is not None and judged.answer is Answer.EARLY:
                judged = judged._replace(ahead=self._ahead(leaf, earliest))
            found.append(judged)
        found.reverse()
        return found

    def _ahead(self, leaf: Leaf, earliest: Mapping[str, int]) -> tuple[str, ...]:
        start = self._e.terms.start(leaf.slot)
        return tuple(sorted(name for name, stamp in earliest.items() if (stamp + 1) * 1000 <= start))

    def _leaf(self, leaf: Leaf, first: int | None, quorum: int | None) -> Judged:
        terms, age = self._e.terms, None
        if leaf.kind is Kind.GENESIS:
            return Judged(Answer.UNKNOWN, first, quorum, None)
        answer = Answer.UNKNOWN
        deadline = terms.deadline(leaf.slot)
        if quorum is None:
            word = self.word(leaf.index)
            if word is not None and word * 1000 > deadline:
                answer = Answer.LATE
        else:
            age = self._age(leaf)
            if quorum * 1000 > deadline:
                answer = Answer.LATE
            elif age is None or age * 1000 + 999 < terms.fresh_from(leaf.slot):
                answer = Answer.EARLY
            else:
                answer = Answer.DEGRADED if leaf.begins else Answer.ATTESTED
                answer = max(answer, _IN_TIME[leaf.state])
        if first is not None and (first + 1) * 1000 <= terms.start(leaf.slot):
            answer = max(answer, Answer.EARLY)
        return Judged(answer, first, quorum, age)

    def _age(self, leaf: Leaf) -> int | None:
        """The age of the note that the leaf names; None where it has no quorum or is not there."""
        note = self._e.notes.get(leaf.note)
        if note is None or self._e.policy.quorum_time(note.stamps) is None:
            return None
        return self._e.policy.age_time(note.stamps)

    def slots(self, last: int) -> bytearray:
        """The answers from the first leaf's slot to the slot `last`, one byte (`Answer`) a slot.

        `last` may lie beyond the last leaf, up to the present: the rule knows no time of day.
        """
        leaves = self._e.leaves
        base = leaves[0].slot
        last = max(last, leaves[-1].slot)
        answers = bytearray([Answer.UNKNOWN]) * (last - base + 1)
        self._fill(answers, leaves[-1].slot + 1 - base, self._withheld_until() - base, Answer.WITHHELD)
        self._fill(answers, 1, self.silent_until() - base, Answer.SILENT)
        covered, at = self._e.covered_from, base
        for leaf, judged in zip(leaves, self.leaves(), strict=True):
            self._cover(answers, at - base, leaf.slot - base, covered)
            self.covered.append(covered)
            started = self._e.terms.start(leaf.slot)
            if leaf.state is not State.OFF:
                covered = None
            off = covered is not None and started > covered
            answers[leaf.slot - base] = Answer.DECLARED_OFF if off else judged.answer
            if leaf.off and covered is None and judged.quorum is not None:
                covered = judged.quorum * 1000
            at = leaf.slot + 1
        self._cover(answers, at - base, len(answers), covered)
        return answers

    def _withheld_until(self) -> int:
        """The slot after those that a cosigned and unserved checkpoint can hold; 0 where there is none."""
        policy, period = self._e.policy, self._e.terms.period_ms
        unserved = self._seen[bisect_right(self._sizes, self._e.size) :]
        times = [t for one in unserved if (t := policy.quorum_time(one.stamps)) is not None]
        return max(times) * 1000 // period + 1 if times else 0

    @staticmethod
    def _fill(answers: bytearray, start: int, end: int, answer: Answer) -> None:
        end = min(end, len(answers))
        if start < end:
            answers[start:end] = bytes([answer]) * (end - start)

    def _cover(self, answers: bytearray, start: int, end: int, covered: int | None) -> None:
        """The slots without a leaf from offset `start` to `end`; a statement is in force since `covered`."""
        if covered is not None:
            first = covered // self._e.terms.period_ms + 1 - self._e.leaves[0].slot
            self._fill(answers, max(start, first), end, Answer.DECLARED_OFF)


def judge(evidence: Evidence, last: int) -> bytearray:
    """The answer of each slot from that of the first leaf to `last`."""
    return Judge(evidence).slots(last)


# ---------------------------------------------------------------------- ranges


def worst(answers: bytes | bytearray) -> Answer:
    """The answer for a stretch: the worst in it. There must be a slot."""
    return Answer(max(answers))


def counts(answers: bytes | bytearray) -> dict[Answer, int]:
    """How many slots have each answer, those that occur, best first."""
    return {answer: n for answer in Answer if (n := answers.count(answer))}


_RUN = re.compile(rb"([^\x00])\1*", re.DOTALL)


def runs(answers: bytes | bytearray, first: int) -> Iterator[tuple[int, int, Answer]]:
    """Each run of slots not attested: (first slot, last slot, answer). `first` is the slot of answers[0]."""
    for found in _RUN.finditer(answers):
        yield first + found.start(), first + found.end() - 1, Answer(found[0][0])
