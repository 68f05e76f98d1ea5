"""Events in words; hostile facts stay text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.console.event_words import codec_words, ended_by, event_words, text_of
from memcon.console.lanes import letter

LANES = {0: "A", 2: "B"}


@pytest.mark.parametrize(
    ("facts", "text", "source"),
    [
        (
            {"type": "sip", "direction": "in", "transport": "udp", "remote": "10.0.0.9:5060"},
            "SIP message from 10.0.0.9:5060 over UDP",
            "signalling",
        ),
        (
            {"type": "sip", "direction": "out", "transport": "tcp", "remote": "10.0.0.9:5060"},
            "SIP message sent to 10.0.0.9:5060 over TCP",
            "signalling",
        ),
        ({"type": "hold"}, "Hold", "signalling"),
        ({"type": "unpause", "stream": 2}, "Unpaused on lane B", "signalling"),
        (
            {"type": "source", "stream": 3, "address": "10.0.0.7", "port": 4000},
            "The sender's address on lane B is 10.0.0.7:4000",
            "the recorder",
        ),
        (
            {"type": "source", "stream": 8, "address": "::1"},
            "The sender's address on stream 8 is ::1",
            "the recorder",
        ),
        (
            {"type": "loss", "stream": 0, "layer": "kernel", "count": 7},
            "7 packets lost on lane A, at this machine",
            "the recorder",
        ),
        ({"type": "loss", "layer": "journal", "count": 7}, "7 packets lost, at journal", "the recorder"),
        ({"type": "oddity", "text": "two Vias"}, "two Vias", "the recorder"),
        ({"type": "end", "cause": 1, "who": 1}, "Ended by the sender (BYE)", "the recorder"),
        ({"type": "end", "cause": "x"}, "", "the recorder"),
        ({"type": "metadata", "oddities": ["a", "b"]}, "Metadata of the session, 2 oddities", "signalling"),
        ({"type": "metadata"}, "Metadata of the session", "signalling"),
        ({"type": "new kind"}, "new kind", "the recorder"),
        ({}, "Not named", "the recorder"),
    ],
)
def test_an_event(facts: dict[str, Any], text: str, source: str) -> None:
    assert event_words(facts, LANES) == (text, source)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=400),
    lambda x: st.lists(x, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from(["type", "stream", "text", "cause", "who", "oddities", "count"]), JSON)
)
def test_no_facts_break_the_page(facts: dict[str, Any]) -> None:
    text, _ = event_words(facts, LANES)
    assert len(text) < 700


def test_how_a_call_ended() -> None:
    assert ended_by(None, None) == ""
    assert ended_by(5, 0) == "ended: time-out"
    assert ended_by(99, 2) == "ended by the recorder (cause 99)"


def test_codecs() -> None:
    assert (
        codec_words([{"name": "telephone-event"}, {"name": "PCMA", "rate": 8000}]) == "G.711 A-law, 8000 Hz"
    )
    assert codec_words([{"name": "opus"}]) == "opus"
    assert codec_words([]) == ""


def test_long_text_is_cut() -> None:
    assert len(text_of("x" * 1000)) == 300
    assert text_of(None) == ""
    assert text_of(7) == "7"


def test_letters_of_lanes() -> None:
    assert [letter(i) for i in (0, 25, 26, 701)] == ["A", "Z", "AA", "ZZ"]
