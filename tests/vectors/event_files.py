"""Small event files, made up, with the columns that their codebooks publish: UCDP GED, GDELT, ACLED, ICEWS.

    python tests/vectors/event_files.py

Nothing in them happened. Each has its own traps: quoted fields over two lines, a day that is only near,
a place without coordinates, figures that are not given.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from memcon.aftermath.layouts import GDELT1, GDELT2

FOLDER = Path(__file__).parent / "events"
UCDP = [
    *("id", "relid", "year", "active_year", "code_status", "type_of_violence", "conflict_new_id"),
    *("conflict_name", "dyad_new_id", "dyad_name", "side_a", "side_b", "number_of_sources", "source_article"),
    *("source_office", "source_date", "source_headline", "source_original", "where_prec"),
    *("where_coordinates", "where_description", "adm_1", "adm_2", "latitude", "longitude", "priogrid_gid"),
    *("country", "country_id", "region", "event_clarity", "date_prec", "date_start", "date_end", "deaths_a"),
    *("deaths_b", "deaths_civilians", "deaths_unknown", "best", "high", "low"),
]
ACLED = [
    *("event_id_cnty", "event_date", "year", "time_precision", "disorder_type", "event_type"),
    *("sub_event_type", "actor1", "assoc_actor_1", "inter1", "actor2", "assoc_actor_2", "inter2"),
    *("interaction", "civilian_targeting", "iso", "region", "country", "admin1", "admin2", "admin3"),
    *("location", "latitude", "longitude", "geo_precision", "source", "source_scale", "notes", "fatalities"),
    *("tags", "timestamp"),
]
ICEWS = [
    *("Event ID", "Event Date", "Source Name", "Source Sectors", "Source Country", "Event Text"),
    *("CAMEO Code", "Intensity", "Target Name", "Target Sectors", "Target Country", "Story ID"),
    *("Sentence Number", "Publisher", "City", "District", "Province", "Country", "Latitude", "Longitude"),
]


def table(columns: list[str], rows: list[dict[str, object]], delimiter: str, *, header: bool = True) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, restval="", delimiter=delimiter, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def ucdp() -> bytes:
    rows = []
    for n, (first, last, prec, low, best, high) in enumerate(
        [
            ("2031-03-01 00:00:00.000", "2031-03-01 00:00:00.000", 1, 4, 4, 4),
            ("2031-03-02", "2031-03-05", 2, 0, 2, 9),
            ("2031-03-01", "2031-03-31", 4, 10, 12, 40),
            ("2031-03-06", "2031-03-06", 1, 0, 0, 10),
        ]
    ):
        article = f'"Gazette,2031-03-0{n + 1},Fighting at ""the mill"""'
        rows.append(
            {
                "id": 900 + n,
                "type_of_violence": n % 3 + 1,
                "conflict_name": "Arland: Government",
                "dyad_name": "Government of Arland - Front",
                "side_a": "Government of Arland",
                "side_b": "Front",
                "source_article": article,
                "source_original": "Press officer,\nArland army" if n == 1 else "Front's radio",
                "where_coordinates": "Millford town",
                "country": "Arland",
                "latitude": "" if n == 3 else 48.5,
                "longitude": "" if n == 3 else -7.25,
                "date_prec": prec,
                "date_start": first,
                "date_end": last,
                "low": low,
                "best": best,
                "high": high,
            }
        )
    return table(UCDP, rows, ",")


def gdelt(columns: tuple[str, ...]) -> bytes:
    rows: list[dict[str, object]] = [
        {
            "GLOBALEVENTID": 500 + n,
            "SQLDATE": f"2031030{n + 1}",
            "Actor1Name": "ARLAND",
            "Actor2Name": "FRONT",
            "EventCode": code,
            "ActionGeo_FullName": "Millford, Arland",
            "ActionGeo_CountryCode": "AX",
            "ActionGeo_Lat": "" if n == 2 else 48.5,
            "ActionGeo_Long": "" if n == 2 else -7.25,
            "DATEADDED": f"2031030{n + 2}",
            "SOURCEURL": f"https://gazette.example/{n}",
        }
        for n, code in enumerate(("190", "042", "0211"))
    ]
    return table(list(columns), rows, "\t", header=False)


def acled() -> bytes:
    told = [("01 March 2031", 1, 3), ("2031-03-08", 2, 0), ("15 March 2031", 3, 1)]
    rows: list[dict[str, object]] = [
        {
            "event_id_cnty": f"ARL{n}",
            "event_date": day,
            "time_precision": precision,
            "event_type": "Battles",
            "sub_event_type": "Armed clash",
            "actor1": "Military forces of Arland",
            "actor2": "Front",
            "country": "Arland",
            "location": "Millford",
            "latitude": 48.5,
            "longitude": -7.25,
            "source": "Gazette; Radio",
            "notes": 'Fighting, said "heavy",\nat the mill',
            "fatalities": dead,
        }
        for n, (day, precision, dead) in enumerate(told)
    ]
    return table(ACLED, rows, ",")


def icews() -> bytes:
    rows: list[dict[str, object]] = [
        {
            "Event ID": 70 + n,
            "Event Date": f"2031-03-0{n + 1}",
            "Source Name": "Head of Government (Arland)",
            "Event Text": text,
            "CAMEO Code": code,
            "Intensity": 1.0,
            "Target Name": "Front",
            "Publisher": "Gazette",
            "City": "Millford",
            "Country": "Arland",
            "Latitude": 48.5,
            "Longitude": -7.25,
        }
        for n, (text, code) in enumerate([("Consult", "040"), ("Use conventional military force", "190")])
    ]
    return table(ICEWS, rows, "\t")


def files() -> dict[str, bytes]:
    """Every file, by its name."""
    return {
        "ucdp.csv": ucdp(),
        "gdelt1.tsv": gdelt(GDELT1.columns),
        "gdelt1-2012.tsv": gdelt(GDELT1.columns).replace(b"\thttps://gazette.example/0", b"")
        .replace(b"\thttps://gazette.example/1", b"").replace(b"\thttps://gazette.example/2", b""),
        "gdelt2.tsv": gdelt(GDELT2.columns),
        "acled.csv": acled(),
        "icews.tab": icews(),
    }  # fmt: skip


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, data in files().items():
        (FOLDER / name).write_bytes(data)


if __name__ == "__main__":
    main()
