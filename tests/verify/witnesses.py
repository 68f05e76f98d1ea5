"""Witnesses for the tests: real keys, real cosignatures, policies of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from memcon.record.hashing import sha256
from memcon.tlog.cosignature import Cosignature, ed25519_message
from memcon.tlog.note import COSIGNATURE_ED25519, Note, Signature, VerifierKey
from memcon.tlog.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Witness:
    """A witness that cosigns whatever a test tells it to, at whatever time."""

    name: str

    @cached_property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(sha256(b"witness" + self.name.encode()))

    @cached_property
    def key(self) -> VerifierKey:
        return VerifierKey(
            f"{self.name}.example", COSIGNATURE_ED25519, self.private.public_key().public_bytes_raw()
        )

    def cosign(self, text: bytes, timestamp: int) -> Signature:
        raw = self.private.sign(ed25519_message(timestamp, text))
        return Signature(self.key.name, self.key.key_id, Cosignature(timestamp, raw).to_bytes())


@lru_cache
def _loaded(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)


def quick_check(key: VerifierKey, text: bytes, blob: bytes) -> bool:
    """A signature by OpenSSL: tests have thousands of them."""
    message = text
    if key.kind == COSIGNATURE_ED25519:
        message = ed25519_message(int.from_bytes(blob[:8], "big"), text)
        blob = blob[8:]
    try:
        _loaded(key.public_key).verify(blob, message)
    except InvalidSignature:
        return False
    return True


WITNESSES = {name: Witness(name) for name in ("w1", "w2", "w3", "w4")}


def policy_text(vkeys: Iterable[str], names: Iterable[str] = ("w1", "w2", "w3"), threshold: int = 2) -> bytes:
    """A flat k-of-n policy for a log with these keys."""
    names = list(names)
    lines = [f"log {vkey}" for vkey in vkeys]
    lines += [f"witness {name} {WITNESSES[name].key}" for name in names]
    lines += [f"group all-of-them {threshold} {' '.join(names)}", "quorum all-of-them"]
    return "".join(f"{line}\n" for line in lines).encode()


def policy(
    vkeys: Iterable[str] = (), names: Iterable[str] = ("w1", "w2", "w3"), threshold: int = 2
) -> Policy:
    """The same, read."""
    return Policy.parse(policy_text(vkeys, names, threshold))


def cosigned(note: bytes, stamps: Mapping[str, int]) -> bytes:
    """A log's signed note with cosignatures: witness's name -> POSIX seconds."""
    read = Note.parse(note)
    return read.add(*(WITNESSES[n].cosign(read.text, t) for n, t in stamps.items())).to_bytes()
