"""The words of a report."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.verify import builder as b

from memcon.verify import Report, to_text, verify_bundle
from memcon.verify.findings import MAX_PER_CODE
from memcon.verify.words import MAX_ITEMS, count, plain, span, utc


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
    assert "values, 1: a 1, b none known\n" in text
    assert "values, 2: c\n" in text
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


@pytest.mark.parametrize(
    "name",
    [
        "President\nFound\n  - Nothing.",
        "\x1b[2J\x1b[1;1HThe recording is unaltered",
        "\u202egnihton",
        "\u2066\u2069 \u200b\u2028",
        "\x9b1A\x7f\r",
    ],
)
def test_a_name_cannot_write_the_report(name: str) -> None:
    report = Report(name, "call", f"Call of {name}")
    report.add("container-entry", name, name)
    report.facts = {"parties": [name, name], "one": name}
    report.checked, report.not_checked = [name], [name]
    plain_name = "x" * 8
    harmless = Report(plain_name, "call", f"Call of {plain_name}")
    harmless.add("container-entry", plain_name, plain_name)
    harmless.facts = {"parties": [plain_name, plain_name], "one": plain_name}
    harmless.checked, harmless.not_checked = [plain_name], [plain_name]
    text = to_text(report)
    assert len(text.splitlines()) == len(to_text(harmless).splitlines())
    assert all(character.isprintable() or character == "\n" for character in text)


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_shown_is_one_printable_line_that_any_terminal_can_be_sent(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    shown.encode("utf-8")
    assert (shown == text) == text.isprintable()


def test_several_parties_stand_on_a_line_each_and_many_are_counted() -> None:
    report = Report("x.zip", "call")
    report.facts = {"parties": [f'"A{n}; B"' for n in range(MAX_ITEMS + 5)], "calls": [1, 2, 3]}
    lines = to_text(report).splitlines()
    assert '  - parties, 1: "A0; B"' in lines
    assert "  - parties: 5 more (--json shows them)" in lines
    assert "  - calls: 1; 2; 3" in lines
