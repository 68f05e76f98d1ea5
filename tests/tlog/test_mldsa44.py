from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from memcon.tlog import mldsa44
from memcon.tlog.encoding import PublicKeyError
from memcon.tlog.note import VerifierKey

PRIVATE = MLDSA44PrivateKey.from_seed_bytes(bytes(range(32)))
RAW = PRIVATE.public_key().public_bytes_raw()
KEY = mldsa44.PublicKey(RAW)
MESSAGE = b"checkpoint"
SIGNATURE = PRIVATE.sign(MESSAGE)
HINT = mldsa44.SIGNATURE_SIZE - 84


def others_say(message: bytes, signature: bytes) -> bool:
    try:
        MLDSA44PublicKey.from_public_bytes(RAW).verify(signature, message)
    except InvalidSignature:
        return False
    return True


@settings(max_examples=20)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300), st.binary(max_size=255))
def test_signatures_by_another_implementation(seed: bytes, message: bytes, context: bytes) -> None:
    private = MLDSA44PrivateKey.from_seed_bytes(seed)
    key = mldsa44.PublicKey(private.public_key().public_bytes_raw())
    signature = private.sign(message, context)
    assert key.verify(message, signature, context)
    assert not key.verify(message + b"\0", signature, context)
    assert not key.verify(message, signature, context + b"\0")


def test_own_vector(own_vectors: dict[str, Any]) -> None:
    key = VerifierKey.parse(own_vectors["mldsa44_vkey"])
    message = bytes.fromhex(own_vectors["mldsa44_signed_message_hex"])
    blob = base64.b64decode(own_vectors["mldsa44_cosig_line"].rstrip("\n").rpartition(" ")[2])
    assert mldsa44.verify(key.public_key, message, blob[12:])
    assert not mldsa44.verify(key.public_key, message + b"\0", blob[12:])


@settings(max_examples=60)
@given(st.integers(0, mldsa44.SIGNATURE_SIZE * 8 - 1))
def test_any_flipped_bit_fails(bit: int) -> None:
    signature = bytearray(SIGNATURE)
    signature[bit // 8] ^= 1 << bit % 8
    assert not KEY.verify(MESSAGE, bytes(signature))


@pytest.mark.parametrize("at", [0, 31, 32, 500, 1311])
def test_a_changed_key_fails(at: int) -> None:
    raw = bytearray(RAW)
    raw[at] ^= 1
    assert not mldsa44.verify(bytes(raw), MESSAGE, SIGNATURE)


def hint_of(signature: bytes) -> tuple[bytearray, list[int]]:
    """The hint's 80 places and 4 ends."""
    hint = bytearray(signature[HINT:])
    return hint, list(hint[80:])


def test_other_spellings_of_the_hint_fail() -> None:
    """FIPS 204 algorithm 21: without these checks one signature could be written in many ways."""
    hint, ends = hint_of(SIGNATURE)
    assert ends[0] >= 2
    assert ends[3] < 80
    spellings = {}
    swapped = bytearray(hint)
    swapped[0], swapped[1] = swapped[1], swapped[0]
    spellings["places out of order"] = swapped
    twice = bytearray(hint)
    twice[1] = twice[0]
    spellings["a place twice"] = twice
    rest = bytearray(hint)
    rest[79] = 1
    spellings["a place after the last"] = rest
    falling = bytearray(hint)
    falling[81] = falling[80] - 1
    spellings["ends that fall"] = falling
    beyond = bytearray(hint)
    beyond[83] = 81
    spellings["an end above 80"] = beyond
    for name, changed in spellings.items():
        signature = SIGNATURE[:HINT] + bytes(changed)
        assert not KEY.verify(MESSAGE, signature), name
        assert not others_say(MESSAGE, signature), name


def test_a_response_out_of_bounds_fails() -> None:
    """A coefficient of z at the bound gamma1 - beta is refused (algorithm 8, last line)."""
    for value in (0, 2**18 - 1):  # z = gamma1 and z = 1 - gamma1
        first = int.from_bytes(SIGNATURE[32:35], "little") & ~(2**18 - 1) | value
        signature = SIGNATURE[:32] + first.to_bytes(3, "little") + SIGNATURE[35:]
        assert not KEY.verify(MESSAGE, signature)
        assert not others_say(MESSAGE, signature)


@settings(max_examples=20)
@given(st.binary(max_size=64), st.binary(min_size=84, max_size=84))
def test_hostile_signatures(head: bytes, tail: bytes) -> None:
    body = head + bytes(mldsa44.SIGNATURE_SIZE - 84 - len(head))
    assert not KEY.verify(MESSAGE, body + tail)


@pytest.mark.parametrize("size", [0, 2419, 2421])
def test_length_of_signatures(size: int) -> None:
    assert not KEY.verify(MESSAGE, (SIGNATURE + b"\0")[:size])


def test_length_of_contexts() -> None:
    assert KEY.verify(MESSAGE, PRIVATE.sign(MESSAGE, b"c" * 255), b"c" * 255)
    assert not KEY.verify(MESSAGE, SIGNATURE, b"c" * 256)


@pytest.mark.parametrize("size", [0, 1311, 1313])
def test_length_of_keys(size: int) -> None:
    with pytest.raises(PublicKeyError, match="1312 bytes expected"):
        mldsa44.PublicKey(b"\0" * size)
