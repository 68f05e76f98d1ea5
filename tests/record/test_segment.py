from __future__ import annotations

import pytest

from memcon.errors import FormatError, LocalError
from memcon.record import segment
from memcon.record.hashing import sha256


@pytest.mark.parametrize(("arrivals", "lengths"), [(0, 0), (8, 0), (8, 4), (16, 2), (12, 3)])
def test_blocks_that_could_not_be_read(arrivals: int, lengths: int) -> None:
    with pytest.raises(LocalError, match="a block of"):
        segment.encode_block(0, 0, 0, 1, 0, 0, bytes(arrivals), bytes(lengths), b"")


@pytest.mark.parametrize("facts", [{}, {"type": 1}, {"Type": "sip"}])
def test_events_without_a_type(facts: dict[str, object]) -> None:
    with pytest.raises(LocalError, match="without a type"):
        segment.Event(0, 0, 0, facts).encode()


def test_the_root_is_over_ascending_blocks_only() -> None:
    rows = [(0, 1, 1, bytes(32)), (0, 0, 1, bytes(32))]
    assert segment.plaintext_root(1, rows[::-1]) != segment.plaintext_root(2, rows[::-1])
    for wrong in (rows, rows[:1] * 2):
        with pytest.raises(FormatError, match="out of order"):
            segment.plaintext_root(1, wrong)


def test_a_sealed_file_of_another_call() -> None:
    data = segment.encode_sealed_head(segment.EVENTS_MAGIC, 7)
    assert list(segment.read_sealed(data, segment.EVENTS_MAGIC, 7)) == []
    with pytest.raises(FormatError, match=r"events\.mce at byte 8: belongs to call 7, not 8"):
        list(segment.read_sealed(data, segment.EVENTS_MAGIC, 8))


def test_a_file_that_is_still_written_gives_what_stands_whole() -> None:
    items = [segment.Sealed(n, bytes([n] * 32), memoryview(bytes(20 + n))) for n in (3, 4)]
    data = b"".join(item.encode() for item in items)
    first = len(items[0].encode())
    for cut in range(len(data) + 1):
        found, size = segment.read_whole(data[:cut], 3)
        assert found == items[: len(found)]
        assert size == (0, first, len(data))[len(found)]
        assert len(found) == (cut >= first) + (cut == len(data))
    for wrong, expected in ((data, 4), (segment.Sealed(0, bytes(32), memoryview(b"x")).encode(), 0)):
        with pytest.raises(FormatError, match=f"where {expected} was due"):
            segment.read_whole(wrong, expected)


def test_segment_and_event_hashes_are_kept_apart() -> None:
    sealed = segment.Sealed(0, bytes(32), memoryview(bytes(16)))
    assert sealed.hash(segment.MEDIA_MAGIC) != sealed.hash(segment.EVENTS_MAGIC)


def test_entries_of_the_wire_side() -> None:
    packet = b"\x80 any packet"
    digest, kept = segment.read_wire_entry(segment.wire_entry(packet, opened=True))
    assert kept is None
    assert digest is not None
    assert digest != sha256(packet)  # with a tag of its own
    assert segment.read_wire_entry(segment.wire_entry(packet, opened=False)) == (None, packet)
    assert segment.read_wire_entry(b"\0") == (None, b"")
    for entry in (b"", b"\1", b"\1" + bytes(33), b"\2" + bytes(32)):
        with pytest.raises(FormatError, match="neither"):
            segment.read_wire_entry(entry)


def test_a_block_of_the_wire_side_has_no_timestamps() -> None:
    entry = segment.wire_entry(b"abc", opened=False)
    size = len(entry).to_bytes(2, "big")
    good = segment.encode_block(1, 0x8000, 0, segment.KIND_WIRE, 0, 0, bytes(8), size, entry)
    assert [bytes(p) for p in segment.decode_block(good).packets] == [entry]
    bad = segment.encode_block(1, 0x8000, 0, segment.KIND_WIRE, 1, 2, bytes(8), size, entry)
    with pytest.raises(FormatError, match="not RTP"):
        segment.decode_block(bad)
