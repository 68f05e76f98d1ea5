"""Event files by their published columns: UCDP GED, GDELT 1.0 and 2.0, ACLED, ICEWS, and a plain list.

Column names and the meaning of their codes are from the data sets' own codebooks: UCDP GED Codebook 22.1,
GDELT Event Codebook 2.0 (and the 1.0 header files), ACLED Codebook 2023, ICEWS Coded Event Data
Read Me. A layout says which columns it needs and turns the fields of one row into a `Row`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from memcon.errors import FormatError
from memcon.record import edtf
from memcon.record.layout import brief

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

NONE = -1
"""No such figure. Figures are never below 0."""
NOWHERE = -(1 << 31)
"""No coordinate."""
MOST = (1 << 31) - 1
_MOST_NAMES = 1 << 16
_SECOND_NS = 1_000_000_000
_DAY_NS = 86_400 * _SECOND_NS
_EPOCH = date(1970, 1, 1).toordinal()


class Row(NamedTuple):
    """One event. `start`, `end`: first and last day, as `date.toordinal`; `within`: known to so many days.

    `low`, `best`, `high`: deaths, NONE where not given. `lat`, `lon` in millionths of a degree. `second`:
    seconds since 1970 where a time of day is given.
    """

    start: int
    end: int
    within: int
    low: int
    best: int
    high: int
    lat: int
    lon: int
    kind: str
    country: str
    second: int = NONE


class RowError(Exception):
    """What is wrong with one row; the reader says which."""


class Number(NamedTuple):
    """Where a column of numbers is and how it is read; `constant` where the file has none."""

    at: int | None
    read: Mapping[str, int] | None
    constant: int = NONE


NOTHING = Number(None, None)


class Word(NamedTuple):
    """Where a column of words is, and their names."""

    at: int | None
    names: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """How the fields of a file's rows become a `Row`. Columns that are not named are NONE."""

    numbers: Mapping[str, Number]
    kind: Word
    country: Word

    @cached_property
    def places(self) -> tuple[int, ...]:
        """The columns that are read, two at least."""
        every = [*(n.at for n in self.numbers.values()), self.kind.at, self.country.at]
        found = sorted({place for place in every if place is not None})
        return tuple(found if len(found) > 1 else found * 2)

    @cached_property
    def _order(self) -> tuple[tuple[int | None, Mapping[str, int] | None, int], ...]:
        return tuple(self.numbers.get(name, NOTHING) for name in FIGURES)

    def row(self, fields: Sequence[str]) -> Row:
        """One row. RowError for what cannot be read."""
        values = [
            constant if at is None or read is None else read[fields[at]] for at, read, constant in self._order
        ]
        if values[1] < values[0]:
            raise RowError("it ends before it begins")
        kind, country = (
            "" if word.at is None else word.names[fields[word.at]] for word in (self.kind, self.country)
        )
        start, end, within, low, best, high, lat, lon, second = values
        return Row(start, end, within, low, best, high, lat, lon, kind, country, second)


FIGURES = ("start", "end", "within", "low", "best", "high", "lat", "lon", "second")


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of file. `needs` are columns without which it cannot be read (each by any of its names).

    `widths` are the numbers of columns of a file without a header. `shows` are the columns that an item of
    a time line is told with: (what, names).
    """

    key: str
    title: str
    cite: str
    delimiter: str
    needs: tuple[tuple[str, ...], ...]
    shows: Mapping[str, tuple[str, ...]]
    plan: Callable[[Mapping[str, int]], Plan]
    widths: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()

    def fits(self, header: Sequence[str]) -> bool:
        """Whether a header has every needed column."""
        return all(any(name in header for name in names) for names in self.needs)

    def missing(self, header: Sequence[str]) -> list[str]:
        """The needed columns that a header lacks."""
        return [" or ".join(names) for names in self.needs if not any(n in header for n in names)]


# ---------------------------------------------------------------- values


def _iso_day(text: str) -> int:
    """`2017-01-29`, with or without a time of day after it."""
    try:
        return date.fromisoformat(text[:10]).toordinal()
    except ValueError:
        raise RowError(f"{brief(text)} is no day") from None


def _packed_day(text: str) -> int:
    """`20170129`."""
    if len(text) != 8 or not text.isdigit():
        raise RowError(f"{brief(text)} is no day (YYYYMMDD)")
    return _iso_day(f"{text[:4]}-{text[4:6]}-{text[6:]}")


_MONTHS = (
    "january february march april may june july august september october november december".split()  # noqa: SIM905
)


def _worded_day(text: str) -> int:
    """`29 January 2017` or `2017-01-29`."""
    parts = text.split()
    if len(parts) != 3:
        return _iso_day(text)
    month = parts[1].lower()
    if month not in _MONTHS or not parts[0].isdigit() or not parts[2].isdigit():
        raise RowError(f"{brief(text)} is no day")
    return _iso_day(f"{int(parts[2]):04d}-{_MONTHS.index(month) + 1:02d}-{int(parts[0]):02d}")


class _Memo(dict[str, int]):
    """Values of a column are few: each is read once. Emptied when it grows past what helps."""

    def __init__(self, read: Callable[[str], int], most: int = 1 << 17) -> None:
        super().__init__()
        self._read = read
        self._most = most

    def __missing__(self, text: str) -> int:
        value = self._read(text)
        if len(self) >= self._most:
            self.clear()
        self[text] = value
        return value


def _figure(text: str) -> int:
    """A count; nothing stands for not given."""
    text = text.strip()
    if text in ("", "NA", "NULL"):
        return NONE
    if text.isascii() and text.isdigit() and int(text) <= MOST:
        return int(text)
    raise RowError(f"{brief(text)} is no count")


def _degrees(text: str, most: int) -> int:
    text = text.strip()
    if text in ("", "NA", "NULL"):
        return NOWHERE
    try:
        value = float(text)
    except ValueError:
        raise RowError(f"{brief(text)} is no coordinate") from None
    if not -most <= value <= most:
        raise RowError(f"{brief(text)} is no coordinate")
    return round(value * 1_000_000)


def _latitude(text: str) -> int:
    return _degrees(text, 90)


def _longitude(text: str) -> int:
    return _degrees(text, 180)


def _within(codes: Mapping[str, int], what: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        if text.strip() not in codes:
            raise RowError(f"{brief(text)} is no {what}")
        return codes[text.strip()]

    return read


class _Names(dict[str, str]):
    """Words of a column, one copy of each; codes that have a name get it."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._names = names or {}

    def __missing__(self, text: str) -> str:
        if len(self) >= _MOST_NAMES:
            self.clear()
        value = self[text] = self._names.get(text, text)
        return value


def _first(at: Mapping[str, int], names: tuple[str, ...]) -> int | None:
    return next((at[name] for name in names if name in at), None)


def _figure_at(place: int | None) -> Number:
    return Number(place, _Memo(_figure))


def _where(at: Mapping[str, int], lat: tuple[str, ...], lon: tuple[str, ...]) -> dict[str, Number]:
    return {
        "lat": Number(_first(at, lat), _Memo(_latitude), NOWHERE),
        "lon": Number(_first(at, lon), _Memo(_longitude), NOWHERE),
    }


# ---------------------------------------------------------------- layouts

_UCDP_WITHIN = {"1": 1, "2": 6, "3": 7, "4": 31, "5": 366}
_ACLED_WITHIN = {"1": 1, "2": 7, "3": 31}
_UCDP_VIOLENCE = {"1": "state-based conflict", "2": "non-state conflict", "3": "one-sided violence"}


def _ucdp(at: Mapping[str, int]) -> Plan:
    return Plan(
        {
            "start": Number(at["date_start"], _Memo(_iso_day)),
            "end": Number(at["date_end"], _Memo(_iso_day)),
            "within": Number(at["date_prec"], _Memo(_within(_UCDP_WITHIN, "date_prec"))),
            "low": _figure_at(at["low"]),
            "best": _figure_at(at["best"]),
            "high": _figure_at(at["high"]),
            **_where(at, ("latitude", "lat"), ("longitude", "lon")),
        },
        Word(at.get("type_of_violence"), _Names(_UCDP_VIOLENCE)),
        Word(_first(at, ("country", "adm_1")), _Names()),
    )


def _coded(at: Mapping[str, int], day: Number, code: str, country: str, lat: str, lon: str) -> Plan:
    """Files of coded reports: one day, a CAMEO code, no figures."""
    return Plan(
        {"start": day, "end": day, "within": Number(None, None, 1), **_where(at, (lat,), (lon,))},
        Word(at[code], _Names()),
        Word(at[country], _Names()),
    )


def _gdelt(at: Mapping[str, int]) -> Plan:
    day = Number(at["SQLDATE"], _Memo(_packed_day))
    place = ("ActionGeo_CountryCode", "ActionGeo_Lat", "ActionGeo_Long")
    return _coded(at, day, "EventCode", *place)


def _icews(at: Mapping[str, int]) -> Plan:
    day = Number(at["Event Date"], _Memo(_iso_day))
    return _coded(at, day, "CAMEO Code", "Country", "Latitude", "Longitude")


def _acled(at: Mapping[str, int]) -> Plan:
    day = Number(at["event_date"], _Memo(_worded_day))
    return Plan(
        {
            "start": day,
            "end": day,
            "within": Number(at["time_precision"], _Memo(_within(_ACLED_WITHIN, "time_precision"))),
            "best": _figure_at(at["fatalities"]),
            **_where(at, ("latitude",), ("longitude",)),
        },
        Word(at["sub_event_type"], _Names()),
        Word(at["country"], _Names()),
    )


@lru_cache(maxsize=4096)
def _edtf_days(text: str) -> tuple[int, int, int, int]:
    """(first day, last day, known to so many days, second or NONE) of an EDTF date with no open side."""
    try:
        read = edtf.parse(text.strip())
    except FormatError as error:
        raise RowError(error.problem) from None
    if read.start is None or read.end is None:
        raise RowError(f"{brief(text)} is open on one side")
    first, last = read.start // _DAY_NS + _EPOCH, (read.end - 1) // _DAY_NS + _EPOCH
    second = read.start // _SECOND_NS if read.precision in ("second", "minute") else NONE
    return first, last, max(last - first + 1, 2 if read.uncertain or read.approximate else 1), second


def _plain(at: Mapping[str, int]) -> Plan:
    day = at["date"]
    return Plan(
        {
            "start": Number(day, _Memo(lambda text: _edtf_days(text)[0])),
            "end": Number(day, _Memo(lambda text: _edtf_days(text)[1])),
            "within": Number(day, _Memo(lambda text: _edtf_days(text)[2])),
            "low": _figure_at(at.get("low")),
            "best": _figure_at(_first(at, ("best", "deaths"))),
            "high": _figure_at(at.get("high")),
            **_where(at, ("latitude", "lat"), ("longitude", "lon")),
            "second": Number(day, _Memo(lambda text: _edtf_days(text)[3])),
        },
        Word(_first(at, ("kind", "what", "parties")), _Names()),
        Word(_first(at, ("country", "place")), _Names()),
    )


def _geo(who: str, *, adm2: bool) -> tuple[str, ...]:
    fields = ["Type", "FullName", "CountryCode", "ADM1Code", *(["ADM2Code"] if adm2 else [])]
    return tuple(f"{who}Geo_{field}" for field in [*fields, "Lat", "Long", "FeatureID"])


def _actor(n: int) -> tuple[str, ...]:
    parts = ("Code", "Name", "CountryCode", "KnownGroupCode", "EthnicCode", "Religion1Code", "Religion2Code")
    return tuple(f"Actor{n}{part}" for part in (*parts, "Type1Code", "Type2Code", "Type3Code"))


def _gdelt_columns(*, adm2: bool) -> tuple[str, ...]:
    return (
        *("GLOBALEVENTID", "SQLDATE", "MonthYear", "Year", "FractionDate"),
        *_actor(1),
        *_actor(2),
        *("IsRootEvent", "EventCode", "EventBaseCode", "EventRootCode", "QuadClass", "GoldsteinScale"),
        *("NumMentions", "NumSources", "NumArticles", "AvgTone"),
        *_geo("Actor1", adm2=adm2),
        *_geo("Actor2", adm2=adm2),
        *_geo("Action", adm2=adm2),
        *("DATEADDED", "SOURCEURL"),
    )


_GDELT_SHOWS = {
    "id": ("GLOBALEVENTID",),
    "what": ("EventCode",),
    "place": ("ActionGeo_FullName",),
    "side a": ("Actor1Name",),
    "side b": ("Actor2Name",),
    "article": ("SOURCEURL",),
}

UCDP = Layout(
    "ucdp",
    "UCDP Georeferenced Event Dataset",
    "Sundberg and Melander 2013; Uppsala Conflict Data Program",
    ",",
    (("id",), ("date_start",), ("date_end",), ("date_prec",), ("low",), ("best",), ("high",)),
    {
        "id": ("id",),
        "what": ("conflict_name", "dyad_name"),
        "place": ("where_coordinates", "where"),
        "side a": ("side_a",),
        "side b": ("side_b",),
        "article": ("source_article",),
        "original": ("source_original",),
    },
    _ucdp,
)
GDELT1 = Layout(
    "gdelt1",
    "GDELT 1.0 events",
    "The GDELT Project",
    "\t",
    (("GLOBALEVENTID",), ("SQLDATE",), ("EventCode",), ("ActionGeo_CountryCode",), ("ActionGeo_Lat",)),
    _GDELT_SHOWS,
    _gdelt,
    (57, 58),  # files of before April 2013 have no SOURCEURL
    _gdelt_columns(adm2=False),
)
GDELT2 = Layout(
    "gdelt2",
    "GDELT 2.0 events",
    "The GDELT Project",
    "\t",
    (*GDELT1.needs, ("ActionGeo_ADM2Code",)),
    _GDELT_SHOWS,
    _gdelt,
    (61,),
    _gdelt_columns(adm2=True),
)
ACLED = Layout(
    "acled",
    "Armed Conflict Location and Event Data (ACLED)",
    "Raleigh, Kishi and Linke 2023; acleddata.com",
    ",",
    (
        *(("event_id_cnty",), ("event_date",), ("time_precision",), ("sub_event_type",), ("country",)),
        *(("latitude",), ("longitude",), ("fatalities",)),
    ),
    {
        "id": ("event_id_cnty",),
        "what": ("notes",),
        "place": ("location",),
        "side a": ("actor1",),
        "side b": ("actor2",),
        "article": ("source",),
    },
    _acled,
)
ICEWS = Layout(
    "icews",
    "ICEWS coded event data",
    "Boschee et al. 2015, ICEWS Coded Event Data",
    "\t",
    (("Event ID",), ("Event Date",), ("CAMEO Code",), ("Country",), ("Latitude",), ("Longitude",)),
    {
        "id": ("Event ID",),
        "what": ("Event Text",),
        "place": ("City", "Province"),
        "side a": ("Source Name",),
        "side b": ("Target Name",),
        "article": ("Publisher",),
    },
    _icews,
)
PLAIN = Layout(
    "plain",
    "a list with a column `date`",
    "",
    ",",
    (("date",),),
    {
        "id": ("id",),
        "what": ("what", "title", "parties", "kind"),
        "place": ("place",),
        "article": ("article", "url"),
        "original": ("original", "source"),
    },
    _plain,
)
LAYOUTS = {layout.key: layout for layout in (UCDP, GDELT2, GDELT1, ACLED, ICEWS, PLAIN)}
