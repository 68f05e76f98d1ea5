"""Follows the journal as it grows, instance by instance, frame by frame (FORMATS §12).

Instances are read in the order of their start; one that a later one has followed is over, and a
torn frame at its end is what a crash leaves. What cannot be read is a `Finding`, and reading goes
on behind it: a damaged frame must not cost the frames that follow.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memcon.errors import FormatError
from memcon.record import journal
from memcon.record.hashing import sha256
from memcon.store import durable
from memcon.store.memory import Scratch

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.store.paths import Home

_NAME = re.compile(r"([0-9a-f]{32})-([0-9]{8})\.mcj")
_SEARCH = 1 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the journal, or in what it says, that could not be taken as it should be."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One decrypted frame and the file it came from. `plaintext` is good until the next frame is read."""

    instance: bytes
    file_number: int
    number: int
    plaintext: memoryview


@dataclass(slots=True)
class InstanceJournal:
    """The files of one instance: `files` number -> path; `file`, `offset`, `frame`: where reading stands."""

    instance: bytes
    started: int
    files: dict[int, Path]
    key: bytes | None = None
    cipher: AESGCM | None = None
    """For the frames of the file that reading stands in."""
    file: int = 0
    offset: int = 0
    frame: int | None = None
    loose: bool = False
    """Its first file is gone: which frame comes first the next one tells."""
    headers: set[int] = field(default_factory=set)

    @property
    def complete(self) -> bool:
        """Whether the journal of this instance begins with its first file."""
        return min(self.files, default=0) == 0


class JournalReader:
    """Gives the frames of all instances in order, as far as they are written."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.instances: list[InstanceJournal] = []
        self.findings: list[Finding] = []
        self._at = 0
        self._fd = -1
        self._open_file: Path | None = None
        self._unreadable: set[Path] = set()
        self._ciphertext, self._plaintext = Scratch(), Scratch()

    @property
    def current(self) -> InstanceJournal | None:
        """The instance being read."""
        return self.instances[self._at] if self._at < len(self.instances) else None

    @property
    def superseded(self) -> bool:
        """Whether a later instance stands behind the one being read."""
        return self._at + 1 < len(self.instances)

    def next_instance(self) -> None:
        """Go on to the instance after the present one, which is over."""
        self._close()
        self._at += 1

    def seek(self, position: int, file: int) -> None:
        """Read on from the beginning of a file of the instance that stands at `position`."""
        self._close()
        self._at = position
        current = self.instances[position]
        current.file, current.offset, current.frame, current.loose = file, 0, None, file > 0

    def pass_over(self) -> None:
        """Pass over what the file that was read from last has got so far: only what comes is wanted."""
        current = self.current
        if current is not None and self._fd >= 0:
            current.offset, current.loose = os.fstat(self._fd).st_size, True

    def scan(self) -> None:
        """Take notice of new files and instances."""
        with durable.machine_errors(self._home.journal, "listing"):
            folders = [folder for folder in self._home.journal_folders if folder.is_dir()]
            paths = sorted((p for folder in folders for p in folder.iterdir()), key=lambda p: p.name)
        known = {i.instance: i for i in self.instances}
        for path in paths:
            match = _NAME.fullmatch(path.name)
            if match is None:
                continue
            instance, number = bytes.fromhex(match[1]), int(match[2])
            if instance in known:
                known[instance].files.setdefault(number, path)
            elif path not in self._unreadable:
                self._add(instance, number, path, known)

    def _add(self, instance: bytes, number: int, path: Path, known: dict[bytes, InstanceJournal]) -> None:
        header = self._header(path, instance, number)
        if header is None:
            return
        found = InstanceJournal(
            instance, header.wall, {number: path}, file=number, frame=header.first_frame, loose=number > 0
        )
        key = durable.read_if_there(self._home.journal_key(instance))
        if key is None or len(key) != 32 or sha256(key)[:8] != header.key_id:
            self.findings.append(
                Finding(path.name, "its key is not in the run directory: what it holds cannot be sealed")
            )
        else:
            found.key = key
        known[instance] = found
        self.instances.append(found)
        later = self.instances[self._at + 1 :]
        self.instances[self._at + 1 :] = sorted(later, key=lambda i: (i.started, i.instance))
        if self._at == 0 and not self.instances[0].headers:  # nothing read yet: all may be ordered
            self.instances.sort(key=lambda i: (i.started, i.instance))

    def _header(self, path: Path, instance: bytes, number: int) -> journal.JournalHeader | None:
        """A file's header; None while it is not written whole, or with a finding where it is damaged."""
        with durable.machine_errors(path, "reading"), path.open("rb") as file:
            data = file.read(journal.HEADER_SIZE)
        if len(data) < journal.HEADER_SIZE:
            return None
        try:
            header = journal.decode_header(data)
        except FormatError as error:
            self._refuse(path, str(error))
            return None
        if header.instance != instance or header.file_number != number:
            self._refuse(path, "its header belongs to another file")
            return None
        return header

    def _refuse(self, path: Path, text: str) -> None:
        self._unreadable.add(path)
        self.findings.append(Finding(path.name, text))

    def read(self) -> Frame | None:
        """The next frame of the current instance, or None where there is none (yet).

        Raises MachineError where the disk refuses.
        """
        with durable.machine_errors(self._open_file or self._home.journal, "reading"):
            return self._read()

    def _read(self) -> Frame | None:
        current = self.current
        while current is not None and current.key is not None:
            if not self._enter(current):
                if not self._skip_unreadable(current):
                    return None
                continue
            frame = None if current.cipher is None else self._read_frame(current, current.cipher)
            if frame is not None:
                return frame
            if not self._next_file(current):
                return None
        return None

    def _skip_unreadable(self, current: InstanceJournal) -> bool:
        """Step over a file whose header is damaged or was never whole, if another follows."""
        path = current.files.get(current.file)
        if path is None or not any(n > current.file for n in current.files):
            return False
        if path not in self._unreadable:  # a power cut took its first bytes
            self.findings.append(Finding(path.name, "has no whole header"))
        return self._step(current)

    def _step(self, current: InstanceJournal) -> bool:
        later = sorted(n for n in current.files if n > current.file)
        if not later:
            return False
        if later[0] != current.file + 1:
            self.findings.append(Finding(current.instance.hex(), f"file {current.file + 1} is missing"))
        self._close()
        current.file, current.offset = later[0], 0
        return True

    def _enter(self, current: InstanceJournal) -> bool:
        """Open the file that reading stands in and read its header once."""
        path = current.files.get(current.file)
        if path is None or path in self._unreadable:
            return False
        if current.offset == 0:
            header = self._header(path, current.instance, current.file)
            if header is None:
                return False
            if current.frame is not None and header.first_frame > current.frame:
                lost = header.first_frame - current.frame
                self.findings.append(Finding(path.name, f"{lost} frames are missing before it"))
            # A file may begin with frames of the one before, rewritten because they were not on the disk.
            current.frame = max(current.frame or 0, header.first_frame)
            current.offset = journal.HEADER_SIZE
            current.cipher = None if current.key is None else AESGCM(header.frame_key(current.key))
            current.headers.add(current.file)
        if self._open_file != path:
            self._close()
            with durable.machine_errors(path, "opening"):
                self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self._open_file = path
        return True

    def _next_file(self, current: InstanceJournal) -> bool:
        """Whether the next file of the instance has begun; a rest in this one is a finding then."""
        if not any(n > current.file for n in current.files):
            return False
        rest = os.fstat(self._fd).st_size - current.offset
        if rest > 0:  # less than none where the writer cut off what it could not sync
            path = current.files[current.file]
            self.findings.append(Finding(path.name, f"{rest} bytes at byte {current.offset} are no frame"))
        return self._step(current)

    def _read_frame(self, current: InstanceJournal, key: AESGCM) -> Frame | None:
        """The next frame that can be read in the open file; damaged ones are found and stepped over."""
        name = current.files[current.file].name
        while True:
            head = os.pread(self._fd, journal.FRAME_HEAD, current.offset)
            if len(head) < journal.FRAME_HEAD:
                return None
            try:
                length, number = journal.decode_frame_head(head)
            except FormatError as error:
                if not self._resync(current, f"{name} at byte {current.offset}", str(error)):
                    return None
                continue
            ciphertext = self._ciphertext.view(length)
            if os.preadv(self._fd, [ciphertext], current.offset + journal.FRAME_HEAD) < length:
                return None
            at, current.offset = current.offset, current.offset + journal.FRAME_HEAD + length
            expected = current.frame or 0
            if number < expected:
                continue  # read before: the same bytes under the same number
            loose, current.loose = current.loose, False
            current.frame = number + 1
            if number != expected and not loose:
                self.findings.append(Finding(f"{name} at byte {at}", f"frame {number}, due was {expected}"))
            try:
                nonce = journal.frame_nonce(number)
                plaintext = self._plaintext.view(length - journal.GCM_TAG)
                key.decrypt_into(nonce, ciphertext, current.instance + head, plaintext)
            except InvalidTag:
                self.findings.append(Finding(f"{name} at byte {at}", "a frame that does not authenticate"))
                continue
            return Frame(current.instance, current.file, number, plaintext)

    def _resync(self, current: InstanceJournal, where: str, problem: str) -> bool:
        """Look for the next frame's magic behind damage; False where the file has none (yet)."""
        at = current.offset + 1
        while chunk := os.pread(self._fd, _SEARCH, at):
            found = chunk.find(journal.FRAME_MAGIC)
            if found >= 0:
                skipped = at + found - current.offset
                self.findings.append(Finding(where, f"{problem}; {skipped} bytes skipped"))
                current.offset = at + found
                return True
            if len(chunk) < _SEARCH:
                return False
            at += len(chunk) - len(journal.FRAME_MAGIC) + 1
        return False

    def at_torn_end(self) -> int:
        """How many bytes without a whole frame stand at the end of what was read."""
        if self._fd < 0 or self.current is None:
            return 0
        return max(0, os.fstat(self._fd).st_size - self.current.offset)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._open_file = -1, None

    def close(self) -> None:
        """Close the file that is open."""
        self._close()
