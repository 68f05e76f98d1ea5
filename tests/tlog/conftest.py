"""Keys that sign for the tests of the log formats: `cryptography` signs, memcon checks."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from memcon.tlog import cosignature
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    Note,
    Signature,
    VerifierKey,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

ORIGIN = "log.memcon.example/test"


@dataclass(frozen=True)
class TestKey:
    """A signing key of one note signature type, made from a number so that tests repeat."""

    __test__ = False

    name: str
    kind: int = ED25519
    number: int = 0

    @property
    def _seed(self) -> bytes:
        return bytes([self.number]) * 32

    @property
    def key(self) -> VerifierKey:
        if self.kind == COSIGNATURE_MLDSA44:
            public = MLDSA44PrivateKey.from_seed_bytes(self._seed).public_key().public_bytes_raw()
        else:
            public = Ed25519PrivateKey.from_private_bytes(self._seed).public_key().public_bytes_raw()
        return VerifierKey(self.name, self.kind, public)

    def sign(self, text: bytes, timestamp: int = 0) -> Signature:
        """The signature line of this key over a note's text."""
        if self.kind == COSIGNATURE_MLDSA44:
            message = cosignature.mldsa44_message(self.name, timestamp, Checkpoint.parse(text))
            raw = MLDSA44PrivateKey.from_seed_bytes(self._seed).sign(message)
            blob = timestamp.to_bytes(8, "big") + raw
        elif self.kind == COSIGNATURE_ED25519:
            raw = Ed25519PrivateKey.from_private_bytes(self._seed).sign(
                cosignature.ed25519_message(timestamp, text)
            )
            blob = timestamp.to_bytes(8, "big") + raw
        else:
            blob = Ed25519PrivateKey.from_private_bytes(self._seed).sign(text)
        return Signature(self.name, self.key.key_id, blob)


def signed(text: bytes, keys: Sequence[TestKey], timestamp: int = 0) -> Note:
    """A note over the text, signed by all keys."""
    return Note(text, tuple(key.sign(text, timestamp) for key in keys))


def test_data() -> Path:
    """The directory of the test data nobody here wrote."""
    default = Path(__file__).parents[2].parent / "shared" / "data"
    return Path(os.environ.get("MEMCON_TEST_DATA", default))


test_data.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


@pytest.fixture(scope="session")
def tlog_data() -> Path:
    """Published vectors of other implementations; skips where they are absent."""
    path = test_data() / "tlog"
    if not path.is_dir():
        pytest.skip("no log vectors: set MEMCON_TEST_DATA to the directory that holds tlog/")
    return path


@pytest.fixture(scope="session")
def own_vectors(tlog_data: Path) -> dict[str, Any]:
    """Vectors checked by the Go and JavaScript implementations."""
    vectors: dict[str, Any] = json.loads((tlog_data / "memcon-own-vectors.json").read_text())
    return vectors
