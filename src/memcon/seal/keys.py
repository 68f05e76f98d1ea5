"""The recorder's own keys: checkpoints (Ed25519 and ML-DSA-44), structure, receipts.

Each is a file of 32 bytes below `keys/`, mode 0600: whoever reads them can speak as this log. They
never leave the machine, and a file that others could read is refused rather than used.
"""

from __future__ import annotations

import secrets
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from memcon.errors import FormatError, UsageError
from memcon.store import durable
from memcon.tlog.cosignature import Cosignature, mldsa44_message
from memcon.tlog.note import COSIGNATURE_MLDSA44, ED25519, Note, Signature, VerifierKey

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.tlog.checkpoint import Checkpoint

KEY_SIZE = 32
LOG_ED25519 = "log-ed25519.key"
LOG_MLDSA44 = "log-mldsa44.key"
STRUCTURE = "structure.key"
RECEIPT = "receipt.key"
FILES = (LOG_ED25519, LOG_MLDSA44, STRUCTURE, RECEIPT)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Keys:
    """The four secrets, 32 bytes each; the first two are seeds of the log's signing keys."""

    log_ed25519: bytes = field(repr=False)
    log_mldsa44: bytes = field(repr=False)
    structure: bytes = field(repr=False)
    receipt: bytes = field(repr=False)

    def vkeys(self, origin: str) -> tuple[VerifierKey, VerifierKey]:
        """The log's public keys (types 01 and 06), both under the origin as name."""
        ed = Ed25519PrivateKey.from_private_bytes(self.log_ed25519).public_key().public_bytes_raw()
        ml = MLDSA44PrivateKey.from_seed_bytes(self.log_mldsa44).public_key().public_bytes_raw()
        return VerifierKey(origin, ED25519, ed), VerifierKey(origin, COSIGNATURE_MLDSA44, ml)

    def receipt_public(self) -> bytes:
        """The public key of receipts, as configuration part `keys` names it."""
        return Ed25519PrivateKey.from_private_bytes(self.receipt).public_key().public_bytes_raw()


class CheckpointSigner:
    """Signs checkpoints of one origin with both keys.

    The ML-DSA-44 signature has the timestamp 0: a log's own clock proves nothing, and a checkpoint
    that is signed again after a crash says the same as before.
    """

    def __init__(self, keys: Keys, origin: str) -> None:
        self.origin = origin
        self.vkeys = keys.vkeys(origin)
        self._ed25519 = Ed25519PrivateKey.from_private_bytes(keys.log_ed25519)
        self._mldsa44 = MLDSA44PrivateKey.from_seed_bytes(keys.log_mldsa44)

    def __call__(self, checkpoint: Checkpoint) -> bytes:
        """The signed note."""
        text = checkpoint.to_bytes()
        ed, ml = self.vkeys
        cosigned = Cosignature(0, self._mldsa44.sign(mldsa44_message(self.origin, 0, checkpoint)))
        signatures = (
            Signature(ed.name, ed.key_id, self._ed25519.sign(text)),
            Signature(ml.name, ml.key_id, cosigned.to_bytes()),
        )
        return Note(text, signatures).to_bytes()


def create_keys(directory: Path) -> Keys:
    """Make the keys of a new log; UsageError where there are keys already (they are never replaced)."""
    present = [name for name in FILES if (directory / name).exists()]
    if present:
        raise UsageError(f"{directory / present[0]} is there already", cure="A log keeps its keys")
    durable.make_dirs(directory)
    for name in FILES:
        durable.write_file(directory / name, secrets.token_bytes(KEY_SIZE))
    return load_keys(directory)


def load_keys(directory: Path) -> Keys:
    """Read the keys; UsageError for a missing or readable file, FormatError for one of another length."""
    return Keys(*(read_secret(directory / name) for name in FILES))


def read_secret(path: Path) -> bytes:
    """A file of 32 secret bytes that nobody but its owner can read."""
    with durable.machine_errors(path, "reading"):
        mode = path.stat().st_mode if path.exists() else None
    if mode is None:
        raise UsageError(f"{path} is not there", cure="memcon init makes the keys of a new home")
    if mode & _OTHERS:
        raise UsageError(f"{path} can be read by others (mode {mode & 0o777:o})", cure=f"chmod 600 {path}")
    data = durable.read_bytes(path)
    if len(data) != KEY_SIZE:
        raise FormatError(str(path), f"{len(data)} bytes, a key has {KEY_SIZE}", where="length")
    return data
