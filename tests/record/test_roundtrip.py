"""Write then read is the identity, for any value a format can hold."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from memcon.record import beat, bundle, call, canonical, journal, opened, segment, slottree, statement


def u(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << bits) - 1)


def raw(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


HASH = raw(32)
NONZERO = HASH.filter(any)
LANE = st.integers(1, slottree.LANES - 1)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(1 - canonical.LIMIT, canonical.LIMIT - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
FACTS = st.dictionaries(st.text(max_size=6), JSON, max_size=3).map(lambda facts: facts | {"type": "oddity"})

BEAT = st.builds(
    beat.Beat, kind=st.sampled_from([beat.Kind.BEAT, beat.Kind.TOMBSTONE]), state=st.sampled_from(beat.State),
    period_ms=st.integers(1, 2**32 - 1), index=st.integers(1, 2**64 - 1), slot=u(64), instance=raw(16),
    slot_root=HASH, config_root=HASH, flags=st.integers(0, 7), note_hash=HASH, note_size=u(64),
    drand_round=u(64), drand_hash=HASH, statement=HASH,
)  # fmt: skip
NOTE = st.builds(
    slottree.NoteLeaf, type=st.sampled_from(sorted(slottree.NOTE_TYPES)), lane=LANE, number=u(64), slot=u(64),
    index=u(64), object_hash=HASH,
)  # fmt: skip
SLOT = st.builds(
    slottree.SlotLeaf, slot=u(64), index=u(64), next_call=u(64), next_note=u(64), calls=u(32), notes=u(32)
)
FIRST = st.builds(
    call.First, HASH, u(64), u(64), *(HASH for _ in range(7)),
)  # fmt: skip
LAST = st.builds(
    call.Last, u(32), u(32), st.sampled_from(sorted(call.CAUSES)), st.sampled_from(sorted(call.WHO)),
    HASH, HASH, u(64), u(64),
)  # fmt: skip


@st.composite
def call_leaf(draw: st.DrawFn) -> call.CallLeaf:
    segments = draw(st.integers(0, call.MAX_SEGMENTS))
    first = draw(st.none() | FIRST)
    bitmap = draw(u(128)) >> (128 - segments) << (128 - segments)
    stream = st.builds(
        call.StreamCount, u(16), st.sampled_from([1, 2]), u(64), u(64), u(64), u(64), u(32), u(32),
        st.just(bitmap.to_bytes(16, "big")),
    )  # fmt: skip
    return call.CallLeaf(
        draw(LANE), draw(u(64)), draw(u(64)), draw(u(64)), bytes(32) if first else draw(NONZERO), draw(u(32)),
        segments, draw(HASH), draw(u(32)), draw(u(32)), draw(HASH), draw(u(32)), draw(HASH),
        tuple(draw(st.lists(stream, max_size=4))), first, draw(st.none() | LAST), draw(st.integers(0, 7)),
    )  # fmt: skip


@given(BEAT)
def test_beat(value: beat.Beat) -> None:
    data = value.encode()
    assert len(data) == beat.SIZE
    assert beat.decode(data) == value


@given(u(32).filter(bool), u(64), HASH, HASH, NONZERO)
def test_genesis(period: int, slot: int, root: bytes, config: bytes, said: bytes) -> None:
    value = beat.Beat(
        beat.Kind.GENESIS, beat.State.OFF, period, 0, slot, bytes(16), root, config, statement=said
    )
    assert beat.decode(value.encode()) == value


@given(SLOT)
def test_slot_leaf(value: slottree.SlotLeaf) -> None:
    data = value.encode()
    assert len(data) == slottree.SLOT_SIZE
    assert slottree.decode_slot_leaf(data) == value


@given(NOTE)
def test_note_leaf(value: slottree.NoteLeaf) -> None:
    data = value.encode()
    assert len(data) == slottree.NOTE_SIZE
    assert slottree.decode_note_leaf(data) == value


@given(call_leaf())
def test_call_leaf(value: call.CallLeaf) -> None:
    assert call.decode(value.encode()) == value


@given(
    u(64),
    st.lists(
        st.builds(call.PlacedLeaf, st.binary(max_size=40), u(64), u(64), u(32), HASH, raw(512)), max_size=3
    ),
)
def test_leaves_file(number: int, leaves: list[call.PlacedLeaf]) -> None:
    data = call.encode_leaves_head(number) + b"".join(leaf.encode() for leaf in leaves)
    assert list(call.read_leaves(data, number)) == leaves


RECORD = st.builds(
    slottree.SlotRecord, u(64), u(64),
    st.dictionaries(st.integers(0, slottree.LANES - 1), st.binary(max_size=30), max_size=4),
)  # fmt: skip


@given(st.lists(RECORD, max_size=3))
def test_slots_file(records: list[slottree.SlotRecord]) -> None:
    data = slottree.SLOTS_MAGIC
    data += b"".join(slottree.encode_slot_record(r.index, r.slot, r.leaves) for r in records)
    assert slottree.decode_slot_records(data) == (records, len(data))


@given(
    u(32),
    u(16),
    st.integers(0, 4),
    u(32),
    u(32),
    st.lists(st.tuples(u(64), st.binary(max_size=30)), min_size=1),
)
def test_block(
    number: int, stream: int, position: int, low: int, high: int, held: list[tuple[int, bytes]]
) -> None:
    data = segment.encode_block(
        number, stream, position, segment.KIND_RTP, low, high,
        b"".join(at.to_bytes(8, "big") for at, _ in held),
        b"".join(len(packet).to_bytes(2, "big") for _, packet in held),
        b"".join(packet for _, packet in held),
    )  # fmt: skip
    block = segment.decode_block(data)
    assert (block.segment, block.stream, block.position, block.least, block.greatest) == (
        number, stream, position, low, high,
    )  # fmt: skip
    assert list(zip(block.arrivals, map(bytes, block.packets), strict=True)) == held


PLACES = st.dictionaries(
    st.tuples(u(16), st.integers(0, 4), st.sampled_from([1, 2])), st.binary(max_size=30), max_size=5
)


@given(PLACES)
def test_segment_content(blocks: dict[tuple[int, int, int], bytes]) -> None:
    listed = [(*place, data) for place, data in sorted(blocks.items())]
    read = segment.read_content(segment.segment_content(listed))
    assert [(*place, bytes(data)) for *place, data in read] == listed


@given(st.builds(segment.Event, u(32), u(64), u(64), FACTS, st.binary(max_size=40)))
def test_event(value: segment.Event) -> None:
    assert segment.decode_event(value.encode()) == value


@given(u(64), st.lists(st.tuples(HASH, st.binary(min_size=16, max_size=40)), max_size=4))
def test_sealed_file(number: int, items: list[tuple[bytes, bytes]]) -> None:
    sealed = [segment.Sealed(n, root, memoryview(c)) for n, (root, c) in enumerate(items)]
    data = segment.encode_sealed_head(segment.MEDIA_MAGIC, number) + b"".join(s.encode() for s in sealed)
    assert list(segment.read_sealed(data, segment.MEDIA_MAGIC, number)) == sealed


@given(HASH, st.binary(min_size=16, max_size=40))
def test_record_file(commitment: bytes, ciphertext: bytes) -> None:
    data = segment.encode_record_file(commitment, ciphertext)
    read, sealed = segment.decode_record_file(data)
    assert (read, bytes(sealed)) == (commitment, ciphertext)


@given(st.builds(journal.JournalHeader, raw(16), u(64), u(64), u(64), raw(8)))
def test_journal_header(value: journal.JournalHeader) -> None:
    data = value.encode()
    assert len(data) == journal.HEADER_SIZE
    assert journal.decode_header(data) == value


@given(st.integers(16, journal.MAX_FRAME), u(64))
def test_journal_frame_head(length: int, number: int) -> None:
    assert journal.decode_frame_head(journal.frame_head(length, number)) == (length, number)


@given(st.lists(st.tuples(u(32), u(64), st.binary(max_size=20)), max_size=5), u(64), u(64))
def test_journal_media(packets: list[tuple[int, int, bytes]], wall: int, mono: int) -> None:
    parts = [
        b"".join(stream.to_bytes(4, "big") for stream, _, _ in packets),
        b"".join(at.to_bytes(8, "big") for _, at, _ in packets),
        b"".join(len(data).to_bytes(2, "big") for _, _, data in packets),
        b"".join(data for _, _, data in packets),
    ]
    head = journal.media_head(wall, mono, len(packets))
    (read,) = journal.decode_records(b"".join(journal.encode_record(journal.TYPE_MEDIA, head, *parts)))
    assert isinstance(read, journal.Media)
    assert (read.wall, read.mono, read.count) == (wall, mono, len(packets))
    assert [read.streams, read.arrivals, read.lengths, read.packets] == parts


@given(FACTS, st.lists(st.binary(max_size=20), max_size=3))
def test_journal_control(facts: dict[str, Any], attachments: list[bytes]) -> None:
    body = journal.encode_control(facts, attachments)
    (read,) = journal.decode_records(b"".join(journal.encode_record(journal.TYPE_CONTROL, body)))
    assert read == journal.Control(facts, tuple(attachments))


@given(JSON)
def test_canonical_json(value: Any) -> None:
    assert canonical.loads(canonical.dumps(value)) == value


ORIGIN = st.text(min_size=1, max_size=40).filter(lambda text: len(text.encode()) <= 255)
TEXT = st.text(max_size=9)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
GENESIS = st.builds(
    statement.Genesis, ORIGIN, st.integers(1000, 60000), st.integers(1, 6), st.integers(1, 3), TEXT, TEXTS,
    st.none() | TEXT,
)  # fmt: skip
SLOTS = st.integers(0, 2**53 - 1)
OFF = st.builds(statement.Off, ORIGIN, SLOTS, TEXT, TEXT, TEXT, TEXTS)
ON = st.builds(statement.On, ORIGIN, SLOTS, TEXT, TEXT, TEXT, TEXTS)
EXPLANATION = st.tuples(SLOTS, SLOTS).flatmap(
    lambda two: st.builds(
        statement.Explanation, ORIGIN, st.just(min(two)), st.just(max(two)), TEXT, TEXT, TEXT
    )
)


@given(GENESIS | OFF | ON | EXPLANATION)
def test_statement(value: statement.Statement) -> None:
    assert statement.decode(value.encode()) == value


OPENED = st.builds(opened.Opened, st.just(None), commitment=HASH) | st.builds(
    opened.Opened, st.binary(max_size=30), salt=HASH
)


@given(u(64), st.lists(st.tuples(u(32), u(32), HASH, PLACES, OPENED), max_size=3))
def test_opened_media(
    number: int, drawn: list[tuple[int, int, bytes, dict[tuple[int, int, int], bytes], Any]]
) -> None:
    segments = [
        opened.OpenedSegment(n, size, digest, [opened.OpenedBlock(*place, item) for place in sorted(places)])
        for n, size, digest, places, item in drawn
    ]
    call_number, read = opened.read_media(b"".join(opened.encode_media(number, segments)))
    assert (call_number, list(read)) == (number, segments)


@given(u(64), st.lists(st.builds(opened.OpenedEvent, u(32), u(32), HASH, OPENED), max_size=3))
def test_opened_events(number: int, events: list[opened.OpenedEvent]) -> None:
    assert opened.read_events(opened.encode_events(number, events)) == (number, events)


@given(u(64), st.lists(OPENED, max_size=4))
def test_opened_streams(number: int, entries: list[opened.Opened]) -> None:
    data = opened.encode_streams(number, entries)
    assert opened.read_streams(data) == (number, list(enumerate(entries)))


@given(u(64), st.dictionaries(st.integers(1, 5), OPENED))
def test_opened_openings(number: int, openings: dict[int, opened.Opened]) -> None:
    listed = sorted(openings.items(), key=lambda row: row[0])
    assert opened.read_openings(opened.encode_openings(number, listed)) == (number, listed)


@given(st.dictionaries(st.text("abcxyz-", min_size=1, max_size=9), OPENED, max_size=4))
def test_opened_config(parts: dict[str, opened.Opened]) -> None:
    listed = sorted(parts.items(), key=lambda row: row[0])
    read = opened.read_config(opened.encode_config(listed))
    assert read == [(name.encode(), item) for name, item in listed]


@given(
    u(64),
    st.lists(
        st.builds(opened.ProvenBeat, u(64), raw(256), st.lists(HASH, max_size=3).map(tuple)), max_size=3
    ),
)
def test_proven_beats(size: int, beats: list[opened.ProvenBeat]) -> None:
    assert opened.read_beats(opened.encode_beats(size, beats)) == (size, beats)


NAMES = st.sampled_from(bundle.ORDER[1:]) | raw(32).map(lambda digest: f"statement/{digest.hex()}")


@given(ORIGIN, st.integers(1, 2**53 - 1), st.dictionaries(NAMES, st.binary(max_size=40), max_size=5))
def test_bundle(origin: str, number: int, files: dict[str, bytes]) -> None:
    read = bundle.read_zip(bundle.write_bundle(origin, number, files))
    said_origin, said_call, listed = bundle.read_manifest(read.pop(bundle.MANIFEST))
    assert (said_origin, said_call) == (origin, number)
    assert read == files
    assert {name: size for name, (size, _) in listed.items()} == {name: len(d) for name, d in files.items()}
