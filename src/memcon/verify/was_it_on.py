"""Was it on? A question about a stretch of time, and the answer with its evidence and its limits.

The answer is the worst of the slots that the stretch touches. Beside it stand how many slots have
which answer, the stretches that are not attested, who declared what, and what none of this proves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memcon import __version__
from memcon.record.statement import Explanation, Genesis, Off, On
from memcon.verify.attest import WORDS, Answer, counts, runs
from memcon.verify.findings import EXIT_FINDINGS, NOTE
from memcon.verify.heard import Heard
from memcon.verify.times import length, show
from memcon.verify.words import count, plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from memcon.tlog.policy import Policy
    from memcon.verify.findings import Report
    from memcon.verify.history import History, Said

EXIT = {
    Answer.ATTESTED: 0,
    Answer.DEGRADED: 10,
    Answer.PARTLY_OFF: 11,
    Answer.DECLARED_OFF: 12,
    Answer.UNKNOWN: 13,
    Answer.EARLY: 14,
    Answer.LATE: 15,
    Answer.WITHHELD: 16,
    Answer.SILENT: 17,
}
"""Exit codes; 1: the log contradicts itself, 2: no answer could be given."""
MEANS = {
    Answer.ATTESTED: "a fresh beat says that it was recording, and a quorum saw it in time",
    Answer.DEGRADED: "a fresh beat, seen in time, says that the recorder did not run for the whole slot, "
    "or was hampered",
    Answer.PARTLY_OFF: "a fresh beat, seen in time, says that some lines were off",
    Answer.DECLARED_OFF: "it was switched off on the record before, or a beat seen in time says so",
    Answer.UNKNOWN: "no evidence either way: before the log began, or after its witnesses' last word",
    Answer.EARLY: "the beat is dated before its slot, or nothing shows that it was not made ahead of time",
    Answer.LATE: "no quorum saw the beat in time: back-filled, or its witnesses were not reached",
    Answer.WITHHELD: "witnesses have seen more of the log than is served",
    Answer.SILENT: "there is no beat, and witnesses saw the log without one after it was due",
}
NOT_PROVED = (
    "That a line, a microphone or a caller was heard: a beat shows a live holder of the log's key, "
    "nothing more; recordings, canary calls and outside counts show the rest",
    "That every call reached the recorder",
    "Anything against witnesses who lie together, a quorum of them",
)
MAX_RUNS = 1000
"""Runs told; the rest is counted."""
MAX_SAID = 200
"""Statements told; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Run:
    """Slots in a row with one answer."""

    first: int
    last: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class Question:
    """A stretch of time, ms: `until` is not part of it."""

    since: int
    until: int


@dataclass(slots=True)
class Reply:
    """The answer. `first` and `last`: the slots that the stretch touches."""

    history: History
    policy: Policy
    report: Report
    question: Question
    now: int
    own_policy: bool
    first: int
    last: int
    tally: dict[Answer, int]
    runs: list[Run]
    more_runs: int
    heard: Heard
    said: list[Said] = field(default_factory=list)
    more_said: int = 0

    @property
    def answer(self) -> Answer:
        return max(self.tally)

    @property
    def slots(self) -> int:
        return self.last - self.first + 1

    @property
    def contradicted(self) -> bool:
        """Whether the log or its copy contradicts itself."""
        return any(one.severity not in (NOTE, "warning") for one in self.report.findings)

    @property
    def exit_code(self) -> int:
        return EXIT_FINDINGS if self.contradicted else EXIT[self.answer]

    def start(self, slot: int) -> int:
        return self.history.terms.start(slot)

    def statements(self, *kinds: type) -> Iterator[tuple[Said, Any]]:
        """The statements of these kinds that bear on the stretch."""
        for said in self.said:
            read = said.statement
            if isinstance(read, kinds):
                yield said, read


def ask(
    history: History,
    policy: Policy,
    question: Question,
    now: int,
    report: Report,
    *,
    own_policy: bool = True,
    answers: bytes | bytearray | None = None,
) -> Reply:
    """Answer a question at `now` (POSIX seconds). `answers`: those of `History.answers_at`, where known.

    Slots before genesis, and after the present and the last leaf, have no evidence either way.
    """
    period = history.terms.period_ms
    first = question.since // period
    last = max(first, -(-question.until // period) - 1)
    known = history.answers_at(policy, now) if answers is None else answers
    end = min(last, history.genesis + len(known) - 1)
    inside = known[max(0, first - history.genesis) : max(0, end - history.genesis + 1)]
    begin = max(first, history.genesis)
    tally = counts(inside)
    outside = last - first + 1 - len(inside)
    if outside:
        tally[Answer.UNKNOWN] = tally.get(Answer.UNKNOWN, 0) + outside
    found: list[Run] = []
    if first < history.genesis:
        found.append(Run(first, min(last, history.genesis - 1), Answer.UNKNOWN))
    rest = 0
    for run in runs(inside, begin):
        if len(found) < MAX_RUNS:
            found.append(Run(*run))
        else:
            rest += 1
    if last > max(end, history.genesis - 1):
        found.append(Run(max(end + 1, first, history.genesis), last, Answer.UNKNOWN))
    heard = Heard(history.said)
    bearing = [said for said in history.said if _bears(said, first, last, heard)]
    return Reply(
        history, policy, report, question, now, own_policy, first, last, tally, _joined(found), rest,
        heard, bearing[:MAX_SAID], len(bearing[MAX_SAID:]),
    )  # fmt: skip


def _joined(found: list[Run]) -> list[Run]:
    """Neighbours of one answer as one run: what lies outside the log may go on what is unknown inside."""
    joined: list[Run] = []
    for run in found:
        if joined and joined[-1].answer is run.answer and joined[-1].last + 1 == run.first:
            joined[-1] = Run(joined[-1].first, run.last, run.answer)
        else:
            joined.append(run)
    return joined


def _bears(said: Said, first: int, last: int, heard: Heard) -> bool:
    """Whether a statement has to do with the stretch: named in it, about it, or in force when it began."""
    read = said.statement
    if isinstance(read, Genesis):
        return False
    if isinstance(read, Explanation):
        return read.first <= last and first <= read.last
    return heard.last_switch_before(first) <= said.slot <= last


# ---------------------------------------------------------------------- in words


def sentence(reply: Reply, where: tzinfo) -> str:
    """The answer in one sentence that is true if read alone."""
    origin, answer = reply.history.origin, reply.answer
    stretch = f"from {show(reply.start(reply.first), where)} to {show(reply.start(reply.last + 1), where)}"
    slots = count(reply.slots, "slot")
    if answer is Answer.ATTESTED:
        return f"Yes: {origin} was attested recording in every one of {slots} {stretch}."
    bad = [run for run in reply.runs if run.answer is answer]
    total = length(reply.tally[answer] * reply.history.terms.period_ms)
    run = bad[0] if bad else Run(reply.first, reply.last, answer)
    between = f"from {show(reply.start(run.first), where)} to {show(reply.start(run.last + 1), where)}"
    places = (
        between if len(bad) <= 1 and not reply.more_runs else f"in {len(bad):,} stretches, first {between}"
    )
    text = f"{WORDS[answer].capitalize()} for {total}, {places}{_by(reply, run)}"
    attested = reply.tally.get(Answer.ATTESTED, 0)
    if reply.slots == reply.tally[answer]:
        return f"{_yes_no(answer)}{text}."
    return f"{_yes_no(answer)}{text}; {attested:,} of {slots} were attested recording."


def _yes_no(answer: Answer) -> str:
    if answer in (Answer.DEGRADED, Answer.PARTLY_OFF):
        return "In part: "
    return "Nobody can tell from this: " if answer is Answer.UNKNOWN else "No: "


def _by(reply: Reply, run: Run) -> str:
    """By whom and why, of a stretch that was declared off."""
    if run.answer not in (Answer.DECLARED_OFF, Answer.PARTLY_OFF):
        return ""
    off = reply.heard.off(run.first, run.last, whole=run.answer is Answer.DECLARED_OFF)
    if off is None:
        return ", without a statement by anybody"
    return f", by {off.by}: {off.reason or 'no reason given'}{_lines(off.lines)}"


def _lines(lines: tuple[str, ...]) -> str:
    return f" ({count(len(lines), 'line')}: {', '.join(lines)})" if lines else ""


def evidence(reply: Reply, where: tzinfo) -> list[str]:
    """What the answer rests on."""
    h = reply.history
    word = h.judge(reply.policy).word(h.size)
    whose = "your policy" if reply.own_policy else "the log's own policy, which its operator wrote"
    lines = [f"{WORDS[a]}: {n:,} of {count(reply.slots, 'slot')}; {MEANS[a]}" for a, n in reply.tally.items()]
    lines.append(
        f"The checkpoint of {count(h.size, 'leaf', 'leaves')} is signed by a key of {whose}; "
        "every leaf was read and leads to its root"
    )
    lines.append(
        "Its witnesses have not spoken"
        if word is None
        else f"Its witnesses' last word is of {show(word * 1000, where)}"
    )
    lines.append(
        f"The log promised at its beginning, {show(h.terms.start(h.genesis), where)}: one beat every "
        f"{length(h.terms.period_ms)}, each on a note no older than {h.terms.b} periods, "
        f"seen within {count(h.terms.g, 'period')}"
    )
    lines += _ahead(reply, where)
    for said, read in reply.statements(Off, On):
        lines.append(
            f"Switched {read.KIND} from {show(h.terms.start(read.slot), where)} by {read.by} ({read.how}): "
            f"{read.reason or 'no reason given'}{_lines(read.lines)} [leaf {said.index}, "
            f"statement {said.digest.hex()}]"
        )
    for said, read in reply.statements(Explanation):
        lines.append(
            f"Said afterwards by {read.by} ({read.how}), their word, which changes no answer: {read.reason} "
            f"[of {show(h.terms.start(read.first), where)} to {show(h.terms.start(read.last + 1), where)}, "
            f"leaf {said.index}]"
        )
    if reply.more_said:
        lines.append(f"And {count(reply.more_said, 'statement')} more: ask about a shorter stretch")
    return lines


def _ahead(reply: Reply, where: tzinfo) -> Iterator[str]:
    """Who dated beats before their slots: one witness is enough for *early*, and may be mistaken."""
    by: dict[tuple[str, ...], list[int]] = {}
    for slot, names in reply.history.dated_ahead(reply.policy):
        if reply.first <= slot <= reply.last:
            by.setdefault(names, []).append(slot)
    for names, slots in by.items():
        whose = "its word is" if len(names) == 1 else "their words are"
        yield (
            f"Dated before their slots by {', '.join(names)}: {count(len(slots), 'beat')}, the first of the "
            f"slot from {show(reply.start(slots[0]), where)}; {whose} why they are early"
        )


def not_proved(reply: Reply) -> list[str]:
    """What the answer leaves open."""
    lines = list(NOT_PROVED)
    if not reply.own_policy:
        lines.insert(0, "That these witnesses are independent: the operator named them, not you (--policy)")
    return lines


def to_text(reply: Reply, where: tzinfo) -> str:
    """One sentence, the evidence, what it does not prove."""
    lines = [sentence(reply, where)]
    listed = [run for run in reply.runs if run.answer is not Answer.ATTESTED]
    if len(listed) > 1:
        lines += ["", "Not attested"]
        lines += [
            f"  - {WORDS[run.answer]}: {show(reply.start(run.first), where)} to "
            f"{show(reply.start(run.last + 1), where)}, {count(run.last - run.first + 1, 'slot')}"
            f"{_by(reply, run)}"
            for run in listed
        ]
        if reply.more_runs:
            lines.append(f"  - and {reply.more_runs:,} stretches more")
    lines += ["", "Evidence", *(f"  - {line}" for line in evidence(reply, where))]
    if reply.report.findings:
        lines += [
            "",
            "Found",
            *(f"  - {f.severity} [{f.code}] {f.where}: {f.text}" for f in reply.report.findings),
        ]
    lines += ["", "What this does not prove", *(f"  - {line}" for line in not_proved(reply))]
    return "\n".join(map(plain, lines)) + "\n"


def to_json(reply: Reply, where: tzinfo) -> dict[str, Any]:
    """The reply as docs/VERIFYING.md describes it; times are ISO 8601."""
    h = reply.history
    word = h.judge(reply.policy).word(h.size)
    return {
        "memcon_was_it_on": 1,
        "version": __version__,
        "log": reply.report.target,
        "origin": h.origin,
        "from": show(reply.start(reply.first), where),
        "to": show(reply.start(reply.last + 1), where),
        "answer": WORDS[reply.answer],
        "exit": reply.exit_code,
        "sentence": sentence(reply, where),
        "slots": reply.slots,
        "counts": {WORDS[answer]: n for answer, n in reply.tally.items()},
        "not_attested": [
            {
                "answer": WORDS[run.answer],
                "from": show(reply.start(run.first), where),
                "to": show(reply.start(run.last + 1), where),
                "first_slot": run.first,
                "last_slot": run.last,
            }
            for run in reply.runs
        ],
        "more": reply.more_runs,
        "statements": [
            {
                "kind": type(said.statement).__name__.lower(),
                "leaf": said.index,
                "sha256": said.digest.hex(),
                "by": getattr(said.statement, "by", None),
                "how": getattr(said.statement, "how", None),
                "reason": getattr(said.statement, "reason", None),
                "lines": list(getattr(said.statement, "lines", ())),
            }
            for said in reply.said
        ],
        "more_statements": reply.more_said,
        "evidence": evidence(reply, where),
        "not_proved": not_proved(reply),
        "findings": [finding.to_json() for finding in reply.report.findings],
        "policy": "given" if reply.own_policy else "the log's own",
        "leaves": h.size,
        "last_word": None if word is None else show(word * 1000, where),
        "period_ms": h.terms.period_ms,
        "b": h.terms.b,
        "g": h.terms.g,
    }
