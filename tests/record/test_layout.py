from __future__ import annotations

import pytest

from memcon.errors import FormatError, LocalError
from memcon.record.layout import Layout, brief, refuse_to_read, refuse_to_write

PLACE = Layout("place", ">4sB2xH")


def test_packs_and_unpacks() -> None:
    data = PLACE.pack(b"abcd", 1, 2)
    assert data == b"abcd\x01\x00\x00\x00\x02"
    assert len(data) == PLACE.size
    assert PLACE.unpack(data) == (b"abcd", 1, 2)


@pytest.mark.parametrize("wrong", [b"abc", b"abcde", b"", 7])
def test_never_pads_or_cuts(wrong: bytes | int) -> None:
    with pytest.raises(LocalError, match="place: field 0 is not 4 bytes wide"):
        PLACE.pack(wrong, 1, 2)


@pytest.mark.parametrize("values", [(256, 0), (-1, 0), (0, 65536)])
def test_integers_keep_their_range(values: tuple[int, int]) -> None:
    with pytest.raises(LocalError, match="place: "):
        PLACE.pack(b"abcd", *values)


def test_a_problem_is_the_writers_or_the_readers() -> None:
    refuse_to_write("leaf", None)
    refuse_to_read("leaf", None)
    with pytest.raises(LocalError, match="leaf at byte 8: odd"):
        refuse_to_write("leaf", ("odd", 8))
    with pytest.raises(FormatError, match="leaf at byte 8: odd"):
        refuse_to_read("leaf", ("odd", 8))


def test_brief_is_short_and_printable() -> None:
    assert brief("a\x1b[2J") == "'a\\x1b[2J'"
    assert len(brief("x" * 10_000)) == 61
