"""Pages of the console over a catalogue of many calls, beside a bare query of the same rows in the same run.

The console and its peer run in one server process on the loop-back; each page is asked `--times` times
over a kept connection, and before each the catalogue gets a beat, as it does from a recorder at work.
The peer is a Starlette route with nothing around it: `sqlite3`, the rows of that page, as JSON.

    python bench/console.py [calls] [--dossiers 10000] [--times 30] [--json]
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import random
import socket
import sqlite3
import statistics
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from argon2 import PasswordHasher
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from memcon.catalogue.catalogue import Catalogue
from memcon.catalogue.dossiers import DossierLine
from memcon.catalogue.words import words_of
from memcon.clock import NS, SystemClock, utc
from memcon.console.app import create_app
from memcon.console.deps import ConsoleDeps
from memcon.console.from_catalogue import CatalogueRegister
from memcon.console.users import Users
from memcon.seal import genesis
from memcon.seal.keys import create_keys
from memcon.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request

    from memcon.verify.findings import Report

ORIGIN = "bench.example/console"
PERIOD = 10
PEOPLE = 2000
LIVE = 5
BATCH = 2000
PAGE = 25


def rows_of(number: int, start: int, choose: random.Random) -> dict[str, list[tuple[Any, ...]]]:
    """One ended call as rows of the catalogue: two parties, two streams, five events, its beats."""
    seconds = choose.randint(20, 600)
    lost = choose.randint(1, 50) if number % 20 == 0 else 0
    heard = bytearray(b"\x01" * seconds)
    if lost:
        heard[seconds // 2] = 0
    state = "partly" if lost else "recorded"
    end, beats = start + seconds * NS, -(-seconds // PERIOD)
    first = start // NS // PERIOD
    parties = []
    for place in (0, 1):
        who = choose.randrange(PEOPLE)
        name = f"Person {chr(97 + who % 26)}{who:04d} Office {who % 40}"
        parties.append((number, place, f"p{place}", name, f"sip:+47{who:08d}@office.example", str(place), ""))
    said = [{"name": p[3], "aor": p[4]} for p in parties]
    ids = json.dumps({"call_id": f"{number}@src.example", "session_ids": [f"s{number}"]})
    call = (
        number, f"{number:064x}", start, state, "siprec", "all", 1, ids, end, seconds * NS, seconds, 1, 1,
        first, first + beats, 100 * seconds, lost, int(lost > 0), f"{number:064x}", 1, 1,
    )  # fmt: skip
    codecs = json.dumps([{"pt": 8, "name": "PCMA", "rate": 8000}])
    events: list[dict[str, Any]] = [
        {"type": "sip", "direction": "in", "transport": "udp", "remote": "192.0.2.1:5060"}
    ] * 4
    events.append({"type": "end", "cause": 1, "who": 1})
    return {
        "calls": [call],
        "parties": list(parties),
        "streams": [
            (number, 2 * n, str(n), n, 20000, codecs, "recvonly", f"p{n}", 50 * seconds, 50 * seconds + lost,
             0, 0, 0, bytes(heard))
            for n in (0, 1)
        ],
        "events": [
            (number, n, n * NS, start + n * NS, one["type"], json.dumps(one)) for n, one in enumerate(events)
        ],
        "call_beats": [
            (number, first + n, n * PERIOD, min(PERIOD, seconds - n * PERIOD), 0) for n in range(beats)
        ],
        "words": [(word, number) for word in words_of(said, "all")],
    }  # fmt: skip


CALL_COLUMNS = (
    "number, handle, start_wall, state, mode, line, opened, source_ids, end_wall, duration, segments, "
    "cause, who, first_beat, last_beat, received, lost, gaps, call_root, done, settled"
)


def fill(path: Path, calls: int, began: int, step: int) -> None:
    """Write the catalogue in bulk, past its own code: what is measured is reading it."""
    choose = random.Random(1)  # the same calls in every run
    db = sqlite3.connect(path)
    for low in range(1, calls + 1, BATCH):
        tables: dict[str, list[tuple[Any, ...]]] = {}
        for number in range(low, min(low + BATCH, calls + 1)):
            for table, rows in rows_of(number, began + number * step, choose).items():
                tables.setdefault(table, []).extend(rows)
        for table, rows in tables.items():
            columns = f"({CALL_COLUMNS})" if table == "calls" else ""
            marks = ", ".join("?" * len(rows[0]))
            db.executemany(f"INSERT INTO {table} {columns} VALUES ({marks})", rows)  # noqa: S608 - ours
        db.commit()
    last = (began + calls * step) // NS // PERIOD
    beats = [(n, n, 1, 0, (n + 1) * PERIOD * NS, (n + 1) * PERIOD * NS) for n in range(last - calls, last)]
    db.executemany("INSERT INTO beats VALUES (?, ?, ?, ?, ?, ?)", beats)
    db.execute("ANALYZE")
    db.commit()
    db.close()


def tell(catalogue: Catalogue, count: int) -> None:
    """Calls known from accounts alone, a day apart, a hundred words each."""
    for n in range(count):
        start = (n + 1) * 86_400 * NS
        day = utc(start)[:10]
        words = " ".join(f"matter{(n * 7 + i) % 5000} sentence{i}" for i in range(50))
        facts = (start, start + 86_400 * NS, "readout", None, 7, 2, 2, 1, 9, 3)
        people = (f"President {n % 50}", f"Premier {n % 70}")
        line = DossierLine(f"{day}/1", "A call", day, *facts, people, ("US", "FR"), day, words, ("France",))
        catalogue.dossiers.put(line)


class Nothing:
    """Stands where the console has audio, files and verification: no page here asks for their content."""

    def peaks(self, number: int) -> dict[str, bytes]:
        return {}

    def offers(self, number: int) -> list[Any]:
        return []

    def path(self, *_: object) -> Path:
        raise FileNotFoundError

    def verify_call(self, number: int) -> Report:
        raise FileNotFoundError


def peer(path: Path) -> Starlette:
    """The bare routes: one connection for good, rows as they are."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)

    def rows(sql: str, *values: object) -> list[list[Any]]:
        found = db.execute(sql, values)
        return [[x.hex() if isinstance(x, bytes) else x for x in row] for row in found]

    def page(numbers: list[int]) -> list[list[list[Any]]]:
        marks = ", ".join("?" * len(numbers))
        return [
            rows(f"SELECT * FROM {table} WHERE {key} IN ({marks})", *numbers)  # noqa: S608 - marks alone
            for table, key in (("calls", "number"), ("parties", "call"), ("streams", "call"))
        ]

    def register(request: Request) -> JSONResponse:
        offset = (int(request.query_params.get("page", "1")) - 1) * PAGE
        newest = "SELECT number FROM calls ORDER BY start_wall DESC, number DESC LIMIT ? OFFSET ?"
        return JSONResponse(page([row[0] for row in rows(newest, PAGE, offset)]))

    def search(request: Request) -> JSONResponse:
        word = request.query_params["q"]
        found = (
            "SELECT number FROM calls WHERE number IN (SELECT call FROM words WHERE word >= ? AND word < ?) "
            "ORDER BY start_wall DESC, number DESC LIMIT ?"
        )
        return JSONResponse(page([row[0] for row in rows(found, word, word + "\U0010ffff", PAGE)]))

    def call(request: Request) -> JSONResponse:
        number = request.path_params["number"]
        more = [rows(f"SELECT * FROM {t} WHERE call = ?", number) for t in ("events", "call_beats")]  # noqa: S608 - ours
        return JSONResponse([*page([number]), *more])

    def status(_: Request) -> JSONResponse:
        return JSONResponse(rows('SELECT * FROM beats ORDER BY "index" DESC LIMIT 600'))

    return Starlette(
        routes=[
            Route("/", register),
            Route("/search", search),
            Route("/calls/{number:int}", call),
            Route("/status", status),
        ]
    )


def serve(root: Path, listener: socket.socket) -> None:
    """The server process."""
    home, clock = Home(root), SystemClock()
    catalogue, nothing = Catalogue(home.catalogue), Nothing()
    console = create_app(
        ConsoleDeps(
            register=CatalogueRegister(catalogue, home, clock, ()),
            audio=nothing,
            waveform=nothing,
            verifier=nothing,
            exporter=nothing,
            users=Users(home.users, clock),
            log=nothing,
            clock=clock,
            session_key=bytes(32),
        )
    )

    @asynccontextmanager
    async def started(_: Starlette) -> AsyncIterator[None]:
        async with console.router.lifespan_context(console):  # as when it is served alone
            yield

    app = Starlette(
        routes=[Mount("/peer", peer(home.catalogue)), Mount("/", console)],
        lifespan=started,
    )
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])


def asked(connection: http.client.HTTPConnection, path: str, cookie: str) -> tuple[float, int]:
    """(ms, bytes) of one page."""
    began = time.perf_counter()
    connection.request("GET", path, headers={"cookie": cookie})
    answer = connection.getresponse()
    size = len(answer.read())
    took = (time.perf_counter() - began) * 1000
    if answer.status != 200:
        raise SystemExit(f"GET {path}: {answer.status}")
    return took, size


def beats_on(catalogue: Catalogue, slot: int) -> Iterator[None]:
    """A beat before every request: what the console keeps between requests is then no longer true."""
    while True:
        beat = {"t": "beat", "index": slot, "slot": slot, "state": 1, "flags": 0, "wall": slot * PERIOD * NS}
        catalogue.apply([beat])
        slot += 1
        yield


def measure(calls: int, times: int, port: int, cookie: str, beats: Iterator[None]) -> list[dict[str, Any]]:
    """Each page and its peer, taking turns."""
    deep = min(2000, calls // PAGE)
    pages = (
        ("register, first page", "/", "/peer/"),
        (f"register, page {deep:,}", f"/?page={deep}", f"/peer/?page={deep}"),
        ("search, one person", "/?q=%2B4700000123", "/peer/search?q=4700000123"),
        ("search, one word of every call", "/?q=person", "/peer/search?q=person"),
        ("accounts only, by country", "/?state=accounts&party=france", "/peer/"),
        ("search, one word of all accounts", "/?q=sentence7", "/peer/search?q=sentence7"),
        ("search, a country and a span", "/?party=fr&from=1980-01-01&to=1990-12-31", "/peer/"),
        ("a line, a word of every call", "/?line=all&q=person", "/peer/search?q=person"),
        ("a call", f"/calls/{calls // 2}", f"/peer/calls/{calls // 2}"),
        ("status", "/status", "/peer/status"),
    )
    connection = http.client.HTTPConnection("127.0.0.1", port)
    found = []
    for name, path, bare in pages:
        ours, theirs, size = [], [], 0
        for _ in range(times):
            next(beats)
            took, size = asked(connection, path, cookie)
            ours.append(took)
            theirs.append(asked(connection, bare, cookie)[0])
        median, peer_median = statistics.median(ours), statistics.median(theirs)
        found.append(
            {
                "page": name,
                "first_ms": round(ours[0], 1),
                "median_ms": round(median, 1),
                "p99_ms": round(sorted(ours)[(len(ours) * 99 - 1) // 100], 1),
                "bytes": size,
                "peer_median_ms": round(peer_median, 2),
                "ratio": round(median / peer_median, 1),
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("calls", type=int, nargs="?", default=100_000)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--dossiers", type=int, default=10_000, help="calls known from accounts alone")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home, clock = Home(Path(folder) / "home"), SystemClock()
        now = clock.wall_ns()
        genesis.create_log(home, create_keys(home.keys), ORIGIN, now - 600 * NS)
        catalogue = Catalogue(home.catalogue)
        step = 300 * NS
        fill(home.catalogue, args.calls, now - (args.calls + 1) * step, step)
        tell(catalogue, args.dossiers)
        live = [
            {"t": "call", "number": args.calls + n, "handle": "00", "wall": now - n * NS, "line": "all"}
            for n in range(1, LIVE + 1)
        ]
        catalogue.apply(live)
        users = Users(home.users, clock, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        users.add("reader", "reader")
        # asyncio spares a socket that says it is TCP the wait for another packet, as it does its own
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(home.root, listener))
        server.start()
        try:
            port = listener.getsockname()[1]
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", f"/login/{users.new_link('reader')}")
            cookie = (connection.getresponse().getheader("set-cookie") or "").partition(";")[0]
            beats = beats_on(catalogue, now // NS // PERIOD)
            found = measure(args.calls, args.times, port, cookie, beats)
        finally:
            server.terminate()
            server.join()
            catalogue.close()
        size = home.catalogue.stat().st_size
    if args.json:
        print(json.dumps({"calls": args.calls, "catalogue_bytes": size, "pages": found}, indent=2))
        return
    print(f"{args.calls:,} calls, {LIVE} live ones, {args.dossiers:,} of accounts; {size / 1e6:,.0f} MB")
    for one in found:
        print(
            f"{one['page']:<32} median {one['median_ms']:6.1f} ms  p99 {one['p99_ms']:6.1f}  "
            f"first {one['first_ms']:6.1f}  {one['bytes'] / 1000:6.0f} kB   "
            f"bare {one['peer_median_ms']:6.2f} ms  ratio {one['ratio']}"
        )


if __name__ == "__main__":
    main()
