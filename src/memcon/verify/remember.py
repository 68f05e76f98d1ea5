"""A history as bytes, so that the next question reads only what is new.

    memcon/history/v3 <newline> JSON on one line <newline> the settled answers
    and last the SHA-256 of all of it

A private file of whoever asks: what does not read back, is of another version or was cut is thrown
away and the log is read again.
"""

from __future__ import annotations

import json
from dataclasses import astuple
from hashlib import sha256
from typing import Any

from memcon.errors import FormatError
from memcon.record.beat import Kind, State
from memcon.tlog.merkle import Frontier
from memcon.verify.attest import Cosigned, Leaf, Terms
from memcon.verify.history import History, Said, Unserved

HEADER = b"memcon/history/v3\n"
_DIGEST = 32


def to_bytes(h: History) -> bytes:
    """The file's bytes."""
    head = {
        "origin": h.origin,
        "terms": astuple(h.terms),
        "genesis": h.genesis,
        "tree": h.tree.to_bytes().hex(),
        "checkpoint": h.checkpoint.decode("utf-8"),
        "instance": h.instance.hex(),
        "starts": h.starts,
        "tail": [_leaf(leaf) for leaf in h.tail],
        "covered": h.covered,
        "notes": {digest.hex(): note for digest, note in h.notes.items()},
        "seen": h.seen,
        "unserved": [(one.cosigned, one.note.decode("utf-8")) for one in h.unserved],
        "said": [(one.index, one.slot, one.data.decode("utf-8")) for one in h.said],
        "settled_to": h.settled_to,
        "places": h.places,
        "ahead": h.ahead,
        "found": h.found,
    }
    body = HEADER + json.dumps(head).encode() + b"\n" + h.answers
    return body + sha256(body).digest()


def _leaf(leaf: Leaf) -> list[Any]:
    return [leaf.index, leaf.slot, leaf.kind, leaf.state, leaf.begins, leaf.note.hex(), leaf.off]


def _cosigned(size: int, stamps: list[list[Any]]) -> Cosigned:
    return Cosigned(size, tuple((str(name), int(time)) for name, time in stamps))


def from_bytes(data: bytes) -> History:
    """Read it back; raises FormatError for anything that this version has not written."""
    body = data[:-_DIGEST]
    if not body.startswith(HEADER) or sha256(body).digest() != data[-_DIGEST:]:
        raise FormatError("history", "is cut, damaged or of another version")
    line, _, answers = body[len(HEADER) :].partition(b"\n")
    head = json.loads(line)
    return History(
        head["origin"],
        Terms(*head["terms"]),
        head["genesis"],
        Frontier.from_bytes(bytes.fromhex(head["tree"])),
        head["checkpoint"].encode(),
        bytes.fromhex(head["instance"]),
        bytearray(answers),
        [(slot, index) for slot, index in head["starts"]],
        [
            Leaf(index, slot, Kind(kind), State(state), begins, bytes.fromhex(note), off)
            for index, slot, kind, state, begins, note, off in head["tail"]
        ],
        head["covered"],
        {bytes.fromhex(digest): _cosigned(*note) for digest, note in head["notes"].items()},
        [_cosigned(*one) for one in head["seen"]],
        [Unserved(_cosigned(*one), note.encode()) for one, note in head["unserved"]],
        [Said(index, slot, said.encode()) for index, slot, said in head["said"]],
        head["settled_to"],
        head["places"],
        [(slot, tuple(names)) for slot, names in head["ahead"]],
        [(code, where, text) for code, where, text in head["found"]],
    )
