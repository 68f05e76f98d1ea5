from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tlog.conftest import ORIGIN, TestKey, signed

from memcon.tlog import cosignature
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.cosignature import Cosignature, CosignatureError
from memcon.tlog.encoding import PublicKeyError
from memcon.tlog.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    Note,
    Signature,
    SignatureError,
    VerifierKey,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKPOINT = Checkpoint(ORIGIN, 300, b"r" * 32)
TEXT = CHECKPOINT.to_bytes()
TIME = 1_790_000_000
ED = TestKey("w.example/ed", COSIGNATURE_ED25519, 1)
PQ = TestKey("w.example/pq", COSIGNATURE_MLDSA44, 2)
LOG = TestKey(ORIGIN, ED25519, 3)
LOG_PQ = TestKey(ORIGIN, COSIGNATURE_MLDSA44, 3)


@given(st.integers(0, 2**63 - 1), st.sampled_from([64, 2420]))
def test_parse_after_serialise(timestamp: int, size: int) -> None:
    one = Cosignature(timestamp, b"s" * size)
    assert Cosignature.parse(one.to_bytes()) == one
    assert one.to_bytes()[:8] == timestamp.to_bytes(8, "big")


@given(st.binary(max_size=80))
def test_hostile_bytes(data: bytes) -> None:
    try:
        one = Cosignature.parse(data)
    except CosignatureError:
        return
    assert one.to_bytes() == data


@pytest.mark.parametrize(
    "blob", [b"", b"\0" * 7, b"\0" * 8, b"\0" * 71, b"\0" * 73, b"\x80" + b"\0" * 71, b"\0" * 2427]
)
def test_negative_vectors(blob: bytes) -> None:
    with pytest.raises(CosignatureError):
        Cosignature.parse(blob)


def test_what_ed25519_signs() -> None:
    text = b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    expected = b"cosignature/v1\ntime 1679315147\n" + text
    assert cosignature.ed25519_message(1679315147, text) == expected


def test_what_mldsa44_signs(own_vectors: dict[str, Any]) -> None:
    checkpoint = Checkpoint.parse(own_vectors["checkpoint_body"].encode())
    message = cosignature.mldsa44_message("w.example/pq", own_vectors["timestamp"], checkpoint)
    assert message.hex() == own_vectors["mldsa44_signed_message_hex"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: cosignature.subtree_message("", 0, "o", 0, 1, b"r" * 32),
        lambda: cosignature.subtree_message("n" * 256, 0, "o", 0, 1, b"r" * 32),
        lambda: cosignature.subtree_message("n", 0, "\u00e9" * 128, 0, 1, b"r" * 32),
        lambda: cosignature.subtree_message("n", 0, "o", 2, 1, b"r" * 32),
        lambda: cosignature.subtree_message("n", 1, "o", 256, 512, b"r" * 32),
        lambda: cosignature.subtree_message("n", 0, "o", -1, 1, b"r" * 32),
        lambda: cosignature.subtree_message("n", 0, "o", 0, 2**63, b"r" * 32),
        lambda: cosignature.subtree_message("n", 0, "o", 0, 1, b"r" * 31),
        lambda: cosignature.subtree_message("n", 2**63, "o", 0, 1, b"r" * 32),
        lambda: cosignature.ed25519_message(-1, TEXT),
        lambda: cosignature.mldsa44_message("n", 0, Checkpoint("o", 1, b"r" * 32, ("ext",))),
    ],
    ids=["no-name", "long-name", "long-origin", "backwards", "time-on-a-subtree", "negative",
         "end-over-int64", "short-root", "time-over-int64", "negative-time", "extension-line"],
)  # fmt: skip
def test_statements_no_cosigner_can_make(make: Callable[[], bytes]) -> None:
    with pytest.raises(CosignatureError):
        make()


def test_a_subtree_without_a_time() -> None:
    message = cosignature.subtree_message("n", 0, "o", 256, 512, b"r" * 32)
    assert message == b"subtree/v1\n\0\x01n" + bytes(
        8
    ) + b"\x01o" + b"\0" * 6 + b"\1\0" + b"\0" * 6 + b"\2\0" + (b"r" * 32)


def test_own_cosignatures(own_vectors: dict[str, Any]) -> None:
    text = own_vectors["checkpoint_body"].encode()
    lines = [own_vectors["ed_cosig_line"], own_vectors["mldsa44_cosig_line"]]
    note = Note.parse(text + b"\n" + "".join(lines).encode())
    keys = [VerifierKey.parse(own_vectors[name]) for name in ("ed_vkey", "mldsa44_vkey")]
    found = verify(note, [cosignature.verifier(key) for key in keys])
    times = [Cosignature.parse(signature.blob).timestamp for signature, _ in found]
    assert times == [own_vectors["timestamp"]] * 2


def test_a_note_signed_by_log_and_witnesses() -> None:
    keys = [LOG, LOG_PQ, ED, PQ]
    note = Note.parse(signed(TEXT, keys, TIME).to_bytes())
    found = verify(note, [cosignature.verifier(key.key) for key in keys])
    assert [checker.name for _, checker in found] == [ORIGIN, ORIGIN, "w.example/ed", "w.example/pq"]


@pytest.mark.parametrize("key", [ED, PQ], ids=["ed25519", "mldsa44"])
@settings(max_examples=60)
@given(st.data())
def test_any_flipped_byte_fails(key: TestKey, data: st.DataObject) -> None:
    signature = key.sign(TEXT, TIME)
    checker = cosignature.verifier(key.key)
    whole = bytearray(TEXT + signature.blob)
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    assert not checker.verify(bytes(whole[: len(TEXT)]), bytes(whole[len(TEXT) :]))


@pytest.mark.parametrize("key", [ED, PQ], ids=["ed25519", "mldsa44"])
def test_bad_blobs_do_not_verify(key: TestKey) -> None:
    checker = cosignature.verifier(key.key)
    good = key.sign(TEXT, TIME).blob
    other = (PQ if key is ED else ED).sign(TEXT, TIME).blob
    for blob in (b"", good[:-1], good + b"\0", b"\x80" + good[1:], other):
        assert not checker.verify(TEXT, blob)
    assert not checker.verify(b"no checkpoint\n", good)


def test_extension_lines() -> None:
    """Ed25519 covers them; ML-DSA-44 does not, so such a note is refused under it."""
    text = TEXT + b"extension\n"
    assert cosignature.verifier(ED.key).verify(text, ED.sign(text, TIME).blob)
    assert not cosignature.verifier(ED.key).verify(text, ED.sign(TEXT, TIME).blob)
    blind = Signature(PQ.name, PQ.key.key_id, PQ.sign(TEXT, TIME).blob)
    with pytest.raises(SignatureError):
        verify(Note(text, (blind,)), [cosignature.verifier(PQ.key)])


def test_the_cosigner_s_name_is_signed_by_mldsa44() -> None:
    renamed = TestKey("w.example/other", COSIGNATURE_MLDSA44, 2)
    assert not cosignature.verifier(renamed.key).verify(TEXT, PQ.sign(TEXT, TIME).blob)


def test_a_name_too_long_for_the_message_never_verifies() -> None:
    key = VerifierKey("n" * 256, COSIGNATURE_MLDSA44, PQ.key.public_key)
    assert not cosignature.verifier(key).verify(TEXT, PQ.sign(TEXT, TIME).blob)


def test_each_verifier_takes_its_own_type() -> None:
    with pytest.raises(PublicKeyError, match="does not cosign Ed25519"):
        cosignature.Ed25519CosignatureVerifier(LOG.key)
    with pytest.raises(PublicKeyError, match="no ML-DSA-44 key"):
        cosignature.MLDSA44CosignatureVerifier(ED.key)
    assert base64.b64encode(LOG.key.key_id) != base64.b64encode(
        TestKey(ORIGIN, COSIGNATURE_ED25519, 3).key.key_id
    )
