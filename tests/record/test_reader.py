from __future__ import annotations

import pytest

from memcon.errors import FormatError
from memcon.record.reader import Reader


def test_reads_every_width_big_endian() -> None:
    r = Reader(bytes(range(1, 20)), "thing")
    assert (r.u8("a"), r.u16("b"), r.u32("c")) == (1, 0x0203, 0x04050607)
    assert r.u64("d") == 0x08090A0B0C0D0E0F
    assert (r.take(2, "e"), bytes(r.view(1, "f")), r.left) == (b"\x10\x11", b"\x12", 1)
    with pytest.raises(FormatError, match="thing at byte 18: g needs 2 bytes, 1 are left"):
        r.u16("g")
    with pytest.raises(FormatError, match="thing at byte 18: 1 bytes too many"):
        r.done()


def test_flags_are_0_or_1() -> None:
    r = Reader(b"\0\1\2", "thing")
    assert (r.flag("a"), r.flag("b")) == (False, True)
    with pytest.raises(FormatError, match="thing at byte 2: c is 2"):
        r.flag("c")
