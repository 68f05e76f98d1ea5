"""Custodians and call keys: whoever may open a call later (FORMATS §11), and the keys of open calls.

A custodian's private key is a 32-byte X-Wing seed (draft-connolly-cfrg-xwing-kem, section 5.2):
SHAKE256 of it gives the ML-KEM-768 seed (64 bytes) and the X25519 key (32). The public key is the
ML-KEM-768 key (1184 bytes) followed by the X25519 key (32).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from memcon.errors import FormatError, UsageError
from memcon.record import canonical
from memcon.record.hashing import tag
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from memcon.store.paths import Home

KEM_NAME = "MLKEM768-X25519"
SEED_SIZE = 32
MLKEM_PUBLIC = 1184
PUBLIC_SIZE = MLKEM_PUBLIC + 32
ENCAPSULATION = 1120
CALL_KEY = 32
WRAP_SIZE = ENCAPSULATION + CALL_KEY + 16
_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_FIELDS = {"id": str, "kem": str, "key": str, "name": str}


@dataclass(frozen=True, slots=True)
class Custodian:
    """Someone to whom call keys are wrapped: `key` is the X-Wing public key, 1216 bytes."""

    id: str
    name: str
    key: bytes

    def to_json(self) -> dict[str, canonical.Json]:
        return {"id": self.id, "kem": KEM_NAME, "key": self.key.hex(), "name": self.name}


def _private(seed: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    wide = hashlib.shake_256(seed).digest(96)
    return MLKEM768PrivateKey.from_seed_bytes(wide[:64]), X25519PrivateKey.from_private_bytes(wide[64:])


def _public(key: bytes) -> MLKEM768X25519PublicKey:
    try:
        mlkem = MLKEM768PublicKey.from_public_bytes(key[:MLKEM_PUBLIC])
        return MLKEM768X25519PublicKey(mlkem, X25519PublicKey.from_public_bytes(key[MLKEM_PUBLIC:]))
    except ValueError as error:
        raise FormatError("custodian", f"no X-Wing public key: {error}", where="key") from error


def seal_to(key: bytes, plaintext: bytes, info: bytes) -> bytes:
    """`plaintext` sealed to an X-Wing public key (HPKE): the encapsulation, then the ciphertext."""
    return _SUITE.encrypt(plaintext, _public(key), info)


def open_sealed(seed: bytes, sealed: bytes, info: bytes) -> bytes:
    """What was sealed to the key of this private seed. FormatError where it was not, or is damaged."""
    try:
        return _SUITE.decrypt(sealed, MLKEM768X25519PrivateKey(*_private(seed)), info)
    except (InvalidTag, ValueError) as error:
        raise FormatError("sealed file", "does not open with this key") from error


def make_custodian(id_: str, name: str) -> tuple[Custodian, bytes]:
    """A new custodian and the private seed, 32 bytes, which is theirs alone to keep."""
    seed = secrets.token_bytes(SEED_SIZE)
    mlkem, x25519 = _private(seed)
    key = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    return Custodian(id_, name, key), seed


def encode_custodians(custodians: Sequence[Custodian]) -> bytes:
    """The custodians list, canonical JSON: `custodians.json` and configuration part `custodians`."""
    return canonical.dumps([c.to_json() for c in custodians])


def decode_custodians(data: bytes) -> tuple[Custodian, ...]:
    """Read a custodians list; FormatError where it is none, is empty or names an id twice."""
    value = canonical.loads(data, "custodians")
    if not isinstance(value, list) or not value:
        raise FormatError("custodians", "no list of at least one custodian")
    found = tuple(_custodian(item, n) for n, item in enumerate(value))
    if len({c.id for c in found}) != len(found):
        raise FormatError("custodians", "two custodians with one id", where="id")
    return found


def _custodian(item: canonical.Json, n: int) -> Custodian:
    if not isinstance(item, dict) or set(item) != set(_FIELDS):
        raise FormatError("custodians", f"an entry needs {', '.join(_FIELDS)}", where=f"entry {n}")
    if not all(isinstance(item[key], kind) for key, kind in _FIELDS.items()):
        raise FormatError("custodians", "a value that is no text", where=f"entry {n}")
    if item["kem"] != KEM_NAME:
        raise FormatError("custodians", f"kem {item['kem']!r} is not {KEM_NAME}", where=f"entry {n}")
    key = _hex(item["key"], "custodians", f"entry {n}")
    if len(key) != PUBLIC_SIZE:
        raise FormatError("custodians", f"a key of {len(key)} bytes, not {PUBLIC_SIZE}", where=f"entry {n}")
    _public(key)
    return Custodian(item["id"], item["name"], key)


def _hex(text: str, what: str, where: str) -> bytes:
    if set(text) - set("0123456789abcdef") or len(text) % 2:
        raise FormatError(what, "not lower-case hex", where=where)
    return bytes.fromhex(text)


def load_custodians(path: Path) -> tuple[tuple[Custodian, ...], bytes]:
    """The custodians of a home and the exact bytes of their list."""
    data = durable.read_if_there(path)
    if data is None:
        raise UsageError(f"{path} is not there", cure="memcon init makes a custodian")
    return decode_custodians(data), data


def wrap(call_key: bytes, handle: bytes, custodians: Sequence[Custodian]) -> bytes:
    """`wraps.json`: the call key sealed to each custodian, bound to the call's handle."""
    info = tag("wrap") + handle
    wraps = [(c.id, seal_to(c.key, call_key, info)) for c in custodians]
    return canonical.dumps([{"id": id_, "wrap": wrapped.hex()} for id_, wrapped in wraps])


def decode_wraps(data: bytes) -> dict[str, bytes]:
    """Custodian id -> encapsulation and ciphertext. Raises FormatError."""
    value = canonical.loads(data, "wraps")
    if not isinstance(value, list):
        raise FormatError("wraps", "no list")
    found: dict[str, bytes] = {}
    for n, item in enumerate(value):
        where = f"entry {n}"
        if not isinstance(item, dict) or set(item) != {"id", "wrap"}:
            raise FormatError("wraps", "an entry needs id and wrap", where=where)
        if not isinstance(item["id"], str) or not isinstance(item["wrap"], str) or item["id"] in found:
            raise FormatError("wraps", "an id or wrap that is no text, or an id twice", where=where)
        wrapped = _hex(item["wrap"], "wraps", where)
        if len(wrapped) != WRAP_SIZE:
            raise FormatError("wraps", f"a wrap of {len(wrapped)} bytes, not {WRAP_SIZE}", where=where)
        found[item["id"]] = wrapped
    return found


def unwrap(wraps: bytes, handle: bytes, custodian_id: str, seed: bytes) -> bytes:
    """The call key, by a custodian's private seed. FormatError where the wrap is not theirs or damaged."""
    wrapped = decode_wraps(wraps).get(custodian_id)
    if wrapped is None:
        raise FormatError("wraps", f"nothing for custodian {custodian_id!r}", where="id")
    try:
        return open_sealed(seed, wrapped, tag("wrap") + handle)
    except FormatError as error:
        raise FormatError("wraps", f"the wrap for {custodian_id!r} does not open", where="wrap") from error


def new_call_key(home: Home, number: int) -> bytes:
    """Draw the key of a new call and keep it in the run directory until the call is sealed.

    It is not synced: a reboot is to forget it, and a killed process forgets nothing.
    """
    key = secrets.token_bytes(CALL_KEY)
    durable.write_file(home.call_key(number), key, durable=False)
    return key


def kept_call_key(home: Home, number: int) -> bytes | None:
    """The key of an open call, or None where a reboot has forgotten it."""
    data = durable.read_if_there(home.call_key(number))
    return data if data is not None and len(data) == CALL_KEY else None


def erase_call_key(home: Home, number: int) -> None:
    """Forget the key of a call: overwritten, then removed (on tmpfs the pages are the same ones)."""
    path = home.call_key(number)
    with durable.machine_errors(path, "erasing"):
        if path.exists():
            with path.open("r+b") as file:
                file.write(bytes(CALL_KEY))
            path.unlink()
