"""How long a page takes with many dossiers in the register: the register, a search, a dossier, a source.

    python bench/dossiers.py [--count 10000] [--times 20]

A home without lines; the example dossier is on the disk and read whole for each page, the others are lines
of the register, each with the words of two readouts. Pages go through the console as a browser's would.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

from memcon.catalogue.catalogue import Catalogue
from memcon.catalogue.dossiers import DossierLine
from memcon.clock import NS, SystemClock
from memcon.console.app import create_app
from memcon.console.users import Users
from memcon.service.archive import Archive
from memcon.service.config import template
from memcon.service.dossiers import open_desk
from memcon.service.example import install
from memcon.service.office import console_deps
from memcon.service.setup import init_home
from memcon.store.paths import Home

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message=".*starlette.testclient")
    from starlette.testclient import TestClient

TOPICS = ("ukraine", "syria", "iran", "korea", "trade", "energy", "climate", "terrorism", "migration", "nato")
DAY_NS = 86_400 * NS


def line(n: int) -> DossierLine:
    """An invented dossier: a call a day, with words enough to be found by."""
    start = n * DAY_NS
    words = " ".join(f"{TOPICS[(n + i) % len(TOPICS)]} word{(n * 7 + i) % 5000}" for i in range(60))
    return DossierLine(
        id=f"1970/{n + 1}", title=f"President {n % 50} and Prime Minister {n % 70}, call {n}", date="1970",
        start=start, end=start + DAY_NS, record="readout", call=None, entries=3, sources=2, readouts=2,
        claims=n % 3, topics=9, one_sided=n % 9, parties=(f"President {n % 50}", f"Prime Minister {n % 70}"),
        countries=("US", "RU"), changed="2026-11-24T00:00:00Z", words=words,
    )  # fmt: skip


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
        for n in range(args.count - 1):
            desk.index.put(line(n))
        users = Users(home.users, clock)
        users.add("ada", "operator")
        app = create_app(console_deps(home, config, clock, catalogue, Archive(home, config, clock)))
        with TestClient(app, base_url="http://localhost") as client:
            client.get(f"/login/{users.new_link('ada')}")
            for name, path in (
                ("register", "/dossiers"),
                ("register, last page", f"/dossiers?page={args.count // 25}"),
                ("search, common word", "/dossiers?q=ukraine"),
                ("search, rare word", "/dossiers?q=snopes"),
                ("dossier", f"/d/{dossier}"),
                ("source", f"/d/{dossier}/source/2"),
            ):
                taken = []
                for _ in range(args.times):
                    began = time.perf_counter()
                    assert client.get(path).status_code == 200
                    taken.append(time.perf_counter() - began)
                middle, most = statistics.median(taken) * 1000, max(taken) * 1000
                print(f"{name}: median {middle:.0f} ms, most {most:.0f} ms")
        catalogue.close()


if __name__ == "__main__":
    main()
