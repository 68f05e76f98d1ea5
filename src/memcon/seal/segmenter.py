"""The hot path: a sweep's packets to the blocks of their streams, array by array.

A media record holds the packets of many streams, each stream's in a run. Whatever can be said of
all packets at once (time since the call's start, block, RTP header, whether a sequence number
follows the one before) is computed by numpy over the whole record. Python looks at a run only where
it is not what its stream expected: a loss, a new source, RTCP.

A packet is taken for RTP where it has at least 12 bytes and version 2, and its second byte is not
192 to 223, which RFC 5761 section 4 keeps for RTCP on the same port. The least and greatest RTP
timestamp of a block are those of its RTP packets, in serial arithmetic from the first of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from memcon.record.segment import BLOCK_NS, KIND_RTCP, KIND_RTP, KIND_WIRE
from memcon.seal.unlock import Locks
from memcon.seal.waiting import TAKEN, Runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from memcon.record.journal import Media
    from memcon.seal.streams import Stream, Streams
    from memcon.seal.waiting import Waiting

RTP_HEADER = 12
_UNKNOWN = -2
_HEAD = np.dtype(
    [("first", "u1"), ("second", "u1"), ("sequence", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4")]
)


class Segmenter:
    """Sorts the packets of one instance's sweeps into blocks, where they wait for their second to close."""

    def __init__(self, streams: Streams, waiting: Waiting) -> None:
        self._streams = streams
        self._waiting = waiting
        self._ids: dict[int, int] = {}
        self.locks = Locks()
        self.watermark_mono = 0
        """Every packet that arrived before it has been read: blocks that end by then are closed."""
        self.strangers: set[int] = set()
        """Handles of packets that no call has named."""

    def follow(self, handle: int, stream: Stream) -> None:
        """Packets of this media handle are of this stream."""
        self._ids[handle] = stream.id

    def ignore(self, *handles: int | None) -> None:
        """Take no more packets of these handles: their call has ended or is sealed already."""
        for handle in handles:
            if handle is not None:
                self._ids[handle] = TAKEN
                self.locks.forget(handle)

    def forget(self, handle: int) -> None:
        """This handle means nothing any more; its sockets are closed, and no packet comes with it."""
        self._ids.pop(handle, None)

    def feed(self, media: Media) -> None:
        """Put each packet of a sweep into the block of its arrival, or the open one where that is closed.

        `memcon.record.journal` has checked that the lengths add up to the packets.
        """
        media = self.locks.open(media)
        count = media.count
        if not count:
            return
        handles = np.frombuffer(media.streams, ">u4")
        change = np.empty(count, bool)
        change[0] = True
        np.not_equal(handles[1:], handles[:-1], out=change[1:])
        starts = np.flatnonzero(change)
        named = handles[starts].tolist()
        ids = self._ids_of(named)
        sizes = np.diff(starts, append=count)
        base = np.where(ids == TAKEN, self.watermark_mono, self._streams.start[ids])
        since, block = self._place(media, np.repeat(base, sizes))
        packets = _Packets(media)
        self._account(ids, len(set(named)) < len(named), packets, change, starts, sizes)
        split = change.copy()
        split[1:] |= block[1:] != block[:-1]
        runs = np.flatnonzero(split)
        ids = np.repeat(ids, np.add.reduceat(split, starts, dtype=np.int64))
        counts = np.diff(runs, append=count)
        stamp, least, greatest, rtp = packets.stamps(runs, counts, self._streams.kind[ids] == KIND_RTP)
        size, latest = np.add.reduceat(packets.sizes, runs), np.maximum.reduceat(since, runs)
        found = Runs(ids, block[runs], counts, size, latest, stamp, least, greatest, rtp)
        arrivals = memoryview(since.astype(">u8").view(np.uint8).data)
        self._waiting.add(found, arrivals, media.lengths, media.packets)

    def _ids_of(self, handles: list[int]) -> NDArray[np.int64]:
        """The stream of each handle, TAKEN for those whose packets are passed over."""
        get = self._ids.get
        ids = np.array([get(handle, _UNKNOWN) for handle in handles], np.int64)
        unknown = ids == _UNKNOWN
        if unknown.any():
            self.strangers.update(handle for handle in handles if handle not in self._ids)
            ids[unknown] = TAKEN
        return ids

    def _place(self, media: Media, base: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(since, block number) of each packet, given each call's start on the monotonic clock."""
        arrivals = np.frombuffer(media.arrivals, ">u8").astype(np.int64)
        since = arrivals + (media.mono - media.wall) - base
        np.minimum(since, media.mono - base, out=since)  # none arrives after the sweep that read it
        np.maximum(since, 0, out=since)
        closed = np.maximum((self.watermark_mono - base) // BLOCK_NS, 0)
        return since, np.maximum(since // BLOCK_NS, closed)

    def _account(
        self,
        ids: NDArray[np.int64],
        twice: bool,
        packets: _Packets,
        change: NDArray[np.bool_],
        starts: NDArray[np.int64],
        sizes: NDArray[np.int64],
    ) -> None:
        """Count what came. `twice`: a stream has several runs, which only one after the other can tell."""
        good = packets.consecutive(change, starts)
        if twice:
            left = np.arange(len(ids))
        else:
            head = packets.head[starts]
            ssrc, first = head["ssrc"].astype(np.uint32), head["sequence"].astype(np.uint16)
            left = np.flatnonzero(~self._streams.count_runs(ids, good, ssrc, first, sizes))
        for run in left.tolist():
            if ids[run] != TAKEN:
                stream, start, count = self._streams[int(ids[run])], int(starts[run]), int(sizes[run])
                packets.count(stream, start, count, good=bool(good[run]))
                stream.expect()


class _Packets:
    """A record's packets and their RTP headers."""

    __slots__ = ("_data", "_starts", "head", "rtp", "sizes")

    def __init__(self, media: Media) -> None:
        self.sizes = np.frombuffer(media.lengths, ">u2").astype(np.int64)
        self._data = media.packets
        self._starts = np.cumsum(self.sizes) - self.sizes
        data = self._data if len(self._data) >= RTP_HEADER else bytes(RTP_HEADER)
        # every twelve bytes of the record as one item, so that taking the headers out is one copy
        items = np.ndarray(len(data) - RTP_HEADER + 1, f"V{RTP_HEADER}", data, 0, (1,))
        self.head = items[np.minimum(self._starts, len(items) - 1)].view(_HEAD)
        second = self.head["second"]
        self.rtp = (self.sizes >= RTP_HEADER) & (self.head["first"] >> 6 == 2)
        self.rtp &= (second < 192) | (second > 223)

    def consecutive(self, change: NDArray[np.bool_], starts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Per run: all RTP of one source, each sequence number one more than the last."""
        sequence, ssrc = self.head["sequence"].astype(np.uint16), self.head["ssrc"].astype(np.uint32)
        follows = change.copy()  # the differences wrap as the field does
        follows[1:] |= (sequence[1:] - sequence[:-1] == 1) & (ssrc[1:] == ssrc[:-1])
        return np.logical_and.reduceat(self.rtp & follows, starts)

    def stamps(
        self, runs: NDArray[np.int64], counts: NDArray[np.int64], rtp_stream: NDArray[np.bool_]
    ) -> tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
        """Per run: its first RTP packet's timestamp, the least and greatest distance from it, whether it has
        one."""
        rtp = self.rtp & np.repeat(rtp_stream, counts)
        stamps = self.head["timestamp"].astype(np.uint32)
        first = np.minimum.reduceat(np.where(rtp, np.arange(len(rtp)), len(rtp)), runs)
        there = first < len(rtp)
        base = stamps[np.minimum(first, len(rtp) - 1)]
        away = (stamps - np.repeat(base, counts)).view(np.int32)
        away[~rtp] = 0  # as far as the first
        return base, np.minimum.reduceat(away, runs), np.maximum.reduceat(away, runs), there

    def count(self, stream: Stream, start: int, count: int, *, good: bool) -> None:
        """Count a run that is not what its stream expected, packet by packet where it must be."""
        account = stream.account
        if good and stream.kind == KIND_RTP:
            head = self.head[start]
            account.run(int(head["ssrc"]), int(head["sequence"]), count)
            return
        account.received += count
        if stream.kind == KIND_WIRE:
            return
        for i in range(start, start + count):
            if stream.kind == KIND_RTCP:
                stream.reports.rtcp(self._bytes(i))
            elif not self.rtp[i]:
                account.rtcp(self._bytes(i))
            else:
                account.packet(int(self.head["ssrc"][i]), int(self.head["sequence"][i]))

    def _bytes(self, i: int) -> bytes:
        start = int(self._starts[i])
        return bytes(self._data[start : start + int(self.sizes[i])])
