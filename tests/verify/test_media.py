"""The pass over the media: whatever the bytes, it ends, and says where it stopped making sense."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from tests.verify import builder as b

from memcon.record.opened import MEDIA_MAGIC
from memcon.record.segment import KIND_WIRE, NS, wire_entry
from memcon.verify import media, trust, verify_bundle
from memcon.verify.container import read
from memcon.verify.findings import CODES, MAX_PER_CODE, Report
from memcon.verify.media import scan

if TYPE_CHECKING:
    import pytest

WORLD, CALL = b.simple()
BUNDLE = b.bundle(WORLD, CALL, withhold=[(2, 0)])
DATA = BUNDLE.files()["media.mcb"]


def test_media_cut_anywhere_are_read_as_far_as_they_go() -> None:
    whole = scan(DATA)
    assert not whole.torn
    for cut in range(len(DATA)):
        found = scan(DATA[:cut])
        assert found.hashes == whole.hashes[: len(found.hashes)]
        at_an_end = cut in (16, *whole.offsets)
        assert (found.torn is None) == at_an_end, cut


@given(place=st.integers(0, len(DATA) - 1), junk=st.binary(max_size=200))
def test_whatever_stands_in_it_it_ends(place: int, junk: bytes) -> None:
    found = scan(DATA[:place] + junk + DATA[place + len(junk) :])
    assert {code for code, *_ in found.problems} <= set(CODES)
    assert (
        len(found.offsets) == len(found.hashes) + (2 if found.torn and found.offsets[1:] else 1) or found.torn
    )


@given(st.binary(max_size=3000))
def test_junk_ends(junk: bytes) -> None:
    assert scan(junk).torn or not junk[16:] or junk[:8] == MEDIA_MAGIC
    scan(MEDIA_MAGIC + bytes(8) + junk)


@given(st.binary(max_size=3000))
def test_junk_is_no_bundle(junk: bytes) -> None:
    assert verify_bundle(junk).exit_code == 1
    assert verify_bundle(b"PK\x03\x04" + junk).exit_code == 1


def test_the_usual_shapes_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    before = scan(DATA)
    monkeypatch.setattr(media, "_MOST_SHAPES", 0)
    monkeypatch.setattr(media, "_HEADS", {})
    assert scan(DATA) == before
    monkeypatch.setattr(media, "_SHAPES", {})
    assert scan(DATA) == before


def test_progress_is_told_of_long_calls() -> None:
    world = b.begun(period_ms=60_000)
    call = b.Call(world, duration=130 * b.NS, packets=b.speech(130, 0, every_ms=1000))
    while not call.done:
        world.beat([call])
    told: list[int] = []
    report = verify_bundle(
        b.bundle(world, call).pack(),
        trust(world.vkeys()),
        progress=lambda done, total: told.append(done * 100 // total),
    )
    assert not report.counts
    assert len(told) == 2


def test_a_change_that_the_crc_takes_for_one_byte_is_not_named_as_one() -> None:
    """A multiple of the CRC's polynomial beside a changed byte: the CRC cannot tell, SHA-256 does."""
    data = bytearray(BUNDLE.pack())
    contents = read(Report("", ""), bytes(data))
    assert contents is not None
    start = bytes(data).index(DATA)
    inside = start + scan(DATA).offsets[3] + 50  # in the salt of its first block
    bits = f"{0x104C11DB7:033b}"
    for n, bit in enumerate(bits):
        data[inside + n // 8] ^= int(bit) << n % 8
    data[inside + 20] ^= 0x20
    report = verify_bundle(data, trust(WORLD.vkeys()))
    assert "byte-changed" not in report.counts
    assert next(f for f in report.findings if f.code == "media-segment").second == 3


def test_very_many_problems_are_counted_and_few_are_kept() -> None:
    data = b"mcopenm\x01" + (1).to_bytes(8, "big")
    data += b"".join((n + 1).to_bytes(4, "big") + bytes(40) for n in range(5000))
    found = scan(data)
    assert len(found.problems) == MAX_PER_CODE
    assert found.more == {"media-number": 5000 - MAX_PER_CODE}


def test_the_wire_side_of_srtp_is_checked_like_all_else_and_not_counted_as_packets() -> None:
    packets = b.speech(2, 0)
    wire = [b.Packet(p.since, 0x8000, KIND_WIRE, wire_entry(p.data, opened=True)) for p in packets]
    world = b.begun()
    call = b.Call(world, duration=2 * NS, packets=[*packets, *wire], streams=[(0, 1), (0x8000, KIND_WIRE)])
    b.simple(world=world, call=call)
    files = b.bundle(world, call)
    report = verify_bundle(files.pack(), trust(world.vkeys()))
    assert report.findings == []
    assert scan(files.files()["media.mcb"]).packets == len(packets)
