from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.errors import FormatError, LocalError
from memcon.record import hashing

KEY = st.binary(min_size=32, max_size=32)


@given(KEY, st.binary(max_size=200))
def test_pads_make_hmac(key: bytes, message: bytes) -> None:
    inner, outer = hashing.hmac_pads(key)
    made = hashing.sha256(outer + hashing.sha256(inner + message))
    assert made == hmac.new(key, message, hashlib.sha256).digest()


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_another_width_of_key_or_salt_is_a_defect(size: int) -> None:
    with pytest.raises(LocalError, match="a key of"):
        hashing.hmac_pads(bytes(size))
    with pytest.raises(LocalError, match="a salt of"):
        hashing.salted(hashing.tag("x"), bytes(size), b"data")


def test_tags_do_not_begin_one_another() -> None:
    names = [
        *(
            "block",
            "blocks",
            "call",
            "callkey",
            "callleaf",
            "config",
            "event",
            "eventleaf",
            "filler",
            "handle",
        ),
        *("key/event", "key/record", "key/segment", "lane", "opening", "receipt", "record", "salt/block"),
        *("salt/config", "salt/event", "salt/lane", "salt/opening", "salt/record", "salt/stream", "segment"),
        *("slot", "slotkey", "stream", "wrap"),
    ]
    tags = [hashing.tag(name) for name in names]
    assert not [(a, b) for a in tags for b in tags if a is not b and b.startswith(a)]


def test_receipt_of_a_peer() -> None:
    longest = hashing.receipt_message("x" * 255, 2**64 - 1, bytes(32), b"INVITE")
    assert len(longest) == len(hashing.tag("receipt")) + 1 + 255 + 8 + 32 + 32
    for origin in ("", "x" * 256, "ü" * 128, "\udc80"):
        with pytest.raises(FormatError, match="receipt origin"):
            hashing.receipt_message(origin, 1, bytes(32), b"")
    for slot in (-1, 2**64):
        with pytest.raises(FormatError, match="receipt at slot"):
            hashing.receipt_message("log", slot, bytes(32), b"")
