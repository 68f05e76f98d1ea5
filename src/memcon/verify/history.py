"""What is known of a log by one policy: answers that are settled, and the evidence for those that are not.

Answers that later evidence could still change make up the *tail*, judged again at each question; those
before it are settled. A slot is settled when the witnesses' last word is `MARGIN` seconds beyond its
deadline; a cosignature that turns up later than that, dated into the settled time, makes the whole
history be read again (`sync`): rare, and exact.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from memcon.record import statement as statements
from memcon.record.beat import Kind
from memcon.record.hashing import sha256
from memcon.tlog.merkle import Frontier
from memcon.verify.attest import Cosigned, Evidence, Judge, Leaf, Terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.tlog.policy import Policy
    from memcon.verify.attest import Judged
    from memcon.verify.cosigned import Places

MAX_AHEAD = 1000
"""Beats dated before their slots of which it is kept who did."""
MAX_FOUND = 200
"""Findings that are told again at the next question."""
MARGIN = 600
"""Seconds: how much later than a deadline a cosignature may turn up without a new start."""


class Stale(Exception):
    """Evidence has turned up that reaches back into the settled time."""


def _ahead(leaves: Sequence[Leaf], judged: Sequence[Judged]) -> list[tuple[int, tuple[str, ...]]]:
    return [(leaf.slot, one.ahead) for leaf, one in zip(leaves, judged, strict=True) if one.ahead]


@lru_cache(maxsize=8192)
def _read(data: bytes) -> statements.Statement:
    return statements.decode(data)


@dataclass(frozen=True, slots=True)
class Said:
    """A public statement as it is served, and the first leaf that names it."""

    index: int
    slot: int
    data: bytes

    @property
    def digest(self) -> bytes:
        return sha256(self.data)

    @property
    def statement(self) -> statements.Statement:
        return _read(self.data)


@dataclass(frozen=True, slots=True)
class Unserved:
    """A note that the log has signed and witnesses have cosigned, of more leaves than are served."""

    cosigned: Cosigned
    note: bytes


@dataclass(slots=True)
class History:
    """One log by one policy.

    `answers` has one byte a slot, from the one of genesis to that of the tail's first leaf, which is
    settled: what follows is judged from there. `starts`: (slot, index) of each leaf that does not
    follow the slot before. `covered`: ms, where an off statement is in force before the tail.
    `settled_to`: ms, the deadline of the last settled slot. `places`: how far files were read. `ahead`: the
    settled slots whose beats witnesses date before them, and which, the first of them all. `found`: what was
    found in files that are read once, (code, where, text): it stays true when they are not read again.
    """

    origin: str
    terms: Terms
    genesis: int
    tree: Frontier = field(default_factory=Frontier)
    checkpoint: bytes = b""
    instance: bytes = bytes(16)
    answers: bytearray = field(default_factory=bytearray)
    starts: list[tuple[int, int]] = field(default_factory=list)
    tail: list[Leaf] = field(default_factory=list)
    covered: int | None = None
    notes: dict[bytes, Cosigned] = field(default_factory=dict)
    seen: list[Cosigned] = field(default_factory=list)
    unserved: list[Unserved] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    settled_to: int = 0
    places: Places = field(default_factory=dict)
    ahead: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    found: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Leaves read."""
        return self.tree.size

    def copy(self) -> History:
        """One that can be changed without changing this one."""
        return replace(
            self,
            tree=self.tree.copy(),
            answers=self.answers[:],
            starts=[*self.starts],
            tail=[*self.tail],
            notes=dict(self.notes),
            seen=[*self.seen],
            unserved=[*self.unserved],
            said=[*self.said],
            places=dict(self.places),
            ahead=[*self.ahead],
            found=[*self.found],
        )

    def note(self, code: str, where: str, text: str) -> None:
        """Remember a finding, once."""
        if len(self.found) < MAX_FOUND and (code, where, text) not in self.found:
            self.found.append((code, where, text))

    def index_of(self, slot: int) -> int | None:
        """The index of a slot's leaf, None where it has none."""
        at = bisect_right(self.starts, (slot, 1 << 63)) - 1
        if at < 0:
            return None
        first, index = self.starts[at]
        end = self.starts[at + 1][1] if at + 1 < len(self.starts) else self.size
        index += slot - first
        return index if index < end else None

    def judge(self, policy: Policy, withheld: list[Cosigned] | None = None) -> Judge:
        """Judges the tail."""
        seen = [*self.seen, *(withheld or [])]
        return Judge(Evidence(self.terms, policy, self.size, self.tail, self.notes, seen, self.covered))

    def settle(self, policy: Policy) -> None:
        """Move what no evidence in time can change any more out of the tail."""
        if not self.tail:
            return
        judge = self.judge(policy)
        until = judge.silent_until() - -(-MARGIN * 1000 // self.terms.period_ms)
        keep = 0
        leaves = judge.leaves()
        for n, (leaf, judged) in enumerate(zip(self.tail, leaves, strict=True)):
            if leaf.slot >= until or (judged.quorum is None and leaf.kind is not Kind.GENESIS):
                break
            keep = n
        self.ahead = [*self.ahead, *_ahead(self.tail[:keep], leaves[:keep])][:MAX_AHEAD]
        answers = judge.slots(self.tail[keep].slot)
        settled = self.tail[keep].slot - self.tail[0].slot
        self.answers += answers[1 : settled + 1] if self.answers else answers[: settled + 1]
        self.covered = judge.covered[keep]
        self.tail = self.tail[keep:]
        if keep:
            self.settled_to = self.terms.deadline(self.tail[0].slot)
        self._forget()

    def _forget(self) -> None:
        """Drop the evidence of settled leaves, but for each witness's last word."""
        first = self.tail[0].index
        named = {leaf.note for leaf in self.tail}
        self.notes = {d: note for d, note in self.notes.items() if d in named or note.size > first}
        words: dict[str, tuple[int, int]] = {}
        for one in self.seen:
            for name, stamp in one.stamps:
                words[name] = max((stamp, one.size), words.get(name, (0, 0)))
        last = [Cosigned(size, ((name, stamp),)) for name, (stamp, size) in words.items() if size <= first]
        self.seen = [one for one in self.seen if one.size > first] + last

    def dated_ahead(self, policy: Policy) -> list[tuple[int, tuple[str, ...]]]:
        """The slots whose beats witnesses date before them, and which witnesses: of the first so many."""
        return [*self.ahead, *_ahead(self.tail, self.judge(policy).leaves())]

    def answers_at(self, policy: Policy, now: int) -> bytearray:
        """The answer of each slot from genesis to the one of `now` (POSIX seconds).

        A larger log that witnesses have seen counts as withheld when it has not been served for G.
        """
        patience = self.terms.g * self.terms.period_ms // 1000
        withheld = [
            one.cosigned
            for one in self.unserved
            if (time := policy.quorum_time(one.cosigned.stamps)) is not None and time + patience < now
        ]
        tail = self.judge(policy, withheld).slots(now * 1000 // self.terms.period_ms)
        return self.answers + tail[1:]
