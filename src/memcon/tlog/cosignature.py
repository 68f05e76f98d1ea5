"""Cosignatures: timestamped signatures over checkpoints (C2SP tlog-cosignature v1.1.0-rc.1).

A cosigner says: as of this time, the largest consistent tree I have seen of this log has this size
and root. That sentence is what a silence certificate is made of.

Signature bytes after the key id, for both types:

    0    8   timestamp, u64 big-endian, POSIX seconds, at most 2^63 - 1
    8        Ed25519 (64) or ML-DSA-44 (2420) signature

Ed25519 (type 04) signs "cosignature/v1\\ntime <timestamp>\\n" || the whole text of the checkpoint.

ML-DSA-44 (type 06, empty context) signs

    12       "subtree/v1\\n\\0"
    1 + n    cosigner's name (n = 1 to 255)
    8        timestamp; 0: no word about the largest tree
    1 + m    log's origin (m = 1 to 255)
    8        start = 0 for a checkpoint
    8        end = tree size
    32       root

This covers no extension lines. A checkpoint that has some is therefore refused under type 06: a
reader could not tell which of its lines the cosigner has signed.
memcon's logs sign their own checkpoints with types 01 and 06.
"""

from __future__ import annotations

from dataclasses import dataclass

from memcon.errors import FormatError
from memcon.tlog import ed25519, mldsa44
from memcon.tlog.checkpoint import Checkpoint, CheckpointError
from memcon.tlog.encoding import MAX_INTEGER, PublicKeyError
from memcon.tlog.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    Ed25519Verifier,
    Verifier,
    VerifierKey,
)

_LABEL = b"subtree/v1\n\0"
_SIZES = (ed25519.SIGNATURE_SIZE, mldsa44.SIGNATURE_SIZE)


class CosignatureError(FormatError):
    """Bytes that are no cosignature, or a statement no cosigner can make."""


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A timestamp (POSIX seconds, 0: none) and a signature of 64 (Ed25519) or 2420 (ML-DSA-44) bytes."""

    timestamp: int
    signature: bytes

    def __post_init__(self) -> None:
        _check_timestamp(self.timestamp)
        if len(self.signature) not in _SIZES:
            raise CosignatureError("cosignature", f"{len(self.signature)} bytes of signature", where=8)

    @classmethod
    def parse(cls, blob: bytes) -> Cosignature:
        """Read the bytes of a signature line after the key id."""
        if len(blob) < 8:
            raise CosignatureError("cosignature", "shorter than its timestamp", where=0)
        return cls(int.from_bytes(blob[:8], "big"), blob[8:])

    def to_bytes(self) -> bytes:
        """The bytes of a signature line after the key id."""
        return self.timestamp.to_bytes(8, "big") + self.signature


def _check_timestamp(timestamp: int) -> None:
    if not 0 <= timestamp <= MAX_INTEGER:
        raise CosignatureError("cosignature", "timestamp above 2^63 - 1 or negative", where=0)


def ed25519_message(timestamp: int, text: bytes) -> bytes:
    """What an Ed25519 cosigner signs over the text of a checkpoint."""
    _check_timestamp(timestamp)
    return b"cosignature/v1\ntime %d\n" % timestamp + text


def subtree_message(cosigner: str, timestamp: int, origin: str, start: int, end: int, root: bytes) -> bytes:
    """What an ML-DSA-44 cosigner signs over the leaves [start, end); a timestamp goes with start 0 only."""
    _check_timestamp(timestamp)
    if not 0 <= start <= end <= MAX_INTEGER or (start and timestamp):
        raise CosignatureError("cosignature", f"no statement covers {start} to {end}", where="start")
    if len(root) != 32:
        raise CosignatureError("cosignature", f"a root has 32 bytes, not {len(root)}", where="root")
    parts = [_LABEL, _short(cosigner, "name"), timestamp.to_bytes(8, "big"), _short(origin, "origin")]
    return b"".join([*parts, start.to_bytes(8, "big"), end.to_bytes(8, "big"), root])


def mldsa44_message(cosigner: str, timestamp: int, checkpoint: Checkpoint) -> bytes:
    """What an ML-DSA-44 cosigner signs over a checkpoint; raises `CosignatureError` for extension lines."""
    if checkpoint.extensions:
        raise CosignatureError("cosignature", "ML-DSA-44 covers no extension lines", where="extension line")
    return subtree_message(cosigner, timestamp, checkpoint.origin, 0, checkpoint.size, checkpoint.root)


def _short(text: str, where: str) -> bytes:
    data = text.encode()
    if not 1 <= len(data) <= 255:
        raise CosignatureError("cosignature", f"{len(data)} bytes where 1 to 255 fit", where=where)
    return bytes([len(data)]) + data


class Ed25519CosignatureVerifier:
    """Checks type 04; raises `PublicKeyError` for another type or a weak key."""

    def __init__(self, key: VerifierKey) -> None:
        if key.kind != COSIGNATURE_ED25519:
            raise PublicKeyError("verifier key", f"type {key.kind} does not cosign Ed25519", where=key.name)
        self.name, self.key_id = key.name, key.key_id
        self._key = ed25519.PublicKey(key.public_key)

    def verify(self, text: bytes, blob: bytes) -> bool:
        """Whether this key has cosigned the checkpoint whose text this is."""
        try:
            Checkpoint.parse(text)
            cosignature = Cosignature.parse(blob)
        except (CheckpointError, CosignatureError):
            return False
        return self._key.verify(ed25519_message(cosignature.timestamp, text), cosignature.signature)


class MLDSA44CosignatureVerifier:
    """Checks type 06; raises `PublicKeyError` for another type."""

    def __init__(self, key: VerifierKey) -> None:
        if key.kind != COSIGNATURE_MLDSA44:
            raise PublicKeyError("verifier key", f"type {key.kind} is no ML-DSA-44 key", where=key.name)
        self.name, self.key_id = key.name, key.key_id
        self._key = mldsa44.PublicKey(key.public_key)

    def verify(self, text: bytes, blob: bytes) -> bool:
        """Whether this key has cosigned the checkpoint whose text this is."""
        try:
            cosignature = Cosignature.parse(blob)
            message = mldsa44_message(self.name, cosignature.timestamp, Checkpoint.parse(text))
        except (CheckpointError, CosignatureError):
            return False
        return self._key.verify(message, cosignature.signature)


def verifier(key: VerifierKey) -> Verifier:
    """The verifier for a key of any supported type (01, 04, 06)."""
    if key.kind == ED25519:
        return Ed25519Verifier(key)
    if key.kind == COSIGNATURE_ED25519:
        return Ed25519CosignatureVerifier(key)
    return MLDSA44CosignatureVerifier(key)
