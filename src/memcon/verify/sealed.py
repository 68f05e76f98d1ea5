"""NOTEs of a bundle under its beats (FORMATS §18): what they are over is sealed in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import dossier_bundle as form
from memcon.record.call import PlacedLeaf
from memcon.record.slottree import decode_note_leaf
from memcon.verify import container
from memcon.verify.bundle import check_log
from memcon.verify.calls import on_path
from memcon.verify.keys import read_checkpoint
from memcon.verify.words import count

if TYPE_CHECKING:
    from memcon.record.bundle import Form
    from memcon.record.slottree import NoteLeaf
    from memcon.verify.calls import ProvenBeats
    from memcon.verify.container import Buffer, Contents
    from memcon.verify.findings import Report
    from memcon.verify.keys import Trust


def open_bundle(
    report: Report, data: Buffer, layout: Form, trusted: Trust
) -> tuple[Contents, dict[str, NoteLeaf]] | None:
    """A bundle's files, and the NOTEs that lead into its log, by the hash they are over (hex); None where it
    cannot be read. Codes of findings begin with the report's kind."""
    contents = container.read(report, data, layout)
    if contents is None:
        return None
    note = contents.get("checkpoint")
    signed = read_checkpoint(report, None if note is None else bytes(note), trusted)
    beats, _ = check_log(report, contents, signed, trusted, leaps=True)
    return contents, _notes(report, contents, beats, report.kind)


def _notes(report: Report, contents: Contents, beats: ProvenBeats, codes: str) -> dict[str, NoteLeaf]:
    """The NOTEs that lead into the log, by the hash they are over (hex); findings are `<codes>-note` and
    `<codes>-path`."""
    data = contents.get(form.SEALED)
    try:
        placed = [] if data is None else form.read_sealed(data)
    except FormatError as error:
        report.add(f"{codes}-note", form.SEALED, str(error))
        return {}
    found: dict[str, NoteLeaf] = {}
    for n, one in enumerate(placed):
        leaf = _anchored(report, f"NOTE {n}", one, beats, codes)
        if leaf is not None:
            found[leaf.object_hash.hex()] = leaf
    report.checked.append(
        f"{len(found)} of {count(len(placed), 'NOTE')} lead to the slot roots of their beats"
    )
    return found


def _anchored(
    report: Report, where: str, one: form.SealedNote, beats: ProvenBeats, codes: str
) -> NoteLeaf | None:
    """The NOTE, where it stands under a beat that is proved to be in the log."""
    try:
        leaf = decode_note_leaf(one.leaf)
    except FormatError as error:
        report.add(f"{codes}-note", where, str(error))
        return None
    beat = beats.by_index.get(leaf.index)
    if beat is None or beat.slot != leaf.slot:
        report.add(f"{codes}-note", where, f"its beat {leaf.index}, slot {leaf.slot}, is not here")
        return None
    place = PlacedLeaf(one.leaf, leaf.index, leaf.slot, leaf.lane, one.salt, one.path)
    led = on_path(report, where, place, beat, beats.check.origin, f"{codes}-path")
    return leaf if led and leaf.index in beats.proved else None
