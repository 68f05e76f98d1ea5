"""A journal file written again without what no open call needs.

The journal of a call is kept until the call is handed over, and the journal is everybody's: one call of
eight hours would keep what came for all others in that time. So a file of which most calls are handed over
is written anew, frame by frame under the same numbers, with the packets and messages of the others left
out; the beginnings of those stay, without their messages, so that whoever reads it again knows whom not to
mind. The new file has a key of its own, stands beside the old one until it is durable, and then takes its
name: killed at any moment there is one of the two, whole.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memcon.errors import FormatError
from memcon.record import canonical, journal
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from numpy.typing import NDArray

SUFFIX = ".new"
BEGINNINGS = ("call", "carry")
OF_A_CALL = ("sip", "streams", "event", "end")


class Needed:
    """What must stay of one instance: the calls' keys, and their media handles (below 2^31)."""

    def __init__(self, keys: Collection[str], handles: Collection[int]) -> None:
        self._keys = frozenset(keys)
        self._handles: NDArray[np.uint32] = np.array(sorted(handles), np.uint32)

    def of(self, plaintext: bytes) -> bytes:
        """A frame's records without what is not needed. Raises FormatError."""
        out: list[bytes | memoryview] = []
        for record in journal.decode_records(plaintext):
            if isinstance(record, journal.Media):
                out += self._media(record)
            elif isinstance(record, journal.Control):
                out += self._control(record)
            elif isinstance(record, journal.Tick):
                body = journal.encode_tick(record.wall, record.mono, record.watermark)
                out += journal.encode_record(journal.TYPE_TICK, body)
            else:
                out += journal.encode_record(journal.TYPE_STOP, canonical.dumps(record.facts))
        return b"".join(out)

    def _media(self, media: journal.Media) -> list[bytes | memoryview]:
        streams = np.frombuffer(media.streams, ">u4")
        stay = np.isin(streams, self._handles)
        if not stay.any():
            return []
        lengths = np.frombuffer(media.lengths, ">u2")
        packets = np.frombuffer(media.packets, np.uint8)[np.repeat(stay, lengths)]
        arrivals = np.frombuffer(media.arrivals, ">u8")[stay]
        head = journal.media_head(media.wall, media.mono, int(np.count_nonzero(stay)))
        body = [streams[stay].tobytes(), arrivals.tobytes(), lengths[stay].tobytes(), packets.tobytes()]
        return journal.encode_record(journal.TYPE_MEDIA, head, *body)

    def _control(self, control: journal.Control) -> list[bytes | memoryview]:
        kind, attachments = control.facts["type"], control.attachments
        if control.facts.get("key") not in self._keys:
            if kind in OF_A_CALL:
                return []
            if kind in BEGINNINGS:
                attachments = ()
        return journal.encode_record(journal.TYPE_CONTROL, journal.encode_control(control.facts, attachments))


class Trim:
    """One file being written again: `step` until it says that all is written, then `finish`.

    Raises MachineError where the disk refuses, FormatError where the file is not whole: it is left alone
    then, and `abandon` removes what was written.
    """

    def __init__(self, path: Path, journal_key: bytes, needed: Needed) -> None:
        self._path, self._needed = path, needed
        self._fd = -1
        with durable.machine_errors(path, "opening"):
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        target = path.with_name(path.name + SUFFIX)
        durable.remove_file(target)
        self._out = durable.AppendFile(target, named=False)
        before = journal.decode_header(self._read(journal.HEADER_SIZE, 0))
        after = journal.JournalHeader(
            before.instance,
            before.file_number,
            before.first_frame,
            before.wall,
            before.key_id,
            before.trims + 1,
        )
        self._instance = before.instance
        self._old, self._new = (AESGCM(head.frame_key(journal_key)) for head in (before, after))
        self._out.write(after.encode())
        self._at = journal.HEADER_SIZE
        self._number = -1

    def _read(self, size: int, at: int) -> bytes:
        with durable.machine_errors(self._path, "reading"):
            data = os.pread(self._fd, size, at)
        if len(data) < size:
            raise FormatError(self._path.name, "ends in the middle of a frame", where=at)
        return data

    @property
    def size(self) -> int:
        """Bytes written."""
        return self._out.size

    def step(self, budget: int) -> bool:
        """Read about so many bytes; True when the whole file is done."""
        until = self._at + budget
        with durable.machine_errors(self._path, "reading"):
            end = os.fstat(self._fd).st_size
        while self._at < min(until, end):
            head = self._read(journal.FRAME_HEAD, self._at)
            length, number = journal.decode_frame_head(head)
            ciphertext = self._read(length, self._at + journal.FRAME_HEAD)
            self._at += journal.FRAME_HEAD + length
            if number <= self._number:
                continue  # written twice, where the first could not be synced
            self._number = number
            nonce = journal.frame_nonce(number)
            try:
                plaintext = self._old.decrypt(nonce, ciphertext, self._instance + head)
            except InvalidTag as error:
                raise FormatError(self._path.name, f"frame {number} does not authenticate") from error
            kept = self._needed.of(plaintext)
            head = journal.frame_head(len(kept) + journal.GCM_TAG, number)
            self._out.write(head + self._new.encrypt(nonce, kept, self._instance + head))
        return self._at >= end

    def finish(self) -> None:
        """Make the new file durable and give it the old one's name."""
        self._out.sync()
        self._out.rename(self._path)
        durable.fsync_dir(self._path.parent)
        self.close()

    def abandon(self) -> None:
        """Leave the old file as it is."""
        self.close()
        durable.remove_file(self._path.with_name(self._path.name + SUFFIX))

    def close(self) -> None:
        """Close both files."""
        self._out.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
