"""Vectors of the configuration, the journal and bundle (FORMATS §9, §12, §14)."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.vectors.basis import (
    BYE,
    CALL,
    INDEX,
    INVITE,
    NS,
    ORIGIN,
    START,
    K,
    X,
    canonical,
    derive,
    root,
    sample,
    sha,
    tag,
    u,
)
from tests.vectors.beats import GENESIS_STATEMENT, beats
from tests.vectors.calls import (
    EVENTS,
    OPENINGS,
    commitment,
    event,
    leaves_file,
    opening,
    rtp,
    segment,
    segment_blocks,
)
from tests.vectors.texts import dossier_entries


def configuration() -> dict[str, Any]:
    texts = {
        "custodians": [], "fleet": [ORIGIN], "keys": {"log": [], "receipt": ""},
        "lines": [{"match": "*", "name": "all"}], "recorder": {}, "software": {"memcon": "0.1.0"},
    }  # fmt: skip
    parts = {name: canonical(value) for name, value in texts.items()}
    commitments = {}
    for name, part in parts.items():
        salt = derive(X, "salt/config", name.encode())
        commitments[name] = sha(tag("config"), u(8, len(name)), name.encode(), salt, part)
    return {
        "parts": {name: part.hex() for name, part in parts.items()},
        "commitments": {name: c.hex() for name, c in commitments.items()},
        "root": root([commitments[name] for name in sorted(commitments)]).hex(),
    }


def journal_records() -> list[bytes]:
    packets = [rtp(1, 160, b"\xd5"), b"", b"\x00"]
    media = u(64, START) + u(64, 78 * NS) + u(32, 3) + u(32, 0) + u(32, 1) + u(32, 2) + u(32, 1)
    media += b"".join(u(64, START + i) for i in range(3)) + b"".join(u(16, len(p)) for p in packets)
    facts = canonical({"type": "sip", "key": "a", "wall": str(START), "mono": str(78 * NS)})
    control = u(32, len(facts)) + facts + u(32, 2) + u(32, len(INVITE)) + INVITE + u(32, 0)
    tick = u(64, START + 5) + u(64, 78 * NS + 5) + u(64, START + 4)
    stop = canonical({"by": "operator", "why": "stop"})
    bodies = [(1, media + b"".join(packets)), (2, control), (3, tick), (4, stop)]
    return [u(32, len(body)) + u(8, type_) + bytes(3) + body for type_, body in bodies]


def journal() -> dict[str, Any]:
    key, instance = sample("journal key"), sample("instance")[:16]
    header = b"mcjrnl\x00\x01" + instance + u(64, 2) + u(64, 500) + u(64, START) + sha(key)[:8] + bytes(8)
    plaintext = b"".join(journal_records())
    head = b"MCFR" + u(32, len(plaintext) + 16) + u(64, 500)
    nonce = u(32, 0) + u(64, 500)
    return {
        "key": key.hex(),
        "header": header.hex(),
        "plaintext": plaintext.hex(),
        "nonce": nonce.hex(),
        "frame_head": head.hex(),
        "frame": (head + AESGCM(key).encrypt(nonce, plaintext, instance + head)).hex(),
    }


def shown(salt: bytes, data: bytes) -> bytes:
    return u(8, 1) + salt + u(32, len(data)) + data


def bundle_files() -> dict[str, bytes]:
    blocks = segment_blocks()
    c = segment(3, blocks)["ciphertext"]
    media = b"mcopenm\x01" + u(64, CALL) + u(32, 3) + u(32, len(c)) + sha(c) + u(32, len(blocks))
    for (stream, position, kind), data in sorted(blocks.items()):
        salt = derive(K, "salt/block", u(32, 3), u(16, stream), u(8, position), u(8, kind))
        media += u(16, stream) + u(8, position) + u(8, kind)
        media += shown(salt, data) if position else u(8, 0) + commitment((stream, position, kind), data)
    events_ = b"mcopene\x01" + u(64, CALL)
    for n, (facts, raw) in enumerate(EVENTS):
        e = event(n, facts, raw)
        events_ += u(32, n) + u(32, len(e["ciphertext"])) + sha(e["ciphertext"])
        events_ += shown(derive(K, "salt/event", u(32, n)), e["event"]) if n else u(8, 0) + e["commitment"]
    streams = b"mcopens\x01" + u(64, CALL) + u(32, 0) + shown(derive(K, "salt/stream", u(32, 0)), b"{}")
    openings = b"mcopeno\x01" + u(64, CALL) + u(8, 1) + u(8, 0) + opening(1, OPENINGS[1])
    openings += u(8, 5) + shown(derive(K, "salt/opening", u(8, 5)), BYE)
    config = b"mcopenc\x01" + u(8, 4) + b"keys" + shown(derive(X, "salt/config", b"keys"), b"{}")
    config += u(8, 5) + b"lines" + u(8, 0) + sample("lines")
    proof = u(8, 2) + sample("proof 1") + sample("proof 2")
    leaves = {name: bytes.fromhex(leaf) for name, leaf in beats()["leaves"].items()}
    return {
        "README.txt": b"Check it.\n",
        "checkpoint": b"a note\n",
        "policy": b"log\n",
        "beats.mcb": b"mcbeats\x01" + u(64, 10) + u(64, 0) + leaves["genesis"] + proof
        + u(64, INDEX) + leaves["beat"] + u(8, 0),
        "leaves.mcl": leaves_file(),
        "media.mcb": media,
        "events.mcb": events_,
        "streams.mcb": streams + u(32, 1) + u(8, 0) + sample("entry 1"),
        "openings.mcb": openings,
        "config.mcb": config,
        "statement/" + sha(GENESIS_STATEMENT).hex(): GENESIS_STATEMENT,
    }  # fmt: skip


def container(files: dict[str, bytes]) -> bytes:
    """The zip by the standard library, with the form of section 14."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 0
            archive.writestr(info, data)
            info.external_attr = 0  # writestr puts a file mode there
    return out.getvalue()


def manifest(files: dict[str, bytes]) -> bytes:
    listed = {name: {"bytes": len(data), "sha256": sha(data).hex()} for name, data in files.items()}
    return canonical({"bundle": "memcon/1", "origin": ORIGIN, "call": CALL, "files": listed})


def bundle() -> dict[str, Any]:
    files = bundle_files()
    small = {name: files[name] for name in ("README.txt", "policy", "config.mcb")}
    return {
        "origin": ORIGIN,
        "call": CALL,
        "files": {name: data.hex() for name, data in files.items()},
        "small": sorted(small),
        "manifest": manifest(small).hex(),
        "container": container({"manifest.json": manifest(small), **small}).hex(),
        "sha256_of_whole": sha(container({"manifest.json": manifest(files), **files})).hex(),
    }


def dossier_bundle() -> dict[str, Any]:
    """Section 18, the bundle of a dossier: its container and `sealed.mcn`, with two entries."""
    rows = dossier_entries()["entries"]
    notes = [
        b"mcnote\x00\x01" + u(16, 9) + u(16, 0) + u(32, 7 + n) + u(64, 1 + n) + u(64, 500) + u(64, INDEX)
        + bytes.fromhex(row["hash"]) + bytes(8) + sample(f"lane salt {n}") + sample(f"sibling {n}") * 16
        for n, row in enumerate(rows)
    ]  # fmt: skip
    files = {
        "README.txt": b"Check it.\n",
        "checkpoint": b"a note\n",
        "policy": b"log\n",
        "beats.mcb": b"mcbeats\x01" + u(64, 10),
        "sealed.mcn": b"mcseald\x01" + b"".join(notes),
        "entries/000001-dossier.json": bytes.fromhex(rows[0]["bytes"]),
        "entries/000002-claim.json": bytes.fromhex(rows[1]["bytes"]),
        "files/" + sha(b"a source\n").hex(): b"a source\n",
        "statement/" + sha(GENESIS_STATEMENT).hex(): GENESIS_STATEMENT,
    }
    listed = {name: {"bytes": len(data), "sha256": sha(data).hex()} for name, data in files.items()}
    facts = {
        "bundle": "memcon/dossier-bundle/1",
        "origin": ORIGIN,
        "dossier": "2017-01-28/1",
        "files": listed,
    }
    return {
        "origin": ORIGIN,
        "dossier": "2017-01-28/1",
        "files": {name: data.hex() for name, data in files.items()},
        "manifest": canonical(facts).hex(),
        "sha256_of_whole": sha(container({"manifest.json": canonical(facts), **files})).hex(),
        "small": container(
            {"README.txt": b"", "files/" + "0" * 64: b"a", "statement/" + "0" * 64: b""}
        ).hex(),
    }


def dating() -> dict[str, Any]:
    """Section 14, `notes.mcb`: a note with a proof of two hashes, and one of the same tree, with none."""
    notes = [(b"a note\n", [sample("proof 1"), sample("proof 2")]), (b"another\n", [])]
    file = b"mcnotes\x01" + u(64, INDEX)
    for note, proof in notes:
        file += u(32, len(note)) + note + u(8, len(proof)) + b"".join(proof)
    return {
        "size": INDEX,
        "notes": [{"note": note.hex(), "proof": [h.hex() for h in proof]} for note, proof in notes],
        "file": file.hex(),
    }
