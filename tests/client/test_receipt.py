"""Receipts: a good one holds, one with any part changed does not, and nothing but FormatError comes out."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st

from memcon.client import receipt
from memcon.errors import FormatError, UsageError
from memcon.record.hashing import handle_hash, receipt_message, sha256

KEY = Ed25519PrivateKey.from_private_bytes(b"a recorder's key to its receipts")
PUBLIC = KEY.public_key().public_bytes_raw()
ORIGIN = "recorder.example/log"
HANDLE = bytes(range(32))
INVITE = b"INVITE sip:memcon@recorder.example SIP/2.0\r\nCall-ID: x\r\n\r\n"
SLOT = 179_549_530


def issue(origin: str = ORIGIN, slot: int = SLOT, invite: bytes = INVITE) -> str:
    """A receipt as FORMATS §4 writes it."""
    signature = KEY.sign(receipt_message(origin, slot, HANDLE, invite))
    return (
        f'v=1;origin="{origin}";slot={slot};handle={handle_hash(HANDLE).hex()};'
        f"key={sha256(PUBLIC)[:4].hex()};sig={base64.b64encode(signature).decode()}"
    )


def check(value: str, invite: bytes = INVITE, origin: str = ORIGIN, key: bytes = PUBLIC) -> receipt.Receipt:
    return receipt.verify(value, public_key=key, origin=origin, invite=invite)


def test_a_receipt_holds_for_the_invite_it_was_given_for() -> None:
    got = check(issue())
    assert (got.origin, got.slot, got.handle_hash) == (ORIGIN, SLOT, handle_hash(HANDLE))
    assert check(f"  {issue()}\t") == got  # blanks around a header's value are not part of it


OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (issue().replace("v=1", "v=2"), "v"),
        (issue(origin="other.example"), "origin"),
        (issue().replace(f"slot={SLOT}", f"slot={SLOT + 1}"), "sig"),
        (issue().replace(f"slot={SLOT}", f"slot={1 << 64}"), "slot"),
        (issue().replace(handle_hash(HANDLE).hex(), "00" * 32), "handle"),
        (issue().replace(f"key={sha256(PUBLIC)[:4].hex()}", "key=00000000"), "key"),
        (issue(invite=INVITE + b"x"), "sig"),
        (issue()[:-88] + base64.b64encode(bytes(64)).decode(), "sig"),
        (issue()[:-3] + "B==", "sig"),  # the same 64 bytes by a lenient reader
    ],
    ids=["version", "origin", "slot", "slot too wide", "handle", "key", "invite", "signature", "base64"],
)
def test_every_part_counts(value: str, where: str) -> None:
    with pytest.raises(FormatError) as caught:
        check(value)
    assert caught.value.what == "receipt"
    assert caught.value.where == ("sig" if where == "handle" else where)


@pytest.mark.parametrize(
    "value",
    ["", "v=1", issue() + ";x=1", issue().replace(";", "; "), issue().upper(), issue() + issue(),
     issue().replace("slot=", "slot=0"), issue().replace("handle=", "handle=g"), "v=1;" + issue()],
)  # fmt: skip
def test_another_form_is_refused_and_says_what_is_wanted(value: str) -> None:
    with pytest.raises(FormatError, match="Memcon-Receipt"):
        check(value)


def test_a_key_that_is_none_is_the_callers_fault() -> None:
    with pytest.raises(UsageError, match="31 bytes"):
        check(issue(), key=PUBLIC[:31])


def test_another_recorders_key_does_not_verify() -> None:
    with pytest.raises(FormatError, match="another one"):
        check(issue(), key=OTHER.public_key().public_bytes_raw())


@given(
    st.text()
    | st.builds(lambda i, c: issue()[:i] + c + issue()[i + 1 :], st.integers(0, 270), st.characters())
)
@example('v=1;origin="é";slot=1;handle=' + "0" * 64 + ";key=" + "0" * 8 + ";sig=" + "A" * 86 + "==")
def test_nothing_but_a_format_error_comes_out(value: str) -> None:
    if value.strip(" \t") == issue():
        return
    with pytest.raises(FormatError):
        check(value)
