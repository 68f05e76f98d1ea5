"""The catalogue made again from the files: the same rows as the feed and the leaves gave.

Without a custodian, a call's record stays closed: its structure is indexed, its parties are unknown.
Starts of the recorder are read from the beats; what only the feed ever said (when a checkpoint stood,
that the recorder was declared off) is not in the vault and stays empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from memcon.catalogue.catalogue import Kept
from memcon.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from memcon.catalogue.catalogue import Catalogue
    from memcon.record.beat import Beat

BATCH = 2000
CALLS = 200
"""So many calls are indexed in one transaction: others may write to the catalogue in between."""


@dataclass(frozen=True, slots=True)
class KeptCall:
    """A call as the vault has it: `leaves.mcl`, and `record.mcr` opened (None: nobody could open it)."""

    leaves: bytes
    record: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many calls and beats were indexed, how many of the calls unopened, what went wrong; calls that were
    taken in, and documents of the search, are counted apart."""

    calls: int
    unopened: int
    beats: int
    problems: tuple[str, ...]
    taken: int = 0
    documents: int = 0


def rebuild(catalogue: Catalogue, calls: Iterable[KeptCall], beats: Iterable[Beat]) -> Rebuilt:
    """Empty the catalogue and fill it. One damaged call is told and does not stop the others."""
    catalogue.clear()
    count = _beats(catalogue, beats)
    done = unopened = 0
    problems: list[str] = []
    them = iter(calls)
    while some := list(islice(them, CALLS)):
        told = catalogue.index([Kept(kept.leaves, partial(_objects, kept)) for kept in some])
        problems += [problem for problem in told if problem]
        done += told.count("")
        unopened += sum(kept.record is None for kept, problem in zip(some, told, strict=True) if not problem)
    return Rebuilt(done, unopened, count, tuple(problems))


def _objects(kept: KeptCall) -> Iterator[dict[str, Any]]:
    return iter(()) if kept.record is None else objects_of(kept.record)


def _beats(catalogue: Catalogue, beats: Iterable[Beat]) -> int:
    count, batch, instance = 0, [], bytes(16)
    for beat in beats:
        if beat.instance != instance and any(beat.instance):
            instance = beat.instance
            batch.append({"t": "instance", "instance": instance.hex(), "wall": beat.slot_start_ns()})
        batch.append(
            {
                "t": "beat",
                "index": beat.index,
                "slot": beat.slot,
                "state": int(beat.state),
                "flags": beat.flags,
                "wall": beat.slot_end_ns(),
                "published": None,
            }
        )
        count += 1
        if len(batch) >= BATCH:
            catalogue.apply(batch)
            batch = []
    catalogue.apply(batch)
    return count


def objects_of(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A call's record as the feed would have told it; raises FormatError for one without its keys."""
    try:
        number = int(record["call"])
        later = sum(event["facts"]["type"] == "oddity" for event in record["events"])
        oddities = list(record["oddities"])  # the feed tells those of the start; the others are events
        yield {
            "t": "call",
            "number": number,
            "handle": record["handle"],
            "wall": int(record["start_wall"]),
            "mode": record["mode"],
            "line": record["line"],
            "parties": record["parties"],
            "source_ids": record["source_ids"],
            "streams": record["streams"],
            "oddities": oddities[: len(oddities) - later],
        }
        for event in record["events"]:
            yield {
                "t": "event",
                "number": number,
                "n": event["n"],
                "since": int(event["since"]),
                "wall": int(event["wall"]),
                "facts": event["facts"],
            }
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError("record.mcr", f"{type(error).__name__}: {error}") from error
