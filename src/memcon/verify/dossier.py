"""A dossier's bundle: what was written of a call, when that was sealed, and what it rests on (FORMATS §18).

The order is that of trust: the checkpoint's signature, the beats in its tree, the NOTEs under the beats,
the entries under the NOTEs, the sources under their entries. A finding never ends the check.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import dossier_bundle as form
from memcon.record.entry import NO_ENTRY, decode, hash_of
from memcon.verify.findings import Report
from memcon.verify.keys import Trust
from memcon.verify.sealed import open_bundle
from memcon.verify.words import count

if TYPE_CHECKING:
    from memcon.record.entry import Entry
    from memcon.record.slottree import NoteLeaf
    from memcon.verify.container import Buffer, Contents

    Read = dict[int, tuple[Entry, str]]
    Notes = dict[str, NoteLeaf]


def verify_dossier(data: Buffer, trusted: Trust | None = None, *, target: str = "bundle") -> Report:
    """Check the bundle of a dossier. Whatever it holds, the answer is a report."""
    report = Report(target, "dossier")
    opened = open_bundle(report, data, form.FORM, trusted or Trust())
    if opened is None:
        report.headline = "This cannot be read as a bundle of a dossier."
        return report
    contents, notes = opened
    read, whole = _read_entries(report, contents)
    sealed = _check_sealed(report, read, notes, whole=whole)
    kept, named = _check_files(report, contents, read)
    _facts(report, read)
    report.headline = _headline(report, contents, len(read), sealed, (kept, named))
    report.not_checked += [
        "That what is written is so: an entry is the word of the name it bears, and a source that of whoever "
        "issued it",
        "That the names are those of who wrote: the office let them in",
        "Times within entries: they are by the office's own clock; the log dates when they were sealed",
        "Entries that were written later than the newest one here, and other dossiers",
    ]
    return report


def _read_entries(report: Report, contents: Contents) -> tuple[Read, bool]:
    """The entries that could be read, by number, with their hashes; and whether each follows from the one
    before."""
    found: Read = {}
    previous, due = NO_ENTRY, 0
    for name, one in contents.entries.items():
        if form.ENTRY.fullmatch(name) is None:
            continue
        data, due = bytes(one.content), due + 1
        before, previous = previous, hash_of(data)
        try:
            entry = decode(data)
        except FormatError as error:
            report.add("dossier-entry", name, str(error))
            continue
        if contents.dossier is not None and entry.dossier != contents.dossier:
            report.add("dossier-chain", name, f"is of dossier {entry.dossier}")
        elif (entry.n, entry.previous) != (due, before) or name != form.entry_name(entry.n, entry.kind):
            report.add("dossier-chain", name, f"does not follow from what stands before it as entry {due}")
        found[due] = entry, previous
    if not due:
        report.add("dossier-entry", "entries", "there is none")
    whole = not report.counts.keys() & {"dossier-chain", "dossier-entry"}
    if whole:
        report.checked.append(f"{due} of {due} entries follow from one another, from the first on")
    return found, whole


def _check_sealed(report: Report, read: Read, notes: Notes, *, whole: bool) -> int:
    """How many entries are sealed. In a whole chain, one that is seals all before it: it names them."""
    own = {n: notes[digest] for n, (_, digest) in read.items() if digest in notes}
    for n, leaf in own.items():
        if leaf.type != read[n][0].note_type:
            report.add("dossier-note", f"entry {n}", f"is sealed as NOTE of type {leaf.type}")
    for digest in sorted(set(notes) - {digest for _, digest in read.values()}):
        report.add("dossier-note", form.SEALED, f"a NOTE over {digest[:16]}, which no entry here is")
    last = max(own, default=0)
    for n in read:
        if n > last:
            report.add("dossier-unsealed", f"entry {n}", "no NOTE is over it or over one after it")
    report.checked.append(f"{len(own)} of {count(len(read), 'entry', 'entries')} have a NOTE of their own")
    if own:
        indexes = [leaf.index for leaf in own.values()]
        report.facts["sealed in leaves, first and last"] = [min(indexes), max(indexes)]
    if not whole:
        return len(own)
    report.checked.append(f"Through the chain, {last} of {len(read)} are sealed")
    return last


def _check_files(report: Report, contents: Contents, read: Read) -> tuple[int, int]:
    """(files that are what their entries say, files that entries name)."""
    named: dict[str, int] = {}
    for n, (entry, _) in read.items():
        if entry.kind == "source":
            digests = (entry.body.get("sha256"), entry.body.get("text"))
            named |= {digest: n for digest in digests if isinstance(digest, str)}
    good = 0
    for digest, n in named.items():
        content = contents.get(form.FILE_PREFIX + digest)
        if content is None:
            report.add("dossier-withheld", f"entry {n}", f"its file {digest[:16]} is not in the bundle")
        elif sha256(content).hexdigest() != digest:
            report.add("dossier-file", form.FILE_PREFIX + digest, f"is not what entry {n} sealed")
        else:
            good += 1
    for name in contents.entries:
        if name.startswith(form.FILE_PREFIX) and name.removeprefix(form.FILE_PREFIX) not in named:
            report.add("container-entry", name, "no entry here names this file")
    report.checked.append(f"{good} of {count(len(named), 'file')} are what their entries say, byte for byte")
    return good, len(named)


def _facts(report: Report, read: Read) -> None:
    entries = [entry for entry, _ in read.values()]
    if entries:
        report.facts["dossier"] = entries[0].dossier
        report.facts["written by"] = sorted({entry.by for entry in entries})
        report.facts["written, by the office's clock"] = f"{entries[0].at} to {entries[-1].at}"


def _headline(report: Report, contents: Contents, entries: int, sealed: int, files: tuple[int, int]) -> str:
    """The one sentence that the report proves, never more."""
    name = f"Dossier {contents.dossier or 'of no readable name'}"
    if not report.ok:
        found = count(sum(report.counts.values()), "finding")
        return f"{name}: {found}; {sealed} of {count(entries, 'entry', 'entries')} are sealed in this log."
    by = "a log whose key nobody has vouched for here" if report.limits else "the log whose key you gave"
    kept, named = files
    rest = f" {count(named - kept, 'file')} are withheld." if named > kept else ""
    return (
        f"{name} is unaltered since it was sealed, and whole up to entry {entries}: {sealed} of {entries} "
        f"are sealed in {by}, and {kept} of {count(named, 'file')} are what was taken in.{rest}"
    )
