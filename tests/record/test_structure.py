"""The files of a structure feed: written, read, refused."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcon.errors import FormatError
from memcon.record import structure
from memcon.record.slottree import LANES
from memcon.record.structure import Head, SlotStructure

if TYPE_CHECKING:
    from collections.abc import Callable

Load: TypeAlias = "Callable[[str], Any]"
LANE = st.dictionaries(st.integers(0, LANES - 1), st.binary(max_size=80), max_size=5)


def opened(head: Head, slots: list[SlotStructure]) -> bytes:
    return structure.encode(head, [slot.encode() for slot in slots])


def whole(data: bytes) -> tuple[Head, list[SlotStructure]]:
    head, slots = structure.read(data)
    return head, list(slots)


def small() -> bytes:
    slots = [SlotStructure(n, n + 9, bytes(32), ((0, b"slot"), (7, b"call"))) for n in (3, 4)]
    return opened(Head("a.example", 3, 4), slots)


def test_vectors(vectors: Load) -> None:
    v = vectors("structure")
    due = bytes.fromhex(v["opened_without_filling"]).ljust(v["opened_bytes"], b"\0")
    head, slots = whole(due)
    assert (head, [slot.index for slot in slots]) == (Head(v["origin"], 7, 8), [7, 8])
    assert hashlib.sha256(opened(head, slots)).hexdigest() == v["opened_hash"]
    public = bytes.fromhex(v["overseer_public_key"])
    sealed = structure.sealed_head(head, public)
    assert sealed.hex() == v["sealed_head"]
    assert structure.sealed_info(sealed).hex() == v["sealed_info"]
    assert structure.read_sealed(sealed + b"x") == (head, structure.overseer_id(public), len(sealed))


@settings(max_examples=30, deadline=None)
@given(first=st.integers(1, 1 << 40), lanes=st.lists(LANE, min_size=1, max_size=4))
def test_read_after_write(first: int, lanes: list[dict[int, bytes]]) -> None:
    slots = [
        SlotStructure(first + n, n, bytes([n]) * 32, tuple(sorted(used.items())))
        for n, used in enumerate(lanes)
    ]
    head = Head("a.example/x", first, first + len(slots) - 1)
    assert whole(opened(head, slots)) == (head, slots)


def test_the_length_tells_little() -> None:
    slot = SlotStructure(1, 1, bytes(32), ((0, bytes(70_000)),))
    assert len(opened(Head("a", 1, 1), [])) == structure.LEAST_SIZE
    assert len(opened(Head("a", 1, 1), [slot])) == 131_072
    assert Head("a", 1, 20).stem == "000000000001-000000000020"


@pytest.mark.parametrize("garbage", [b"\0", b"\0" * structure.LEAST_SIZE, b"x"])
def test_trailing_bytes(garbage: bytes) -> None:
    with pytest.raises(FormatError):
        whole(small() + garbage)


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 230), new=st.binary(min_size=1, max_size=9))
def test_spliced_bytes(at: int, new: bytes) -> None:
    data = small()
    changed = data[:at] + new + data[at + len(new) :]
    try:
        head, slots = whole(changed)
    except FormatError:
        return
    assert opened(head, slots) == changed


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    for magic in (b"", structure.MAGIC, structure.SEALED_MAGIC):
        for read in (whole, structure.read_sealed):
            with pytest.raises(FormatError):
                read(magic + data[:20])


@pytest.mark.parametrize("end", [0, 7, 23, 24, 30, 34, 40, 100, 65_535])
def test_cut(end: int) -> None:
    with pytest.raises(FormatError):
        whole(small()[:end])


def slot_with(*lanes: tuple[int, bytes]) -> bytes:
    return opened(Head("a", 1, 1), [SlotStructure(1, 1, bytes(32), lanes)])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (opened(Head("a", 2, 1), []), "from index 2 to 1"),
        (opened(Head("a", 1, 1), [SlotStructure(2, 1, bytes(32), ())]), "index 1 was due"),
        (slot_with((5, b""), (4, b"")), "lane 4 out of order"),
        (slot_with((LANES, b"")), "out of order or range"),
        (small().replace(b"a.example", b"a.exampl\xff"), "no UTF-8"),
        (small()[:-1] + b"\1", "reserved bytes"),
    ],
)
def test_named_errors(data: bytes, text: str) -> None:
    with pytest.raises(FormatError, match=text):
        whole(data)


def test_a_lane_that_stands_twice_is_for_the_check_to_tell() -> None:
    assert whole(slot_with((5, b"a"), (5, b"b")))[1][0].lanes == ((5, b"a"), (5, b"b"))
