"""The words of a report."""

from __future__ import annotations

import pytest
from tests.verify import builder as b

from memcon.verify import Report, to_text, verify_bundle
from memcon.verify.findings import MAX_PER_CODE
from memcon.verify.words import count, span, utc


def test_counts_spans_and_times() -> None:
    assert (count(1, "second"), count(1204, "second")) == ("1 second", "1,204 seconds")
    assert count(2, "leaf", "leaves") == "2 leaves"
    assert (span(3, 3), span(3, 5)) == ("second 3", "seconds 3 to 5")
    assert utc(1_800_000_000_999_999_999) == "2027-01-15T08:00:00Z"
    assert utc(2**63) == "2262-04-11T23:47:16Z"
    assert utc(2**73).endswith("ns after 1970")


def test_findings_name_second_stream_and_code() -> None:
    report = Report("x.zip", "call", "Headline.")
    report.add("media-segment", "media.mcb", "does not match", second=4, through=9, stream=2)
    report.add("media-segment", "media.mcb", "does not match", second=4, through=4)
    for _ in range(MAX_PER_CODE):
        report.add("media-late", "media.mcb", "late")
    report.facts = {"nothing": None, "list": [], "table": {}, "values": [{"a": 1, "b": None}, "c"]}
    text = to_text(report)
    assert "error [media-segment] media.mcb, seconds 4 to 9, stream 2: does not match" in text
    assert "error [media-segment] media.mcb, second 4: does not match" in text
    report.add("media-late", "media.mcb", "late")
    assert "note [media-late]: 1 more like these" in to_text(report)
    assert "nothing: none known" in text
    assert "values: a 1, b none known; c" in text
    assert report.findings[1].through is None


def test_many_spans_are_counted() -> None:
    report = Report("x.zip", "call")
    one = {
        "first": 0,
        "last": 0,
        "beat": 1,
        "slot_start": "a",
        "slot_end": "b",
        "clock": "c",
        "state": "match",
    }
    report.seconds = [one] * 30
    assert "and 6 more spans (--json shows them all)" in to_text(report)


@pytest.mark.parametrize("word", ["verified", "secure", "tamper", "success", "!", "integrity"])
def test_no_word_that_promises_more(word: str) -> None:
    world, call = b.simple()
    assert word not in to_text(verify_bundle(b.bundle(world, call).pack())).lower()
