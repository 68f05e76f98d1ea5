"""Following `feed.jsonl` into the catalogue, from where it was left, whole lines only."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memcon.store import durable

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.catalogue.catalogue import Catalogue

BATCH_BYTES = 1 << 20
"""At most this much of the feed becomes one transaction: read, it takes ten times as much memory, and a
process keeps what its busiest moment took."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What one look at the feed gave: objects, those not understood, and the calls it said are done."""

    objects: int
    skipped: int
    done: tuple[int, ...]


def follow(path: Path, catalogue: Catalogue) -> Followed:
    """Apply what the feed has gained. A feed begun anew (after a reboot) is told from its first line."""
    objects = skipped = 0
    done: list[int] = []
    while True:
        name, offset, data = _read(path, catalogue)
        end = data.rfind(b"\n") + 1
        if end <= 0:
            return Followed(objects, skipped, tuple(done))
        said: list[dict[str, Any]] = []
        for line in data[:end].splitlines():
            value = _object(line)
            skipped += value is None
            if value is not None:
                said.append(value)
                if value.get("t") == "done" and isinstance(value.get("number"), int):
                    done.append(value["number"])
        objects += len(said)
        skipped += catalogue.apply(said, feed=name, upto=offset + end)


def _read(path: Path, catalogue: Catalogue) -> tuple[str, int, bytes]:
    """(which feed, from which byte, what follows), nothing where there is no whole first line yet."""
    if not path.is_file():
        return "", 0, b""
    with durable.machine_errors(path, "reading"), path.open("rb") as file:
        first = file.readline(1 << 20)
        if not first.endswith(b"\n"):
            return "", 0, b""
        name = hashlib.sha256(first).hexdigest()[:16]
        offset = catalogue.feed_offset(name)
        file.seek(offset)
        data = file.read(BATCH_BYTES)
        if data and b"\n" not in data:  # one line longer than a batch
            data += file.readline()
        return name, offset, data


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
