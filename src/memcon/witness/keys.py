"""A witness's keys, and the quick check of everybody's signatures.

Each key is a file of 32 bytes, mode 0600. Checking uses the `cryptography` library; that a public key
is canonical and not of small order is checked by `tlog` when it is loaded, as everywhere in memcon.
"""

from __future__ import annotations

import functools
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from memcon.errors import FormatError, UsageError
from memcon.store import durable
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.cosignature import (
    Cosignature,
    CosignatureError,
    ed25519_message,
    mldsa44_message,
    verifier,
)
from memcon.tlog.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    Signature,
    Verifier,
    VerifierKey,
    check_name,
)

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.tlog.policy import Policy

KINDS = {"ed25519": COSIGNATURE_ED25519, "mldsa44": COSIGNATURE_MLDSA44}
KEY_SIZE = 32


@dataclass(frozen=True, slots=True)
class Cosigner:
    """Cosigns checkpoints under one name, with an Ed25519 key (type 04), an ML-DSA-44 key (06), or both."""

    name: str
    ed25519: bytes | None = field(default=None, repr=False)
    mldsa44: bytes | None = field(default=None, repr=False)
    _ed: Ed25519PrivateKey | None = field(default=None, init=False, repr=False, compare=False)
    _ml: MLDSA44PrivateKey | None = field(default=None, init=False, repr=False, compare=False)
    vkeys: tuple[VerifierKey, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        """Raises FormatError for a name no key can have, UsageError without a key."""
        check_name(self.name, "witness name", error=FormatError)
        if self.ed25519 is None and self.mldsa44 is None:
            raise UsageError("a witness has one key at least")
        vkeys = []
        if self.ed25519 is not None:
            ed = Ed25519PrivateKey.from_private_bytes(self.ed25519)
            object.__setattr__(self, "_ed", ed)
            vkeys.append(VerifierKey(self.name, COSIGNATURE_ED25519, ed.public_key().public_bytes_raw()))
        if self.mldsa44 is not None:
            ml = MLDSA44PrivateKey.from_seed_bytes(self.mldsa44)
            object.__setattr__(self, "_ml", ml)
            vkeys.append(VerifierKey(self.name, COSIGNATURE_MLDSA44, ml.public_key().public_bytes_raw()))
        object.__setattr__(self, "vkeys", tuple(vkeys))

    def cosign(self, checkpoint: Checkpoint, text: bytes, time: int) -> tuple[Signature, ...]:
        """The signature lines over a checkpoint (its parsed form and its text) at `time`, POSIX seconds.

        Raises CosignatureError where no key can: ML-DSA-44 covers no extension lines and no long names.
        """
        made, problem = [], None
        for key in self.vkeys:
            try:
                made.append(Signature(key.name, key.key_id, self._sign(key.kind, checkpoint, text, time)))
            except CosignatureError as error:
                problem = error
        if problem is not None and not made:
            raise problem
        return tuple(made)

    def _sign(self, kind: int, checkpoint: Checkpoint, text: bytes, time: int) -> bytes:
        if kind == COSIGNATURE_ED25519 and self._ed is not None:
            signed = self._ed.sign(ed25519_message(time, text))
        elif self._ml is not None:
            signed = self._ml.sign(mldsa44_message(self.name, time, checkpoint))
        return Cosignature(time, signed).to_bytes()


def create_keys(directory: Path, kinds: tuple[str, ...]) -> None:
    """Make a witness's key files; UsageError where there is one already."""
    paths = [directory / f"{kind}.key" for kind in kinds]
    for path in paths:
        if path.exists():
            raise UsageError(f"{path} is there already", cure="A witness keeps its keys")
    durable.make_dirs(directory)
    for path in paths:
        durable.write_file(path, secrets.token_bytes(KEY_SIZE))


def load_cosigner(directory: Path, name: str) -> Cosigner:
    """The cosigner of a key directory. Raises UsageError for none, or one that others can read."""
    seeds: dict[str, bytes] = {}
    for kind in KINDS:
        path = directory / f"{kind}.key"
        data = durable.read_if_there(path)
        if data is None:
            continue
        if path.stat().st_mode & 0o077:
            raise UsageError(f"{path} can be read by others", cure=f"chmod 600 {path}")
        if len(data) != KEY_SIZE:
            raise FormatError(str(path), f"{len(data)} bytes, a key has {KEY_SIZE}", where="length")
        seeds[kind] = data
    if not seeds:
        raise UsageError(f"there is no key in {directory}", cure="memcon witness init makes them")
    return Cosigner(name, seeds.get("ed25519"), seeds.get("mldsa44"))


class QuickVerifier:
    """Checks the signatures of one key of type 01, 04 or 06; raises `PublicKeyError` for a bad key."""

    def __init__(self, key: VerifierKey) -> None:
        checked = verifier(key)  # refuses weak and malformed keys
        self.name, self.key_id, self.kind = checked.name, checked.key_id, key.kind
        self._key: Ed25519PublicKey | MLDSA44PublicKey
        if key.kind == COSIGNATURE_MLDSA44:
            self._key = MLDSA44PublicKey.from_public_bytes(key.public_key)
        else:
            self._key = Ed25519PublicKey.from_public_bytes(key.public_key)

    def verify(self, text: bytes, blob: bytes) -> bool:
        """Whether `blob` is this key's over the note's text."""
        try:
            signature, message = self._parts(text, blob)
        except FormatError:
            return False
        try:
            self._key.verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def _parts(self, text: bytes, blob: bytes) -> tuple[bytes, bytes]:
        if self.kind == ED25519:
            return blob, text
        checkpoint, cosigned = Checkpoint.parse(text), Cosignature.parse(blob)
        if self.kind == COSIGNATURE_ED25519:
            return cosigned.signature, ed25519_message(cosigned.timestamp, text)
        return cosigned.signature, mldsa44_message(self.name, cosigned.timestamp, checkpoint)


_quick = functools.lru_cache(64)(QuickVerifier)


def check_quickly(key: VerifierKey, text: bytes, blob: bytes) -> bool:
    """As `verify.cosigned.check_signature`, by a quick verifier of the key."""
    return _quick(key).verify(text, blob)


def quicken(policy: Policy) -> Policy:
    """The policy, its signatures checked by the quick verifiers."""
    quick: dict[VerifierKey, Verifier] = {
        key: QuickVerifier(key)
        for key in [log.key for log in policy.logs] + [witness.key for witness in policy.witnesses]
    }
    policy._verifiers.update(quick)
    return policy
