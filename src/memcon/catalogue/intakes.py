"""The index over calls taken in from files: their lines in the register, and which bytes are known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select

from memcon.catalogue.schema import OF_A_CALL, calls, intakes, notes, parties, refused, streams, words
from memcon.catalogue.structure import HEARD, NOTHING
from memcon.catalogue.words import split, words_of
from memcon.catalogue.writing import dumps, note_change, upsert
from memcon.clock import NS
from memcon.errors import FormatError
from memcon.record import edtf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from memcon.record.intake import Intake
    from memcon.store.database import Database

MS = 1_000_000


@dataclass(frozen=True, slots=True)
class IntakeLine:
    """A call taken in, as the register knows it. `sealed`: wall ns of the end of its NOTE's slot, or None."""

    n: int
    hash: str
    sha256: str
    size: int
    name: str
    at: str
    by: str
    form: str
    beat: int | None
    slot: int | None


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file that was not taken in, and why."""

    path: str
    size: int
    mtime: int
    code: str
    text: str
    wall: int


class IntakeIndex:
    """The part of a catalogue that is about what was taken in."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(self, intake: Intake, hash_: str) -> None:
        """Index one; FormatError where what was found in it is not as FORMATS §21 says."""
        number = -intake.n
        try:
            call, voices = _call_row(intake), _streams(intake)
            people = _parties(intake)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FormatError("intake", f"{type(error).__name__} {error}", where=f"T{intake.n}") from error
        original = intake.files[0]
        row = {
            "n": intake.n,
            "hash": hash_,
            "sha256": original.sha256,
            "bytes": original.size,
            "name": intake.name,
            "at": intake.at,
            "by": intake.by,
            "form": str(intake.found["form"]),
        }
        found = (
            words_of(people, None) | set(split(intake.name)) | set(split(str(intake.stated.get("title", ""))))
        )
        with self._db.write() as db:
            for table in OF_A_CALL:
                db.execute(delete(table).where(table.c.call == number))
            upsert(db, calls, [call])
            upsert(db, streams, voices)
            upsert(db, parties, people)
            upsert(db, words, [{"word": word, "call": number} for word in sorted(found)])
            upsert(db, intakes, [row])
            note_change(db)

    def last(self) -> int:
        """The highest number that is indexed; 0 for none."""
        with self._db.read() as db:
            return int(db.execute(select(func.coalesce(func.max(intakes.c.n), 0))).scalar_one())

    def find(self, sha256: str) -> int | None:
        """The number of the first call taken in whose file has this digest (hex)."""
        with self._db.read() as db:
            asked = select(func.min(intakes.c.n)).where(intakes.c.sha256 == sha256)
            found = db.execute(asked).scalar()
        return None if found is None else int(found)

    def line(self, n: int) -> IntakeLine | None:
        """One of them, with where its NOTE stands."""
        found = self.lines([n])
        return found[0] if found else None

    def lines(self, numbers: Sequence[int]) -> list[IntakeLine]:
        """Several, in the order of their numbers."""
        with self._db.read() as db:
            return _lines(db, numbers)

    def newest(self, count: int) -> list[IntakeLine]:
        """The last ones, newest first."""
        with self._db.read() as db:
            asked = select(intakes.c.n).order_by(intakes.c.n.desc()).limit(count)
            return _lines(db, list(db.execute(asked).scalars()))[::-1]

    def unsealed(self) -> list[int]:
        """Numbers of those for which no NOTE is known."""
        with self._db.read() as db:
            asked = select(intakes.c.n).where(intakes.c.hash.not_in(select(notes.c.hash)))
            return list(db.execute(asked.order_by(intakes.c.n)).scalars())

    # --- what was not taken in ---

    def refuse(self, file: RefusedFile) -> None:
        """Remember that a file was refused: it is not tried again while it stays as it is."""
        row = {key: getattr(file, key) for key in ("path", "size", "mtime", "code", "text", "wall")}
        with self._db.write() as db:
            upsert(db, refused, [row])

    def was_refused(self, path: str, size: int, mtime: int) -> bool:
        """Whether this very file was refused before."""
        with self._db.read() as db:
            asked = select(refused.c.path).where(
                refused.c.path == path, refused.c.size == size, refused.c.mtime == mtime
            )
            return db.execute(asked).first() is not None

    def forget_refused(self, path: str) -> None:
        """It was taken in after all."""
        with self._db.write() as db:
            db.execute(delete(refused).where(refused.c.path == path))

    def refusals(self, count: int) -> list[RefusedFile]:
        """The newest refusals, newest first."""
        with self._db.read() as db:
            asked = select(refused).order_by(refused.c.wall.desc(), refused.c.path).limit(count)
            return [RefusedFile(*row) for row in db.execute(asked)]


def _lines(db: Connection, numbers: Sequence[int]) -> list[IntakeLine]:
    if not numbers:
        return []
    asked = (
        select(intakes, notes.c["index"], notes.c.slot)
        .outerjoin(notes, notes.c.hash == intakes.c.hash)
        .where(intakes.c.n.in_(numbers))
        .order_by(intakes.c.n)
    )
    return [IntakeLine(*row) for row in db.execute(asked)]


def began(intake: Intake) -> int:
    """When the call began as far as anybody says, wall ns; else when it was taken in."""
    for said in (str(intake.stated.get("start") or ""), intake.at):
        start = _start(said)
        if start is not None:
            return start
    return 0


def _start(said: str) -> int | None:
    try:
        start = edtf.parse(said).start
    except FormatError:
        return None
    return None if start is None else max(0, start)


def _call_row(intake: Intake) -> dict[str, Any]:
    found, start = intake.found, began(intake)
    duration = int(found["duration_ms"]) * MS
    lanes = found["lanes"]
    return {
        "number": -intake.n,
        "handle": "",
        "start_wall": start,
        "state": "taken",
        "mode": str(found["form"]),
        "line": None,
        "opened": 1,
        "source_ids": dumps({"ids": list(intake.stated.get("ids") or [])}),
        "oddities": dumps([str(one["text"]) for one in found["remarks"]]),
        "end_wall": start + duration,
        "duration": duration,
        "segments": -(-duration // NS),
        "received": sum(int(lane["received"]) for lane in lanes),
        "lost": sum(max(0, int(lane["expected"]) - int(lane["received"])) for lane in lanes),
        "gaps": sum(len(lane["gaps_ms"]) for lane in lanes),
        "done": 1,
        "settled": 1,
    }


def _streams(intake: Intake) -> list[dict[str, Any]]:
    total = -(-int(intake.found["duration_ms"]) // 1000)
    return [
        {
            "call": -intake.n,
            "stream": 2 * place,
            "label": str(lane["name"]),
            "mline": None,
            "port": None,
            "codecs": json.dumps([{"name": str(lane["codec"]), "rate": int(lane["rate"])}]),
            "direction": None,
            "participant": str(lane["party"]) or None,
            "received": int(lane["received"]),
            "expected": int(lane["expected"]),
            "kernel_drops": 0,
            "duplicates": 0,
            "reordered": 0,
            "seconds": _seconds(lane, total),
        }
        for place, lane in enumerate(intake.found["lanes"])
    ]


def _seconds(lane: dict[str, Any], total: int) -> bytes:
    """A code a second: heard from its beginning to its end, nothing where a whole second is missing."""
    first, end = int(lane["begins_ms"]), int(lane["begins_ms"]) + int(lane["duration_ms"])
    codes = bytearray(HEARD if first < (n + 1) * 1000 and n * 1000 < end else NOTHING for n in range(total))
    for low, high in lane["gaps_ms"]:
        for n in range(-(-int(low) // 1000), min(int(high) // 1000, total)):
            codes[n] = NOTHING
    return bytes(codes)


def _parties(intake: Intake) -> list[dict[str, Any]]:
    keys = ("id", "name", "aor", "label", "role")
    return [
        {"call": -intake.n, "place": place, **{key: str(party.get(key) or "") for key in keys}}
        for place, party in enumerate(intake.stated.get("parties") or [])
    ]
