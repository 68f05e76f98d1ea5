"""The bundle of a call taken in: its file, its statement, and the beat that seals it (FORMATS §21).

The order is that of trust: the checkpoint's signature, the beat in its tree, the NOTE under the beat, the
statement under the NOTE, the file under the statement. A finding never ends the check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.record import intake_bundle as form
from memcon.record.intake import NAME, NOTE_INTAKE
from memcon.verify.findings import Report
from memcon.verify.intake import check_statement, headline
from memcon.verify.keys import Trust
from memcon.verify.sealed import open_bundle

if TYPE_CHECKING:
    from memcon.record.slottree import NoteLeaf
    from memcon.verify.container import Buffer


def verify_intake(data: Buffer, trusted: Trust | None = None, *, target: str = "bundle") -> Report:
    """Check the bundle of a call taken in. Whatever it holds, the answer is a report."""
    report = Report(target, "intake")
    opened = open_bundle(report, data, form.FORM, trusted or Trust())
    if opened is None:
        report.headline = "This cannot be read as a bundle of a call taken in."
        return report
    contents, notes = opened
    kept = {name: one.content for name, one in contents.entries.items() if form.KEPT.fullmatch(name)}
    read = check_statement(report, kept, contents.call, "manifest.json")
    if read is None:
        report.headline = "The statement of what was taken in is not here, or cannot be read."
        return report
    sealed = _check_sealed(report, notes)
    report.headline = f"{headline(report, read)}{_whose(report, sealed=sealed) if report.ok else ''}"
    return report


def _check_sealed(report: Report, notes: dict[str, NoteLeaf]) -> bool:
    """Whether a NOTE is over the statement; it must be of the right type, and none over anything else."""
    digest = report.facts["intake, SHA-256"]
    for other in sorted(set(notes) - {digest}):
        report.add("intake-note", "NOTE", f"is over {other[:16]}, which is not this statement")
    leaf = notes.get(digest)
    if leaf is None:
        report.add("intake-unsealed", NAME, "no NOTE here is over it")
        return False
    if leaf.type != NOTE_INTAKE:
        report.add("intake-note", NAME, f"is sealed as NOTE of type {leaf.type}")
    report.facts["sealed in leaf"] = leaf.index
    return True


def _whose(report: Report, *, sealed: bool) -> str:
    """In which log it is sealed, as far as the reader has said whose log is whose."""
    if not sealed:
        return " No log seals it yet."
    if report.limits:
        return " It is sealed in a log whose key nobody has vouched for here."
    return " It is sealed in the log whose key you gave."
