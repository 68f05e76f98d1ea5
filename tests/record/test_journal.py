from __future__ import annotations

from array import array

import pytest

from memcon.errors import LocalError
from memcon.record import journal


@pytest.mark.parametrize("length", [0, 15, journal.MAX_FRAME + 1, 2**32])
def test_no_frame_that_reads_as_torn(length: int) -> None:
    with pytest.raises(LocalError, match="a journal frame of"):
        journal.frame_head(length, 0)


def test_control_without_a_type() -> None:
    with pytest.raises(LocalError, match="without a type"):
        journal.encode_control({"key": "a"})


def test_length_of_a_record_counts_bytes_whatever_the_views_hold() -> None:
    arrivals = memoryview(array("Q", [1, 2, 3]))
    head, *_ = journal.encode_record(journal.TYPE_MEDIA, b"ab", arrivals)
    assert bytes(head) == (26).to_bytes(4, "big") + b"\x01\x00\x00\x00"


def test_frames_have_their_own_nonces() -> None:
    assert len({journal.frame_nonce(n) for n in (0, 1, 2**32, 2**64 - 1)}) == 4
