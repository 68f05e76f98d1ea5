"""The packets whose second has not closed yet, and the making of closed seconds' contents.

A run is packets of one stream and block that came together: they lie back to back in the sweep that
read them, and so do their arrivals and lengths. Runs wait as rows of a table, their bytes in three
buffers. When seconds close, all blocks of all of them are laid out at once: numpy computes where each
run belongs, and it is copied there whole. What a second's content is made of is FORMATS §6 and §7; the
tests read it back through `memcon.record`.

In the ordinary course no buffer is allocated: fresh memory costs more than the work done in it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from memcon.record.segment import BLOCK_HEAD, BLOCK_MAGIC, BLOCKS_A_SEGMENT, decode_block
from memcon.verify.audio import parse_rtp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from memcon.seal.streams import Stream, Streams

    Ints = NDArray[np.int64]

_HEAD = np.dtype(
    [
        ("stream", ">u2"), ("position", "u1"), ("kind", "u1"), ("length", ">u4"),
        ("magic", "S8"), ("segment", ">u4"), ("own_stream", ">u2"), ("own_position", "u1"),
        ("own_kind", "u1"), ("count", ">u4"), ("least", ">u4"), ("greatest", ">u4"), ("zero", ">u4"),
    ]
)  # fmt: skip
"""What stands before a block in the content, then the block's own head."""
ENTRY = _HEAD.itemsize - BLOCK_HEAD
_COUNT = 4
_ARRIVAL, _LENGTH = 8, 2
_STAMPS = 20
"""Where in a block's head its least and greatest timestamp stand."""
_FIRST_BYTES, _FIRST_ITEMS, _FIRST_ROWS = 1 << 18, 1 << 16, 1 << 10
_MASK, _HALF = (1 << 32) - 1, 1 << 31
_TAME = 1 << 30
"""Distances up to it can be added up without wrapping."""
TAKEN = -1
"""In place of a run's stream, once it is sealed."""


@dataclass(frozen=True, slots=True)
class Closing:
    """Seconds of a call that close: from `first` up to `until`. `streams` in the order of their numbers."""

    streams: Sequence[Stream]
    first: int
    until: int


@dataclass(frozen=True, slots=True)
class Content:
    """A closed second's plaintext, where in it each block's entry begins, and which streams were heard.

    The bytes are good until the next seconds are closed.
    """

    plain: memoryview
    cuts: Sequence[int]
    heard: frozenset[int]


def _windows(data: NDArray[np.uint8], size: int) -> NDArray[np.void]:
    """Every `size` bytes of a buffer as one item, at each byte: an item is copied whole."""
    return np.ndarray(len(data) - size + 1, f"V{size}", data, 0, (1,))


def _copy(source: NDArray[np.uint8], at: Ints, target: NDArray[np.uint8], to: Ints, size: Ints) -> None:
    """`size[i]` bytes from `source[at[i]]` to `target[to[i]]`: all items of one size at once, or one by
    one where hardly two are of a size."""
    if size.min() == size.max():
        bounds = [0, len(size)]
    else:
        order = np.argsort(size, kind="stable")
        size, at, to = size[order], at[order], to[order]
        bounds = [0, *(np.flatnonzero(np.diff(size)) + 1).tolist(), len(size)]
    if 8 * len(bounds) > len(size) + 64:
        a, b = memoryview(source.data), memoryview(target.data)
        for x, y, n in zip(at.tolist(), to.tolist(), size.tolist(), strict=True):
            b[y : y + n] = a[x : x + n]
        return
    for start, end in pairwise(bounds):
        width = int(size[start])
        if width:
            _windows(target, width)[to[start:end]] = _windows(source, width)[at[start:end]]


class _Ring:
    """Memory that is filled from its beginning to its end and then from its beginning again, where pieces are
    no longer wanted: they come and go nearly in the order of their arrival. Places and sizes are in items;
    there may be several columns, each with so many bytes an item."""

    def __init__(self, *widths: int) -> None:
        self._widths = widths
        self.filled = 0
        self._allocate(_FIRST_ITEMS)

    def _allocate(self, items: int) -> None:
        self.data = [np.zeros(items * width, np.uint8) for width in self._widths]
        self._items = items
        self._end = items
        """Up to here there is room: the end, or the first piece ahead that is still wanted."""

    def fits(self, items: int) -> bool:
        return self.filled + items <= self._end

    def add(self, items: int, *columns: memoryview) -> int:
        """Put so many items in, which must fit; returns where the first is."""
        at, self.filled = self.filled, self.filled + items
        for data, width, column in zip(self.data, self._widths, columns, strict=True):
            data[at * width : self.filled * width] = np.frombuffer(column, np.uint8)
        return at

    def make_room(self, at: Ints, size: Ints, items: int) -> Ints:
        """Room for so many more items beside these pieces, the only ones still wanted; returns where they are
        now: where they were, unless all of it was too little."""
        ahead = at[at >= self.filled]
        self._end = int(ahead.min()) if len(ahead) else self._items
        if not self.fits(items) and not len(ahead):
            first = int(at.min()) if len(at) else self._items
            if first >= items:
                self.filled, self._end = 0, first
        return at if self.fits(items) else self._move(at, size, items)

    def _move(self, at: Ints, size: Ints, items: int) -> Ints:
        """Into other memory, since pieces may not be copied onto themselves: with room for as much again."""
        before, ends = self.data, np.cumsum(size)
        self.filled = int(ends[-1]) if len(ends) else 0
        self._allocate(max(self._items, 2 * self.filled + 4 * items))
        if self.filled:
            for old, new, width in zip(before, self.data, self._widths, strict=True):
                _copy(old, at * width, new, (ends - size) * width, size * width)
        return ends - size


@dataclass(frozen=True, slots=True)
class Runs:
    """Packets of one stream and block that came together, row by row.

    `stream`: its id, TAKEN for packets that are passed over; `block` since the call's start; `count` of
    packets, `size` of all of them in bytes, `latest` arrival (`since`); the timestamp `stamp` of the first
    that is RTP and the `least` and `greatest` distance from it (int32), `rtp` whether there is one.
    """

    stream: Ints
    block: Ints
    count: Ints
    size: Ints
    latest: Ints
    stamp: NDArray[np.uint32]
    least: NDArray[np.int32]
    greatest: NDArray[np.int32]
    rtp: NDArray[np.bool_]


_COLUMNS = ("stream", "block", "count", "size", "latest", "stamp", "least", "greatest", "rtp")


class _Rows:
    """Runs, and where their packets' arrivals (`first`, in packets) and bytes (`at`) lie."""

    def __init__(self) -> None:
        self.count = 0
        self._columns = {name: np.zeros(_FIRST_ROWS, np.int64) for name in (*_COLUMNS, "first", "at")}

    def __getitem__(self, name: str) -> Ints:
        return self._columns[name][: self.count]

    def fits(self, rows: int) -> bool:
        return self.count + rows <= len(self._columns["at"])

    def add(self, runs: Runs, first: Ints, at: Ints) -> None:
        """Append rows; they must fit."""
        end = self.count + len(at)
        for name in _COLUMNS:
            self._columns[name][self.count : end] = getattr(runs, name)
        self._columns["first"][self.count : end] = first
        self._columns["at"][self.count : end] = at
        self.count = end

    def keep(self, which: Ints, first: Ints, at: Ints, room: int) -> None:
        """Only these rows stay, with room for as many again and for `room` more."""
        self._columns["first"][which], self._columns["at"][which] = first, at
        size = max(len(self._columns["at"]), 2 * (len(which) + room))
        for name, column in self._columns.items():
            kept = column[which]
            if len(column) < size:
                self._columns[name] = column = np.zeros(size, np.int64)
            column[: len(which)] = kept
        self.count = len(which)


class Waiting:
    """Packets of open calls, in order of their arrival at the reader."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._packets, self._times = _Ring(1), _Ring(_ARRIVAL, _LENGTH)
        self._runs = _Rows()
        self._content = np.zeros(_FIRST_BYTES, np.uint8)

    # ------------------------------------------------------------------ packets come

    def add(self, runs: Runs, arrivals: memoryview, lengths: memoryview, packets: memoryview) -> None:
        """A sweep's packets in runs: `since` and length of each (big-endian u64 and u16), their bytes."""
        count = len(lengths) // _LENGTH
        if not (
            self._runs.fits(len(runs.count)) and self._packets.fits(len(packets)) and self._times.fits(count)
        ):
            self._make_room(len(runs.count), count, len(packets))
        first = self._times.add(count, arrivals, lengths) + np.cumsum(runs.count) - runs.count
        self._runs.add(
            runs, first, self._packets.add(len(packets), packets) + np.cumsum(runs.size) - runs.size
        )

    def _make_room(self, rows: int, count: int, octets: int) -> None:
        """Drop what is sealed."""
        runs = self._runs
        keep = np.flatnonzero(runs["stream"] != TAKEN)
        at = self._packets.make_room(runs["at"][keep], runs["size"][keep], octets)
        first = self._times.make_room(runs["first"][keep], runs["count"][keep], count)
        runs.keep(keep, first, at, rows)

    # ------------------------------------------------------------------ what waits

    def latest(self, streams: Iterable[Stream]) -> int | None:
        """The latest arrival (`since`) among the waiting packets of a call; None where none waits."""
        found = self._runs["latest"][np.isin(self._runs["stream"], [s.id for s in streams])]
        return int(found.max()) if len(found) else None

    def drop(self, streams: Iterable[Stream]) -> None:
        """Forget the packets of streams that are sealed."""
        runs = self._runs["stream"]
        runs[np.isin(runs, [s.id for s in streams])] = TAKEN

    # ------------------------------------------------------------------ seconds close

    def close(self, closings: Sequence[Closing]) -> list[list[Content]]:
        """For each closing the contents of its seconds, in order; their packets wait no longer."""
        runs = self._take(closings)
        seconds = sum(c.until - c.first for c in closings)
        contents = self._lay_out(runs, seconds) if len(runs.key) else [_EMPTY] * seconds
        return _deal(closings, contents)

    def _take(self, closings: Sequence[Closing]) -> _Taken:
        """The runs of the seconds that close, in the order of their content."""
        ids = np.array([s.id for c in closings for s in c.streams], np.int64)
        having = [len(c.streams) for c in closings]
        first = np.array([c.first for c in closings], np.int64)
        last = np.array([c.until for c in closings], np.int64)
        seconds = last - first
        until, lowest, shift, order = np.zeros((4, self._streams.size), np.int64)
        until[ids] = np.repeat(last * BLOCKS_A_SEGMENT, having)
        lowest[ids] = np.repeat(first * BLOCKS_A_SEGMENT, having)
        shift[ids] = np.repeat(np.cumsum(seconds) - seconds - first, having)
        order[ids] = [n for count in having for n in range(count)]
        width = max(having, default=1)
        stream, block = self._runs["stream"], self._runs["block"]
        found = np.flatnonzero(block < until[stream])  # the place of TAKEN is 0: no block is below it
        stream, block = stream[found], np.maximum(block[found], lowest[stream[found]])
        number, position = np.divmod(block, BLOCKS_A_SEGMENT)
        second = number + shift[stream]
        key = (second * width + order[stream]) * BLOCKS_A_SEGMENT + position
        sort = np.argsort(key, kind="stable")
        found = found[sort]
        self._runs["stream"][found] = TAKEN
        return _Taken(found, stream[sort], number[sort], second[sort], position[sort], key[sort])

    def _lay_out(self, runs: _Taken, seconds: int) -> list[Content]:
        count, size = self._runs["count"][runs.row], self._runs["size"][runs.row]
        edge = np.flatnonzero(np.diff(runs.key, prepend=-1))  # each block's first run
        having = np.diff(edge, append=len(count))
        counts = np.add.reduceat(count, edge)
        length = BLOCK_HEAD + (_ARRIVAL + _LENGTH) * counts + np.add.reduceat(size, edge)
        second = runs.second[edge]
        ends = np.cumsum(ENTRY + length)
        to = ends - ENTRY - length + _COUNT * (second + 1)
        blocks = np.searchsorted(second, np.arange(seconds + 1))
        starts = np.concatenate([[0], ends])[blocks] + _COUNT * np.arange(seconds + 1)
        content = self._content_of(int(starts[-1]))
        head, wild = self._heads(runs, edge, having, counts, length)
        _windows(content, _COUNT)[starts[:-1]] = np.diff(blocks).astype(">u4").view(f"V{_COUNT}")
        _windows(content, _HEAD.itemsize)[to] = head.view(f"V{_HEAD.itemsize}")
        # where in its block a run's arrivals, lengths and packets belong
        before, filled = _before(count, edge, having), _before(size, edge, having)
        first, at = self._runs["first"][runs.row], self._runs["at"][runs.row]
        body = to + _HEAD.itemsize
        (arrivals, lengths), (packets,) = self._times.data, self._packets.data
        where = np.repeat(body, having) + _ARRIVAL * before
        _copy(arrivals, _ARRIVAL * first, content, where, _ARRIVAL * count)
        where = np.repeat(body + _ARRIVAL * counts, having) + _LENGTH * before
        _copy(lengths, _LENGTH * first, content, where, _LENGTH * count)
        where = np.repeat(body + (_ARRIVAL + _LENGTH) * counts, having) + filled
        _copy(packets, at, content, where, size)
        for block in wild.tolist():
            _settle_stamps(memoryview(content.data)[int(to[block]) + ENTRY :], int(length[block]))
        return _contents(content, starts, blocks, to, head["stream"])

    def _content_of(self, size: int) -> NDArray[np.uint8]:
        if len(self._content) < size:
            self._content = np.zeros(2 * size, np.uint8)
        return self._content

    def _heads(
        self, runs: _Taken, edge: Ints, having: Ints, counts: Ints, length: Ints
    ) -> tuple[NDArray[np.void], Ints]:
        """The blocks' heads; and which blocks have timestamps that only a look at each packet can order."""
        head = np.zeros(len(edge), _HEAD)
        stream = runs.stream[edge]
        head["stream"] = head["own_stream"] = self._streams.number[stream]
        head["position"] = head["own_position"] = runs.position[edge]
        head["kind"] = head["own_kind"] = self._streams.kind[stream]
        head["segment"] = runs.number[edge]
        head["length"], head["count"], head["magic"] = length, counts, BLOCK_MAGIC
        rtp = self._runs["rtp"][runs.row] != 0
        row, block = runs.row[rtp], np.repeat(np.arange(len(edge)), having)[rtp]
        start = np.flatnonzero(np.diff(block, prepend=-1))
        if not len(start):
            return head, start
        stamp = self._runs["stamp"][row]
        base = stamp[start]
        away = (stamp - np.repeat(base, np.diff(start, append=len(row)))).astype(np.int32).astype(np.int64)
        least = np.minimum.reduceat(away + self._runs["least"][row], start)
        greatest = np.maximum.reduceat(away + self._runs["greatest"][row], start)
        named = block[start]
        head["least"][named], head["greatest"][named] = base + least & _MASK, base + greatest & _MASK
        return head, named[(least < -_TAME) | (greatest > _TAME)]


@dataclass(frozen=True, slots=True)
class _Taken:
    """Runs in the order of the content: row, stream id, segment, which of the closing seconds, position of
    the block; runs of one block have one key."""

    row: Ints
    stream: Ints
    number: Ints
    second: Ints
    position: Ints
    key: Ints


_EMPTY = Content(memoryview(bytes(_COUNT)), (), frozenset())


def _before(values: Ints, edge: Ints, having: Ints) -> Ints:
    """Of each value, the sum of those before it in its block."""
    sums = np.cumsum(values) - values
    return sums - np.repeat(sums[edge], having)


def _settle_stamps(block: memoryview, length: int) -> None:
    """Put a block's least and greatest RTP timestamp in, by a look at each of its packets.

    Serial arithmetic (RFC 1982) from the first of them: distances wrap at half the range, and where
    they come near that, distances within runs cannot be added up.
    """
    read = decode_block(block[:length])
    known = [rtp.timestamp for packet in read.packets if (rtp := parse_rtp(0, packet))]
    away = [(stamp - known[0] + _HALF & _MASK) - _HALF for stamp in known]
    least, greatest = known[0] + min(away) & _MASK, known[0] + max(away) & _MASK
    struct.pack_into(">II", block, _STAMPS, least, greatest)


def _contents(
    content: NDArray[np.uint8], starts: Ints, blocks: Ints, to: Ints, streams: NDArray[np.uint16]
) -> list[Content]:
    """Cut what was laid out into seconds: where each begins, its first block, where each block begins."""
    view, at, block = memoryview(content.data), starts.tolist(), blocks.tolist()
    cuts = (to - np.repeat(starts[:-1], np.diff(blocks))).tolist()
    heard = streams.tolist()
    return [
        Content(view[at[n] : at[n + 1]], cuts[a:b], frozenset(heard[a:b]))
        for n, (a, b) in enumerate(pairwise(block))
    ]


def _deal(closings: Sequence[Closing], contents: list[Content]) -> list[list[Content]]:
    dealt, at = [], 0
    for closing in closings:
        seconds = closing.until - closing.first
        dealt.append(contents[at : at + seconds])
        at += seconds
    return dealt
