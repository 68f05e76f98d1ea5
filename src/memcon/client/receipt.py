"""Check a recorder's receipt: its signed word, in the 200 itself, that it took the call (FORMATS §4).

The sender's own trace of INVITE and 200 is enough, with the recorder's public receipt key and origin.
"""

from __future__ import annotations

import base64
import re
import struct
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from memcon.errors import FormatError, UsageError
from memcon.record.hashing import sha256, tag, text_field

WHAT: Final = "receipt"
HEADER: Final = "Memcon-Receipt"
_NUMBER: Final = r"0|[1-9][0-9]{0,19}"
# Exactly what a recorder writes; a field more or in another place would not be signed.
_RECEIPT: Final = re.compile(
    rf'v=(?P<v>{_NUMBER});origin="(?P<origin>[^"]{{1,255}})";slot=(?P<slot>{_NUMBER});'
    r"handle=(?P<handle>[0-9a-f]{64});key=(?P<key>[0-9a-f]{8});sig=(?P<sig>[A-Za-z0-9+/]{86}==)"
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as read: `handle_hash` is H(handle), 32 bytes; `key_id` begins H(public key), 4 bytes."""

    origin: str
    slot: int
    handle_hash: bytes
    key_id: bytes
    signature: bytes

    def message(self, invite: bytes) -> bytes:
        """What the signature covers. Raises FormatError for an origin or slot that cannot be."""
        name = text_field(self.origin, "receipt origin")
        if self.slot >= 1 << 64:
            raise FormatError(WHAT, "the slot is no 64-bit number", where="slot")
        return tag("receipt") + name + struct.pack(">Q", self.slot) + self.handle_hash + sha256(invite)


def parse(value: str) -> Receipt:
    """Read the value of the header; nothing is verified yet. Raises FormatError."""
    match = _RECEIPT.fullmatch(value.strip(" \t"))
    if match is None:
        raise FormatError(
            WHAT,
            f"not of the form v, origin, slot, handle, key, sig: {value[:80]!r}",
            cure=f"Give the whole value of the 200's {HEADER} header",
        )
    if match["v"] != "1":
        raise FormatError(WHAT, f"version {match['v']} is not known here", where="v")
    signature = base64.b64decode(match["sig"])  # cannot fail: the pattern lets base64 of 64 bytes through
    if base64.b64encode(signature).decode("ascii") != match["sig"]:
        raise FormatError(WHAT, "the signature is not in its one base64 form", where="sig")
    return Receipt(
        match["origin"],
        int(match["slot"]),
        bytes.fromhex(match["handle"]),
        bytes.fromhex(match["key"]),
        signature,
    )


def verify(value: str, *, public_key: bytes, origin: str, invite: bytes) -> Receipt:
    """Check a receipt's value against what the checker knows: key (32 bytes), origin, INVITE as sent.

    Raises FormatError, with the field in `where`, for a receipt that does not hold; UsageError for a key
    that is none.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
    except ValueError as error:
        raise UsageError(
            f"the receipt key has {len(public_key)} bytes, not 32",
            cure="Take `receipt` from the recorder's configuration part `keys`",
        ) from error
    receipt = parse(value)
    if receipt.origin != origin:
        raise FormatError(WHAT, f"it speaks for {receipt.origin!r}, not {origin!r}", where="origin")
    if receipt.key_id != sha256(public_key)[:4]:
        raise FormatError(WHAT, f"it names the key {receipt.key_id.hex()}, another one", where="key")
    try:
        key.verify(receipt.signature, receipt.message(invite))
    except InvalidSignature:
        raise FormatError(
            WHAT, "the signature does not hold for this origin, slot, handle and INVITE", where="sig"
        ) from None
    return receipt
