"""Signed notes (C2SP signed-note v1.0.0).

    <text, one or more lines>
    <empty line>
    — <key name> <base64 of: 4-byte key id || signature>        one or more

All of it is UTF-8 without control characters; every line ends in a newline; the last empty line
divides text and signatures. A key id is SHA-256(name || 0A || type || public key)[:4].

`verify` follows the specification: a signature whose (name, key id) nobody knows is ignored; one by
a known key that does not verify makes the whole note worthless, and so does the lack of any.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from memcon.errors import FormatError
from memcon.tlog import ed25519, mldsa44
from memcon.tlog.encoding import PublicKeyError, from_base64, is_clean, lines_of, text_of, to_base64

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_NOTE_SIZE = 1 << 20
MAX_SIGNATURES = 64
"""The specification asks for at least 16; a log with two keys and a dozen witnesses needs fewer than 64."""

ED25519 = 0x01
COSIGNATURE_ED25519 = 0x04
COSIGNATURE_MLDSA44 = 0x06
_KEY_SIZES = {
    ED25519: ed25519.PUBLIC_KEY_SIZE,
    COSIGNATURE_ED25519: ed25519.PUBLIC_KEY_SIZE,
    COSIGNATURE_MLDSA44: mldsa44.PUBLIC_KEY_SIZE,
}
_PREFIX = "\u2014 "


class NoteError(FormatError):
    """Bytes that are no signed note."""


class SignatureError(FormatError):
    """A note whose signatures do not hold, or that no known key has signed."""


def check_name(name: str, what: str, *, error: type[FormatError] = NoteError) -> None:
    """Raise `error` unless the key name is non-empty and without spaces, plus and control characters."""
    if not name:
        raise error(what, "empty key name", where="name")
    if not is_clean(name) or any(char.isspace() or char == "+" for char in name):
        raise error(what, "a key name with a space, a plus or a control character", where="name")


def key_id(name: str, kind: int, public_key: bytes) -> bytes:
    """The four bytes that stand for a key in a signature line."""
    return sha256(name.encode() + b"\n" + bytes([kind]) + public_key).digest()[:4]


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who (`name`, 4-byte `key_id`), and the signature's bytes as its type has them."""

    name: str
    key_id: bytes
    blob: bytes

    def __post_init__(self) -> None:
        check_name(self.name, "signature")
        if len(self.key_id) != 4 or not self.blob:
            raise NoteError("signature", "a key id of 4 bytes and a signature are needed", where=self.name)

    def line(self) -> bytes:
        """The line as it stands in the note, with its newline."""
        return f"{_PREFIX}{self.name} {to_base64(self.key_id + self.blob)}\n".encode()

    @classmethod
    def from_line(cls, line: str, where: int | str) -> Signature:
        """Read one line (without newline)."""
        name, space, encoded = line.removeprefix(_PREFIX).partition(" ")
        if not line.startswith(_PREFIX) or not space:
            raise NoteError("note", "not a signature line", where=where)
        data = from_base64(encoded, "note", where, error=NoteError)
        return cls(name, data[:4], data[4:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text (bytes, ending in a newline) and its signatures, at least one."""

    text: bytes
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        if not text_of(self.text, "note", error=NoteError).endswith("\n"):
            raise NoteError("note", "the text does not end in a newline", where="text")
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise NoteError("note", f"{len(self.signatures)} signatures, not 1 to {MAX_SIGNATURES}")

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a note; raises `NoteError`. `Note.parse(data).to_bytes() == data` for all that is read."""
        if len(data) > MAX_NOTE_SIZE:
            raise NoteError("note", f"longer than {MAX_NOTE_SIZE} bytes", where="length")
        text_of(data, "note", error=NoteError)
        end = data.rfind(b"\n\n")
        if end < 0:
            raise NoteError("note", "no empty line before the signatures", where="signatures")
        lines = lines_of(data[end + 2 :].decode(), "note", error=NoteError)
        if len(lines) > MAX_SIGNATURES:
            raise NoteError("note", f"more than {MAX_SIGNATURES} signatures", where="signatures")
        signatures = [Signature.from_line(line, f"signature {n}") for n, line in enumerate(lines, 1)]
        return cls(data[: end + 1], tuple(signatures))

    def to_bytes(self) -> bytes:
        """The note as it is stored and sent."""
        return self.text + b"\n" + b"".join(signature.line() for signature in self.signatures)

    def add(self, *signatures: Signature) -> Note:
        """The same text with further signatures at the end, such as cosignatures."""
        return Note(self.text, self.signatures + signatures)


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name and signature type: the "vkey" `name+keyid+base64(type || key)`."""

    name: str
    kind: int
    public_key: bytes

    def __post_init__(self) -> None:
        check_name(self.name, "verifier key", error=PublicKeyError)
        size = _KEY_SIZES.get(self.kind)
        if size is None:
            raise PublicKeyError("verifier key", f"unsupported signature type {self.kind}", where=self.name)
        if len(self.public_key) != size:
            problem = f"a key of type {self.kind} has {size} bytes, this one {len(self.public_key)}"
            raise PublicKeyError("verifier key", problem, where=self.name)

    @property
    def key_id(self) -> bytes:
        """The four bytes that stand for this key in a signature line."""
        return key_id(self.name, self.kind, self.public_key)

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a vkey; raises `PublicKeyError`. Its key id must be the one computed from the rest."""
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise PublicKeyError("verifier key", "not of the form name+keyid+key")
        name, identity, encoded = parts
        data = from_base64(encoded, "verifier key", name, error=PublicKeyError)
        if not data:
            raise PublicKeyError("verifier key", "no signature type", where=name)
        key = cls(name, data[0], data[1:])
        if identity != key.key_id.hex():
            raise PublicKeyError("verifier key", f"key id {identity!r} is not {key.key_id.hex()}", where=name)
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{to_base64(bytes([self.kind]) + self.public_key)}"


class Verifier(Protocol):
    """Checks the signatures of one key, known by name and key id."""

    @property
    def name(self) -> str: ...

    @property
    def key_id(self) -> bytes: ...

    def verify(self, text: bytes, blob: bytes) -> bool:
        """Whether `blob`, a signature line's bytes after the key id, is this key's over the note's text."""
        ...


class Ed25519Verifier:
    """Plain Ed25519 over the text (type 01), as a log signs its checkpoints."""

    def __init__(self, key: VerifierKey) -> None:
        """Raises `PublicKeyError` for another type or a weak key."""
        if key.kind != ED25519:
            raise PublicKeyError("verifier key", f"type {key.kind} is no plain Ed25519 key", where=key.name)
        self.name, self.key_id = key.name, key.key_id
        self._key = ed25519.PublicKey(key.public_key)

    def verify(self, text: bytes, blob: bytes) -> bool:
        return self._key.verify(text, blob)


def verify(note: Note, verifiers: Iterable[Verifier]) -> list[tuple[Signature, Verifier]]:
    """The signatures by known keys, in the note's order, each with the key that made it; never empty.

    Raises `SignatureError` if one of them does not verify, if there is none, or if two of the
    `verifiers` cannot be told apart.
    """
    known: dict[tuple[str, bytes], Verifier] = {}
    for verifier in verifiers:
        if known.setdefault((verifier.name, verifier.key_id), verifier) is not verifier:
            raise SignatureError("note", "two known keys share name and key id", where=verifier.name)
    verified = []
    for signature in note.signatures:
        found = known.get((signature.name, signature.key_id))
        if found is None:
            continue
        if not found.verify(note.text, signature.blob):
            raise SignatureError("note", "a known key's signature does not verify", where=signature.name)
        verified.append((signature, found))
    if not verified:
        raise SignatureError("note", "not signed by any known key", where="signatures")
    return verified
