"""The vectors, and what reading and writing again means for each format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from memcon.record import (
    beat,
    bundle,
    call,
    canonical,
    dossier_bundle,
    journal,
    opened,
    segment,
    silence,
    slottree,
    statement,
    transcript,
)

if TYPE_CHECKING:
    from collections.abc import Callable

VECTORS = Path(__file__).parent.parent / "vectors"
Roundtrip: TypeAlias = "Callable[[bytes], bytes]"


def _block(data: bytes) -> bytes:
    b = segment.decode_block(data)
    arrivals = b"".join(at.to_bytes(8, "big") for at in b.arrivals)
    lengths = b"".join(len(p).to_bytes(2, "big") for p in b.packets)
    return segment.encode_block(
        b.segment, b.stream, b.position, b.kind, b.least, b.greatest, arrivals, lengths, b"".join(b.packets)
    )


def _content(data: bytes) -> bytes:
    return segment.segment_content([(s, p, k, bytes(block)) for s, p, k, block in segment.read_content(data)])


def _sealed(magic: bytes) -> Roundtrip:
    def again(data: bytes) -> bytes:
        items = list(segment.read_sealed(data, magic))
        return data[:16] + b"".join(item.encode() for item in items)

    return again


def _leaves(data: bytes) -> bytes:
    return data[:16] + b"".join(leaf.encode() for leaf in call.read_leaves(data))


def _slots(data: bytes) -> bytes:
    records, end = slottree.decode_slot_records(data)
    assert end == len(data)
    return slottree.SLOTS_MAGIC + b"".join(
        slottree.encode_slot_record(r.index, r.slot, r.leaves) for r in records
    )


def _media(data: bytes) -> bytes:
    number, segments = opened.read_media(data)
    return b"".join(opened.encode_media(number, segments))


def _streams(data: bytes) -> bytes:
    number, entries = opened.read_streams(data)
    return opened.encode_streams(number, [item for _, item in entries])


def _config(data: bytes) -> bytes:
    parts = opened.read_config(data)  # names are bytes when read: a verifier only compares them
    return opened.CONFIG_MAGIC + b"".join(bytes([len(n)]) + n + item.encode() for n, item in parts)


def _frame_head(data: bytes) -> bytes:
    return journal.frame_head(*journal.decode_frame_head(data))


def _record(item: journal.Media | journal.Control | journal.Tick | journal.Stop) -> bytes:
    match item:
        case journal.Media():
            head = journal.media_head(item.wall, item.mono, item.count)
            arrays = item.streams, item.arrivals, item.lengths, item.packets
            return b"".join(journal.encode_record(journal.TYPE_MEDIA, head, *arrays))
        case journal.Control():
            text = journal.encode_control(item.facts, item.attachments)
            return b"".join(journal.encode_record(journal.TYPE_CONTROL, text))
        case journal.Tick():
            tick = journal.encode_tick(item.wall, item.mono, item.watermark)
            return b"".join(journal.encode_record(journal.TYPE_TICK, tick))
        case journal.Stop():
            return b"".join(journal.encode_record(journal.TYPE_STOP, canonical.dumps(item.facts)))


def _records(data: bytes) -> bytes:
    return b"".join(_record(item) for item in journal.decode_records(data))


def _bundle(data: bytes) -> bytes:
    return bundle.write_zip({name: bytes(content) for name, content in bundle.read_zip(data).items()})


def _manifest(data: bytes) -> bytes:
    origin, number, files = bundle.read_manifest(data)
    listed = {name: {"bytes": size, "sha256": digest.hex()} for name, (size, digest) in files.items()}
    return canonical.dumps({"bundle": bundle.VERSION, "origin": origin, "call": number, "files": listed})


def _dossier_bundle(data: bytes) -> bytes:
    files = bundle.read_zip(data, dossier_bundle.FORM)
    return bundle.write_zip({name: bytes(content) for name, content in files.items()}, dossier_bundle.FORM)


def _dossier_manifest(data: bytes) -> bytes:
    origin, dossier, files = dossier_bundle.read_manifest(data)
    listed = {name: {"bytes": size, "sha256": digest.hex()} for name, (size, digest) in files.items()}
    facts = {"bundle": dossier_bundle.VERSION, "origin": origin, "dossier": dossier, "files": listed}
    return canonical.dumps(facts)


ROUNDTRIPS: dict[str, Roundtrip] = {
    "beat": lambda data: beat.decode(data).encode(),
    "slot-leaf": lambda data: slottree.decode_slot_leaf(data).encode(),
    "note-leaf": lambda data: slottree.decode_note_leaf(data).encode(),
    "call-leaf": lambda data: call.decode(data).encode(),
    "leaves.mcl": _leaves,
    "slots": _slots,
    "block": _block,
    "content": _content,
    "media.mcs": _sealed(segment.MEDIA_MAGIC),
    "events.mce": _sealed(segment.EVENTS_MAGIC),
    "event": lambda data: segment.decode_event(data).encode(),
    "record.mcr": lambda data: segment.encode_record_file(*segment.decode_record_file(data)),
    "journal-header": lambda data: journal.decode_header(data).encode(),
    "frame-head": _frame_head,
    "records": _records,
    "canonical": lambda data: canonical.dumps(canonical.loads(data)),
    "statement": lambda data: statement.decode(data).encode(),
    "media.mcb": _media,
    "events.mcb": lambda data: opened.encode_events(*opened.read_events(data)),
    "streams.mcb": _streams,
    "openings.mcb": lambda data: opened.encode_openings(*opened.read_openings(data)),
    "config.mcb": _config,
    "beats.mcb": lambda data: opened.encode_beats(*opened.read_beats(data)),
    "transcript": lambda data: transcript.decode(data).encode(),
    "silence": lambda data: silence.Certificate.parse(data).encode(),
    "bundle": _bundle,
    "sealed.mcn": lambda data: dossier_bundle.encode_sealed(dossier_bundle.read_sealed(data)),
    "dossier-bundle": _dossier_bundle,
    "dossier-manifest": _dossier_manifest,
    "manifest": _manifest,
}
"""Reader's name -> decode and encode again: the identity on all that is well formed."""


@pytest.fixture(scope="session")
def roundtrips() -> dict[str, Roundtrip]:
    return ROUNDTRIPS


def load(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="ascii"))


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """The vector file of a name, read."""
    return load


@pytest.fixture(scope="session")
def samples() -> dict[str, list[bytes]]:
    """Reader's name -> well formed bytes, from the vectors."""
    hexes: dict[str, list[str]] = {
        "beat": list(load("beat")["leaves"].values()),
        "slot-leaf": [load("slot")["slot_leaf"]],
        "note-leaf": [load("slot")["note_leaf"]],
        "slots": [load("slot")["slots_file"]],
        "call-leaf": list(load("call")["leaves"].values()),
        "leaves.mcl": [load("call")["leaves_file"]],
        "block": [row["block"] for row in load("segment")["blocks"]],
        "content": [load("segment")["full"]["content"], load("segment")["empty"]["content"]],
        "media.mcs": [load("segment")["media_file"]],
        "events.mce": [load("event")["events_file"]],
        "event": [row["event"] for row in load("event")["events"]],
        "record.mcr": [load("event")["record_file"]],
        "journal-header": [load("journal")["header"]],
        "frame-head": [load("journal")["frame_head"]],
        "records": [load("journal")["plaintext"]],
        "canonical": load("canonical")["texts"],
        "statement": list(load("beat")["statements"].values()),
        "silence": [load("silence")["certificate"].encode().hex()],
        "bundle": [load("bundle")["container"]],
        "manifest": [load("bundle")["manifest"]],
        "dossier-bundle": [load("dossier_bundle")["small"]],
        "dossier-manifest": [load("dossier_bundle")["manifest"]],
        "sealed.mcn": [load("dossier_bundle")["files"]["sealed.mcn"]],
        "transcript": [row["bytes"] for row in load("transcript")["versions"]],
    }
    names = ("media.mcb", "events.mcb", "streams.mcb", "openings.mcb", "config.mcb", "beats.mcb")
    hexes |= {name: [load("bundle")["files"][name]] for name in names}
    return {name: [bytes.fromhex(text) for text in texts] for name, texts in hexes.items()}
