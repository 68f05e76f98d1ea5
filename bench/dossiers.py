"""How long a page takes with many dossiers: the register, a search, a dossier, a source.

    python bench/dossiers.py [--count 10000] [--times 20]

A home without lines, all dossiers on the disk: the example, and invented ones with two readouts of ten
sentences, a claim and its first appearance each. Pages go through the console as a browser's would. Beside
each, in the same run, its ratio to the bare reading of the example's files. What a start of the office costs
(catching up, and an index made anew) is printed too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from memcon.catalogue.catalogue import Catalogue
from memcon.clock import SystemClock
from memcon.console.app import create_app
from memcon.console.users import Users
from memcon.service.archive import Archive
from memcon.service.config import template
from memcon.service.dossiers import catch_up, open_desk
from memcon.service.example import install
from memcon.service.intakes import Intakes
from memcon.service.office import console_deps
from memcon.service.setup import init_home
from memcon.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable

    from memcon.accounts.desk import AccountsDesk

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message=".*starlette.testclient")
    from starlette.testclient import TestClient

TOPICS = ("Ukraine", "Syria", "Iran", "North Korea", "trade", "energy", "climate", "terrorism", "migration")
SENTENCES = 10


def readout(n: int, side: int) -> str:
    """Ten sentences; the second side leaves every third out, and has words of its own."""
    return " ".join(
        f"They spoke of {TOPICS[(n + i) % len(TOPICS)]} and of matter word{(n * 7 + i + side) % 5000}."
        for i in range(SENTENCES)
        if not side or i % 3
    )


def write(desk: AccountsDesk, n: int) -> None:
    """One invented dossier on the disk: a call a day from 1900 on, seven entries."""
    year, day = 1900 + n // 336, n % 336
    start = f"{year}-{day // 28 + 1:02}-{day % 28 + 1:02}"
    people = [
        {"side": "A", "name": f"President {n % 50}", "office": "President", "country": "US"},
        {"side": "B", "name": f"Premier {n % 70}", "office": "Prime Minister", "country": "FR"},
    ]
    made = desk.open("bench", {"start": start, "participants": people})
    for side in (0, 1):
        facts = {
            "side": "AB"[side],
            "readout": True,
            "completeness": "complete",
            "publisher": f"Office {side}",
        }
        desk.add_source(made.id, "bench", readout(n, side).encode(), facts)
    claim = desk.write(made.id, "claim", "bench", {"text": f"That matter {n} was settled"})
    desk.write(made.id, "appearance", "bench", {"claim": claim.entry.n, "who": "X", "stance": "asserts"})


def fill(desk: AccountsDesk, count: int) -> None:
    """Write them all; a bench needs no durability, so nothing waits for the disk."""
    with mock.patch.object(os, "fsync"), mock.patch.object(os, "fdatasync"):
        for n in range(count):
            write(desk, n)
            if n and n % 1000 == 0:
                print(f"{n:,} written", flush=True)


def timed(times: int, work: Callable[[], object]) -> tuple[float, float]:
    """(median, most) in ms."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken), max(taken)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home, clock = Home(Path(folder) / "home"), SystemClock()
        config = init_home(home, template("bench.example/1", sip_port=None), clock)
        catalogue = Catalogue(home.catalogue)
        desk = open_desk(home, clock, catalogue)
        dossier = install(desk)
        fill(desk, args.count - 1)
        print(f"{len(desk.store.ids()):,} dossiers on the disk")
        bare, _ = timed(args.times, lambda: desk.store.files(dossier))
        print(f"bare reading of the example's entries: {bare:.1f} ms")
        began = time.perf_counter()
        catch_up(desk, home)
        print(f"catching up at a start, nothing sealed yet: {time.perf_counter() - began:.1f} s")
        users = Users(home.users, clock)
        users.add("ada", "operator")
        app = create_app(
            console_deps(
                home,
                config,
                clock,
                catalogue,
                Archive(home, config, clock),
                Intakes(home, config, clock, catalogue),
            )
        )
        with TestClient(app, base_url="http://localhost") as client:
            client.get(f"/login/{users.new_link('ada')}")
            for name, path in (
                ("register", "/dossiers"),
                ("register, last page", f"/dossiers?page={args.count // 25}"),
                ("register, by date", "/dossiers?from=1900-01-01&to=1905-12-31"),
                ("register, by record and what it has", "/dossiers?record=readout&has=claims"),
                ("search, common word", "/dossiers?q=ukraine"),
                ("search, two common words", "/dossiers?q=ukraine+trade"),
                ("search, rare word", "/dossiers?q=snopes"),
                ("dossier, the example", f"/d/{dossier}"),
                ("dossier, an invented one", "/d/1900-05-05/1"),
                ("before and after", f"/d/{dossier}/events"),
                ("coincidence", f"/d/{dossier}/coincidence"),
                ("coincidence, of many calls", "/d/1900-05-05/1/coincidence"),
                ("source", f"/d/{dossier}/source/2"),
            ):  # fmt: skip

                def fetch(path: str = path) -> None:
                    assert client.get(path).status_code == 200, path

                middle, most = timed(args.times, fetch)
                print(f"{name}: median {middle:.0f} ms, most {most:.0f} ms, ratio {middle / bare:.1f}")
        catalogue.close()


if __name__ == "__main__":
    main()
