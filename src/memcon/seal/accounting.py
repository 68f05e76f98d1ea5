"""What arrived of a stream and what should have: counts by RTP sequence number (RFC 3550, appendix A.1).

Each SSRC is counted by itself. A jump of more than `MAX_DROPOUT` is taken for a restart of the
sender once two packets in a row confirm it; until then it adds nothing to what was expected.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_DROPOUT = 3000
MAX_MISORDER = 512
"""Further back than this, a packet is not compared with those received: it counts as a restart's first."""
MAX_SOURCES = 64
"""Sources followed at a time in one stream: whoever invents SSRCs costs no memory."""
_WINDOW = (1 << MAX_MISORDER) - 1


@dataclass(slots=True)
class _Source:
    """One SSRC: `highest` is extended beyond 16 bits; `seen` a bitmap of those received up to
    `highest - ahead` (bit 0), after which `ahead` came in a row."""

    base: int
    highest: int
    seen: int = 1
    ahead: int = 0
    suspect: int = -1
    before: int = 0

    def settle(self) -> None:
        """Bring the bitmap up to `highest`."""
        count = min(self.ahead, MAX_MISORDER)
        self.seen = (self.seen << count | (1 << count) - 1) & _WINDOW
        self.ahead = 0

    @property
    def expected(self) -> int:
        return self.before + self.highest - self.base + 1


@dataclass(slots=True)
class StreamAccount:
    """Totals of one stream since the call's start."""

    received: int = 0
    duplicates: int = 0
    reordered: int = 0
    kernel_drops: int = 0
    sender_count: int = 0
    _sources: dict[int, _Source] = field(default_factory=dict)
    _forgotten: int = 0
    _ssrc: int = -1
    _source: _Source | None = None

    @property
    def expected(self) -> int:
        """Packets expected over all SSRCs, by sequence numbers."""
        return self._forgotten + sum(s.expected for s in self._sources.values())

    @property
    def ssrcs(self) -> tuple[int, ...]:
        """The sources followed, in order of appearance."""
        return tuple(self._sources)

    @property
    def following(self) -> tuple[int, int] | None:
        """(SSRC, sequence number) of the packet that would follow the latest; None before the first."""
        source = self._source
        return None if source is None else (self._ssrc, (source.highest + 1) & 0xFFFF)

    def advance(self, count: int) -> None:
        """So many packets came, each the one that `following` named."""
        self.received += count
        if self._source is not None:
            self._source.highest += count
            self._source.ahead += count
            self._source.suspect = -1

    def run(self, ssrc: int, first: int, count: int) -> None:
        """`count` RTP packets of one SSRC whose sequence numbers follow each other from `first`."""
        source = self._source if ssrc == self._ssrc else self._pick(ssrc)
        if source is not None and (source.highest + 1) & 0xFFFF == first:
            self.advance(count)
            return
        self.received += count
        for offset in range(count):
            self.packet(ssrc, (first + offset) & 0xFFFF)

    def _pick(self, ssrc: int) -> _Source | None:
        self._ssrc, self._source = ssrc, self._sources.get(ssrc)
        return self._source

    def packet(self, ssrc: int, sequence: int) -> None:
        """One RTP packet, in order of arrival. `received` is counted by the caller."""
        source = self._source if ssrc == self._ssrc else self._pick(ssrc)
        if source is None:
            if len(self._sources) >= MAX_SOURCES:
                self._forgotten += self._sources.pop(next(iter(self._sources))).expected
            self._source = self._sources[ssrc] = _Source(sequence, sequence)
            return
        source.settle()
        ahead = (sequence - source.highest) & 0xFFFF
        if 0 < ahead < MAX_DROPOUT:
            source.highest += ahead
            source.seen = (source.seen << min(ahead, MAX_MISORDER) | 1) & _WINDOW
            source.suspect = -1
            return
        back = (source.highest - sequence) & 0xFFFF
        if back < MAX_MISORDER:
            self._late(source, back)
        elif sequence == source.suspect:
            source.before = source.expected
            source.base, source.highest, source.seen, source.suspect = sequence - 1, sequence, 3, -1
        else:
            source.suspect = (sequence + 1) & 0xFFFF

    def _late(self, source: _Source, back: int) -> None:
        if source.seen >> back & 1:
            self.duplicates += 1
            return
        self.reordered += 1
        source.seen |= 1 << back
        if source.highest - back < source.base:
            source.base = source.highest - back

    def rtcp(self, packet: bytes) -> None:
        """An RTCP packet: a sender report (RFC 3550 §6.4.1) leaves the sender's packet count."""
        at = 0
        while len(packet) - at >= 8 and packet[at] >> 6 == 2:
            size = 4 * (int.from_bytes(packet[at + 2 : at + 4], "big") + 1)
            if packet[at + 1] == 200 and size >= 28 and len(packet) - at >= 28:
                self.sender_count = int.from_bytes(packet[at + 20 : at + 24], "big")
            at += size
