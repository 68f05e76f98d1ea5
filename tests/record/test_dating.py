"""`notes.mcb`: written, read, refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcon.errors import FormatError
from memcon.record import dating
from memcon.record.dating import DatingNote

HASH = st.binary(min_size=32, max_size=32)
NOTES = st.lists(
    st.builds(DatingNote, st.binary(max_size=60), st.lists(HASH, max_size=3).map(tuple)), max_size=4
)


@settings(max_examples=60, deadline=None)
@given(size=st.integers(0, (1 << 64) - 1), notes=NOTES)
def test_read_after_write(size: int, notes: list[DatingNote]) -> None:
    assert dating.read_notes(dating.encode_notes(size, notes)) == (size, notes)


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=120), magic=st.booleans())
def test_any_bytes(data: bytes, magic: bool) -> None:
    data = dating.MAGIC + data if magic else data
    try:
        size, notes = dating.read_notes(data)
    except FormatError:
        return
    assert dating.encode_notes(size, notes) == data


@pytest.mark.parametrize("end", [0, 7, 15, 19, 25, 40])
def test_cut(end: int) -> None:
    data = dating.encode_notes(5, [DatingNote(b"a note", (bytes(32),))])
    with pytest.raises(FormatError):
        dating.read_notes(data[:end])
