"""Events in words; hostile facts stay text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.catalogue.rows import EventRow
from memcon.console.event_words import codec_words, ended_by, event_words, text_of, told
from memcon.console.lanes import letter

LANES = {0: "A", 2: "B"}


@pytest.mark.parametrize(
    ("facts", "text", "source"),
    [
        (
            {"type": "sip", "direction": "in", "transport": "udp", "remote": "10.0.0.9:5060"},
            "SIP message received from 10.0.0.9:5060 over UDP",
            "signalling",
        ),
        (
            {"type": "sip", "direction": "out", "transport": "tcp", "remote": "10.0.0.9:5060"},
            "SIP message sent to 10.0.0.9:5060 over TCP",
            "signalling",
        ),
        (
            {
                "type": "sip",
                "direction": "in",
                "transport": "udp",
                "remote": "h:1",
                "line": "BYE sip:a",
            },
            "SIP BYE received from h:1 over UDP",
            "signalling",
        ),
        (
            {
                "type": "sip",
                "direction": "out",
                "transport": "udp",
                "remote": "h:1",
                "line": "SIP/2.0 200",
            },
            "SIP 200 sent to h:1 over UDP",
            "signalling",
        ),
        ({"type": "hold"}, "Hold begins", "signalling"),
        ({"type": "resume", "stream": 2}, "Hold ends, lane B", "signalling"),
        ({"type": "hold", "stream": 8}, "Hold begins, lane 8", "signalling"),
        (
            {"type": "source", "stream": 3, "address": "10.0.0.7", "port": 4000},
            "Control reports (RTCP) on lane B came from 10.0.0.7:4000",
            "the recorder",
        ),
        (
            {"type": "source", "stream": 8, "address": "::1"},
            "Audio on stream 8 came from ::1",
            "the recorder",
        ),
        (
            {"type": "loss", "stream": 0, "layer": "kernel", "count": 7},
            "7 packets lost on lane A by this machine",
            "the recorder",
        ),
        (
            {"type": "takeover", "from": "1000000000", "until": "2500000000", "sockets": "kept"},
            "The recording process was replaced and read nothing for 1.5 s: "
            "what came meanwhile was read later",
            "the recorder",
        ),
        (
            {"type": "takeover", "from": 1, "until": "x", "sockets": "new"},
            "The recording process was replaced: what came meanwhile is lost",
            "the recorder",
        ),
        (
            {"type": "loss", "stream": 0, "layer": "srtp", "count": 3},
            "3 packets on lane A that no key opened: kept as they came",
            "the recorder",
        ),
        ({"type": "keys", "lines": 2}, "2\u00a0key lines of SRTP, kept apart from the message", "signalling"),
        ({"type": "keys"}, "Key lines of SRTP, kept apart from the message", "signalling"),
        ({"type": "loss", "layer": "journal", "count": 7}, "7 packets lost by journal", "the recorder"),
        (
            {"type": "off", "stream": 2, "statement": "ab"},
            "Recording switched off, on the record, lane B",
            "the recorder",
        ),
        (
            {"type": "on", "stream": 0, "count": 7},
            "Recording switched on again, lane A: 7 packets were not kept",
            "the recorder",
        ),
        ({"type": "off", "count": 7}, "The line was off to its end: 7 packets were not kept", "the recorder"),
        ({"type": "oddity", "text": "two Vias"}, "two Vias", "the recorder"),
        ({"type": "end", "cause": 1, "who": 1}, "Ended by the sender (BYE)", "the recorder"),
        ({"type": "end", "cause": "x"}, "", "the recorder"),
        (
            {"type": "metadata", "oddities": ["a", "b"]},
            "Metadata: who takes part, 2\u00a0oddities",
            "signalling",
        ),
        ({"type": "metadata"}, "Metadata: who takes part", "signalling"),
        ({"type": "new kind"}, "new kind", "the recorder"),
        ({}, "Not named", "the recorder"),
    ],
)
def test_an_event(facts: dict[str, Any], text: str, source: str) -> None:
    assert event_words(facts, LANES) == (text, source)


def event(n: int, since: int, kind: str, **facts: object) -> EventRow:
    return EventRow(n, since, since, {"type": kind, **facts})


def test_a_hold_of_several_lanes_is_said_once() -> None:
    events = [
        event(1, 5, "pause", stream=0),
        event(2, 5, "pause", stream=2),
        event(3, 7, "unpause", stream=0),
        event(4, 9, "unpause", stream=2),
        event(5, 9, "sip", direction="out", remote="h", transport="udp"),
    ]
    said = [(one.number, one.text) for one in told(events, LANES)]
    assert said == [
        (1, "Hold begins: the sender paused the recording, both lanes"),
        (3, "Hold ends: the sender took the recording up again, lane A"),
        (4, "Hold ends: the sender took the recording up again, lane B"),
        (5, "SIP message sent to h over UDP"),
    ]
    three = {**LANES, 4: "C"}
    assert told(events[:2], three)[0].text.endswith(", lanes A and B")
    both = [*events[:2], event(9, 5, "pause", stream=4)]
    assert told(both, three)[0].text.endswith(", every lane")


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
