"""A month of one-second slots, once synced: load what was kept, answer a question about all of it.
And a year of ten-second slots with 500 off statements and 2,000 explanations: its public page, and a question
about all of it.

Beside it, in the same run, a peer: numpy over the bare array of answers (maximum, counts, runs), which
neither reads a file, checks its digest nor judges the newest slots.

    python bench/was_it_on.py [slots]
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from datetime import UTC

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from memcon.console.log_page import Read, page
from memcon.record.beat import Kind, State
from memcon.record.hashing import sha256
from memcon.record.statement import Explanation, Off, On
from memcon.tlog.merkle import Frontier
from memcon.tlog.note import COSIGNATURE_ED25519, ED25519, VerifierKey
from memcon.tlog.policy import Policy
from memcon.verify import remember
from memcon.verify.attest import Cosigned, Leaf, Terms
from memcon.verify.findings import Report
from memcon.verify.history import MARGIN, History, Said
from memcon.verify.was_it_on import Question, ask, to_json, to_text

MONTH = 30 * 86_400
YEAR = 365 * 8640
ORIGIN = "bench.example/log"


def policy() -> Policy:
    """Two of three; the keys sign nothing here."""

    def key(name: str, kind: int) -> VerifierKey:
        private = Ed25519PrivateKey.from_private_bytes(sha256(name.encode()))
        return VerifierKey(name, kind, private.public_key().public_bytes_raw())

    lines = [f"log {key(ORIGIN, ED25519)}"]
    lines += [f"witness {n} {key(n, COSIGNATURE_ED25519)}" for n in ("a", "b", "c")]
    return Policy.parse("\n".join([*lines, "group g 2 a b c", "quorum g", ""]).encode())


def spoken(genesis: int, slots: int, offs: int, explanations: int) -> list[Said]:
    """Off statements, each with its on, and explanations, some long, some of a long stretch."""
    chance, said = random.Random(2), []
    for n in range(offs):
        slot = genesis + (n + 1) * slots // (offs + 2)
        off, on = Off(ORIGIN, slot, f"P. {n}", "console", "test", ()), On(ORIGIN, slot + 9, "P", "c", "x", ())
        said += [Said(made.slot - genesis, made.slot, made.encode()) for made in (off, on)]
    for n in range(explanations):
        first = genesis + chance.randrange(slots - 5000)
        last = first + chance.choice((1, 60, 4000))
        text = Explanation(ORIGIN, first, last, f"P. {n}", "console", "a fuse " * chance.choice((1, 70)))
        said.append(Said(last + 1 - genesis, last + 1, text.encode()))
    return sorted(said, key=lambda one: one.slot)


def kept(slots: int, offs: int = 0, explanations: int = 0) -> bytes:
    """What a sync leaves behind: settled answers, and a tail of the newest slots with their evidence."""
    genesis = 1_790_000_000
    chance = random.Random(1)
    answers = bytearray(slots)
    for _ in range(max(300, offs * 5)):
        at = chance.randrange(1, slots - 60)
        answers[at : at + chance.randrange(1, 60)] = bytes([chance.choice((1, 3, 8))])
    last = genesis + slots - 1
    tail, notes, seen = [Leaf(slots - 1, last, Kind.BEAT, State.RECORDING)], {}, []
    for n in range(1, MARGIN + 3):
        digest = sha256(n.to_bytes(4, "big"))
        one = Cosigned(slots + n - 1, tuple((name, last + n) for name in ("a", "b", "c")))
        notes[digest] = one
        seen.append(one)
        tail.append(Leaf(slots + n - 1, last + n, Kind.BEAT, State.RECORDING, note=digest))
    tree = Frontier(slots + MARGIN + 2, [bytes(32)] * (slots + MARGIN + 2).bit_count())
    h = History(
        ORIGIN, Terms(1000, 3, 2), genesis, tree, answers=answers, starts=[(genesis, 0)], tail=tail,
        notes=notes, seen=seen, said=spoken(genesis, slots, offs, explanations),
    )  # fmt: skip
    return remember.to_bytes(h)


def peer(answers: np.ndarray) -> tuple[int, int]:
    """The same from the bare array."""
    worst, counts = int(answers.max()), np.bincount(answers, minlength=9)
    edges = np.flatnonzero(np.diff(answers)) + 1
    return worst, int(counts[0]) + len(edges)


def written(slots: int, offs: int, explanations: int) -> tuple[float, int, float]:
    """The public page of so many slots: seconds, its size in characters; seconds of a question about all."""
    data, asked = kept(slots, offs, explanations), policy()
    began = time.perf_counter()
    h = remember.from_bytes(data)
    now = h.genesis + slots + MARGIN + 5
    text = page(Read(h, asked, True, Report("bench", "log"), now))
    paged = time.perf_counter() - began
    began = time.perf_counter()
    h = remember.from_bytes(data)
    to_text(ask(h, asked, Question(h.genesis * 1000, now * 1000), now, Report("bench", "log")), UTC)
    return paged, len(text), time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slots", type=int, nargs="?", default=MONTH)
    args = parser.parse_args()
    data, asked = kept(args.slots), policy()
    began = time.perf_counter()
    h = remember.from_bytes(data)
    end = h.genesis + args.slots + MARGIN
    question = Question(h.genesis * 1000, end * 1000)
    reply = ask(h, asked, question, end + 5, Report("bench", "log"))
    shown = to_json(reply, UTC)
    ours = time.perf_counter() - began
    array = np.frombuffer(bytes(h.answers), dtype=np.uint8)
    began = time.perf_counter()
    worst, _ = peer(array)
    theirs = time.perf_counter() - began
    if worst != int(reply.answer) or sum(shown["counts"].values()) != shown["slots"]:
        raise SystemExit("the two disagree")
    found = f"{shown['answer']}, {len(shown['not_attested'])} runs"
    print(f"{shown['slots']:,} slots: {ours * 1000:.0f} ms, {found}")
    print(f"numpy over the bare array: {theirs * 1000:.1f} ms; ratio {ours / theirs:.1f}")
    for offs, explanations in ((0, 0), (500, 2000)):
        seconds, size, asking = written(YEAR, offs, explanations)
        print(
            f"{YEAR:,} slots, {offs} offs, {explanations} explanations: public page {seconds * 1000:.0f} ms, "
            f"{size:,} characters; a question about all of it {asking * 1000:.0f} ms"
        )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")


if __name__ == "__main__":
    main()
