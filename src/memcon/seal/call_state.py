"""One open call: its streams, segments, events and leaves, and its work directory.

All of it follows from the journal, so that reading the journal again gives the same bytes. The
files in `work/open/<number>` are written without syncing until the call's end: until then the
journal can give them again, and `wraps.json`, which is random, stands in `work/starts` too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memcon.record import call, canonical, hashing, segment
from memcon.record.config import hash_root
from memcon.record.hashing import ZERO32, sha256
from memcon.record.segment import KIND_RTCP, KIND_RTP, KIND_WIRE, NS
from memcon.seal.second import SecondSealer
from memcon.seal.unlock import WIRE_HANDLE, WIRE_STREAM
from memcon.seal.waiting import Closing
from memcon.store import durable
from memcon.wire import sdes
from memcon.wire.sdes import conceal
from memcon.wire.srtp import Guard

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from memcon.seal.controls import CallFacts, StreamFacts
    from memcon.seal.streams import Stream, Streams
    from memcon.seal.waiting import Content, Waiting

MEDIA, EVENTS, LEAVES, RECORD = "media.mcs", "events.mce", "leaves.mcl", "record.mcr"
WRAPS, CUSTODIANS = "wraps.json", "custodians.json"
_NONCE = bytes(12)
HASH = 32
_WRITE_AT = 128 << 10
FEW = 64
"""While no more calls than this close a second at once, it is written as it closes, for who listens to a
call that goes on (transcription); with more it waits for its slot, or until it is much."""
"""So many sealed bytes of a call are written at once: seven seconds of two G.711 streams."""

CAUSE_STOPPED = 3
CAUSE_FAILED = 6
WHO_RECORDER = 2


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended. `wall` and `duration` (monotonic) in ns; `message` ended it, or is empty."""

    cause: int
    who: int
    wall: int
    duration: int
    message: bytes = b""


@dataclass(frozen=True, slots=True)
class Custody:
    """A call's key and to whom it is wrapped: the exact bytes of both files."""

    key: bytes
    custodians: bytes
    wraps: bytes


@dataclass(frozen=True, slots=True)
class EventSummary:
    """An event without its raw bytes: what the record keeps in words."""

    number: int
    since: int
    wall: int
    facts: dict[str, canonical.Json]

    def to_json(self) -> dict[str, canonical.Json]:
        return {"n": self.number, "since": str(self.since), "wall": str(self.wall), "facts": self.facts}


class Call:
    """A call being sealed. Nothing here reads a clock or decides when: the sealer does."""

    def __init__(
        self, number: int, facts: CallFacts, custody: Custody, directory: Path, streams: Streams
    ) -> None:
        self.number = number
        self.facts = facts
        self.custody = custody
        self.directory = directory
        self.streams: dict[int, Stream] = {}
        self.handles: dict[int, Stream] = {}
        self.guards: dict[int, Guard] = {}
        """By stream number: what opens the packets of a stream that is SRTP, or was."""
        self._key_lines: dict[int, str] = {}
        self._told_refused: dict[int, int] = {}
        self._invite, self._invite_keys = conceal(facts.invite)
        self.table: list[dict[str, canonical.Json]] = []
        self.parties = facts.parties
        self.oddities = list(facts.oddities)
        self.summaries: list[EventSummary] = []
        self.ending: Ending | None = None
        self.lane = 0
        self.previous = b""
        self.recovered = False
        self.complete = False
        """Whether the last leaf is made."""
        self.first_index = self.last_index = 0
        self.next_segment = 0
        self._places = streams
        self._sealer = SecondSealer(custody.key)
        self._in_order: list[Stream] = []
        self._hashes = bytearray()
        """Of all segments, back to back: an hour of objects of their own would be a megabyte."""
        self._empties: list[frozenset[int]] = []
        """Of the segments that no leaf covers yet: the streams that brought nothing."""
        self._leaf_segments = 0
        self._unwritten = 0
        self._event_hashes: list[bytes] = []
        self._leaf_events = 0
        self._table_hashes: list[bytes] = []
        self._sealed_table = (0, hash_root([]))
        self._counts: tuple[call.StreamCount, ...] = ()
        self._drops_before: dict[int, int] = {}
        self._buffers: dict[str, list[bytes]] = {
            MEDIA: [segment.encode_sealed_head(segment.MEDIA_MAGIC, number)],
            EVENTS: [segment.encode_sealed_head(segment.EVENTS_MAGIC, number)],
            LEAVES: [call.encode_leaves_head(number)],
        }
        self.add_streams(facts.streams)

    # ------------------------------------------------------------------ what the journal tells

    def add_streams(self, streams: tuple[StreamFacts, ...]) -> None:
        """Streams that are new or have changed; each adds an entry to the table, its RTCP another."""
        for facts in streams:
            self._add_stream(facts, facts.stream, KIND_RTP, facts.handle, facts.port)
            if facts.rtcp_handle is not None:
                port = facts.port + 1 if facts.port else 0
                self._add_stream(facts, facts.stream + 1, KIND_RTCP, facts.rtcp_handle, port)

    def _add_stream(self, facts: StreamFacts, number: int, kind: int, handle: int, port: int) -> None:
        stream = self.streams.get(number)
        if stream is None:
            beside = self.streams.get(number - 1) if kind == KIND_RTCP else None
            reports = beside.account if beside else None
            stream = self.streams[number] = self._places.new(number, kind, self.facts.mono, reports)
            self._in_order = [self.streams[n] for n in sorted(self.streams)]
        self.handles[handle] = stream
        if facts.key_line:
            self._secure(facts, number, handle, port)
        elif facts.port:  # a line that is switched off may still bring packets under the old key
            self._key_lines.pop(number, None)
        self._describe(facts, number, kind, port)

    def _secure(self, facts: StreamFacts, number: int, handle: int, port: int) -> None:
        """The stream is SRTP, under this key from now on: beside it stands what comes on the wire."""
        if self._key_lines.get(number) != facts.key_line:
            line = sdes.parse(facts.key_line)
            if number in self.guards:
                self.guards[number].rekey(line)
            else:
                self.guards[number] = Guard(line)
            self._key_lines[number] = facts.key_line
        wire = number | WIRE_STREAM
        if wire not in self.streams:
            self.streams[wire] = self._places.new(wire, KIND_WIRE, self.facts.mono)
            self._in_order = [self.streams[n] for n in sorted(self.streams)]
        self.handles[handle | WIRE_HANDLE] = self.streams[wire]
        self._describe(facts, wire, KIND_WIRE, port)

    def lock(self, number: int) -> Guard | None:
        """What opens the packets of a stream now; None for one that is not SRTP, or is no more."""
        return self.guards.get(number) if number in self._key_lines else None

    def refused(self) -> list[tuple[int, int]]:
        """(stream, count) of the packets that no key has opened since this was asked last."""
        found = []
        for number, guard in self.guards.items():
            new = guard.refused - self._told_refused.get(number, 0)
            if new:
                self._told_refused[number] = guard.refused
                found.append((number, new))
        return found

    def _describe(self, facts: StreamFacts, number: int, kind: int, port: int) -> None:
        """Add the stream to the table, if what it says is new."""
        entry = facts.entry(len(self.table), number, kind, port)
        last = next((e for e in reversed(self.table) if e["stream"] == number), None)
        if last is not None and {**last, "entry": 0} == {**entry, "entry": 0}:
            return
        data = canonical.dumps(entry)
        salt = hashing.stream_salt(self.custody.key, len(self.table))
        self._table_hashes.append(segment.stream_hash(len(self.table), salt, data))
        self.table.append(entry)

    def add_event(
        self, since: int, wall: int, facts: dict[str, canonical.Json], raw: bytes = b""
    ) -> EventSummary:
        """Seal an event under the next number."""
        number = len(self._event_hashes)
        since = max(since, 0)
        data = segment.Event(number, since, wall, facts, raw).encode()
        key = self.custody.key
        commitment = segment.event_commitment(hashing.event_salt(key, number), data)
        ciphertext = AESGCM(hashing.event_key(key, number, commitment)).encrypt(_NONCE, data, None)
        digest = sha256(ciphertext)
        self._event_hashes.append(segment.event_hash(number, len(ciphertext), commitment, digest))
        sealed = segment.Sealed(number, commitment, memoryview(ciphertext))
        self._buffers[EVENTS].append(sealed.encode())
        summary = EventSummary(number, since, wall, facts)
        self.summaries.append(summary)
        return summary

    def set_drops(self, handle: int, count: int) -> int:
        """Kernel drops of a media handle, cumulative; returns how many are new."""
        account = self.handles[handle].account
        new = max(0, count + self._drops_before.get(handle, 0) - account.kernel_drops)
        account.kernel_drops += new
        return new

    def carry(self, facts: CallFacts) -> None:
        """Go on under another instance: other media handles, the same streams and counts."""
        self.recovered = True
        self.handles, self._drops_before = {}, {}
        self.add_streams(facts.streams)
        self.parties = facts.parties
        if facts.new_sockets:  # their counters begin at 0 again
            self._drops_before = {h: s.account.kernel_drops for h, s in self.handles.items()}

    def end(self, ending: Ending, waiting: Waiting) -> None:
        """The call ends, and its last segments close. None is shorter than what it holds: its closed
        segments, and the packets that wait."""
        latest = waiting.latest(self._in_order)
        closed = (self.next_segment - 1) * NS
        duration = max(ending.duration, 0, closed + 1, -1 if latest is None else latest + 1)
        self.ending = Ending(ending.cause, ending.who, ending.wall, duration, ending.message)
        close_segments([(self, max(1, -(-duration // NS)))], waiting)

    def forget(self, waiting: Waiting) -> None:
        """After the last leaf: nothing waits for this call any more."""
        waiting.drop(self._in_order)
        self._places.free(self._in_order)

    # ------------------------------------------------------------------ segments

    def closing(self, count: int) -> Closing:
        """The segments to close until there are `count`; what is closed already stays."""
        return Closing(self._in_order, self.next_segment, max(count, self.next_segment))

    def add_segments(self, contents: Iterable[Content]) -> None:
        """Seal the next seconds."""
        numbers = frozenset(self.streams)
        for content in contents:
            sealed = self._sealer.seal(self.next_segment, content)
            self._hashes += sealed.hash
            self._empties.append(numbers - content.heard)
            self._buffers[MEDIA] += sealed.pieces
            self.next_segment += 1
            self._unwritten += len(sealed.pieces[1])
        if self._unwritten >= _WRITE_AT:
            self.flush()

    @property
    def _closed(self) -> int:
        return len(self._hashes) // HASH

    def _segment_hashes(self, first: int, count: int) -> list[bytes]:
        return [bytes(self._hashes[at * HASH : (at + 1) * HASH]) for at in range(first, first + count)]

    # ------------------------------------------------------------------ leaves

    @property
    def has_leaf(self) -> bool:
        return bool(self.previous)

    def behind(self, wall: int) -> bool:
        """Whether a leaf made now says of a beginning or an end that it was before that time (wall, ns)."""
        begun = not self.has_leaf and self.facts.wall < wall
        return begun or (self.ending is not None and self.ending.wall < wall)

    def ended_by(self, mono: int) -> bool:
        """Whether the call had ended at that time (monotonic, ns)."""
        return self.ending is not None and self.facts.mono + self.ending.duration <= mono

    def _due(self, slot_end: int | None, *, final: bool) -> int:
        """How many segments a leaf covers now: those closed, but none that ended after the slot did.

        A call that has ended has closed them all; its slot may close later than that, while a slot before
        its end waits for the tick that ends it.
        """
        closed = self._closed
        if slot_end is not None and not final and not self.ended_by(slot_end):
            closed = min(closed, max(0, slot_end - self.facts.mono) // NS)
        return min(max(0, closed - self._leaf_segments), call.MAX_SEGMENTS)

    def make_leaf(
        self,
        slot: int,
        index: int,
        flags: int,
        slot_end: int | None,
        *,
        frozen: bool,
        final: bool = False,
        limit: int = call.MAX_SEGMENTS,
    ) -> bytes:
        """The call's leaf for a slot, which ends at `slot_end` (monotonic, ns).

        A frozen leaf says that nothing new is known since the one before. The leaf is the last where
        the call ended before the slot did (or `final`: whatever the slot's end) and all is covered.
        """
        segments = 0 if frozen else min(self._due(slot_end, final=final), limit)
        if not frozen:
            self._sealed_table = (len(self._table_hashes), hash_root(self._table_hashes))
            self._counts = self._count()
        ending = None if frozen else self.ending
        covered = self._leaf_segments + segments == self._closed
        in_time = final or (slot_end is not None and self.ended_by(slot_end))
        if not (covered and in_time):
            ending = None
        events = 0 if frozen else len(self._event_hashes) - self._leaf_events
        leaf = call.CallLeaf(
            lane=self.lane,
            number=self.number,
            slot=slot,
            index=index,
            chain=call.chain_hash(self.previous) if self.previous else ZERO32,
            first_segment=self._leaf_segments,
            segments=segments,
            segment_root=hash_root(self._segment_hashes(self._leaf_segments, segments)),
            first_event=self._leaf_events,
            events=events,
            event_root=hash_root(self._event_hashes[self._leaf_events : self._leaf_events + events]),
            table_entries=self._sealed_table[0],
            table_root=self._sealed_table[1],
            streams=self._with_bitmaps(segments),
            first=None if self.previous else self._first(),
            last=None if ending is None else self._last(ending),
            flags=flags,
        ).encode()
        self._leaf_segments += segments
        del self._empties[:segments]
        self._leaf_events += events
        self.complete = ending is not None
        self.first_index = self.first_index if self.previous else index
        self.last_index = index
        self.previous = leaf
        return leaf

    def make_again(self, leaf: bytes) -> bool:
        """Make the leaf of a slot that is in the log; False where it comes out otherwise.

        The leaf in the log stays the link that the next one is chained to.
        """
        there = call.decode(leaf)
        same = tuple(replace(counts, empty=bytes(16)) for counts in there.streams) == self._counts
        frozen = same and not (there.segments or there.events or there.first or there.last)
        final = there.last is not None
        made = self.make_leaf(
            there.slot, there.index, there.flags, None, frozen=frozen, final=final, limit=there.segments
        )
        self.previous, self.complete = leaf, final
        return made == leaf

    def _count(self) -> tuple[call.StreamCount, ...]:
        accounts = ((n, self.streams[n].kind, self.streams[n].account) for n in sorted(self.streams))
        return tuple(
            call.StreamCount(
                stream=number,
                kind=kind,
                received=a.received,
                expected=a.expected,
                kernel_drops=a.kernel_drops,
                duplicates=a.duplicates,
                sender_count=a.sender_count,
                reordered=a.reordered,
            )
            for number, kind, a in accounts
        )

    def _with_bitmaps(self, segments: int) -> tuple[call.StreamCount, ...]:
        empties = self._empties[:segments]
        return tuple(
            call.StreamCount(
                c.stream,
                c.kind,
                c.received,
                c.expected,
                c.kernel_drops,
                c.duplicates,
                c.sender_count,
                c.reordered,
                _bitmap([c.stream in empty for empty in empties]),
            )
            for c in self._counts
        )

    def _first(self) -> call.First:
        facts, custody = self.facts, self.custody
        return call.First(
            handle=facts.handle,
            start_wall=facts.wall,
            start_mono=facts.mono,
            call_key_hash=hashing.call_key_hash(custody.key),
            custodians=sha256(custody.custodians),
            wraps=sha256(custody.wraps),
            parties=self._opening(call.OPENING_PARTIES, canonical.dumps(facts.parties)),
            source_ids=self._opening(call.OPENING_SOURCE_IDS, canonical.dumps(facts.source_ids)),
            invite=self._opening(call.OPENING_INVITE, self._invite),
            key_lines=self._opening(call.OPENING_KEY_LINES, b"\n".join(self._invite_keys)),
        )

    def _last(self, ending: Ending) -> call.Last:
        return call.Last(
            segments=self._closed,
            events=len(self._event_hashes),
            cause=ending.cause,
            who=ending.who,
            call_root=hash_root(self._segment_hashes(0, self._closed)),
            bye=self._opening(call.OPENING_BYE, conceal(ending.message)[0]),
            end_wall=ending.wall,
            duration=ending.duration,
        )

    def _opening(self, which: int, data: bytes) -> bytes:
        return segment.opening_commitment(which, hashing.opening_salt(self.custody.key, which), data)

    def progress(self) -> list[canonical.Json]:
        """Segments so far and counts per stream by the latest leaf, as the feed shows an open call."""
        counts = [
            [c.stream, c.received, c.expected, c.kernel_drops, c.duplicates, c.reordered]
            for c in self._counts
            if c.kind != KIND_WIRE
        ]
        return [self._closed, counts]

    # ------------------------------------------------------------------ files

    def place_leaf(self, leaf: bytes, index: int, slot: int, salt: bytes, path: bytes) -> None:
        """Keep a leaf with its place in the log."""
        self._buffers[LEAVES].append(call.PlacedLeaf(leaf, index, slot, self.lane, salt, path).encode())

    def flush(self) -> None:
        """Write what has come together into the work directory; nothing is synced."""
        for name, pieces in self._buffers.items():
            if pieces:
                durable.append(self.directory / name, *pieces)
                pieces.clear()
        self._unwritten = 0

    def finish(self, done: Path, extra: dict[str, canonical.Json]) -> None:
        """After the last leaf: record, sync, and the rename to `work/done/<number>`."""
        self.flush()
        data = canonical.dumps({**self.describe(), **extra})
        commitment = segment.record_commitment(hashing.record_salt(self.custody.key), data)
        ciphertext = AESGCM(hashing.record_key(self.custody.key, commitment)).encrypt(_NONCE, data, None)
        durable.write_file(self.directory / RECORD, segment.RECORD_MAGIC + commitment + ciphertext)
        durable.sync_tree(self.directory)
        durable.make_dirs(done.parent)
        durable.rename_dir(self.directory, done)

    def describe(self) -> dict[str, canonical.Json]:
        """The call in words: what `record.mcr` holds. Times in ns as decimal texts."""
        facts, ending = self.facts, self.ending
        return {
            "call": self.number,
            "handle": facts.handle.hex(),
            "mode": facts.mode,
            "line": facts.line,
            "transport": facts.transport,
            "local": facts.local,
            "remote": facts.remote,
            "start_wall": str(facts.wall),
            "start_mono": str(facts.mono),
            "end_wall": str(ending.wall) if ending else None,
            "duration": str(ending.duration) if ending else None,
            "cause": ending.cause if ending else None,
            "who": ending.who if ending else None,
            "parties": self.parties,
            "source_ids": facts.source_ids,
            "streams": self.table,
            "totals": [
                {
                    "stream": c.stream,
                    "kind": c.kind,
                    "received": c.received,
                    "expected": c.expected,
                    "kernel_drops": c.kernel_drops,
                    "duplicates": c.duplicates,
                    "sender_count": c.sender_count,
                    "reordered": c.reordered,
                }
                for c in self._counts
            ],
            "segments": self._closed,
            "events": [e.to_json() for e in self.summaries],
            "oddities": self.oddities,
            "recovered": self.recovered,
            "first_index": self.first_index,
            "last_index": self.last_index,
        }


def _bitmap(bits: list[bool]) -> bytes:
    """16 bytes, the first of `bits` in the most significant place."""
    value = 0
    for i, bit in enumerate(bits):
        if bit:
            value |= 1 << (call.MAX_SEGMENTS - 1 - i)
    return value.to_bytes(call.MAX_SEGMENTS // 8, "big")


def close_segments(due: Sequence[tuple[Call, int]], waiting: Waiting) -> None:
    """Close segments of calls until each has so many."""
    contents = waiting.close([opened.closing(count) for opened, count in due])
    for (opened, _), own in zip(due, contents, strict=True):
        opened.add_segments(own)
        if len(due) <= FEW:
            opened.flush()
