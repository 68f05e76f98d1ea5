"""A sweep's SRTP opened together: what is the same for thousands of packets is done once, in arrays.

The packets of one socket in one sweep are a run. A run is opened here where it is as runs nearly always
are: RTP of one source that has been heard before, in sequence or nearly, under the newest key, and every
packet authenticates. Any other run is left as it is, with nothing learned from it, for `Guard.open`, which
takes packets one by one; both give the same bytes and leave the same counters (tests hold them together).

Of a packet there remain one HMAC by itself, or one GCM; AES in counter mode is asked for the key stream of a
whole run at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from cryptography.exceptions import InvalidTag

from memcon.wire.rtp import FIXED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from memcon.wire.srtp import Guard, Line, SessionKeys

    Bytes = NDArray[np.uint8]
    Ints = NDArray[np.int64]

FEWEST = 32
"""Packets from which arrays are cheaper than one after another."""
LARGEST = 2048
"""Bytes of a packet in a matrix: every row is as wide as the widest."""
NEAR = 1 << 14
"""How far a run's sequence numbers may be from the highest before it: closer, the order within the run
makes no difference to the index that each is given (RFC 3711 §3.3.1)."""
_BLOCK = 16
_AEAD_TAG = 16


class Run(NamedTuple):
    """Packets `first` to `end` (exclusive) of a sweep, which came to the socket of one guard."""

    first: int
    end: int
    guard: Guard


class Opened(NamedTuple):
    """A run opened whole: the RTP packets one after another, and their lengths as big-endian u16."""

    packets: bytes
    lengths: bytes


def open_runs(packets: memoryview, bounds: Ints, runs: Sequence[Run]) -> dict[int, Opened]:
    """What could be opened together, by the place of the run in `runs`; what is absent is as it was.

    Packet i is `packets[bounds[i]:bounds[i + 1]]`. A guard that stands in two runs is left alone: the order
    in which its packets are taken is then another's to know.
    """
    if sum(run.end - run.first for run in runs) < FEWEST:
        return {}
    sizes = np.diff(bounds).tolist()
    owners = [id(run.guard) for run in runs]
    once = {owner for owner in owners if owners.count(owner) == 1} if len(set(owners)) < len(owners) else None
    alike: dict[tuple[str, int, int], list[int]] = {}
    for place, run in enumerate(runs):
        if once is None or owners[place] in once:
            largest = max(sizes[run.first : run.end])
            line = run.guard.newest
            if largest <= LARGEST:
                # rows of a matrix are as wide as the widest: small and large packets apart
                alike.setdefault((line.suite.name, line.mki_size, largest.bit_length()), []).append(place)
    found: dict[int, Opened] = {}
    for places in alike.values():
        group = _Group(packets, bounds, [(place, runs[place]) for place in places])
        if group.count >= FEWEST:
            found.update(group.open())
    return found


class _Group:
    """Runs under one suite, with names of keys of one length. Arrays have a row for each packet."""

    def __init__(self, packets: memoryview, bounds: Ints, runs: Sequence[tuple[int, Run]]) -> None:
        self._view = packets
        self._data: Bytes = np.frombuffer(packets, np.uint8)
        self._runs = list(runs)
        self._lines: list[Line] = [run.guard.newest for _, run in runs]
        self._suite, self._mki = self._lines[0].suite, self._lines[0].mki_size
        counts = np.array([run.end - run.first for _, run in runs])
        rows = np.concatenate([np.arange(run.first, run.end) for _, run in runs])
        self._at: Ints = bounds[rows]
        self._size: Ints = bounds[rows + 1] - self._at
        self._run: Ints = np.repeat(np.arange(len(runs)), counts)
        self._keys: list[SessionKeys] = []

    @property
    def count(self) -> int:
        """Packets."""
        return len(self._at)

    def open(self) -> dict[int, Opened]:
        """Open what is in order; the counters of those runs stand where their packets bring them."""
        suite = self._suite
        if not self._select(self._well_formed()) or not self._select(self._indexed()):
            return {}
        opened = self._aead() if suite.aead else self._counted()
        if opened is None:
            return {}
        content, kept = opened
        lengths = (self._end - (_AEAD_TAG if suite.aead else 0)).astype(np.int64)
        ends = np.cumsum(lengths)
        named = lengths.astype(">u2").tobytes()
        found = {}
        highest = np.maximum.reduceat(self._index, self._firsts)
        for number, (first, end) in enumerate(self._spans()):
            if kept[number]:
                place, run = self._runs[number]
                begin = int(ends[first] - lengths[first])
                found[place] = Opened(content[begin : int(ends[end - 1])], named[2 * first : 2 * end])
                run.guard.opened_together(int(self._ssrc[first]), int(highest[number]), end - first)
        return found

    # --- which runs are as runs nearly always are ---

    def _well_formed(self) -> NDArray[np.bool_]:
        """Of each packet whether it is RTP with all its parts, of the run's source and under its key name."""
        data, at, last = self._data, self._at, len(self._data) - 1
        tail = self._mki + (0 if self._suite.aead else self._suite.tag)
        self._end: Ints = self._size - tail
        head = data[np.minimum(at[:, None] + np.arange(FIXED), last)]
        self._start: Ints = FIXED + 4 * (head[:, 0] & 15).astype(np.int64)
        extended = np.flatnonzero(head[:, 0] & 16)
        if len(extended):
            # header extension (RFC 3550 §5.3.1): profile, then the length in words
            length = data[np.minimum((at + self._start)[extended, None] + np.array([2, 3]), last)]
            self._start[extended] += 4 + 4 * (length[:, 0].astype(np.int64) << 8 | length[:, 1])
        self._ssrc: Ints = np.ascontiguousarray(head[:, 8:12]).view(">u4")[:, 0].astype(np.int64)
        self._sequence: Ints = head[:, 2].astype(np.int64) << 8 | head[:, 3]
        body = self._end - (_AEAD_TAG if self._suite.aead else 0)
        firsts = self._firsts
        good = (head[:, 0] >> 6 == 2) & (body >= self._start) & (self._ssrc == self._ssrc[firsts][self._run])
        good &= (head[:, 1] < 192) | (head[:, 1] > 223)  # RTCP on the same port (RFC 5761 §4)
        self._names: Bytes | None = None
        if self._mki:
            where = at + self._size - self._mki if self._suite.aead else at + self._end
            names = data[np.clip(where[:, None] + np.arange(self._mki), 0, last)]
            good &= (names == names[firsts][self._run]).all(1)
            self._names = names
        return np.asarray(good, np.bool_)

    def _indexed(self) -> NDArray[np.bool_]:
        """Of each packet whether its index is beyond doubt; finds the keys of each run on the way."""
        highest = np.full(len(self._runs), -1, np.int64)
        keys: list[SessionKeys] = []
        for number, first in enumerate(self._firsts.tolist()):
            line = self._lines[number]
            source = line.sources.get(int(self._ssrc[first]))
            found = line.rtp.get(b"" if self._names is None else self._names[first].tobytes())
            if source is not None and found is not None:
                highest[number] = source.highest
            keys.append(found or next(iter(line.rtp.values())))
        self._keys = keys
        before = highest[self._run]
        step = ((self._sequence - before & 0xFFFF) ^ 0x8000) - 0x8000
        self._index: Ints = before + step
        return (before >= 0) & (abs(step) < NEAR) & (self._index >= 0)

    def _select(self, good: NDArray[np.bool_]) -> int:
        """Go on with the runs whose packets are all good; how many those are."""
        if good.all():
            return len(self._runs)
        kept = np.logical_and.reduceat(good, self._firsts)
        rows = kept[self._run]
        self._runs = [one for one, keep in zip(self._runs, kept, strict=True) if keep]
        self._lines = [one for one, keep in zip(self._lines, kept, strict=True) if keep]
        if self._keys:
            self._keys = [one for one, keep in zip(self._keys, kept, strict=True) if keep]
            self._index = self._index[rows]
        self._at, self._size, self._end = self._at[rows], self._size[rows], self._end[rows]
        self._start, self._ssrc, self._sequence = self._start[rows], self._ssrc[rows], self._sequence[rows]
        self._names = None if self._names is None else self._names[rows]
        self._run = (np.cumsum(kept) - 1)[self._run[rows]]
        return len(self._runs)

    @property
    def _firsts(self) -> Ints:
        """The row of each run's first packet."""
        return np.flatnonzero(np.diff(self._run, prepend=-1))

    def _spans(self) -> Iterable[tuple[int, int]]:
        firsts = self._firsts.tolist()
        return zip(firsts, [*firsts[1:], self.count], strict=True)

    # --- AES in counter mode with HMAC-SHA1 ---

    def _counted(self) -> tuple[bytes, NDArray[np.bool_]] | None:
        rows = self._rows()
        right = self._authentic(rows)
        if not right.any():
            return None
        # rows of a run that did not authenticate are opened too, and given to nobody
        width = int(self._end.max())
        starts = np.unique(self._start).tolist()
        stream = self._key_stream(max(0, -(-(width - starts[0]) // _BLOCK)))
        for start in starts:
            if len(starts) == 1:
                rows[:, start:width] ^= stream[:, : width - start]
            elif start < width:
                which = np.flatnonzero(self._start == start)
                rows[which, start:width] ^= stream[which, : width - start]
        same = (self._end == width).all()
        whole = rows[:, :width] if same else rows[np.arange(rows.shape[1]) < self._end[:, None]]
        return whole.tobytes(), right

    def _rows(self) -> Bytes:
        """The packets as rows that may be written to, each with its rollover counter behind its payload.

        Joined, not gathered: an index of eight bytes for each byte costs more than all else here.
        """
        view, at, end = self._view, self._at.tolist(), int(self._end[0])
        counters = (self._index >> 16).astype(">u4")
        size = int(self._size[0])
        if (self._size == size).all():
            whole = bytearray().join([view[at[a] : at[b - 1] + size] for a, b in self._spans()])
            rows = np.frombuffer(whole, np.uint8).reshape(-1, size)
            rows[:, end : end + 4] = counters.view(np.uint8).reshape(-1, 4)  # the shortest tag has four bytes
            return rows
        width, named = int(self._end.max()), memoryview(counters.tobytes())
        filler = memoryview(bytes(width))
        parts: list[memoryview] = []
        for i, (begin, end) in enumerate(zip(at, self._end.tolist(), strict=True)):
            parts += (view[begin : begin + end], named[4 * i : 4 * i + 4], filler[end:])
        return np.frombuffer(bytearray().join(parts), np.uint8).reshape(-1, width + 4)

    def _authentic(self, rows: Bytes) -> NDArray[np.bool_]:
        """Of each run whether every packet has the tag of its key: an HMAC over packet and counter."""
        tag, view, row = self._suite.tag, rows.reshape(-1).data, rows.shape[1]
        begins = range(0, row * self.count, row)
        ends = (np.array(begins) + self._end + 4).tolist()
        made = []
        for number, (first, end) in enumerate(self._spans()):
            new = self._keys[number].hmac.copy
            for begin, stop in zip(begins[first:end], ends[first:end], strict=True):
                mac = new()
                mac.update(view[begin:stop])
                made.append(mac.finalize())
        macs = np.frombuffer(b"".join(made), np.uint8).reshape(-1, 20)[:, :tag]
        said = self._data[(self._at + self._size - tag)[:, None] + np.arange(tag)]
        return np.asarray(np.logical_and.reduceat((macs == said).all(1), self._firsts), np.bool_)

    def _key_stream(self, blocks: int) -> Bytes:
        """The key stream of each packet, so many blocks (RFC 3711 §4.1.1): rows of bytes."""
        # counter = salt(14) 00 00  xor  00*4 SSRC(4) index(6) 00 00, and its last 16 bits count the blocks
        base = self._nonces(14)
        counters = np.empty((self.count, blocks, _BLOCK), np.uint8)
        counters[:, :, :14] = base[:, None]
        counters[:, :, 14:] = np.arange(blocks, dtype=">u2").view(np.uint8).reshape(blocks, 2)
        asked = counters.tobytes()
        row = blocks * _BLOCK
        made = [
            self._keys[number].blocks(asked[first * row : end * row])
            for number, (first, end) in enumerate(self._spans())
        ]
        return np.frombuffer(b"".join(made), np.uint8).reshape(self.count, row)

    def _nonces(self, width: int) -> Bytes:
        """Salt, SSRC and index combined: the SSRC stands before the index, which ends the row."""
        salts = b"".join(keys.salt_bytes for keys in self._keys)
        rows = np.frombuffer(salts, np.uint8).reshape(-1, width)[self._run]
        rows[:, -10:-6] ^= self._ssrc.astype(">u4").view(np.uint8).reshape(-1, 4)
        rows[:, -6:] ^= self._index.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 2:]
        return rows

    # --- AEAD_AES_GCM (RFC 7714) ---

    def _aead(self) -> tuple[bytes, NDArray[np.bool_]] | None:
        view, nonces = self._view, self._nonces(12).tobytes()
        begins, bodies = self._at.tolist(), (self._at + self._start).tolist()
        ends = (self._at + self._end).tolist()
        right = np.ones(len(self._runs), bool)
        parts: list[bytes | memoryview] = []
        for number, (first, end) in enumerate(self._spans()):
            aead = self._keys[number].aead
            try:
                for i in range(first, end):
                    head = view[begins[i] : bodies[i]]
                    nonce = nonces[12 * i : 12 * i + 12]
                    parts += (head, aead.decrypt(nonce, view[bodies[i] : ends[i]], head))  # type: ignore[union-attr]
            except InvalidTag:
                right[number] = False
                # what nobody is given has its place all the same: the rows after it stand where they are
                del parts[2 * first :]
                parts += (
                    part for i in range(first, end) for part in (view[begins[i] : ends[i] - _AEAD_TAG], b"")
                )
        return (b"".join(parts), right) if right.any() else None
