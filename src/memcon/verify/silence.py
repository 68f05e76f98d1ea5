"""Silence certificates and conflicts, judged by the reader's own policy (FORMATS §16 and §17)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import silence
from memcon.record.evidence import CONFLICT_HEADER, DAY, read_conflict
from memcon.tlog.note import SignatureError
from memcon.verify.findings import Report
from memcon.verify.words import count, utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.record.evidence import Conflict
    from memcon.record.silence import Certificate, Contents
    from memcon.tlog.policy import Policy, Stamp, Verdict

NS = 1_000_000_000


def verify_silence(data: bytes, policy: Policy, target: str, now: int | None = None) -> Report:
    """Check a certificate or a conflict. The policy names the log and the witnesses that count.

    `now`: POSIX seconds by the reader's clock; cosignatures dated a day after it or later do not count.
    """
    if data.startswith(CONFLICT_HEADER.encode()):
        return verify_conflict(data, policy, target)
    report = Report(target, "silence")
    try:
        certificate = silence.Certificate.parse(data)
        parts = silence.contents(certificate)
    except FormatError as error:
        report.add("silence-form", target, str(error))
        report.headline = "This is no silence certificate that can be read: it shows nothing."
        return report
    report.checked.append(
        f"The first and the last of {count(parts.checkpoint.size, 'leaf', 'leaves')} lead to the checkpoint"
    )
    _facts(report, parts)
    time = _judge(report, certificate, policy, now)
    if time is None:
        report.headline = "Your policy does not accept this certificate: it shows nothing."
        return report
    _say(report, parts, time)
    return report


def _judge(report: Report, certificate: Certificate, policy: Policy, now: int | None) -> int | None:
    """T by the reader's policy, None if the certificate does not hold."""
    try:
        verdict = policy.evaluate(certificate.note)
    except FormatError as error:
        report.add("silence-signature", "note", str(error))
        return None
    ahead = sorted({name for name, stamp in verdict.stamps if now is not None and stamp > now + DAY})
    if ahead:
        report.add("note-future", "note", f"{', '.join(ahead)} would have cosigned after the present")
    stamps = [(name, stamp) for name, stamp in verdict.stamps if name not in ahead]
    time = policy.blocking_time(stamps)
    if time is None:
        names = ", ".join(sorted({name for name, stamp in stamps if stamp})) or "nobody"
        text = f"cosigned with a time by {names}: a quorum could do without them"
        report.add("silence-blocking", "note", text)
        return None
    _witnesses(report, stamps, time)
    return time


def _witnesses(report: Report, stamps: Sequence[Stamp], time: int) -> None:
    report.facts["cosigned"] = {name: utc(stamp * NS) for name, stamp in sorted(stamps)}
    names = ", ".join(sorted({name for name, stamp in stamps if stamp >= time}))
    report.checked.append(
        f"{names} had seen no larger tree at {utc(time * NS)}; no quorum can do without them"
    )


def _facts(report: Report, parts: Contents) -> None:
    report.facts |= {
        "origin": parts.checkpoint.origin,
        "tree size": parts.checkpoint.size,
        "period (ms)": parts.genesis.period_ms,
        "grace (periods)": parts.genesis.g,
        "last leaf's slot": parts.last.slot,
        "last leaf's end": utc(parts.last.slot_end_ns()),
    }


def _say(report: Report, parts: Contents, time: int) -> None:
    size, covered = parts.checkpoint.size, parts.covered(time)
    report.facts["silent at"] = utc(time * NS)
    report.facts["slots"] = None if covered is None else list(covered)
    period = parts.genesis.period_ms * 1_000_000
    if covered is None:
        report.headline = (
            f"At {utc(time * NS)} the log {parts.checkpoint.origin} had {count(size, 'leaf', 'leaves')} and "
            "was not yet overdue."
        )
    else:
        first, last = covered
        report.facts["from"], report.facts["to"] = utc(first * period), utc((last + 1) * period)
        report.headline = (
            f"The log {parts.checkpoint.origin} was silent from {utc(first * period)} to "
            f"{utc((last + 1) * period)} ({count(last - first + 1, 'slot')}): no beat of it was seen in time."
        )
    report.not_checked += [
        "Why: a switch, a failure and a cut line look the same from outside",
        "Whether the log added beats for these slots afterwards: they would be late, whatever they say",
        "That the witnesses are independent of each other: your policy says so",
    ]


def verify_conflict(data: bytes, policy: Policy, target: str) -> Report:
    """Check whether two notes convict the log, by the reader's policy."""
    report = Report(target, "conflict")
    try:
        conflict = read_conflict(data)
        first, second = (policy.evaluate(note) for note in (conflict.first, conflict.second))
    except SignatureError as error:
        report.add("silence-signature", target, str(error))
    except FormatError as error:
        report.add("silence-form", target, str(error))
    else:
        _conflict(report, conflict, first, second)
    if not report.headline:
        report.headline = "These notes convict nobody."
    return report


def _conflict(report: Report, conflict: Conflict, first: Verdict, second: Verdict) -> None:
    a, b = first.checkpoint, second.checkpoint
    report.facts |= {"origin": a.origin, "sizes": [a.size, b.size], "roots": [a.root.hex(), b.root.hex()]}
    if a.origin != b.origin:
        report.add("silence-form", "notes", f"are of two logs, {a.origin!r} and {b.origin!r}")
    elif a.size == b.size and a.root != b.root:
        report.add("log-fork", "notes", f"two trees of {a.size:,} leaves, both signed by the log")
        report.headline = f"The log {a.origin} has signed two different histories."
    elif conflict.kind == "withheld" and a.size > b.size and first.stamps:
        names = ", ".join(sorted({name for name, _ in first.stamps}))
        text = f"{names} had cosigned {a.size:,} leaves; {b.size:,} were served after that"
        report.add("log-withheld", "notes", text)
        report.headline = f"The log {a.origin} had grown and did not show it."
        report.not_checked.append(
            "That the smaller note was served later: the word of whoever wrote the file"
        )
    else:
        report.add("silence-form", "notes", f"do not show a {conflict.kind}")
