from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from memcon.tlog import ed25519
from memcon.tlog.encoding import PublicKeyError

# RFC 8032 section 7.1, TEST 1 to 3: public key, message, signature.
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
]

SMALL_ORDER = {
    "order-1": "01" + "00" * 31,
    "order-2": "ec" + "ff" * 30 + "7f",
    "order-4": "00" * 32,
    "order-4-negative": "00" * 31 + "80",
    "order-8-a": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order-8-b": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "order-8-c": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "order-8-d": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
}
NON_CANONICAL = {
    "y-is-p": "ed" + "ff" * 30 + "7f",
    "y-is-p-plus-1": "ee" + "ff" * 30 + "7f",
    "y-is-p-plus-4": "f1" + "ff" * 30 + "7f",
    "y-is-p-negative": "ed" + "ff" * 31,
    "y-is-2-to-255-minus-1": "ff" * 32,
    "zero-with-a-sign": "01" + "00" * 30 + "80",
    "minus-one-with-a-sign": "ec" + "ff" * 31,
}
OFF_CURVE = {"y-is-2": "02" + "00" * 31, "y-is-7": "07" + "00" * 31}

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RAW = PRIVATE.public_key().public_bytes_raw()
KEY = ed25519.PublicKey(RAW)


@pytest.mark.parametrize(("key", "message", "signature"), RFC_8032)
def test_rfc_8032(key: str, message: str, signature: str) -> None:
    assert ed25519.verify(bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature))
    assert not ed25519.verify(bytes.fromhex(key), bytes.fromhex(message) + b"x", bytes.fromhex(signature))


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_signatures_by_another_implementation(seed: bytes, message: bytes) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key = ed25519.PublicKey(private.public_key().public_bytes_raw())
    signature = private.sign(message)
    assert key.verify(message, signature)
    assert not key.verify(message + b"\0", signature)


@given(st.integers(0, 511), st.binary(max_size=20))
def test_any_flipped_bit_fails(bit: int, message: bytes) -> None:
    signature = bytearray(PRIVATE.sign(message))
    signature[bit // 8] ^= 1 << bit % 8
    assert not KEY.verify(message, bytes(signature))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_hostile_keys_and_signatures_agree_with_another_implementation(raw: bytes, signature: bytes) -> None:
    try:
        ours = ed25519.verify(raw, b"m", signature)
    except PublicKeyError:
        return
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, b"m")
    except InvalidSignature:
        assert not ours
    else:
        assert ours


@pytest.mark.parametrize("multiple", [1, 2, 7, 15])
def test_s_has_one_spelling(multiple: int) -> None:
    """S + L signs the same equation; taken, one note would have several signatures."""
    signature = PRIVATE.sign(b"m")
    s = int.from_bytes(signature[32:], "little") + multiple * ed25519.L
    assert s < 2**256
    assert not KEY.verify(b"m", signature[:32] + s.to_bytes(32, "little"))


@pytest.mark.parametrize("size", [0, 63, 65])
def test_length_of_signatures(size: int) -> None:
    assert not KEY.verify(b"m", (PRIVATE.sign(b"m") + b"\0")[:size])


@pytest.mark.parametrize("raw", SMALL_ORDER.values(), ids=SMALL_ORDER.keys())
def test_keys_of_small_order_are_refused(raw: str) -> None:
    with pytest.raises(PublicKeyError, match="small order"):
        ed25519.PublicKey(bytes.fromhex(raw))


@pytest.mark.parametrize("raw", NON_CANONICAL.values(), ids=NON_CANONICAL.keys())
def test_keys_in_another_encoding_are_refused(raw: str) -> None:
    with pytest.raises(PublicKeyError, match=r"not below the field's prime|zero has no sign"):
        ed25519.PublicKey(bytes.fromhex(raw))


@pytest.mark.parametrize("raw", OFF_CURVE.values(), ids=OFF_CURVE.keys())
def test_keys_off_the_curve_are_refused(raw: str) -> None:
    with pytest.raises(PublicKeyError, match="not a point on the curve"):
        ed25519.PublicKey(bytes.fromhex(raw))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_length_of_keys(size: int) -> None:
    with pytest.raises(PublicKeyError, match="32 bytes expected"):
        ed25519.PublicKey(b"\3" * size)


@pytest.mark.parametrize(
    "raw", (SMALL_ORDER | NON_CANONICAL).values(), ids=(SMALL_ORDER | NON_CANONICAL).keys()
)
@pytest.mark.parametrize("s", [0, 1, 8])
def test_such_points_as_r_never_pass(raw: str, s: int) -> None:
    assert not KEY.verify(b"m", bytes.fromhex(raw) + s.to_bytes(32, "little"))
