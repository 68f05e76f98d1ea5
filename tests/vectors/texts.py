"""Vectors of texts: canonical JSON, silence certificates, dossiers, transcripts (FORMATS §16, §18, §20)."""

from __future__ import annotations

from typing import Any

from tests.vectors.basis import (
    ORIGIN,
    PERIOD_MS,
    SLOT,
    ZERO32,
    audit_path,
    b64,
    canonical,
    root,
    sample,
    sha,
    u,
)


def canonical_texts() -> dict[str, Any]:
    texts = [
        "{}", "[]", "null", "true", "0", "-1", "9007199254740991", "-9007199254740991", '""',
        '{"a":[1,{"b":false}],"b":null}', r'"\"\\\b\f\n\r\t\u0000\u001f/' + "\x7f\u2028é😀" + '"',
        '{"\uff5e":1,"\U00010000":2}',
    ]  # fmt: skip
    return {"texts": [text.encode().hex() for text in texts]}


def silence() -> dict[str, Any]:
    """A log of five slots, then nothing; the signatures are of no key: a reader of the form needs none."""
    said = canonical(
        {"kind": "genesis", "origin": ORIGIN, "period_ms": PERIOD_MS, "b": 3, "g": 2,
         "created": "2026-11-24T00:00:00Z", "keys": ["key"], "predecessor": None}
    )  # fmt: skip
    leaves = []
    for n in range(5):
        head = b"memcon\x00\x01" + u(8, 1 if n else 0) + u(8, 1 if n else 4) + u(16, 0) + u(32, PERIOD_MS)
        place = u(64, n) + u(64, SLOT + n) + bytes(16) + sample("root") + sample("config")
        rest = bytes(80) + (bytes(32) if n else sha(said)) + ZERO32
        leaves.append(head + place + rest)
    paths = {n: [b64(one) for one in audit_path(n, leaves)] for n in (0, 4)}
    note = f"{ORIGIN}\n5\n{b64(root(leaves))}\n\n\u2014 {ORIGIN} {b64(sample('signature'))}\n"
    parts = [
        "\n".join(["memcon/silence/v1", f"statement {b64(said)}", f"leaf 0 {b64(leaves[0])}", *paths[0]]),
        "\n".join([f"leaf 4 {b64(leaves[4])}", *paths[4]]),
        note,
    ]
    due = (SLOT + 6) * 10 + 20  # the end of the first slot without a leaf, and G
    covered: list[Any] = [
        [due, None], [due + 1, [SLOT + 5, SLOT + 5]], [due + 10, [SLOT + 5, SLOT + 5]],
        [due + 11, [SLOT + 5, SLOT + 6]], [due + 1001, [SLOT + 5, SLOT + 105]],
    ]  # fmt: skip
    return {
        "size": 5,
        "certificate": "\n\n".join(parts),
        "covered": covered,
        "index_entry": (u(64, 5) + u(64, due + 1) + sha("\n\n".join(parts).encode())).hex(),
    }


def dossier_entries() -> dict[str, Any]:
    """Two entries of a dossier, the second naming the first (FORMATS §18)."""
    head: dict[str, Any] = {"title": "", "participants": [], "start": "2017-01-28",
            "channel": "telephone", "call": None, "note": "", "example": False}  # fmt: skip
    claim = {"text": "Ñandú & Öl", "about": "", "note": ""}
    files: list[bytes] = []
    for n, (kind, body) in enumerate([("dossier", head), ("claim", claim)], 1):
        files.append(
            canonical(
                {
                    "format": "memcon/dossier/1",
                    "dossier": "2017-01-28/1",
                    "n": n,
                    "previous": sha(files[-1]).hex() if files else "0" * 64,
                    "kind": kind,
                    "by": "A. Archivist",
                    "at": "2026-11-24T03:42:00Z",
                    "body": body,
                }
            )
        )
    return {"entries": [{"bytes": data.hex(), "hash": sha(data).hex()} for data in files]}


def transcripts() -> dict[str, Any]:
    """A machine's version of a call, and a person's over it, naming it (FORMATS §20)."""
    machine = {
        "engine": "an engine", "engine_version": "1.2", "model": "a model", "model_version": "r1",
        "model_digest": sample("model").hex(), "made": "whole", "settings": {"beam": 1, "hot_words": ["Öl"]},
    }  # fmt: skip
    of = {"kind": "call", "id": "7", "handle": sample("handle").hex(),
          "digest": sample("call root").hex(), "duration": 9000}  # fmt: skip
    said = {"start": 1200, "end": 2600, "speaker": "", "language": "", "translations": [],
            "words": [["Good", 1200, 1450, 970, []],
                      ["morning.", 1500, 2600, 412, ["uncertain"]]]}  # fmt: skip
    lane: dict[str, Any] = {
        "name": "A", "participant": "p1", "speaker": "Ñandú", "streams": [0], "language": "en",
        "found": "set", "utterances": [said], "stretches": [[3000, 4000, "lost"], [4000, 8000, "hold"]],
    }  # fmt: skip
    heard = {"start": 1200, "end": 2600, "speaker": "", "language": "",
             "words": [["Good", 1200, 1450, None, []], ["evening.", 1500, 2400, None, []],
                       ["", 2400, 2600, None, ["inaudible"]]],
             "translations": [["ru", "Добрый вечер.", "A. Interpreter"]]}  # fmt: skip
    unknown: dict[str, Any] = {
        "name": "B", "participant": None, "speaker": "", "streams": [], "language": "und",
        "found": "unknown", "utterances": [], "stretches": [],
    }  # fmt: skip
    head = {"format": "memcon/transcript/1", "of": of, "note": ""}
    files = [canonical(head | {
        "kind": "machine", "by": "memcon 0.1.0", "machine": machine, "corrects": None, "version": 1,
        "previous": "0" * 64, "at": "2026-11-28T08:00:00Z", "lanes": [lane, unknown],
    })]  # fmt: skip
    files.append(canonical(head | {
        "kind": "corrected", "by": "A. Listener", "machine": None, "corrects": 1, "version": 2,
        "previous": sha(files[0]).hex(), "at": "2026-11-28T09:00:00Z",
        "lanes": [lane | {"utterances": [heard]}, unknown],
    }))  # fmt: skip
    return {"versions": [{"bytes": data.hex(), "hash": sha(data).hex()} for data in files]}


def intakes() -> dict[str, Any]:
    """Two calls taken in, the second naming the first, with a recording beside it (FORMATS §21)."""
    sound, beside = sha(b"sound"), sha(b"beside")
    original = {"path": "original", "sha256": sound.hex(), "bytes": 5, "media_type": "audio/wav"}
    more = {
        "path": f"media/{beside.hex()}",
        "sha256": beside.hex(),
        "bytes": 6,
        "media_type": "audio/ogg",
    }
    files: list[bytes] = []
    for n, kept in enumerate([[original], [original, more]], 1):
        files.append(
            canonical(
                {
                    "format": "memcon/intake/1",
                    "n": n,
                    "previous": sha(files[-1]).hex() if files else "0" * 64,
                    "by": "A. Archivist",
                    "at": "2026-11-24T03:42:00Z",
                    "name": "Gespräch 7.wav",
                    "files": kept,
                    "stated": {"start": "2017-01-28", "start_by": "A. Archivist"},
                    "found": {"form": "media", "duration_ms": 1500},
                }
            )
        )
    return {"statements": [{"bytes": data.hex(), "hash": sha(data).hex()} for data in files]}
