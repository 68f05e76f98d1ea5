"""Sweeps into blocks and seconds, beside a plain model that goes packet by packet."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcon.record import segment
from memcon.record.journal import Media
from memcon.record.segment import BLOCK_NS, BLOCKS_A_SEGMENT, KIND_RTCP, KIND_RTP, NS
from memcon.seal.segmenter import Segmenter
from memcon.seal.streams import Stream, Streams
from memcon.seal.waiting import ENTRY, Closing, Content, Waiting

STARTS = (1 * NS, 1 * NS + 130_000_000)
"""Two calls, each with an RTP and an RTCP stream: handles 0 to 3."""
HALF = 1 << 31


def media(mono: int, packets: list[tuple[int, int, bytes]]) -> Media:
    """A sweep of (handle, arrival, bytes); here the wall clock shows what the monotonic one does."""
    return Media(
        mono,
        mono,
        len(packets),
        memoryview(b"".join(struct.pack(">I", h) for h, _, _ in packets)),
        memoryview(b"".join(struct.pack(">Q", max(0, at)) for _, at, _ in packets)),
        memoryview(b"".join(struct.pack(">H", len(d)) for _, _, d in packets)),
        memoryview(b"".join(d for _, _, d in packets)),
    )


@dataclass
class World:
    """What is tested, and beside it what each block should hold: {(call, number): packets} by stream."""

    streams: Streams = field(default_factory=Streams)
    expected: dict[tuple[int, int], list[tuple[int, bytes]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.waiting = Waiting(self.streams)
        self.segmenter = Segmenter(self.streams, self.waiting)
        self.all: list[Stream] = []
        for call, start in enumerate(STARTS):
            rtp = self.streams.new(0, KIND_RTP, start)
            rtcp = self.streams.new(1, KIND_RTCP, start, rtp.account)
            for offset, stream in enumerate((rtp, rtcp)):
                self.segmenter.follow(2 * call + offset, stream)
                self.all.append(stream)
        self.closed = [0, 0]
        self.watermark = 0

    def sweep(self, mono: int, packets: list[tuple[int, int, bytes]]) -> None:
        self.segmenter.feed(media(mono, packets))
        for handle, at, data in packets:
            if handle < len(self.all):
                start = STARTS[handle // 2]
                since = max(0, min(at, mono) - start)
                block = max(since // BLOCK_NS, (self.watermark - start) // BLOCK_NS, 0)
                self.expected.setdefault((handle, block), []).append((since, data))

    def tick(self, mono: int) -> None:
        self.watermark = self.segmenter.watermark_mono = mono

    def close(self, untils: list[int]) -> None:
        """Close seconds of both calls and compare them with what came."""
        closings = [
            Closing(self.all[2 * c : 2 * c + 2], self.closed[c], max(until, self.closed[c]))
            for c, until in enumerate(untils)
        ]
        for call, (closing, contents) in enumerate(zip(closings, self.waiting.close(closings), strict=True)):
            assert len(contents) == closing.until - closing.first
            for n, content in zip(range(closing.first, closing.until), contents, strict=True):
                self.check(call, n, content)
            self.closed[call] = closing.until

    def check(self, call: int, n: int, content: Content) -> None:
        read = list(segment.read_content(bytes(content.plain)))
        assert len(read) == len(content.cuts)
        found: dict[tuple[int, int], list[tuple[int, bytes]]] = {}
        previous = (-1, -1)
        for (number, position, kind, block), cut in zip(read, content.cuts, strict=True):
            assert bytes(content.plain[cut + ENTRY :][: len(block)]) == bytes(block)
            one = segment.decode_block(block)
            assert (one.segment, one.stream, one.position, one.kind) == (n, number, position, kind)
            assert kind == self.all[2 * call + number].kind
            assert (number, position) > previous
            previous = (number, position)
            packets = [bytes(p) for p in one.packets]
            found[2 * call + number, n * BLOCKS_A_SEGMENT + position] = list(
                zip(one.arrivals, packets, strict=True)
            )
            assert (one.least, one.greatest) == (stamps(packets) if kind == KIND_RTP else (0, 0))
        wanted = {
            key: self.expected.pop(key)
            for key in list(self.expected)
            if key[0] // 2 == call and key[1] // BLOCKS_A_SEGMENT == n
        }
        assert found == wanted
        assert content.heard == {handle % 2 for handle, _ in wanted}


def stamps(packets: list[bytes]) -> tuple[int, int]:
    known = [
        struct.unpack_from(">I", p, 4)[0]
        for p in packets
        if len(p) >= 12 and p[0] >> 6 == 2 and not 192 <= p[1] <= 223
    ]
    if not known:
        return 0, 0
    away = [((k - known[0] + HALF) % (2 * HALF)) - HALF for k in known]
    return (known[0] + min(away)) % (2 * HALF), (known[0] + max(away)) % (2 * HALF)


def rtp(sequence: int, stamp: int, size: int = 20, ssrc: int = 7) -> bytes:
    return struct.pack(">BBHII", 0x80, 0, sequence & 0xFFFF, stamp & 0xFFFFFFFF, ssrc) + bytes(size)


packet = st.one_of(
    st.builds(rtp, st.integers(0, 9), st.integers(0, 2000), st.integers(0, 3)),
    st.builds(rtp, st.integers(0, 65535), st.integers(0, 0xFFFFFFFF), st.integers(0, 40)),
    st.binary(max_size=30),
)
sweeps = st.lists(
    st.lists(st.tuples(st.integers(0, 4), st.integers(-300, 150), packet), max_size=12), max_size=25
)


@settings(deadline=None, max_examples=150)
@given(sweeps, st.integers(1, 4))
def test_seconds_hold_what_came_in_its_order(parts: list[list[tuple[int, int, bytes]]], every: int) -> None:
    world = World()
    mono = 1 * NS
    for count, part in enumerate(parts, 1):
        mono += 100_000_000
        world.sweep(mono, [(handle, mono + ms * 1_000_000, data) for handle, ms, data in part])
        world.tick(mono)
        if count % every == 0:
            world.close([(mono - start) // NS for start in STARTS])
    latest = [world.waiting.latest(world.all[2 * c : 2 * c + 2]) for c in range(2)]
    for call in range(2):
        left = [at for (handle, _), held in world.expected.items() if handle // 2 == call for at, _ in held]
        assert latest[call] == max(left, default=None)
    world.close([10, 10])
    assert world.expected == {}


def test_many_sweeps_are_kept_in_bounded_memory() -> None:
    """Sealed packets make room, whatever waits beside them."""
    world = World()
    mono = 1 * NS
    for count in range(400):
        mono += 100_000_000
        own = [(handle, mono - 1, rtp(count, 160 * count, 700 + count % 7)) for handle in (0, 2)]
        world.sweep(mono, [own[0]] * 40 + [own[1]] * 40)
        world.tick(mono)
        if count % 10 == 9:
            world.close([(mono - start) // NS for start in STARTS])
    assert len(world.waiting._packets.data) < 8_000_000
    world.close([50, 50])
    assert world.expected == {}


def test_places_are_given_again_and_their_packets_forgotten() -> None:
    streams = Streams()
    waiting = Waiting(streams)
    segmenter = Segmenter(streams, waiting)
    for round_ in range(300):
        stream = streams.new(0, KIND_RTP, 1 * NS)
        assert stream.id == 0
        segmenter.follow(round_, stream)
        segmenter.feed(media(2 * NS, [(round_, 2 * NS - 1, rtp(5, 5))]))
        assert waiting.latest([stream]) == NS - 1
        segmenter.ignore(round_)
        waiting.drop([stream])
        assert waiting.latest([stream]) is None
        streams.free([stream])
        assert stream.account.received == 1
        segmenter.feed(media(2 * NS, [(round_, 2 * NS - 1, rtp(6, 6))]))
    with pytest.raises(KeyError):
        streams[0]


def test_more_streams_than_there_was_room_for() -> None:
    streams = Streams()
    made = [streams.new(n, KIND_RTP, n) for n in range(500)]
    assert [s.id for s in made] == list(range(500))
    assert streams.start[:500].tolist() == list(range(500))
    assert streams.size > 500
    assert streams.ssrc[-1] == -1


def test_a_stream_in_two_runs_of_a_sweep_is_counted_in_order() -> None:
    world = World()
    mono = 2 * NS
    order = [(0, 1), (2, 1), (0, 2), (2, 3), (0, 3)]
    world.sweep(mono, [(handle, mono - 1, rtp(n, 160 * n)) for handle, n in order])
    world.sweep(mono, [(0, mono - 1, rtp(4, 640)), (2, mono - 1, rtp(2, 320))])
    first, other = world.all[0].account, world.all[2].account
    assert (first.received, first.expected, first.reordered) == (4, 4, 0)
    assert (other.received, other.expected, other.reordered) == (3, 3, 1)
