"""How a call, a span of it and a version of its transcript are cited: the archives' form, and Chicago's.

The archives' form follows what archives ask for of recorded conversations (item first, then the larger
parts, then who keeps it); Chicago's is a note as its manual (17th ed., 14.263 to 14.267) makes one of a
recording and of a document seen online. Both name the version, the span and the digest, since a transcript is
a claim that may be replaced.
"""

from __future__ import annotations

from dataclasses import dataclass

from memcon.clock import utc

MS = 1_000_000
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cited:
    """What is cited. `wall`: when the call began, ns; `start` empty text where only a day is said. `span` in
    ms from the call's start; `version` 0 where no transcript is meant; `digest` in hex is that of the
    transcript's version, else of what seals the call."""

    display: str
    parties: str
    wall: int
    exact: bool
    office: str
    origin: str
    leaves: str
    digest: str
    digest_of: str
    span: tuple[int, int] | None = None
    version: int = 0
    version_by: str = ""
    version_at: str = ""
    taken_in: str = ""
    address: str = ""


def place(ms: int) -> str:
    """`1:02:03` or `2:03`."""
    seconds = ms // 1000
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02d}:{seconds % 60:02d}" if hours else f"{minutes}:{seconds % 60:02d}"


def _span(it: Cited) -> str:
    return "" if it.span is None else f"{place(it.span[0])}–{place(it.span[1])}"


def _address(it: Cited) -> str:
    if not it.address:
        return ""
    return it.address if it.span is None else f"{it.address}#t={it.span[0] // 1000}"


def archives(it: Cited) -> str:
    """Item, people, date, span, version with digest; then the log and who keeps it."""
    moment = utc(it.wall)
    day = f"{int(moment[8:10])} {MONTHS[int(moment[5:7]) - 1]} {moment[:4]}"
    clock = f", {moment[11:19]} UTC" if it.exact else ""
    span = _span(it)
    parts = [f"Call {it.display}", it.parties, f"{day}{clock}", *([f"at {span}"] if span else [])]
    text = f"{', '.join(parts)}; "
    if it.taken_in:
        text += f"taken in from a file on {it.taken_in}; "
    if it.version:
        text += f"transcript version {it.version} ({it.version_by}, {it.version_at[:10]}), "
    text += f"SHA-256 of the {it.digest_of} {it.digest}; log {it.origin}"
    text += f", {it.leaves}" if it.leaves else ""
    text += f"; {it.office}" if it.office else ""
    address = _address(it)
    return f"{text}. {address}" if address else f"{text}."


def chicago(it: Cited) -> str:
    """A note."""
    moment = utc(it.wall)
    day = f"{MONTHS[int(moment[5:7]) - 1]} {int(moment[8:10])}, {moment[:4]}"
    kind = f"sound recording taken in {it.taken_in}" if it.taken_in else "recorded telephone call"
    span = _span(it)
    parts = [it.parties, f"{kind}, {day}", *([span] if span else []), f"call {it.display}"]
    if it.version:
        parts.append(f"transcript version {it.version} by {it.version_by}")
    parts.append(f"SHA-256 of the {it.digest_of} {it.digest}")
    parts += [it.office] if it.office else []
    parts.append(f"log {it.origin}" + (f", {it.leaves}" if it.leaves else ""))
    address = _address(it)
    parts += [address] if address else []
    return f"{', '.join(parts)}."
