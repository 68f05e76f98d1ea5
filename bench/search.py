"""Search over a synthetic archive: words indexed a second, and how long questions take, beside plain FTS5.

    nice -n -10 .venv/bin/python bench/search.py [--words 100000000] [--questions 300] [--keep FILE]

Calls of an hour, 10,000 words each, between two of 400 speakers over ten years; words by Zipf's law out of a
vocabulary of 200,000, with endings, so that stems differ from words. The peer is FTS5 alone, in the same run
and on a sample of the same words: its own Porter tokenizer over the text of the same passages, without
speakers, dates, languages, times of words or snippets of ours.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memcon.catalogue.passages import Said, cut
from memcon.catalogue.search_answer import ask
from memcon.catalogue.search_index import Document, SearchIndex
from memcon.clock import NS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CALL = 10_000
UTTERANCE = 12
VOCABULARY = 200_000
SPEAKERS = 400
YEARS = 10
BATCH = 20
PEER_WORDS = 5_000_000
SYLLABLES = tuple(
    "ba ko ri ten la mos du ver si na po gel hi trum as el for qui za men to lin ger sha pre vo".split()  # noqa: SIM905
)
PLAIN = "SELECT rowid, snippet(t, 0, '', '', '', 24) FROM t WHERE t MATCH ? ORDER BY rowid DESC LIMIT 20"
ENDINGS = ("", "", "s", "ing", "ed", "ly", "ness", "ation")


def vocabulary() -> list[str]:
    """Words that look like English to a stemmer; the first ones are the commonest."""
    rng = np.random.default_rng(1)
    found: dict[str, None] = {}
    while len(found) < VOCABULARY:
        parts = rng.integers(0, len(SYLLABLES), int(rng.integers(1, 5)))
        found["".join(SYLLABLES[p] for p in parts) + ENDINGS[int(rng.integers(0, len(ENDINGS)))]] = None
    return sorted(found, key=lambda word: (len(word), word))


class Archive:
    """Calls, each the same whenever it is asked for."""

    def __init__(self, words: int) -> None:
        self.words = vocabulary()
        self.calls = max(1, words // CALL)
        weights = 1.0 / np.arange(1, VOCABULARY + 1) ** 1.05
        self._cumulated = np.cumsum(weights / weights.sum())
        self._array = np.array(self.words, dtype=object)

    def call(self, n: int) -> Document:
        rng = np.random.default_rng(n + 10)
        places = np.searchsorted(self._cumulated, rng.random(CALL)).clip(0, VOCABULARY - 1)
        chosen = self._array[places].tolist()
        two = [f"Speaker {self.words[int(p) * 7 + 1000].title()}" for p in rng.integers(0, SPEAKERS, 2)]
        said = []
        for place, at in enumerate(range(0, CALL, UTTERANCE)):
            words = tuple(chosen[at : at + UTTERANCE])
            times = tuple(range(at * 360, (at + len(words)) * 360, 360))
            said.append(Said(place % 2, "en", words, times))
        wall = (1_400_000_000 + n * YEARS * 365 * 86_400 // self.calls) * NS
        return Document(
            "transcript", str(n + 1), "", f"{n:064x}", f"Call {n + 1}", said, two, two, wall, 1, "en"
        )


def batches(archive: Archive, first: int, last: int) -> Iterator[list[Document]]:
    for at in range(first, last, BATCH):
        yield [archive.call(n) for n in range(at, min(at + BATCH, last))]


def index_all(index: SearchIndex, archive: Archive, say: Callable[[str], None]) -> tuple[float, float]:
    """Seconds spent indexing, and seconds of processor in it; making the words apart."""
    spent = worked = 0.0
    for done, batch in enumerate(batches(archive, 0, archive.calls), 1):
        began, running = time.perf_counter(), time.process_time()
        index.put(batch)
        spent += time.perf_counter() - began
        worked += time.process_time() - running
        if done % 25 == 0:
            say(f"{done * BATCH * CALL:,} words, {done * BATCH * CALL / spent:,.0f} a second")
    return spent, worked


def index_peer(path: Path, archive: Archive, words: int) -> tuple[sqlite3.Connection, float]:
    """Plain FTS5 over the text of passages; seconds spent in it."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute("CREATE VIRTUAL TABLE t USING fts5(text, tokenize='porter unicode61')")
    spent = 0.0
    for batch in batches(archive, 0, max(1, words // CALL)):
        rows = [(" ".join(w for s in p.said for w in s.words),) for d in batch for p in cut(d.said)]
        began = time.perf_counter()
        db.execute("BEGIN")
        db.executemany("INSERT INTO t(text) VALUES (?)", rows)
        db.execute("COMMIT")
        spent += time.perf_counter() - began
    return db, spent


def questions(archive: Archive, count: int) -> list[tuple[str, str, str]]:
    """(kind, our question, the peer's): a mix of what people ask. Words by the rank of their frequency."""
    rng = np.random.default_rng(3)

    def word(low: int, high: int) -> str:
        return archive.words[int(np.exp(rng.uniform(np.log(low), np.log(high))))]

    made = []
    for n in range(count):
        a, b, c = word(1, 2000), word(100, 50_000), word(5, 5000)
        call = archive.call(int(rng.integers(0, archive.calls)))
        at = int(rng.integers(0, len(call.said) - 1))
        phrase = " ".join(call.said[at].words[:2])
        speaker = call.speakers[0].split()[1].lower()
        year = 2015 + int(rng.integers(0, 8))
        made.append(
            (
                ("word", a, f'"{a}"'),
                ("rare word", b, f'"{b}"'),
                ("two words", f"{a} {b}", f'"{a}" "{b}"'),
                ("phrase", f'"{phrase}"', f'"{phrase}"'),
                ("near", f"NEAR({a} {c}, 8)", f'NEAR("{a}" "{c}", 8)'),
                ("prefix", f"{b[:5]}*", f'"{b[:5]}"*'),
                ("speaker", f"speaker:{speaker} {a}", ""),
                ("dates", f"{a} {c} from:{year} to:{year + 1}-06", ""),
                ("language, party", f"{c} language:en party:{speaker}", ""),
                ("not", f"{b} -{a}", f'"{b}" NOT "{a}"'),
            )[n % 10]
        )
    return made


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--words", type=int, default=100_000_000)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--keep", type=Path, help="an index to use again, or to make here")
    args = parser.parse_args()
    archive = Archive(args.words)
    report: dict[str, object] = {"words": archive.calls * CALL, "hours": archive.calls}
    with tempfile.TemporaryDirectory() as folder:
        path = args.keep or Path(folder) / "search.sqlite"
        there = path.exists()
        index = SearchIndex(path)
        if not there:
            spent, worked = index_all(index, archive, lambda text: print(text, file=sys.stderr, flush=True))
            report["indexed_words_a_second"] = round(archive.calls * CALL / spent)
            report["indexed_words_a_second_of_processor"] = round(archive.calls * CALL / worked)
        report["bytes"] = path.stat().st_size
        sample = min(PEER_WORDS, archive.calls * CALL)
        peer, peer_spent = index_peer(Path(folder) / "peer.sqlite", archive, sample)
        report["peer_words_a_second"] = round(sample / peer_spent)
        asked = questions(archive, args.questions)
        ours: dict[str, list[float]] = {}
        theirs: list[float] = []
        found = 0
        for kind, question, plain in asked:
            answers: list[int] = []
            took = timed(lambda q=question, a=answers: a.append(len(ask(index, q).hits)))  # type: ignore[misc]
            ours.setdefault(kind, []).append(took)
            found += bool(answers[0])
            if plain:
                theirs.append(timed(lambda p=plain: peer.execute(PLAIN, (p,)).fetchall()))  # type: ignore[misc]
        every = [one for some in ours.values() for one in some]
        report |= {
            "questions": len(every),
            "with_hits": found,
            "median_ms": round(statistics.median(every), 2),
            "p95_ms": round(percentile(every, 0.95), 2),
            "worst_ms": round(max(every), 2),
            "p95_by_kind_ms": {kind: round(percentile(some, 0.95), 2) for kind, some in ours.items()},
            "peer_p95_ms_on_sample": round(percentile(theirs, 0.95), 2),
        }
        index.close()
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
