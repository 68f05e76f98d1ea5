"""Event files by their published columns, well formed and not; both ways of reading give the same rows."""

from __future__ import annotations

import importlib.util
import io
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.aftermath.batches import batch_of, batches
from memcon.aftermath.layouts import FIGURES, GDELT1, GDELT2, NONE, NOWHERE, Row
from memcon.aftermath.reading import MOST_BYTES, EventFile, open_events
from memcon.errors import FormatError, MemconError, UsageError

if TYPE_CHECKING:
    from memcon.aftermath.batches import Batch

VECTORS = Path(__file__).parents[1] / "vectors"
EVENTS = VECTORS / "events"


def opened(data: bytes, layout: str = "", encoding: str = "utf-8") -> EventFile:
    return open_events(io.BytesIO(data), "file", layout, encoding)


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def rows(name: str) -> list[Row]:
    return [placed.row for placed in opened((EVENTS / name).read_bytes())]


def test_the_vectors_are_what_their_generator_makes() -> None:
    spec = importlib.util.spec_from_file_location("event_files", VECTORS / "event_files.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert {p.name: p.read_bytes() for p in EVENTS.iterdir()} == made.files()


def test_ucdp() -> None:
    first, second, month, last = rows("ucdp.csv")
    assert first == Row(
        day("2031-03-01"),
        day("2031-03-01"),
        1,
        4,
        4,
        4,
        48_500_000,
        -7_250_000,
        "state-based conflict",
        "Arland",
    )
    assert (second.start, second.end, second.within) == (day("2031-03-02"), day("2031-03-05"), 6)
    assert (month.within, month.high) == (31, 40)
    assert (last.lat, last.lon, last.low, last.high) == (NOWHERE, NOWHERE, 0, 10)


@pytest.mark.parametrize(
    ("name", "layout"), [("gdelt1.tsv", "gdelt1"), ("gdelt1-2012.tsv", "gdelt1"), ("gdelt2.tsv", "gdelt2")]
)
def test_gdelt_has_no_header(name: str, layout: str) -> None:
    assert opened((EVENTS / name).read_bytes()).layout.key == layout
    told = rows(name)
    assert [r.kind for r in told] == ["190", "042", "0211"]
    assert told[0][:6] == (day("2031-03-01"), day("2031-03-01"), 1, NONE, NONE, NONE)
    assert told[2].lat == NOWHERE
    assert (len(GDELT1.columns), len(GDELT2.columns)) == (58, 61)


def test_acled_and_icews() -> None:
    assert [(r.within, r.best, r.low) for r in rows("acled.csv")] == [
        (1, 3, NONE),
        (7, 0, NONE),
        (31, 1, NONE),
    ]
    assert rows("acled.csv")[0].start == day("2031-03-01")
    assert [(r.kind, r.country) for r in rows("icews.tab")] == [("040", "Arland"), ("190", "Arland")]


@pytest.mark.parametrize("name", sorted(p.name for p in EVENTS.iterdir()))
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [37, 1 << 20])
def test_many_at_once_are_the_same_rows(name: str, ending: bytes, size: int) -> None:
    same((EVENTS / name).read_bytes().replace(b"\n", ending), size)


def same(data: bytes, size: int = 64) -> None:
    """Both ways of reading agree: on every row and its bytes, on what is refused, on what is raised."""
    one, many = opened(data), opened(data)
    try:
        expected = batch_of(list(one))
    except MemconError as error:
        with pytest.raises(type(error)):
            list(batches(many, size))
        return
    found = list(batches(many, size))
    assert joined(found) == joined([expected])
    assert (many.rows, many.bad, many.odd, many.refused) == (one.rows, one.bad, one.odd, one.refused)


def joined(found: list[Batch]) -> list[tuple[object, ...]]:
    return [
        (*(int(b.numbers[name][i]) for name in FIGURES), b.kinds[i], b.countries[i], int(b.offsets[i]),
         int(b.lengths[i]), bool(b.odd[i]))
        for b in found
        for i in range(len(b))
    ]  # fmt: skip


PIECES = st.sampled_from(
    [
        *(
            "2031-01-01,5,Avdiivka\n",
            "2031-02-30,5,x\n",
            '2031-01-02,1,"a, b"\n',
            '2031-01-03,1,"two\nlines"\n',
        ),
        *(
            "\n",
            "2031-01-04,1\n",
            "2031-01-05,-1,x\n",
            '"',
            "2031-01-06,1,a\x00b\n",
            "2031-01-07/2031-01-05,1,x\n",
        ),
        *("2031-01-08,1,Ёлка\r\n", "2031-01-09,,\ufffd\n", "2031-01~,2,x"),
        *('2031-01-10,1,5" gun\n', '2031-01-11,1,"so-called" mill\n'),
    ]
)


@given(st.lists(PIECES, max_size=12), st.integers(20, 200))
def test_any_list_is_read_alike(pieces: list[str], size: int) -> None:
    same(("date,best,place\n" + "".join(pieces)).encode(), size)


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_format_error_or_rows(data: bytes) -> None:
    for head in (b"", b"date,best\n", b"1\t20310101" + b"\t" * 56 + b"\n"):
        try:
            list(opened(head + data))
        except FormatError:
            continue


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no first line"),
        (b"date\x00,x\n", "at byte 4: its first line holds a NUL"),
        (b"\xff\xfed\x00", "UTF-16"),
        (b"PK\x03\x04rest", "compressed"),
        (b"\x1f\x8brest", "compressed"),
        (b"when;what\n", "its columns are of no event file known here"),
        (b"date,date\n", "two columns are named 'date'"),
        (b'date,x\n2031-01-01,"open\n', "row 1: a quote that is opened and not closed"),
        (b"date\n" + b"x" * (MOST_BYTES + 10), "a row of more than"),
        (b"date\n" + b"x\n" * 150, "none of the first 100 rows can be read"),
    ],
)
def test_a_file_that_is_none_is_refused_by_name(data: bytes, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        list(opened(data))
    with pytest.raises(FormatError, match=problem):
        list(batches(opened(data), 1 << 16))


def test_other_columns_are_named() -> None:
    with pytest.raises(FormatError, match=r"it lacks id, low. UCDP Georeferenced Event Dataset has these"):
        opened(b"date_start,date_end,date_prec,best,high\n", "ucdp")
    with pytest.raises(UsageError, match="no layout"):
        opened(b"date\n", "cameo")
    with pytest.raises(UsageError, match="no encoding"):
        opened(b"date\n", encoding="utf-16")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2031-01-01", "1 columns instead of 4"),
        ("2031-13-01,1,2,3", "is no day there can be"),
        ("2031-01-01/..,1,2,3", "is open on one side"),
        ("2031-01-01,many,2,3", "'many' is no count"),
        ("2031-01-01,1,95,3", "'95' is no coordinate"),
        ("2031-01-01,1,nan,3", "'nan' is no coordinate"),
        ("2031-01-01,1,2,east", "'east' is no coordinate"),
        ("2031-01-01,1,\x00,3", "holds a NUL byte"),
        ('2031-01-01,1,"2"x,3', "its quotes cannot be read"),
    ],
)
def test_a_row_that_cannot_be_read_is_told_of(line: str, reason: str) -> None:
    file = opened(f"date,best,lat,lon\n{line}\n2031-01-02,NA,,\n".encode())
    assert [p.row.best for p in file] == [NONE]
    assert (file.rows, file.bad) == (2, 1)
    assert reason in file.refused[0].reason
    assert (file.refused[0].number, file.refused[0].offset) == (1, 18)


UCDP = "id,date_start,date_end,date_prec,low,best,high"
ACLED = "event_id_cnty,event_date,time_precision,sub_event_type,country,latitude,longitude,fatalities"


@pytest.mark.parametrize(
    ("layout", "columns", "line", "reason"),
    [
        ("ucdp", UCDP, "1,2031-01-02,2031-01-01,1,0,0,0", "ends before"),
        ("ucdp", UCDP, "1,2031-01-02,2031-01-02,9,0,0,0", "no date_prec"),
        ("acled", ACLED, "A1,32 March 2031,1,x,y,1,1,0", "no day"),
        ("acled", ACLED, "A1,1 Mars 2031,1,x,y,1,1,0", "no day"),
    ],
)
def test_codes_are_those_of_the_codebook(layout: str, columns: str, line: str, reason: str) -> None:
    file = opened(f"{columns}\n{line}\n".encode(), layout)
    assert not list(file)
    assert reason in file.refused[0].reason


def test_damaged_words_are_marked_and_the_figures_kept() -> None:
    data = "date,best,place\n2031-01-01,5,Лиман\n".encode("windows-1251")
    (placed,) = opened(data)
    assert placed.odd
    assert placed.row.best == 5
    (mended,) = opened(data, encoding="windows-1251")
    assert not mended.odd
    assert mended.row.country == "Лиман"


def test_the_real_files_are_read_whole(data: Path) -> None:
    with (data / "ucdp_ged_ukraine_2017_jan_feb.csv").open("rb") as stream:
        file = open_events(stream, "ucdp")
        read = list(file)
    assert (len(read), file.bad, file.odd) == (34, 0, 9)
    with (data / "ucdp_ged_ukraine_2014_2021_compact.csv").open("rb") as stream:
        found = list(batches(open_events(stream, "ucdp")))
    assert sum(map(len, found)) == 2989
    assert np.concatenate([b.numbers["best"] for b in found]).min() >= 0
