"""Rows of an event file into a set that can be asked, beside the csv module and SQLite in the same run.

    python bench/events_import.py [--rows 10000000] [--layout gdelt2|ucdp] [--folder DIR] [--json]

The file is synthetic and of the published width (GDELT 2.0: 61 columns, about 330 bytes; UCDP: quoted
articles). memcon copies it, hashes it, checks every row, writes columns and syncs them. The peer reads
`--peer-rows` with `csv.reader` and inserts the same nine values into SQLite in one transaction, without
checking, hashing or keeping the file; its time is scaled. Memory is the peak of the importing process.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import random
import resource
import shutil
import sqlite3
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memcon.aftermath.layouts import GDELT2
from memcon.aftermath.reading import open_events
from memcon.aftermath.series import Selection
from memcon.aftermath.sets import EventSets, Query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.queues import Queue

UCDP = (
    "id,type_of_violence,conflict_name,dyad_name,side_a,side_b,source_article,source_original,"
    "where_coordinates,country,latitude,longitude,date_prec,date_start,date_end,low,best,high"
)
_AT = {name: i for i, name in enumerate(GDELT2.columns)}


def gdelt_rows(rows: int) -> Iterator[bytes]:
    choose = random.Random(6)
    first = date(2013, 4, 1)
    days = [(first + timedelta(d)).strftime("%Y%m%d") for d in range(4000)]
    fields = ["" for _ in GDELT2.columns]
    for who in ("Actor1", "Actor2"):
        fields[_AT[f"{who}Code"]], fields[_AT[f"{who}Name"]] = "UKRGOV", "UKRAINE"
        fields[_AT[f"{who}Geo_FullName"]] = "Donetsk, Donets'ka Oblast', Ukraine"
    fields[_AT["ActionGeo_FullName"]] = "Avdiyivka, Donets'ka Oblast', Ukraine"
    url = "https://example.org/world/article-about-the-fighting-of-the-day-"
    for n in range(rows):
        fields[0], fields[1] = str(100_000_000 + n), days[n * 4000 // rows]
        fields[_AT["EventCode"]] = f"{choose.randrange(1, 21):02d}{choose.randrange(1, 5)}"
        fields[_AT["ActionGeo_CountryCode"]] = ("UP", "RS", "US", "SY")[n & 3]
        fields[_AT["ActionGeo_Lat"]] = f"{choose.randrange(-9000, 9000) / 100}"
        fields[_AT["ActionGeo_Long"]] = f"{choose.randrange(-18000, 18000) / 100}"
        fields[_AT["GoldsteinScale"]], fields[_AT["AvgTone"]] = "-10.0", f"{n % 977 / 100}"
        fields[_AT["DATEADDED"]], fields[_AT["SOURCEURL"]] = fields[1] + "120000", url + fields[0]
        yield ("\t".join(fields) + "\n").encode()


def ucdp_rows(rows: int) -> Iterator[bytes]:
    choose = random.Random(6)
    first = date(1989, 1, 1)
    yield (UCDP + "\n").encode()
    for n in range(rows):
        day = (first + timedelta(n * 12_000 // rows)).isoformat()
        low = choose.randrange(0, 6)
        yield (
            f'{n},1,"Ukraine: Novorossiya",Government of Ukraine - DPR,Government of Ukraine,DPR,'
            f'"""Agence France Presse,{day},Clashes claim lives, officials say""",Military source,'
            f"Avdiivka town,Ukraine,48.{choose.randrange(100, 999)},37.74,"
            f"1,{day},{day},{low},{low},{low + 2}\n"
        ).encode()


def memcon(path: Path, home: Path, found: Queue[tuple[Any, ...]]) -> None:
    """In a process of its own, so that its peak of memory is its own."""
    begin, cpu = time.perf_counter(), time.process_time()
    sets = EventSets(home, lambda _type, _hash: None)
    about = sets.take_in(path, by="bench", at="2026-11-25T00:00:00Z")
    took, spent = time.perf_counter() - begin, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    opened = sets.open(about.sha256)
    begin = time.perf_counter()
    middle = int(opened.columns["start"][about.taken // 2])
    asked = len(opened.select(Query(middle, middle + 6)))
    ask_s = time.perf_counter() - begin
    begin = time.perf_counter()
    opened.series(Selection())
    found.put((about.taken, took, spent, peak, asked, ask_s, time.perf_counter() - begin))


def peer(path: Path, database: Path, rows: int) -> float:
    begin = time.perf_counter()
    db = sqlite3.connect(database)
    db.execute("CREATE TABLE e (id, day, last, code, country, lat, lon, low, high)")
    with path.open(encoding="utf-8", newline="") as stream:
        tabs = "\t" in stream.readline()
        stream.seek(0)
        named = ("EventCode", "ActionGeo_CountryCode", "ActionGeo_Lat", "ActionGeo_Long")
        at = [0, 1, 1, *(_AT[name] for name in named), 30, 31] if tabs else [0, 13, 14, 1, 9, 10, 11, 15, 17]
        reader = csv.reader(stream, delimiter="\t" if tabs else ",")
        taken = ([row[i] for i in at] for row, _ in zip(reader, range(rows), strict=False))
        db.executemany("INSERT INTO e VALUES (?,?,?,?,?,?,?,?,?)", taken)
    db.commit()
    db.close()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--peer-rows", type=int, default=1_000_000)
    parser.add_argument("--layout", choices=["gdelt2", "ucdp"], default="gdelt2")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="memcon-events-", dir=args.folder))
    try:
        path = folder / f"events.{args.layout}"
        made = gdelt_rows(args.rows) if args.layout == "gdelt2" else ucdp_rows(args.rows)
        with path.open("wb") as stream:
            stream.writelines(made)
        with path.open("rb") as stream:
            assert open_events(stream, path.name).layout.key == args.layout
        found: Queue[tuple[Any, ...]] = multiprocessing.get_context("spawn").Queue()
        process = multiprocessing.get_context("spawn").Process(
            target=memcon, args=(path, folder / "home", found)
        )
        process.start()
        taken, took, spent, peak, asked, ask_s, series_s = found.get()
        process.join()
        rows = min(args.peer_rows, args.rows)
        theirs = peer(path, folder / "peer.sqlite", rows) * args.rows / rows
        report = {
            "rows": taken,
            "bytes": path.stat().st_size,
            "memcon_s": round(took, 1),
            "memcon_cpu_s": round(spent, 1),
            "peak_mb": round(peak),
            "peer_s": round(theirs, 1),
            "week_rows": asked,
            "week_ms": round(1000 * ask_s),
            "series_s": round(series_s, 2),
        }
    finally:
        shutil.rmtree(folder)
    if args.json:
        print(json.dumps(report))
        return
    print(f"{report['rows']:,} rows of {args.layout}, {report['bytes'] / 1e9:.2f} GB")
    print(f"memcon: {took:6.1f} s ({spent:.1f} s of processor), peak {peak:.0f} MB")
    print(f"csv and SQLite, unchecked: {theirs:6.1f} s")
    print(f"a week of it ({asked:,} rows): {1000 * ask_s:.0f} ms; all of it as a series: {series_s:.2f} s")


if __name__ == "__main__":
    main()
