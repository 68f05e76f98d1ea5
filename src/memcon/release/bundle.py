"""A call as a bundle that a stranger can check (FORMATS §14), from its vault files, the log and its key.

Blocks, events, table entries and openings are opened by their salts, never by a key: whoever has the
bundle can check what is in it and open nothing else. `withhold` leaves blocks as commitments; the
segment and the call still verify, and what is missing shows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import FormatError, UsageError
from memcon.record import canonical, dating, hashing
from memcon.record.beat import decode as decode_beat
from memcon.record.bundle import STATEMENT_PREFIX, write_bundle
from memcon.record.call import (
    OPENING_BYE,
    OPENING_INVITE,
    OPENING_KEY_LINES,
    OPENING_PARTIES,
    OPENING_SOURCE_IDS,
)
from memcon.record.call import decode as decode_leaf
from memcon.record.config import PARTS, config_commitment, config_root, hash_root
from memcon.record.opened import (
    Opened,
    OpenedBlock,
    OpenedEvent,
    OpenedSegment,
    encode_config,
    encode_events,
    encode_media,
    encode_openings,
    encode_streams,
    read_beats,
)
from memcon.record.segment import block_commitment, decode_event, opening_commitment, stream_hash
from memcon.release.dating import dating_notes
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.note import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from memcon.record.call import CallLeaf
    from memcon.record.segment import Event, Sealed
    from memcon.release.media import OpenCall, OpenSegment, RawBlock

    Withhold = Callable[[RawBlock], bool]

ZERO32 = bytes(32)


@dataclass(frozen=True, slots=True)
class ConfigPart:
    """One part of the configuration (canonical JSON) and its salt; `part` None leaves `commitment` alone."""

    part: bytes | None
    salt: bytes = b""
    commitment: bytes = b""


def config_parts(structure_key: bytes, parts: Mapping[str, bytes]) -> dict[str, ConfigPart]:
    """The parts with the salts that the recorder's structure key gives them (FORMATS §9)."""
    return {name: ConfigPart(parts[name], hashing.config_salt(structure_key, name)) for name in PARTS}


def policy_text(vkeys: Sequence[str]) -> bytes:
    """The bundle's `policy`: the log's keys as the operator states them (C2SP tlog-policy), no witnesses."""
    return "".join(f"log {key}\n" for key in vkeys).encode() + b"quorum none\n"


def make_bundle(
    call: OpenCall,
    fetch: Callable[[str], bytes | None],
    *,
    config: Mapping[str, ConfigPart],
    policy: bytes,
    withhold: Withhold | None = None,
) -> bytes:
    """The bundle of one call.

    `call` reads the vault object's files, `beats.mcb` and `checkpoint` among them; `fetch` reads the log
    by path (for statements). Raises UsageError when `config` is not what the call's beats name or a
    statement is missing, FormatError (naming the second) for files that do not hold.
    """
    leaves = [decode_leaf(placed.leaf) for placed in call.leaves()]
    note, beats = call.read("checkpoint"), call.read("beats.mcb")
    origin = Checkpoint.parse(Note.parse(note).text).origin
    events = list(call.sealed_events())
    files = {
        "README.txt": readme(origin, call.number, leaves),
        "checkpoint": note,
        "policy": policy,
        "beats.mcb": beats,
        "leaves.mcl": call.read("leaves.mcl"),
        "media.mcb": b"".join(encode_media(call.number, _media(call, withhold))),
        "events.mcb": encode_events(
            call.number,
            [
                OpenedEvent(
                    sealed.number,
                    len(sealed.ciphertext),
                    hashlib.sha256(sealed.ciphertext).digest(),
                    _event(call, sealed, data),
                )
                for sealed, data in events
            ],
        ),
        "streams.mcb": encode_streams(call.number, _streams(call, leaves)),
        "openings.mcb": encode_openings(
            call.number, _openings(call, leaves, [decode_event(data) for _, data in events])
        ),
        "config.mcb": _config(config, beats),
        **_statements(beats, fetch),
    }
    notes = dating_notes(beats, Checkpoint.parse(Note.parse(note).text).size, fetch)
    if notes:
        files[dating.NAME] = dating.encode_notes(Checkpoint.parse(Note.parse(note).text).size, notes)
    return write_bundle(origin, call.number, files)


def _event(call: OpenCall, sealed: Sealed, data: bytes) -> Opened:
    """An event as the bundle has it: shown, but for SRTP keys, which would open what others took down."""
    if decode_event(data).facts["type"] == "keys":
        return Opened(None, commitment=sealed.root)
    return Opened(data, hashing.event_salt(call.key, sealed.number))


def _media(call: OpenCall, withhold: Withhold | None) -> Iterator[OpenedSegment]:
    for segment in call.segments():
        yield OpenedSegment(
            segment.number,
            len(segment.sealed.ciphertext),
            hashlib.sha256(segment.sealed.ciphertext).digest(),
            list(_blocks(call, segment, withhold)),
        )


def _blocks(call: OpenCall, segment: OpenSegment, withhold: Withhold | None) -> Iterator[OpenedBlock]:
    for raw in segment.blocks:
        salt = hashing.block_salt(call.key, raw.segment, raw.stream, raw.position, raw.kind)
        if withhold is not None and withhold(raw):
            item = Opened(None, commitment=block_commitment(salt, raw.data))
        else:
            item = Opened(raw.data, salt)
        yield OpenedBlock(raw.stream, raw.position, raw.kind, item)


def _streams(call: OpenCall, leaves: Sequence[CallLeaf]) -> list[Opened]:
    """The stream table, from the record, checked against the last leaf."""
    entries = call.record()["streams"]
    shown = [
        (canonical.dumps(entry), hashing.stream_salt(call.key, number))
        for number, entry in enumerate(entries)
    ]
    hashes = [stream_hash(number, salt, data) for number, (data, salt) in enumerate(shown)]
    sealed = leaves[-1].table_entries
    if sealed > len(hashes) or hash_root(hashes[:sealed]) != leaves[-1].table_root:
        raise FormatError(
            "record.mcr", "its stream table is not the one in the call's leaves", where="streams"
        )
    return [Opened(data, salt) for data, salt in shown[:sealed]]


def _openings(
    call: OpenCall, leaves: Sequence[CallLeaf], events: Sequence[Event]
) -> Iterator[tuple[int, Opened]]:
    """Each opening from what the files hold; one whose bytes they do not hold stays a commitment."""
    record = call.record()
    messages = [e.raw for e in events if e.facts["type"] == "sip" and e.raw]
    invite = messages[0] if messages else b""
    first, last = leaves[0].first, leaves[-1].last
    if first is None or last is None:
        raise FormatError("leaves.mcl", "the call's first or last leaf is missing")
    candidates: dict[int, tuple[bytes, list[bytes]]] = {
        OPENING_PARTIES: (first.parties, _party_lists(record)),
        OPENING_SOURCE_IDS: (first.source_ids, [canonical.dumps(record.get("source_ids"))]),
        OPENING_INVITE: (first.invite, [invite, b""]),
        OPENING_KEY_LINES: (first.key_lines, [b""]),  # keys are never shown: they open what others took down
        OPENING_BYE: (last.bye, [*reversed(messages), b""]),
    }
    for which, (commitment, tries) in candidates.items():
        salt = hashing.opening_salt(call.key, which)
        data = next((t for t in tries if opening_commitment(which, salt, t) == commitment), None)
        yield which, Opened(data, salt) if data is not None else Opened(None, commitment=commitment)


def _party_lists(record: Mapping[str, canonical.Json]) -> list[bytes]:
    """The parties as the record has them, and as they stood at the start: later ones were appended."""
    parties = record.get("parties") or []
    return [canonical.dumps(parties[:count]) for count in range(len(parties), -1, -1)]


def _config(config: Mapping[str, ConfigPart], beats: bytes) -> bytes:
    roots = {decode_beat(proven.leaf).config_root for proven in read_beats(beats)[1][1:]}
    commitments = {
        name: c.commitment if c.part is None else config_commitment(name, c.salt, c.part)
        for name, c in config.items()
    }
    if set(commitments) != set(PARTS) or config_root(commitments) not in roots:
        raise UsageError(
            "the configuration given is not the one that the call's beats name",
            cure="Give the parts as they were when the call was recorded",
        )
    return encode_config(
        (name, Opened(config[name].part, config[name].salt, config[name].commitment)) for name in PARTS
    )


def _statements(beats: bytes, fetch: Callable[[str], bytes | None]) -> dict[str, bytes]:
    named = {decode_beat(proven.leaf).statement for proven in read_beats(beats)[1]} - {ZERO32}
    found: dict[str, bytes] = {}
    for digest in sorted(named):
        path = f"{STATEMENT_PREFIX}{digest.hex()}"
        data = fetch(path)
        if data is None or hashlib.sha256(data).digest() != digest:
            raise UsageError(
                f"the log does not serve {path} as its beat names it", cure="Restore it from a mirror"
            )
        found[path] = data
    return found


def readme(origin: str, number: int, leaves: Sequence[CallLeaf]) -> bytes:
    """The text for whoever opens the bundle first."""
    return f"""This is the sealed recording of call {number} of the recorder "{origin}".

It can be checked by anyone, offline, with Python 3.11 or newer and one file, memcon-verify.pyz:

    python3 memcon-verify.pyz call FILE --key "..."

where FILE is this bundle and the key is the log's public key (it begins with the recorder's name).
Ask for the key by another way than the one this file came by: at the recorder's own site, from
whoever witnesses its log, in print. The file "policy" holds the key as the operator states it; a
check against it alone shows that the bundle fits together, not whose it is.

What is inside
    manifest.json  every file's length and SHA-256
    checkpoint     the signed state of the public log that the proofs lead to
    beats.mcb      the log's first entry and its entries {leaves[0].index} to {leaves[-1].index}, with proofs
    leaves.mcl     what each of these entries says of this call, one after another
    media.mcb      the packets, second by second, as they arrived
    events.mcb     the signalling messages and what else happened to the call
    streams.mcb    the streams: ports, codecs, whose
    openings.mcb   parties, identifiers, first and last message
    config.mcb     the recorder's configuration at the time
    statement/     public statements that the log entries name

Parts that are withheld stand as a 32-byte commitment in the place of the bytes: the check still
shows that nothing else is missing, and the withheld part can be shown later and will fit.

What a successful check does not prove: that the voices belong to the people named; that the sound
was genuine before it reached the recorder; that there was no other call.

The formats are described in docs/FORMATS.md of memcon, byte for byte, so that another checker can
be written without it.
""".encode()
