"""The media streams of the calls being sealed, under small numbers of their own.

What is asked of every stream at each sweep stands in arrays, so that numpy answers for all of them
at once: where its call began, its kind, which RTP packet would come next. A run of packets that is
exactly what was expected is only counted there (`ahead`); whatever else comes, and whoever reads
the account, has it brought up first. Ids are given again once a call is handed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from memcon.record.segment import KIND_RTP
from memcon.seal.accounting import StreamAccount

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_FIRST = 64


class Stream:
    """One media stream of an open call. `id` is its place in the arrays of `Streams`."""

    __slots__ = ("_account", "_streams", "id", "kind", "number", "reports", "start_mono")

    def __init__(
        self,
        streams: Streams,
        id_: int,
        number: int,
        kind: int,
        start_mono: int,
        reports: StreamAccount | None,
    ) -> None:
        self._streams = streams
        self._account = StreamAccount()
        self.id = id_
        self.number = number
        self.kind = kind
        self.start_mono = start_mono
        self.reports = reports or self._account
        """Whose sender count an RTCP report here gives: that of the RTP stream beside it."""

    @property
    def account(self) -> StreamAccount:
        """The counts, brought up to all that was fed."""
        ahead = self._streams.ahead
        count = int(ahead[self.id])
        if count:
            self._account.advance(count)
            ahead[self.id] = 0
        return self._account

    def expect(self) -> None:
        """Say what the next run of packets has to be, to be counted without a look."""
        streams, following = self._streams, self._account.following
        streams.ssrc[self.id], streams.next[self.id] = following or (-1, 0)


class Streams:
    """All open streams. Arrays by id: `start` (monotonic ns), `number`, `kind`; `ssrc` (-1: none) and
    `next` of the RTP packet that would follow, `ahead` packets that did. The last place stays unused,
    so that an id of -1 finds a stream that expects nothing."""

    def __init__(self) -> None:
        self._objects: list[Stream | None] = []
        self._free: list[int] = []
        self.start, self.number, self.kind, self.ssrc, self.next, self.ahead = self._columns(_FIRST)

    @staticmethod
    def _columns(size: int) -> tuple[NDArray[np.int64], ...]:
        empty = [np.zeros(size, np.int64) for _ in range(6)]
        empty[3][:] = -1
        return tuple(empty)

    @property
    def size(self) -> int:
        """Places in the arrays, the unused last one included."""
        return len(self.start)

    def __getitem__(self, id_: int) -> Stream:
        stream = self._objects[id_]
        if stream is None:
            raise KeyError(id_)
        return stream

    def new(self, number: int, kind: int, start_mono: int, reports: StreamAccount | None = None) -> Stream:
        """A stream of a call that began at `start_mono`."""
        if not self._free:
            self._free.append(len(self._objects))
            self._objects.append(None)
            if len(self._objects) >= self.size:
                self._grow()
        id_ = self._free.pop()
        stream = self._objects[id_] = Stream(self, id_, number, kind, start_mono, reports)
        self.start[id_], self.number[id_], self.kind[id_] = start_mono, number, kind
        self.ssrc[id_], self.next[id_], self.ahead[id_] = -1, 0, 0
        return stream

    def free(self, streams: Iterable[Stream]) -> None:
        """Give back the places of streams that take no more packets; their accounts stay readable."""
        for stream in streams:
            _ = stream.account
            self.ssrc[stream.id] = -1
            self._objects[stream.id] = None
            self._free.append(stream.id)
            stream.id = -1

    def _grow(self) -> None:
        old = (self.start, self.number, self.kind, self.ssrc, self.next, self.ahead)
        new = self._columns(2 * self.size)
        for column, values in zip(new, old, strict=True):
            column[: len(values)] = values
        self.start, self.number, self.kind, self.ssrc, self.next, self.ahead = new

    def count_runs(
        self,
        ids: NDArray[np.int64],
        good: NDArray[np.bool_],
        ssrc: NDArray[np.uint32],
        first: NDArray[np.uint16],
        counts: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Count the runs that are what their streams expect; True for each run that was counted.

        No stream may stand twice in `ids`. `good`: consecutive RTP of one source.
        """
        expected: NDArray[np.bool_] = good & (self.kind[ids] == KIND_RTP)
        expected &= (ssrc == self.ssrc[ids]) & (first == self.next[ids])
        these, count = ids[expected], counts[expected]
        self.ahead[these] += count
        self.next[these] = (self.next[these] + count) & 0xFFFF
        return expected
