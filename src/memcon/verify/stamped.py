"""Time stamps of authorities (RFC 3161) over cosigned notes: another *not after*, by somebody else's clock.

A token says that a hash was there at a time; the hash is that of a note (FORMATS §15), the note's tree is
a beginning of the log, so every leaf in it is no younger. Reading and checking tokens takes a library,
`rfc3161-client`, and the checker's own roots (PEM); without them tokens are counted and not believed.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from memcon.errors import FormatError
from memcon.record import beat as beats
from memcon.record import evidence
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import Note
from memcon.verify.words import count, utc

if TYPE_CHECKING:
    from types import ModuleType

    from memcon.tlog.tiles import TileReader
    from memcon.verify.findings import Report
    from memcon.verify.sources import Source

LIBRARY = "rfc3161_client"
SHA256 = "2.16.840.1.101.3.4.2.1"
NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Stamped:
    """A token that holds: the leaves before `size` were there at `time` (POSIX seconds, rounded up)."""

    size: int
    time: int


def library() -> ModuleType | None:
    """The library that reads tokens, where it is installed."""
    try:
        return importlib.import_module(LIBRARY)
    except ImportError:
        return None


def read_roots(pem: bytes) -> list[Any]:
    """Certificates of a PEM file, which only the library's own dependency reads. Raises FormatError."""
    x509 = importlib.import_module("cryptography.x509")
    try:
        found = list(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise FormatError("roots of time stamps", f"no PEM certificates: {error}") from error
    return found


def check_token(lib: ModuleType, data: bytes, roots: list[Any]) -> tuple[bytes, int]:
    """The hash that a token is over, and its time rounded up, once it holds. Raises FormatError."""
    try:
        answer = lib.decode_timestamp_response(data)
        imprint = answer.tst_info.message_imprint
        if imprint.hash_algorithm.dotted_string != SHA256:
            raise FormatError("time stamp", f"hashed with {imprint.hash_algorithm.dotted_string}")
        digest = bytes(imprint.message)
        lib.VerifierBuilder(roots=roots).build().verify(answer, digest)
        time = answer.tst_info.gen_time.timestamp()
    except FormatError:
        raise
    except Exception as error:  # of a library, about input from outside: it counts for nothing
        raise FormatError("time stamp", str(error) or type(error).__name__) from error
    return digest, -int(-time // 1)


class Stamps:
    """The tokens that a log or mirror serves. `roots`: PEM, the checker's own; none: nothing is believed."""

    def __init__(self, source: Source, report: Report, roots: bytes | None) -> None:
        self._source = source
        self._report = report
        self._roots = roots

    def read(self, checkpoint: Checkpoint, tiles: TileReader) -> list[Stamped]:
        """Those that hold, over trees that are beginnings of the log; the rest is told in the report."""
        data = self._source.fetch(evidence.STAMP_INDEX)
        if data is None:
            return []
        entries = list(evidence.read_entries(data))
        lib = library()
        if lib is None or self._roots is None:
            why = "rfc3161-client is not installed" if lib is None else "no roots of yours were given"
            self._report.not_checked.append(f"{count(len(entries), 'time stamp')} of authorities: {why}")
            return []
        roots = read_roots(self._roots)
        found = []
        for entry in entries:
            path = evidence.hashed_path("timestamp", entry.digest)
            try:
                one = self._one(lib, path, roots, checkpoint, tiles)
                if one is not None:
                    found.append(one)
            except FormatError as error:
                self._report.add("timestamp-form", path, str(error))
        if found:
            last = max(found, key=lambda one: one.size)
            self._report.checked.append(
                f"{len(found)} of {count(len(entries), 'time stamp')} hold under roots of yours; the newest: "
                f"{count(last.size, 'leaf', 'leaves')} were there at {utc(last.time * NS)}"
            )
        return found

    def _one(
        self, lib: ModuleType, path: str, roots: list[Any], checkpoint: Checkpoint, tiles: TileReader
    ) -> Stamped | None:
        """None: of a larger tree than is served here, which shows nothing of these leaves."""
        digest, time = check_token(lib, self._source.fetch(path) or b"", roots)
        note = self._source.fetch(evidence.hashed_path("note", digest))
        if note is None or sha256(note).digest() != digest:
            raise FormatError("time stamp", f"is over {digest.hex()}, and there is no such note")
        stamped = Checkpoint.parse(Note.parse(note).text)
        if stamped.size > checkpoint.size:
            return None
        if not tiles.begins(stamped.size, stamped.root, checkpoint.root):
            raise FormatError("time stamp", f"is over {stamped.size:,} leaves of another history")
        _after_its_leaves(tiles, stamped.size, time)
        return Stamped(stamped.size, time)


def _after_its_leaves(tiles: TileReader, size: int, time: int) -> None:
    """An authority that dates a tree before its last beat's slot is wrong, or lies: it dates nothing."""
    try:
        last = beats.decode(next(tiles.entries(size - 1, size))) if size else None
    except FormatError:  # no beat: a log of another kind
        return
    if last is not None and time * NS < last.slot_start_ns():
        raise FormatError("time stamp", "is dated before the last beat that it is over")


def not_after(stamps: list[Stamped], index: int) -> int | None:
    """The earliest time of a token over a tree that holds the leaf `index`."""
    return min((one.time for one in stamps if one.size > index), default=None)
