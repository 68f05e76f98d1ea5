"""A claim as a chain: where its words began, how they changed, who took them back and whom that reached.

Origins are counted, not outlets: a hundred copies of one remark are one origin. A beginning that nobody
has established is *not traced*, which is not *single*.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memcon.record import edtf

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memcon.accounts.model import Appearance, Claim, Derivation, Dossier, Grade, Overtaken

FLOWS = ("quoted", "derived", "revision", "primary")
SAYS = ("asserts", "quotes", "suggests")
_STRENGTH = {"suggests": 1, "quotes": 2, "asserts": 3}
_HEDGES = re.compile(
    r"\b(?:may|might|could|perhaps|possibly|reportedly|allegedly|apparently|seem\w*|appear\w*|suggest\w*|curious|"
    r"rumou?r\w*|unconfirmed|claim\w*|якобы|возможно|вероятно|предположительно)\b",
    re.I,
)
_HARDENERS = re.compile(
    r"\b(?:all|every|never|always|illegal\w*|deliberate\w*|secret\w*|ordered|permanent|proof|proves|confirmed|entire\w*|"
    r"незаконн\w*|намеренно|всегда|никогда|доказ\w*)\b",
    re.I,
)
HARDENED, SOFTENED, SAME = "hardened", "softened", "same"


@dataclass(frozen=True, slots=True)
class Step:
    """An appearance in its chain: what it came from and led to, by number of appearance.

    `change`: hardened, softened, same against what it came from, empty at a beginning; `new_words` are
    strengthening words that its source does not have. `reached`: a withdrawal has come to it.
    """

    nth: int
    appearance: Appearance
    came_from: tuple[int, ...] = ()
    led_to: tuple[int, ...] = ()
    takes_back: tuple[int, ...] = ()
    looks_into: tuple[int, ...] = ()
    taken_back_by: tuple[int, ...] = ()
    change: str = ""
    new_words: tuple[str, ...] = ()
    reached: bool | None = None
    grades: tuple[Grade, ...] = ()
    overtaken: tuple[Overtaken, ...] = ()


@dataclass(slots=True)
class Chain:
    """A claim, its steps in order of time, and what is computed of it."""

    claim: Claim
    steps: list[Step]
    origins: list[Appearance] = field(default_factory=list)
    originators: list[str] = field(default_factory=list)
    untraced: list[Appearance] = field(default_factory=list)
    retractions: list[Appearance] = field(default_factory=list)

    @property
    def appearances(self) -> int:
        """How many places the steps stand for."""
        return sum(s.appearance.count for s in self.steps if s.appearance.stance in SAYS)

    @property
    def by_author(self) -> bool:
        """Whether whoever began it took it back."""
        names = {_folded(a.who) for a in self.retractions}
        return bool(names & {_folded(name) for name in self.originators})

    @property
    def status(self) -> str:
        """`single origin`, `n origins`, `not traced`, `nobody says it`."""
        if not any(s.appearance.stance in SAYS for s in self.steps):
            return "nobody says it"
        if self.untraced or not self.originators:
            return "not traced"
        count = len(self.originators)
        return "single origin" if count == 1 else f"{count} origins"

    @property
    def unreached(self) -> list[Step]:
        """Steps that repeat what was taken back, and are not shown to have heard of it."""
        return [s for s in self.steps if s.reached is False]

    @property
    def sentence(self) -> str:
        """The state of the claim in one sentence, true if read alone."""
        if self.status == "nobody says it":
            return "No source held here says this."
        if self.untraced:
            count = len(self.untraced)
            first = f"Not traced: {_some(count, 'beginning')} of this claim {_are(count)} not established"
        elif not self.originators:
            first = "Not traced: what comes from what runs in a circle, and nothing began it"
        elif len(self.originators) == 1:
            first = "One origin"
            if all(a.conjecture or a.stance == "suggests" for a in self.origins):
                first += ", a conjecture"
        else:
            first = f"{len(self.originators)} distinct origins"
        if self.retractions:
            who = (
                "its author" if self.by_author else ", ".join(dict.fromkeys(a.who for a in self.retractions))
            )
            first += f"; withdrawn by {who}"
            if self.unreached:
                first += f", which is not shown to have reached {_some(len(self.unreached), 'step')}"
        return first + "."


def chain_of(dossier: Dossier, claim: int) -> Chain:
    """The chain of a claim."""
    own = sorted((a for a in dossier.appearances.values() if a.claim == claim), key=lambda a: (_time(a), a.n))
    names = {a.n for a in own}
    links = [d for d in dossier.derivations if d.from_ in names and d.to in names]
    flow = [d for d in links if d.kind in FLOWS]
    chain = Chain(dossier.claims[claim], [])
    chain.retractions = [a for a in own if a.stance == "retracts"]
    told = {d.to for d in flow}
    roots = [a for a in own if a.stance in SAYS and a.n not in told]
    chain.origins = [a for a in roots if a.origin]
    chain.untraced = [a for a in roots if not a.origin]
    chain.originators = list({_folded(a.who): a.who for a in chain.origins}.values())
    reached = _reached(own, links, flow)
    by_number = {a.n: a for a in own}
    for nth, one in enumerate(own):
        chain.steps.append(_step(nth, one, links, flow, by_number, reached, dossier))
    return chain


def _step(
    nth: int,
    one: Appearance,
    links: list[Derivation],
    flow: list[Derivation],
    by_number: dict[int, Appearance],
    reached: dict[int, bool],
    dossier: Dossier,
) -> Step:
    came_from = tuple(d.from_ for d in flow if d.to == one.n)
    change, new_words = _change([by_number[n] for n in came_from], one)
    return Step(
        nth,
        one,
        came_from,
        tuple(d.to for d in flow if d.from_ == one.n),
        tuple(d.from_ for d in links if d.to == one.n and d.kind == "retracts"),
        tuple(d.from_ for d in links if d.to == one.n and d.kind == "checks"),
        tuple(d.to for d in links if d.from_ == one.n and d.kind == "retracts"),
        change,
        new_words,
        reached.get(one.n),
        tuple(g for g in dossier.grades if g.appearance == one.n),
        tuple(o for o in dossier.overtaken if o.appearance == one.n),
    )


def strength(one: Appearance) -> int:
    """How firmly an appearance says it: its stance, less where it is a conjecture or its words hedge."""
    base = _STRENGTH.get(one.stance, 0)
    return base - (1 if base and (one.conjecture or _HEDGES.search(one.words)) else 0)


def _change(before: list[Appearance], one: Appearance) -> tuple[str, tuple[str, ...]]:
    if not before or one.stance not in SAYS:
        return "", ()
    known = {w.casefold() for b in before for w in _HARDENERS.findall(b.words)}
    new = tuple(dict.fromkeys(w for w in _HARDENERS.findall(one.words) if w.casefold() not in known))
    was, now = max(strength(b) for b in before), strength(one)
    if now > was or (now == was and new):
        return HARDENED, new
    return (SOFTENED if now < was else SAME), new


def _reached(own: list[Appearance], links: list[Derivation], flow: list[Derivation]) -> dict[int, bool]:
    """For each step that says what was taken back further up: whether the withdrawal has come to it."""
    withdrawn = {d.from_ for d in links if d.kind == "retracts"}
    retractions = {a.n for a in own if a.stance == "retracts"} | {d.to for d in links if d.kind == "retracts"}
    below = _downstream(withdrawn, flow) - withdrawn - retractions
    heard = {d.to for d in links if d.from_ in retractions}
    return {a.n: a.n in heard for a in own if a.n in below and a.stance in SAYS}


def _downstream(start: Iterable[int], flow: list[Derivation]) -> set[int]:
    seen = set(start)
    waiting = list(seen)
    while waiting:
        at = waiting.pop()
        for one in flow:
            if one.from_ == at and one.to not in seen:
                seen.add(one.to)
                waiting.append(one.to)
    return seen


def _time(one: Appearance) -> int:
    return edtf.parse(one.when).sort_key if one.when else 1 << 62


def _folded(name: str) -> str:
    return " ".join(re.sub(r"\([^)]*\)", "", name).casefold().split())


def _some(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def grade_warnings(chain: Chain) -> list[str]:
    """Where a grade says *confirmed by other sources* and there is one origin: outlets confirm nothing."""
    return [
        f"Entry {g.n}: graded {g.reliability}{g.credibility}, confirmed by other sources, but the claim has "
        f"{_some(len(chain.originators), 'established origin')}"
        for step in chain.steps
        for g in step.grades
        if g.credibility == "1" and len(chain.originators) < 2
    ]
