from __future__ import annotations

from dataclasses import replace

import pytest

from memcon.errors import FormatError, LocalError
from memcon.record import call
from memcon.record.call import CallLeaf, First, Last, StreamCount

ZERO, ONES = bytes(32), b"\x01" * 32
LEAF = CallLeaf(1, 1, 1, 1, ONES, 0, 1, ZERO, 0, 0, ZERO, 0, ZERO, ())
FIRST = First(*([ZERO] + [0, 0] + [ZERO] * 7))  # type: ignore[arg-type]  # handle, two times, seven hashes
LAST = Last(1, 0, 1, 1, ZERO, ZERO, 0, 0)


@pytest.mark.parametrize(
    ("leaf", "problem"),
    [
        (replace(LEAF, flags=8), "byte 9: flags"),
        (replace(LEAF, lane=0), "byte 12: lane 0"),
        (replace(LEAF, lane=65536), "byte 12: lane 65536"),
        (replace(LEAF, chain=ZERO), "byte 40: its chain"),
        (replace(LEAF, first=FIRST), "byte 40: its chain"),
        (replace(LEAF, segments=129), "byte 76: covers 129 segments"),
        (replace(LEAF, last=replace(LAST, cause=0)), "byte 208: cause 0"),
        (replace(LEAF, chain=ZERO, first=FIRST, last=replace(LAST, who=4)), "byte 480: cause 1, ended by 4"),
        (replace(LEAF, streams=(StreamCount(0, 4),)), "byte 202: stream kind 4"),
        (
            replace(LEAF, last=LAST, streams=(StreamCount(0, 1, empty=b"\x40" + bytes(15)),)),
            "byte 344: its bitmap",
        ),
        (replace(LEAF, event_root=b""), "not 32 bytes wide"),
        (replace(LEAF, streams=(StreamCount(0, 1, received=-1),)), "stream entry: "),
    ],
)
def test_writes_nothing_that_cannot_be_read(leaf: CallLeaf, problem: str) -> None:
    with pytest.raises(LocalError, match=problem):
        leaf.encode()


def test_bitmap_counts_from_the_most_significant_bit() -> None:
    stream = StreamCount(0, 1, empty=b"\x80\x01" + bytes(14))
    assert [i for i in range(128) if stream.is_empty(i)] == [0, 15]


def test_leaves_of_another_call() -> None:
    data = call.encode_leaves_head(7)
    assert list(call.read_leaves(data)) == []
    with pytest.raises(FormatError, match="belongs to call 7, not 8"):
        list(call.read_leaves(data, 8))
