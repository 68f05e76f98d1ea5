"""The checked-in vectors: made again by their generator, derived again by memcon.record."""

from __future__ import annotations

import hashlib
import json
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.vectors.generate import build

from memcon.errors import FormatError
from memcon.record import (
    beat,
    bundle,
    call,
    config,
    dating,
    dossier_bundle,
    hashing,
    journal,
    segment,
    slottree,
    statement,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Load: TypeAlias = "Callable[[str], Any]"


def _args(row: dict[str, Any]) -> list[Any]:
    def value(x: Any) -> Any:
        return bytes.fromhex(x) if isinstance(x, str) and len(x) == 64 else x

    return [value(x) for x in row["args"]]


def test_generator_gives_the_checked_in_files(pytestconfig: pytest.Config) -> None:
    here = pytestconfig.rootpath / "tests" / "vectors"
    made = build()
    made["negative.json"] = runpy.run_path(str(here / "negative.py"))["build"]()
    assert {path.name for path in here.glob("*.json")} == set(made)
    for name, text in made.items():
        assert (here / name).read_text(encoding="ascii") == text, (
            f"{name}: scripts/in-tests tests.vectors.generate"
        )


def test_derivations(vectors: Load) -> None:
    v = vectors("secrets")
    keys = {name: bytes.fromhex(v[name]) for name in ("call_key", "structure_key", "slot_key")}
    by_key = {"slot_key": "structure_key", "config_salt": "structure_key", "lane_salt": "slot_key"}
    by_key["filler"] = "slot_key"
    for row in v["derived"]:
        name = row["name"]
        make = slottree.filler if name == "filler" else getattr(hashing, name)
        key = keys[by_key.get(name, "call_key")]
        assert make(key, *_args(row)).hex() == row["value"], row
    assert hashing.call_key_hash(keys["call_key"]).hex() == v["call_key_hash"]
    assert hashing.handle_hash(bytes.fromhex(v["handle"])).hex() == v["handle_hash"]


def test_beat_and_wrapped_root(vectors: Load) -> None:
    v = vectors("beat")
    leaf = beat.decode(bytes.fromhex(v["leaves"]["beat"]))
    assert (leaf.kind, leaf.state, leaf.index, leaf.flags) == (beat.Kind.BEAT, beat.State.RECORDING, 7, 3)
    assert (leaf.note_size, leaf.drand_round, leaf.period_ms) == (7, 5_000_000, 10_000)
    genesis = beat.decode(bytes.fromhex(v["leaves"]["genesis"]))
    assert genesis.statement == hashlib.sha256(bytes.fromhex(v["statements"]["genesis"])).digest()
    for kind, data in v["statements"].items():
        said = statement.decode(bytes.fromhex(data))
        assert (type(said).__name__.lower(), said.encode().hex()) == (kind, data)
    line = v["line"]
    structure_key = bytes.fromhex(vectors("secrets")["structure_key"])
    assert hashing.line_pseudonym(structure_key, line["name"]) == line["pseudonym"]
    w = v["wrapped"]
    assert (
        beat.wrap_slot_root(v["origin"], w["index"], w["slot"], 16, bytes.fromhex(w["root"])).hex()
        == w["value"]
    )


def test_slot_trees(vectors: Load) -> None:
    v = vectors("slot")
    key = bytes.fromhex(v["slot_key"])
    for row in v["trees"]:
        leaves = {int(lane): bytes.fromhex(leaf) for lane, leaf in row["leaves"].items()}
        tree = slottree.SlotTree(key, leaves)
        assert tree.root.hex() == row["root"]
        for lane, leaf in leaves.items():
            path, expected = tree.path(lane), bytes.fromhex(row["paths"][str(lane)])
            assert (path if len(leaves) <= 3 else hashlib.sha256(path).digest()) == expected
            assert slottree.root_from_path(lane, tree.salt(lane), leaf, path) == tree.root
    note = slottree.decode_note_leaf(bytes.fromhex(v["note_leaf"]))
    assert (note.type, note.lane, note.number) == (4, 65535, 5)
    leaf_ = slottree.decode_slot_leaf(bytes.fromhex(v["slot_leaf"]))
    assert (leaf_.next_call, leaf_.next_note, leaf_.calls, leaf_.notes) == (43, 6, 1, 1)


def test_call_leaves(vectors: Load) -> None:
    v = vectors("call")
    key = bytes.fromhex(vectors("secrets")["call_key"])
    leaves = {name: bytes.fromhex(leaf) for name, leaf in v["leaves"].items()}
    for name, leaf in leaves.items():
        assert call.chain_hash(leaf).hex() == v["chain"][name]
    for which, row in v["openings"].items():
        salt = hashing.opening_salt(key, int(which))
        made = segment.opening_commitment(int(which), salt, bytes.fromhex(row["data"]))
        assert made.hex() == row["value"]
    first, last = call.decode(leaves["first"]), call.decode(leaves["last"])
    both = call.decode(leaves["first+last"])
    assert first.first is not None
    assert first.first.invite.hex() == v["openings"]["3"]["value"]
    assert last.last is not None
    assert (last.last.segments, last.last.duration) == (21, 21_000_000_000)
    assert last.last.bye.hex() == v["openings"]["5"]["value"]
    assert both.first is not None
    assert both.last is not None
    assert [i for i in range(128) if both.streams[0].is_empty(i)] == [0, 64, 127]
    assert call.decode(leaves["middle"]).chain == call.chain_hash(leaves["first"])
    placed = list(call.read_leaves(bytes.fromhex(v["leaves_file"]), 42))
    assert [p.leaf for p in placed] == [leaves["first"], leaves["middle"], leaves["last"]]


def test_receipt_message(vectors: Load) -> None:
    r = vectors("call")["receipt"]
    made = hashing.receipt_message(
        r["origin"], r["slot"], bytes.fromhex(r["handle"]), bytes.fromhex(r["invite"])
    )
    assert made.hex() == r["value"]


def test_segments(vectors: Load) -> None:
    v = vectors("segment")
    key = bytes.fromhex(vectors("secrets")["call_key"])
    entries, blocks = [], []
    for row in v["blocks"]:
        stream, position, kind = row["place"]
        data = bytes.fromhex(row["block"])
        made = segment.block_commitment(hashing.block_salt(key, 3, stream, position, kind), data)
        assert made.hex() == row["commitment"]
        entries.append((stream, position, kind, made))
        blocks.append((stream, position, kind, data))
    hashes = []
    for number, want, listed, held in ((0, v["empty"], [], []), (3, v["full"], entries, blocks)):
        p = segment.plaintext_root(number, listed)
        assert p.hex() == want["plaintext_root"]
        content = segment.segment_content(held)
        assert content.hex() == want["content"]
        c = AESGCM(hashing.segment_key(key, number, p)).encrypt(bytes(12), content, None)
        assert c.hex() == want["ciphertext"]
        hashes.append(segment.segment_hash(number, len(c), p, hashlib.sha256(c).digest()))
        assert hashes[-1].hex() == want["hash"]
    assert config.hash_root(hashes).hex() == v["root_of_both"]
    assert config.hash_root([]).hex() == v["root_of_none"] == hashlib.sha256(b"").hexdigest()
    entry = segment.stream_hash(1, hashing.stream_salt(key, 1), bytes.fromhex(v["stream_entry"]))
    assert entry.hex() == v["stream_hash"]


def test_events_and_record(vectors: Load) -> None:
    v = vectors("event")
    key = bytes.fromhex(vectors("secrets")["call_key"])
    sealed = list(segment.read_sealed(bytes.fromhex(v["events_file"]), segment.EVENTS_MAGIC, 42))
    for number, row in enumerate(v["events"]):
        data = bytes.fromhex(row["event"])
        assert segment.decode_event(data).number == number
        e = segment.event_commitment(hashing.event_salt(key, number), data)
        assert e.hex() == row["commitment"]
        assert hashing.event_key(key, number, e).hex() == row["key"]
        assert sealed[number].hash(segment.EVENTS_MAGIC).hex() == row["hash"]
    record = bytes.fromhex(v["record"])
    c = segment.record_commitment(hashing.record_salt(key), record)
    ciphertext = AESGCM(hashing.record_key(key, c)).encrypt(bytes(12), record, None)
    assert segment.encode_record_file(c, ciphertext).hex() == v["record_file"]


def test_configuration_root(vectors: Load) -> None:
    v = vectors("config")
    parts = {name: bytes.fromhex(part) for name, part in v["parts"].items()}
    made = config.commit_parts(bytes.fromhex(vectors("secrets")["structure_key"]), parts)
    assert {name: c.hex() for name, c in made.items()} == v["commitments"]
    assert config.config_root(made).hex() == v["root"]


def test_journal_frame(vectors: Load) -> None:
    v = vectors("journal")
    header = journal.decode_header(bytes.fromhex(v["header"]))
    assert (header.file_number, header.first_frame) == (2, 500)
    frame = bytes.fromhex(v["frame"])
    length, number = journal.decode_frame_head(frame[: journal.FRAME_HEAD])
    assert journal.frame_nonce(number).hex() == v["nonce"]
    ciphertext = frame[journal.FRAME_HEAD :]
    assert len(ciphertext) == length
    bound = header.instance + journal.frame_head(length, number)
    plain = AESGCM(bytes.fromhex(v["key"])).decrypt(journal.frame_nonce(number), ciphertext, bound)
    assert plain.hex() == v["plaintext"]
    media, control, tick, stop = journal.decode_records(plain)
    assert isinstance(media, journal.Media)
    assert isinstance(control, journal.Control)
    assert isinstance(tick, journal.Tick)
    assert isinstance(stop, journal.Stop)
    assert (media.count, control.facts["type"], len(control.attachments)) == (3, "sip", 2)
    assert tick.watermark == tick.wall - 1
    assert stop.facts == {"by": "operator", "why": "stop"}


def test_bundle(vectors: Load) -> None:
    v = vectors("bundle")
    files = {name: bytes.fromhex(data) for name, data in v["files"].items()}
    small = {name: files[name] for name in v["small"]}
    assert bundle.make_manifest(v["origin"], v["call"], small).hex() == v["manifest"]
    assert bundle.write_bundle(v["origin"], v["call"], small).hex() == v["container"]
    whole = bundle.write_bundle(v["origin"], v["call"], files)
    assert hashlib.sha256(whole).hexdigest() == v["sha256_of_whole"]
    read = bundle.read_zip(whole)
    assert {name: bytes(data) for name, data in read.items() if name != bundle.MANIFEST} == files


def test_dossier_bundle(vectors: Load) -> None:
    v = vectors("dossier_bundle")
    files = {name: bytes.fromhex(data) for name, data in v["files"].items()}
    whole = dossier_bundle.write_bundle(v["origin"], v["dossier"], files)
    assert hashlib.sha256(whole).hexdigest() == v["sha256_of_whole"]
    assert dossier_bundle.begins(whole[:200])
    read = bundle.read_zip(whole, dossier_bundle.FORM)
    assert bytes(read.pop(bundle.MANIFEST)).hex() == v["manifest"]
    assert {name: bytes(data) for name, data in read.items()} == files
    notes = dossier_bundle.read_sealed(files["sealed.mcn"])
    assert [slottree.decode_note_leaf(n.leaf).number for n in notes] == [1, 2]
    names = [dossier_bundle.entry_name(1, "dossier"), dossier_bundle.entry_name(2, "claim")]
    assert [name for name in files if dossier_bundle.ENTRY.fullmatch(name)] == names
    assert not dossier_bundle.begins(bundle.write_bundle("log", 1, {}))


_NEGATIVE = json.loads((Path(__file__).parent.parent / "vectors" / "negative.json").read_text("ascii"))


@pytest.mark.parametrize("vector", _NEGATIVE, ids=[row["name"] for row in _NEGATIVE])
def test_negative(vector: dict[str, Any], roundtrips: dict[str, Callable[[bytes], bytes]]) -> None:
    with pytest.raises(FormatError) as caught:
        roundtrips[vector["reader"]](bytes.fromhex(vector["bytes"]))
    assert (caught.value.what, caught.value.where) == (vector["what"], vector["where"])


def test_names_of_negative_vectors_are_unique() -> None:
    names = [row["name"] for row in _NEGATIVE]
    assert len(names) == len(set(names))


def test_notes_that_date_a_bundle(vectors: Load) -> None:
    v = vectors("dating")
    notes = [
        dating.DatingNote(bytes.fromhex(one["note"]), tuple(map(bytes.fromhex, one["proof"])))
        for one in v["notes"]
    ]
    assert dating.encode_notes(v["size"], notes).hex() == v["file"]
    assert dating.read_notes(bytes.fromhex(v["file"])) == (v["size"], notes)
