"""Uncertain dates: what they bound, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.errors import FormatError
from memcon.record.edtf import parse

NS = 1_000_000_000


def at(text: str | None) -> int | None:
    return None if text is None else int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS


@pytest.mark.parametrize(
    ("text", "start", "end", "precision"),
    [
        ("2017-01-28", "2017-01-28", "2017-01-29", "day"),
        ("2016-02-29", "2016-02-29", "2016-03-01", "day"),
        ("2017-12", "2017-12-01", "2018-01-01", "month"),
        ("2017", "2017-01-01", "2018-01-01", "year"),
        ("201X", "2010-01-01", "2020-01-01", "decade"),
        ("19XX", "1900-01-01", "2000-01-01", "century"),
        ("00XX", "0001-01-01", "0100-01-01", "century"),
        ("2017-01-XX", "2017-01-01", "2017-02-01", "month"),
        ("2017-XX", "2017-01-01", "2018-01-01", "year"),
        ("2017-XX-XX", "2017-01-01", "2018-01-01", "year"),
        ("2017-24", "2017-12-01", "2018-03-01", "season"),
        ("2017-21", "2017-03-01", "2017-06-01", "season"),
        ("2017-01-28T17:00Z", "2017-01-28T17:00", "2017-01-28T17:01", "minute"),
        ("2017-01-28T17:00:05+03:00", "2017-01-28T14:00:05", "2017-01-28T14:00:06", "second"),
        ("2017-01-28T17:00:05-05:30", "2017-01-28T22:30:05", "2017-01-28T22:30:06", "second"),
        ("2017-01-28/2017-01-29", "2017-01-28", "2017-01-30", "interval"),
        ("2017-01-28T05:00Z/2017-01", "2017-01-28T05:00", "2017-02-01", "interval"),
        ("../2017-01-29", None, "2017-01-30", "interval"),
        ("2017-01-29/..", "2017-01-29", None, "interval"),
        ("/2017", None, "2018-01-01", "interval"),
        ("2017/", "2017-01-01", None, "interval"),
    ],
)
def test_what_a_date_bounds(text: str, start: str | None, end: str | None, precision: str) -> None:
    found = parse(text)
    assert (found.start, found.end, found.precision) == (at(start), at(end), precision)
    assert found.sort_key == (found.start if found.start is not None else found.end)


def test_qualifiers() -> None:
    assert (parse("2017-01-28?").uncertain, parse("2017-01-28?").approximate) == (True, False)
    assert (parse("2017-01~").uncertain, parse("2017-01~").approximate) == (False, True)
    assert (parse("2017%").uncertain, parse("2017%").approximate) == (True, True)
    assert parse("2017-01-28T05:00Z~").approximate
    assert parse("2017-01-28?/2017-01-29").uncertain
    assert parse("2017-01-28").exact
    assert not parse("2017-01-28~").exact
    assert not parse("2017-01").exact
    assert not parse("2017-01-28T05:00").zoned
    assert not parse("2017-01-28T05:00/2017-01-29").zoned


def test_the_end_of_time() -> None:
    assert parse("9999").end == parse("9999-12-31").end
    assert parse("999X").end == parse("9999").end
    assert parse("99XX").end == parse("9999").end


@pytest.mark.parametrize(
    "text",
    ["", "28.01.2017", "2017-02-29", "2017-13", "2017-00", "2017-1-2", "2017-01-32", "0000", "2017-25",
     "2017-01-28T25:00Z", "2017-01-28T05:00+15:00", "2017-01-28T05:00+05:60", "2017-01-28T", "2017-XX-05",
     "201X-05", "2017-21-05", "2017-01-29/2017-01-28", "/", "../..", "2017/2018/2019", "2017/yesterday",
     "0001-01-01T00:00+14:00", "2017-01-28 ", "٢٠١٧", "2017" * 40],
)  # fmt: skip
def test_what_is_no_date_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(FormatError) as refused:
        parse(text)
    assert refused.value.cure


@given(st.text(alphabet="0123456789-/XTZ:+.~?%", max_size=24))
def test_nothing_else_is_ever_raised(text: str) -> None:
    try:
        found = parse(text)
    except FormatError:
        return
    if found.start is not None and found.end is not None:
        assert found.start < found.end


@given(st.dates())
def test_every_day_is_24_hours(day: object) -> None:
    found = parse(str(day))
    assert found.start is not None
    assert found.end is not None
    assert found.end - found.start == 86_400 * NS
