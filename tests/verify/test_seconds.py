"""The seconds of a call: blocks forged before they are sealed, and whatever else arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest
from tests.verify import builder as b
from tests.verify.found import codes

from memcon.record import segment
from memcon.record.segment import KIND_RTCP
from memcon.verify import trust, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

NS = b.NS


Blocks = list[tuple[int, int, int, bytes]]
Forge: TypeAlias = "Callable[[Blocks], Blocks]"


class Forger(b.Call):
    """A call whose operator changes the blocks of second 1 before they are sealed."""

    forge: Forge

    def cut(self, second: int) -> list[tuple[int, int, int, bytes]]:
        blocks = super().cut(second)
        return self.forge(blocks) if second == 1 else blocks


def patch(at: int, value: bytes) -> Forge:
    """A forgery: bytes put into the first block."""

    def forge(blocks: list[tuple[int, int, int, bytes]]) -> list[tuple[int, int, int, bytes]]:
        stream, position, kind, data = blocks[0]
        return [(stream, position, kind, data[:at] + value + data[at + len(value) :]), *blocks[1:]]

    return forge


@pytest.mark.parametrize(
    ("forge", "expected"),
    [
        (patch(0, b"X"), "media-block"),
        (patch(8, b"\0\0\0\x09"), "media-block"),
        (patch(14, b"\x04"), "media-block"),
        (patch(15, b"\x09"), "media-block"),
        (patch(16, b"\0\0\0\0"), "media-block"),
        (patch(16, b"\0\0\0\x03"), "media-block"),
        (patch(16, b"\xff\0\0\0"), "media-block"),
        (patch(20, b"\xff"), "media-timestamps"),
        (patch(24, b"\xff"), "media-timestamps"),
        (patch(28, b"\xff"), "media-block"),
        (patch(32, b"\xff"), "media-arrival"),
        (patch(32, bytes(8)), "media-late"),
        (patch(48, b"\0\x01"), "media-block"),
        (lambda blocks: [(*blocks[0][:3], blocks[0][3][:20]), *blocks[1:]], "media-block"),
        (lambda blocks: blocks[1:], "media-received"),
    ],
)
def test_a_forged_block(forge: Forge, expected: str) -> None:
    world = b.begun()
    call = Forger(world, packets=[*b.speech(5, 0), *b.speech(5, 2)])
    call.forge = forge
    while not call.done:
        world.beat([call])
    report = verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys()))
    assert expected in report.counts
    assert "5 of 5 seconds match their seals" in report.checked
    if expected != "media-received" and expected != "media-late":
        assert {f.second for f in report.findings if f.code == expected} == {1}


def varied() -> list[b.Packet]:
    """Packets of all kinds: several lengths, other versions, RTCP on both ports, a wrap of timestamps."""
    packets = []
    for n in range(60):
        since = n * 80_000_000
        data = b.rtp(n, 0xFFFFE000 + 640 * n, bytes(20 + n % 3))
        if n % 10 == 3:
            data = b"\x00" * 30
        if n % 10 == 5:
            data = b"\x80\xc8" + bytes(30)
        if n % 10 == 7:
            data = b"short"
        packets.append(b.Packet(since, 0, 1, data))
    packets += [b.Packet(n * NS, 1, KIND_RTCP, b"\x80\xc8" + bytes(26)) for n in range(4)]
    return packets


class Varied(b.Call):
    """Makes blocks as the recorder does, whatever arrives."""

    def cut(self, second: int) -> list[tuple[int, int, int, bytes]]:
        blocks = []
        for stream, position, kind, data in super().cut(second):
            block = segment.decode_block(data)
            stamps = [
                int.from_bytes(p[4:8], "big")
                for p in block.packets
                if kind == 1 and len(p) >= 12 and p[0] >> 6 == 2 and not 192 <= p[1] <= 223
            ]
            distances = [(s - stamps[0] + (1 << 31)) % (1 << 32) - (1 << 31) for s in stamps] or [0]
            origin = stamps[0] if stamps else 0
            least, greatest = (origin + min(distances)) % (1 << 32), (origin + max(distances)) % (1 << 32)
            head = least.to_bytes(4, "big") + greatest.to_bytes(4, "big")
            blocks.append((stream, position, kind, data[:20] + head + data[28:]))
        return blocks


def test_whatever_arrives_is_read_as_it_was_sealed() -> None:
    world = b.begun()
    call = Varied(world, streams=[(0, 1), (1, 2)], packets=varied())
    while not call.done:
        world.beat([call])
    assert codes(b.bundle(world, call)) == set()
