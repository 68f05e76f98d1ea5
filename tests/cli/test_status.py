"""What `memcon status` says of witnesses, time stamps and drand."""

from __future__ import annotations

from typing import Any

from memcon.cli.status import witness_lines

SAID: dict[str, Any] = {
    "running": True,
    "quorum": True,
    "size": 7,
    "quorum_time": 1_800_000_000,
    "witnesses": [
        {"names": ["w1"], "size": 7, "time": 1_800_000_000, "problem": ""},
        {"names": ["w2"], "size": 0, "time": 0, "problem": "no answer"},
    ],
}


def test_the_quorum_and_each_witness() -> None:
    assert witness_lines(SAID) == [
        "a quorum of witnesses is there; the last one, over 7 leaves, at 2027-01-15T08:00:00Z",
        "  w1: 7 leaves at 2027-01-15T08:00:00Z",
        "  w2: nothing yet; no answer",
    ]
    assert witness_lines(SAID | {"running": False})[0].startswith("NO QUORUM")
    assert witness_lines({}) == []


def test_time_stamps_and_drand() -> None:
    stamps = [
        {"url": "http://a/", "time": 1_800_000_000, "problem": ""},
        {"url": "http://b/", "time": 0, "problem": "answers 503"},
    ]
    assert witness_lines(SAID | {"timestamps": stamps, "drand": ""})[-3:] == [
        "  http://a/: stamped a note at 2027-01-15T08:00:00Z",
        "  http://b/: no time stamp yet; answers 503",
        "  drand: beats name its newest round",
    ]
    assert witness_lines(SAID | {"drand": "is of the future"})[-1] == "  drand: is of the future"
