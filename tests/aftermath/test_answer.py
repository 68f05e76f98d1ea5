"""The answer on the call and the events that the example dossier is about, and the words around it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from memcon.aftermath.answer import answer, length_words, one_in, p_words, window_words
from memcon.aftermath.picture import alone, class_picture, drawn, histogram, sequel_picture
from memcon.aftermath.reading import open_events
from memcon.aftermath.series import Request, Selection, Series, read_series, study_of, tick_of
from memcon.aftermath.study import Hypothesis, Naming, Study, facts
from memcon.aftermath.windows import Window

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.aftermath.study import Chosen

SPAN = (tick_of("2015-03-01", "day"), tick_of("2021-12-31", "day"))
EXAMPLE = Request((3, 1, 2, 7), span=SPAN, call=tick_of("2017-01-28", "day"))


@pytest.fixture(scope="module")
def study(data: Path) -> Study:
    with (data / "ucdp_ged_ukraine_2014_2021_compact.csv").open("rb") as stream:
        events = read_series(open_events(stream, "ucdp.csv"), Selection("best"))
    with (data / "leader-calls-us-ru.csv").open("rb") as stream:
        calls = read_series(open_events(stream, "calls.csv"), Selection(within=1))
    naming = Naming("deaths", "calls", events_from="UCDP GED", calls_from="by hand")
    return study_of(events, calls, EXAMPLE, Hypothesis("", "after", "A. Reader", "2026-11-25"), naming)


def test_the_call_of_28_january_2017(study: Study) -> None:
    by_window = sorted((s.window.width + 1, s.value, s.as_many, s.ticks) for s in study.sequels)
    assert by_window == [(1, 6, 36, 2498), (2, 13, 13, 2498), (3, 24, 4, 2498), (7, 35, 10, 2498)]
    assert study.without is not None
    three, seven = (study.tested.of(Window(w, 1), "total") for w in (2, 6))
    assert (f"{three.rate:.2f}", p_words(three.p)) == ("2.28", ".253")
    assert (f"{seven.rate:.2f}", p_words(seven.p)) == ("5.44", ".207")
    assert p_words(study.without.of(Window(2, 1), "total").p) == ".934"
    assert p_words(study.without.of(Window(6, 1), "total").p) == ".663"


def test_its_answer_says_what_cannot_be_concluded(study: Study) -> None:
    said = answer(study)
    assert said.lede == (
        "What followed was rare, about 1 day in 600; but it was picked after the fact, calls of this kind "
        "show no more deaths after them than chance gives, and one event cannot tell a cause from chance."
    )
    assert "24 deaths. At least as many followed 4 of 2,498 days (0.16 %), in two separate" in said.seen[0]
    assert any("placed on the last day" in line and "17 in the next three days" in line for line in said.seen)
    assert any("have no effect: there are 18 of them" in line for line in said.not_concluded)
    assert "written down after the events were seen, by A. Reader, 2026-11-25" in said.how
    assert "all 2,497 of them" in said.how


def test_it_is_kept_with_all_its_numbers(study: Study) -> None:
    kept = facts(study)
    assert kept["hypothesis"]["written_down"] == "after"
    assert len(kept["class"]) == len(kept["class_without_the_call"]) == 12
    assert kept["sequel"][0]["as_many"] == 4
    assert all(0 < o["p"] <= o["p_family"] <= 1 for o in kept["class"])


def test_pictures_are_images_with_a_sentence(study: Study) -> None:
    for svg in (drawn(sequel_picture(study)), drawn(class_picture(study))):
        root = ET.fromstring(svg)  # noqa: S314 # made here
        assert root.get("role") == "img"
        assert root.get("aria-label", "").endswith(".")
    assert "4 by 24 or more, among them 28 January 2017." in sequel_picture(study).label
    ET.fromstring(alone(drawn(sequel_picture(study))).encode())  # noqa: S314


def test_what_a_stranger_wrote_cannot_leave_the_picture() -> None:
    svg = drawn(histogram(np.array([0, 900]), np.array([5, 1]), 900, ("<script>", "&"), '"><script>'))
    assert "<script>" not in svg
    ET.fromstring(svg)  # noqa: S314


def small_study(chosen: Chosen = "before", evidence: str = "", **asked: object) -> Study:
    rng = np.random.default_rng(1)
    days = np.sort(rng.choice(1000, 40, replace=False)).astype(np.int64) + 700_000
    request = Request(**{"windows": (1,), "statistics": ("trigger",), **asked})  # type: ignore[arg-type]
    events = Series(days, days, np.ones(len(days), np.int64))
    calls = days[5:20] - 1
    listed, asked_how = Series(calls, calls, calls * 0 + 1), Hypothesis("", chosen, "", "", evidence)
    return study_of(events, listed, request, asked_how, Naming())


def test_a_class_that_shows_something_is_no_cause() -> None:
    said = answer(small_study())
    assert said.lede.startswith("Calls of this kind show events after them more often than chance gives (p ")
    assert said.lede.endswith("a coincidence in time is not a cause.")
    assert any("it is the word of whoever says so" in line for line in said.not_concluded)
    assert any("the null model knows of no common cause" in line for line in said.not_concluded)
    assert not any("word of whoever" in line for line in answer(small_study(evidence="note 7")).not_concluded)


def test_unknown_is_not_before() -> None:
    assert "is not known to have been written down before" in answer(small_study("unknown")).lede
    with_call = small_study("unknown", call=700_500)
    assert "it is not known to have been picked before the fact" in answer(with_call).lede


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"direction": "fewer"}, "no events after them less often than chance"),
        ({"direction": "either", "statistics": ("total",)}, "show more or fewer events after them"),
        ({"null": "poisson"}, "calls put anywhere"),
        ({"null": "block", "block": 30}, "permutation of blocks of 30 days"),
        (
            {"null": "stratified", "regimes": ((700_500, "later"),)},
            "within each regime, 9,999 drawn with seed 1",
        ),
        ({"direction": "fewer", "statistics": ("precursor",)}, "events with a call before them less often"),
    ],
)
def test_the_model_and_direction_are_said(asked: dict[str, object], words: str) -> None:
    said = answer(small_study(**asked))  # type: ignore[arg-type]
    assert words in said.lede + said.how


def test_poisson_is_warned_of_where_both_cluster() -> None:
    study = small_study()
    assert "holds for series that do not cluster" in answer(study).how
    assert "too small here" in answer(replace(study, variation=(1.9, 1.4))).how
    assert "Poisson" not in answer(small_study(direction="fewer")).how


def test_words_of_numbers() -> None:
    assert [p_words(p) for p in (1.0, 0.2534, 0.0004, 2.4e-9)] == ["1", ".253", ".0004", "2.4e-09"]
    assert [one_in(s) for s in (1.0, 1 / 7, 4 / 2498, 1 / 12_345)] == [1, 7, 600, 10_000]
    assert [length_words(n, "second") for n in (90, 120, 7200, 86_400, 172_800)] == [
        *("90 s", "2 min", "2 h", "1 day", "2 days"),
    ]
    assert [
        window_words(w, "day")
        for w in (
            Window(0),
            Window(2),
            Window(0, 1),
            Window(2, 1),
            Window(2, 4),
            Window(2, 0, True),
            Window(1, 3, True),
        )
    ] == [
        "on the same day",
        "on the same day and the next two days",
        "the next day",
        "in the next three days",
        "from day 4 to day 6 after",
        "within two days before or after",
        "within one day before or after of day 3 after it",
    ]
    assert window_words(Window(3600, 60), "second") == "in the 1 h after, from 1 min after it on"
    assert window_words(Window(3600, 60, True), "second") == "within 1 h of 1 min after"
