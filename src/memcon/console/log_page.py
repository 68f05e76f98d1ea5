"""The public page of one log: static, without a login, for whoever wants to know whether it was on.

Pure: it is given what was read and judged, and gives the page's text. The page believes nothing that
`memcon was-it-on` does not believe, and asks its reader to ask for himself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from memcon import __version__
from memcon.console.log_strip import Answers, key, scales
from memcon.console.render import environment
from memcon.verify.attest import WORDS, Answer, runs
from memcon.verify.heard import Heard
from memcon.verify.times import length, show
from memcon.verify.was_it_on import NOT_PROVED, Question, ask, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.tlog.policy import Policy
    from memcon.verify.findings import Report
    from memcon.verify.history import History

HOUR_MS = 3_600_000
LOOK_BACK_MS = 366 * 24 * HOUR_MS
OLD_S = 3600
"""When a page says that it is old; one that is renewed says so after ten times that."""
MOST_ROWS = 50
MOST_WORDS = 5
"""Explanations told of one stretch; the rest is counted."""
MOST_RUNS = 2000
"""Stretches that the box knows: some 100 kB of the page."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A silence certificate that holds by the policy: its hash, and what it says."""

    digest: str
    silent_at: str
    size: int
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a log at `now` (POSIX seconds); `own_policy`: not the one its operator wrote."""

    history: History
    policy: Policy
    own_policy: bool
    report: Report
    now: int
    certificates: Sequence[Certificate] = ()
    renewed: int | None = None
    """How often the page is written anew, seconds; None: when somebody does."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Slots in a row that are not attested."""

    word: str
    start: str
    end: str
    long: str
    said: str
    person: bool


def page(read: Read) -> str:
    """The page as HTML."""
    h = read.history
    known = h.answers_at(read.policy, read.now)
    end = h.genesis + len(known.rstrip(bytes([Answer.UNKNOWN])))
    log = Answers(h.terms.period_ms, h.genesis, known, end, read.now * 1000 // h.terms.period_ms)
    word = h.judge(read.policy).word(h.size)
    told, person = _lede(read, known, end)
    return (
        environment(version=__version__, office="")
        .get_template("log_page.html")
        .render(
            origin=h.origin,
            told=told,
            person=person,
            word=None if word is None else show(word * 1000),
            written=show(read.now * 1000),
            renewed=None if read.renewed is None else length(read.renewed * 1000),
            scales=scales(log),
            key=key(),
            period=length(h.terms.period_ms),
            stretches=_stretches(read, log),
            most=MOST_ROWS,
            certificates=read.certificates,
            witnesses=_witnesses(read),
            own_policy=read.own_policy,
            findings=read.report.findings,
            not_proved=NOT_PROVED,
            size=h.size,
            data=_data(read, log),
            question=f"{show((read.now - 3600) * 1000)} {show(read.now * 1000)}",
        )
    )


def _lede(read: Read, known: bytearray, end: int) -> tuple[str, bool]:
    """The last hour that anybody can say anything of, in a sentence; whether a person has to look."""
    h = read.history
    first = h.genesis + 1
    if end <= first:
        return "No quorum of witnesses has spoken yet: nobody can tell from outside whether it was on.", False
    until = h.terms.start(end)
    since = max(h.terms.start(first), until - HOUR_MS)
    reply = ask(h, read.policy, Question(since, until), read.now, read.report, answers=known)
    return sentence(reply, UTC), reply.answer > Answer.UNKNOWN


def _newest(log: Answers, most: int) -> tuple[int, list[tuple[int, int, Answer]]]:
    """The newest stretches that are not attested, and the slot from which they are all of them."""
    begun = log.genesis + 1  # of the slot of genesis itself nothing is claimed
    answers = log.answers[1 : max(1, log.end - log.genesis)]
    span = 1 << 14
    while True:
        start = max(0, len(answers) - span)
        found = list(runs(answers[start:], begun + start))
        if len(found) > most:
            return found[-most][0], found[-most:]
        if not start:
            return begun, found
        span *= 8


def _data(read: Read, log: Answers) -> dict[str, object]:
    """What the page's own box answers from: FIRST, LAST, answer, what was said, of each stretch."""
    since, found = _newest(log, MOST_RUNS)
    heard = Heard(read.history.said)
    return {
        "origin": read.history.origin,
        "period": log.period_ms,
        "since": since,
        "end": log.end,
        "written": read.now * 1000,
        "old": 1000 * (OLD_S if read.renewed is None else 10 * read.renewed),
        "words": [WORDS[answer] for answer in Answer],
        "unknown": int(Answer.UNKNOWN),
        "runs": [
            [first, last, int(answer), _said(heard, first, last, answer)] for first, last, answer in found
        ],
    }


def _stretches(read: Read, log: Answers) -> list[Stretch]:
    """Those of the last year that are not attested, the newest first."""
    h, heard = read.history, Heard(read.history.said)
    since = log.end - LOOK_BACK_MS // log.period_ms
    return [
        Stretch(
            WORDS[answer].capitalize(),
            show(h.terms.start(start)),
            show(h.terms.start(last + 1)),
            length((last - start + 1) * log.period_ms),
            _said(heard, start, last, answer),
            answer > Answer.UNKNOWN,
        )
        for start, last, answer in reversed(_newest(log, MOST_ROWS)[1])
        if last >= since
    ]


def _said(heard: Heard, first: int, last: int, answer: Answer) -> str:
    """Who declared it, or explained it afterwards: somebody's word."""
    explained = heard.explanations(first, last)
    words = [f"said afterwards by {read.by}: {read.reason}" for read in explained[:MOST_WORDS]]
    if len(explained) > MOST_WORDS:
        words.append(f"and {len(explained) - MOST_WORDS:,} explanations more")
    if answer in (Answer.DECLARED_OFF, Answer.PARTLY_OFF):
        off = heard.off(first, last, whole=answer is Answer.DECLARED_OFF)
        if off is not None:
            words.insert(0, f"by {off.by}: {off.reason or 'no reason given'}")
    return "; ".join(words)


def _witnesses(read: Read) -> list[tuple[str, str, int]]:
    """Each witness of the policy, when it last cosigned this log, and how many leaves."""
    latest: dict[str, tuple[int, int]] = {}
    for one in (*read.history.seen, *(unserved.cosigned for unserved in read.history.unserved)):
        for name, stamp in one.stamps:
            latest[name] = max((stamp, one.size), latest.get(name, (0, 0)))
    rows = []
    for witness in read.policy.witnesses:
        stamp, size = latest.get(witness.name, (0, 0))
        rows.append((witness.name, show(stamp * 1000) if stamp else "never", size))
    return rows
