"""Dossiers in words: states, citations, the sentences of a comparison. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.accounts.bodies import RECORD_CLASSES
from memcon.console.words import NBSP, count, day
from memcon.record import edtf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from memcon.accounts.compare import Comparison, Side
    from memcon.accounts.model import Dossier, Source
    from memcon.catalogue.dossiers import SealedNote
    from memcon.store.dossiers import Kept

COMPLETE_WORDS = {
    "complete": "complete",
    "excerpt": "held in part",
    "assembled": "assembled from quotations",
    "unknown": "not said whether complete",
}
STANCE_WORDS = {
    "asserts": "asserts",
    "quotes": "quotes",
    "suggests": "suggests",
    "denies": "denies",
    "retracts": "withdraws",
    "checks": "checks",
}
RECORD_WORDS = RECORD_CLASSES | {"none-known": "No record known"}


def date_words(text: str) -> str:
    """An EDTF date in words: `28 January 2017, hour not established`."""
    if not text:
        return "date not known"
    date = edtf.parse(text)
    doubt = {(True, False): ", uncertain", (False, True): ", about", (True, True): ", about, uncertain"}
    tail = doubt.get((date.uncertain, date.approximate), "")
    if date.precision == "day" and date.start is not None:
        return f"{day(date.start)}, hour not established{tail}"
    if date.precision in ("minute", "second") and date.start is not None:
        zone = "UTC" if date.zoned else "zone not known"
        shown = zone if text.rstrip("?~%").endswith("Z") or not date.zoned else text.rstrip("?~%")[-6:]
        return f"{day(date.start)}, {text[11:16]} {shown}{tail}"
    return f"{text}{tail}"


def share_sentence(found: Comparison) -> str:
    """How much of what is known rests on one side alone, in one sentence."""
    if not found.known:
        return "Neither text speaks of a topic that the lexicon knows."
    first, second = found.first, found.second
    alone = {side.letter: found.count(f"{side.letter} only") for side in (first, second)}
    if found.one_sided == 0:
        return f"All {count(found.known, 'topic')} stand in both accounts."
    both = [side for side in (first, second) if alone[side.letter]]
    if len(both) == 1:
        side = both[0]
        return (
            f"{alone[side.letter]} of {count(found.known, 'topic')} "
            f"{'rests' if alone[side.letter] == 1 else 'rest'} on the account of {side.source.label} alone."
        )
    return (
        f"{found.one_sided} of {count(found.known, 'topic')} rest on one side alone: "
        f"{alone[first.letter]} on {first.source.label}, {alone[second.letter]} on {second.source.label}."
    )


def omission_note(found: Comparison) -> str:
    """The rule on *omitted*, applied to these two texts."""
    partial = [side for side in (found.first, found.second) if not side.complete]
    if not partial:
        return "Both texts are held complete: what one does not mention, it leaves out."
    names = " and ".join(side.letter for side in partial)
    verb = "is" if len(partial) == 1 else "are"
    return (
        f"“Omitted” is said only where the other text is complete. {names} {verb} not, so nothing can be "
        f"called omitted by {names}."
    )


def side_line(side: Side) -> str:
    """When it was issued, whether it is complete, how long it is."""
    parts = [side.source.issued or "time of issue not known", COMPLETE_WORDS[side.source.completeness]]
    return f"{', '.join(parts)}, {count(side.words, 'word')}"


def sealed_words(found: Mapping[str, SealedNote], hashes: list[str]) -> str:
    """How many of the entries are sealed: `sealed in leaf 2,286,672`, or not yet."""
    open_ = sum(one not in found for one in hashes)
    if open_:
        return f"{open_} of {count(len(hashes), 'entry', 'entries')} not sealed yet"
    return f"every entry sealed, the newest in leaf {max(note.index for note in found.values()):,}"


def citation(dossier: Dossier, *, office: str, address: str) -> str:
    """The dossier as a footnote names it: its version is the number of its entries."""
    changed = dossier.kept[-1].entry.at[:10]
    parts = [f"{dossier.title}.", f"Dossier {dossier.id}, version {dossier.version}, {changed}."]
    if office:
        parts.insert(1, f"{office}.")
    return " ".join([*parts, address]).strip()


def entry_citation(dossier: Dossier, kept: Kept, *, office: str, base: str) -> str:
    """One entry as a footnote names it: by whom, when, and the hash that its bytes must have."""
    entry = kept.entry
    parts = [
        f"{entry.by}, {entry.kind}, {entry.at}.",
        f"Entry {entry.n} of dossier {dossier.id}, {dossier.title}.",
    ]
    if office:
        parts.append(f"{office}.")
    parts.append(f"SHA-256 {kept.hash}.")
    return " ".join([*parts, f"{base}/d/{dossier.id}/entry/{entry.n}" if base else ""]).strip()


def source_citation(dossier: Dossier, source: Source, *, office: str, base: str) -> str:
    """A source as a footnote names it: as its publisher issued it, then where it is held."""
    names = dict.fromkeys(part for part in (source.author, source.publisher, source.title) if part)
    own = ", ".join(names) or source.label
    issued = f", {source.issued}" if source.issued else ""
    seen = f" (seen {source.seen})" if source.seen else ""
    parts = [f"{own}{issued}.", f"{source.address}{seen}." if source.address else ""]
    held = f"Source {source.n} of dossier {dossier.id}" + (f", {office}" if office else "")
    parts += [f"{held}, SHA-256 {source.sha256}.", f"{base}/d/{dossier.id}/source/{source.n}" if base else ""]
    return " ".join(part for part in parts if part)


def source_facts(source: Source) -> list[tuple[str, str]]:
    """A source in terms and values; nothing of it is shown as anything but text."""
    rows = [
        ("Title", source.title),
        ("Publisher", source.publisher),
        ("Author", source.author),
        ("Address", source.address),
        ("Issued", source.issued),
        ("Seen", source.seen),
        ("Language", source.language),
        ("Licence", source.licence),
        ("Held", COMPLETE_WORDS[source.completeness]),
        ("Taken in", f"{source.at}, by {source.by}"),
        ("Bytes", f"{source.size:,}{NBSP}bytes, {source.media_type}"),
        ("SHA-256", source.sha256),
        ("Text read by", source.reader),
        ("Note", source.note),
    ]
    return [(term, value) for term, value in rows if value]
