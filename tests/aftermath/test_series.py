from __future__ import annotations

import io

import numpy as np
import pytest

from memcon.aftermath.reading import EventFile, open_events
from memcon.aftermath.series import (
    Request,
    Selection,
    Series,
    parse_holes,
    parse_regimes,
    read_series,
    study_of,
    tick_of,
)
from memcon.aftermath.study import Hypothesis, Naming
from memcon.errors import FormatError, UsageError

AFTER = Hypothesis("", "after")


def plain(text: str) -> EventFile:
    return open_events(io.BytesIO(text.encode()), "list.csv")


def test_what_is_left_out_is_said() -> None:
    file = plain(
        "date,best,place\n2017-01-29,5,X\n2017-01,3,X\n2017-01-30,,X\n2017-02-30,1,X\n2017-01-31,2,Y\n"
    )
    read = read_series(file, Selection("best", country="X"))
    assert read.weights.tolist() == [5]
    assert read.remarks == (
        "1 row of list.csv is left out: not dated to within 6 days.",
        "1 row of list.csv is left out: no best figure.",
        "1 row of list.csv is left out: cannot be read ('2017-02-30' is no day there can be).",
    )


def test_continuous_time_needs_times_of_day() -> None:
    read = read_series(plain("date\n1970-01-02T00:00:05Z\n"), Selection(), "second")
    assert read.first.tolist() == [86_405]
    with pytest.raises(FormatError, match="row 1: a date without a time of day"):
        read_series(plain("date\n1970-01-02\n"), Selection(), "second")


def series(days: list[int], weights: list[int] | None = None, last: list[int] | None = None) -> Series:
    first = np.array(days, np.int64)
    return Series(
        first,
        first if last is None else np.array(last, np.int64),
        np.ones(len(days), np.int64) if weights is None else np.array(weights, np.int64),
    )


def test_a_window_of_days_counts_both_its_edges() -> None:
    made = study_of(
        series([10, 12, 60]), series([9, 40, 900]), Request((3,), span=(1, 99), call=9), AFTER, Naming()
    )
    assert made.sequels[0].value == 2
    assert made.question.windows[0].width == 2
    assert made.naming.remarks == ("Of the calls, 1 outside the span are left out.",)


def test_uncertain_dates_are_tried_at_both_ends() -> None:
    events = series([10, 20, 60], last=[10, 25, 60])
    made = study_of(events, series([19, 50]), Request((3,), call=19), AFTER, Naming())
    assert (made.sequels[0].value, made.sequels_at_end[0].value) == (1, 0)


def test_days_with_less_are_no_events() -> None:
    events = series([10, 10, 20, 60], [2, 2, 3, 9])
    asked = Request((3,), at_least=4, statistics=("trigger",))
    assert study_of(events, series([19, 50]), asked, AFTER, Naming()).tested.events == 2


def test_holes_regimes_and_seconds() -> None:
    asked = Request((60,), 0, unit="second", null="stratified", draws=50,
                    holes=parse_holes(["1970-01-01T00:10Z/1970-01-01T00:19:59Z"], "second"),
                    regimes=parse_regimes(["1970-01-01T00:30Z=late"], "second"))  # fmt: skip
    events = series([0, 65, 300, 3599])
    made = study_of(events, series([0, 290, 1850]), asked, AFTER, Naming())
    assert made.tested.length == 3000
    assert made.tested.outcomes[1].value == 2


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: tick_of("2017-01", "day"), "known to the day"),
        (lambda: parse_regimes(["2017-01-01"], "day"), "no regime"),
        (lambda: parse_holes(["2017-02-01/2017-01-01"], "day"), "ends before"),
        (lambda: study_of(series([]), series([3]), Request((3,)), AFTER, Naming()), "no event fits"),
        (lambda: study_of(series([1, 9]), series([3]), Request((0,)), AFTER, Naming()), "no days"),
        (lambda: study_of(series([1, 9]), series([3]), Request((3,), call=99), AFTER, Naming()), "singled"),
    ],
)
def test_what_cannot_be_asked(call: object, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        call()  # type: ignore[operator]


def test_a_day_is_read_as_a_tick() -> None:
    assert tick_of("0001-01-01", "day") == 1
    assert tick_of("1970-01-01T00:01Z", "second") == 60
