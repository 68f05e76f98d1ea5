"""The drand rounds that beats name: another *not before*, by a clock that is nobody's in the log.

Their BLS signatures are checked by `drand-verify`, where it is installed; otherwise they count for
nothing, and that is said.
"""

from __future__ import annotations

import importlib
from hashlib import sha256
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import drand
from memcon.record.hashing import ZERO32
from memcon.verify.words import count

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from memcon.record.beat import Beat
    from memcon.verify.findings import Report
    from memcon.verify.sources import Source

LIBRARY = "drand_verify"
MOST = 100
"""Rounds checked at one time, the newest first: each takes some 5 ms."""


def names_round(beat: Beat) -> bool:
    """Whether a beat names a round, and not half of one: that is a finding of its own."""
    return beat.drand_round > 0 and beat.drand_hash != ZERO32


def library() -> ModuleType | None:
    """The library that checks rounds, where it is installed."""
    try:
        return importlib.import_module(LIBRARY)
    except ImportError:
        return None


def check_round(lib: ModuleType, one: drand.Round) -> None:
    """Raises FormatError where the signature is not quicknet's over that round."""
    try:
        lib.verify_quicknet(one.number, one.signature.hex(), drand.PUBLIC_KEY)
    except ValueError as error:
        raise FormatError("drand round", str(error), where=f"round {one.number}") from error


def read_rounds(
    source: Source, beats: Iterable[Beat], report: Report, rounds: int | None = None
) -> dict[int, int]:
    """By leaf index the time of the round that a beat names, of those whose signature holds.

    What does not hold is a finding, what was not checked is said. `rounds`: how many beats name one, where
    `beats` are not all of them.
    """
    named = [beat for beat in beats if names_round(beat)]
    what = count(len(named) if rounds is None else rounds, "drand round")
    if not named:
        return {}
    lib = library()
    if lib is None:
        report.not_checked.append(f"{what} that beats name: drand-verify is not installed")
        return {}
    found: dict[int, int] = {}
    files: dict[str, dict[int, bytes]] = {}
    for beat in reversed(named[-MOST:]):
        try:
            one = _served(source, files, beat)
            check_round(lib, one)
        except FormatError as error:
            report.add("drand-form", f"leaf {beat.index}", str(error))
        else:
            found[beat.index] = one.time
    report.checked.append(
        f"{len(found)} of {what} that beats name hold; of many, the newest {MOST} are checked"
    )
    return found


def _served(source: Source, files: dict[str, dict[int, bytes]], beat: Beat) -> drand.Round:
    """The round that a beat names; the log serves its signature."""
    path = drand.path_of(beat.drand_round)
    if path not in files:
        data = source.fetch(path) or b""
        files[path] = {one.number: one.signature for one in drand.read_rounds(data)}
    signature = files[path].get(beat.drand_round)
    if signature is None or sha256(signature).digest() != beat.drand_hash:
        raise FormatError("drand round", "its signature is not served", where=f"round {beat.drand_round}")
    return drand.Round(beat.drand_round, signature)
