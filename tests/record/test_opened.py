from __future__ import annotations

import pytest

from memcon.errors import FormatError, LocalError
from memcon.record import opened
from memcon.record.opened import Opened


@pytest.mark.parametrize(
    "item", [Opened(None), Opened(None, commitment=bytes(31)), Opened(b"x"), Opened(b"x", salt=bytes(33))]
)
def test_salts_and_commitments_are_32_bytes(item: Opened) -> None:
    with pytest.raises(LocalError, match="not 32 bytes wide"):
        item.encode()


def test_proofs_are_of_hashes() -> None:
    for proof in ((bytes(31),), (bytes(32),) * 256):
        with pytest.raises(LocalError, match=r"beats\.mcb"):
            opened.encode_beats(1, [opened.ProvenBeat(0, bytes(256), proof)])


def test_a_segment_is_read_only_when_asked_for() -> None:
    """A long call's media is walked one second at a time."""
    call, segments = opened.read_media(opened.MEDIA_MAGIC + (5).to_bytes(8, "big") + b"\0")
    assert call == 5
    with pytest.raises(FormatError, match="segment needs 4 bytes"):
        next(segments)


def test_part_names_fit_one_length_byte() -> None:
    with pytest.raises(FormatError, match="configuration part name"):
        opened.encode_config([("x" * 256, Opened(b"", salt=bytes(32)))])
