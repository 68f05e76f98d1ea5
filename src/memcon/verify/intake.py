"""A call that was taken in from a file: its statement, its files, and its place in the chain (FORMATS §21).

What the seal proves begins at the intake: that these bytes stood there then, not that they were recorded,
when, or by whom.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from memcon.errors import FormatError
from memcon.record import intake as taken
from memcon.record.entry import NO_ENTRY
from memcon.verify.words import count

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from memcon.record.intake import Intake
    from memcon.verify.findings import Report

_IDENTITY = re.compile(r"urn:memcon:[0-9a-f]{16}:intake:([1-9][0-9]{0,15})")


class Found(NamedTuple):
    """An object of a call taken in: its number, its statement's hash (hex), and that of the one before."""

    n: int
    hash: str
    previous: str


def check_intake(report: Report, files: Mapping[str, memoryview], identity: str) -> None:
    """Check the files of an object against its statement; what it is goes into the report's facts."""
    named = _IDENTITY.fullmatch(identity)
    read = check_statement(report, files, None if named is None else int(named[1]), "inventory.json")
    if read is None:
        report.headline = "The statement of what was taken in cannot be read."
    else:
        report.headline = headline(report, read)


def check_statement(
    report: Report, files: Mapping[str, memoryview], n: int | None, where: str
) -> Intake | None:
    """Check files against the statement among them, whose number is n by what stands in `where`; None where
    it is not there or cannot be read."""
    data = bytes(files.get(taken.NAME, b""))
    try:
        read = taken.decode(data)
    except FormatError as error:
        report.add("intake-form", taken.NAME, str(error))
        return None
    if n != read.n:
        report.add("object-id", where, f"names intake {n}; here is intake {read.n}")
    good = sum(_check_file(report, files, file) for file in read.files)
    for name in sorted(set(files) - {file.path for file in read.files} - {taken.NAME}):
        report.add("intake-file", name, "the statement does not name it")
    report.facts["intake"] = read.n
    report.facts["intake, SHA-256"] = taken.hash_of(data)
    report.facts["intake before it"] = read.previous
    report.checked.append(f"{good} of {count(len(read.files), 'file')} are what was taken in")
    report.not_checked += [
        "Anything before the intake: that a call taken in was recorded when and where it says, by whom, and "
        "unaltered until then",
    ]
    return read


def _check_file(report: Report, files: Mapping[str, memoryview], file: taken.TakenFile) -> bool:
    content = files.get(file.path)
    if content is None:
        report.add("intake-file", file.path, "is not there")
        return False
    if len(content) != file.size or sha256(content).hexdigest() != file.sha256:
        report.add("intake-file", file.path, "is not what was taken in")
        return False
    return True


def headline(report: Report, read: Intake) -> str:
    """The one sentence that a report of a statement proves."""
    if not report.ok:
        return f"Intake {read.n}: {count(sum(report.counts.values()), 'finding')}."
    on = read.at[:10]
    return f"Intake {read.n} is unaltered since it was taken in on {on}; nothing before that is proved."


def found_in(report: Report) -> Found | None:
    """What the report of an object says of its place in the chain; None where it is no call taken in."""
    facts = report.facts
    if "intake" not in facts:
        return None
    return Found(facts["intake"], facts["intake, SHA-256"], facts["intake before it"])


def check_chain(report: Report, found: Sequence[Found], sealed: Collection[str] | None) -> None:
    """All calls taken in of one home: numbered without a gap, each naming the one before, each sealed.

    `sealed`: hashes (hex) that the log's NOTEs of this type name; None where that was not looked into.
    """
    previous, due = NO_ENTRY, 1
    for one in sorted(found):
        if one.n != due:
            text = f"intake {due} was due after the one before" if one.n > due else "stands twice"
            report.add("intake-chain", f"intake {one.n}", text)
        elif one.previous != previous:
            report.add("intake-chain", f"intake {one.n}", "does not name the intake before it")
        previous, due = one.hash, one.n + 1
    if sealed is None:
        return
    kept = {one.hash for one in found}
    for digest in sorted(set(sealed) - kept):
        report.add("intake-missing", f"NOTE over {digest[:16]}…", "it was sealed, and nothing of it is kept")
    waiting = [one.n for one in sorted(found) if one.hash not in sealed]
    for n in waiting:
        report.add(
            "intake-unsealed", f"intake {n}", "no beat of the log names it: a running memcon serve seals it"
        )
    if found:
        report.checked.append(
            f"{len(found) - len(waiting)} of {count(len(found), 'call')} taken in are sealed in the log"
        )
