"""A call as a vCon, checked by the working group's schema and read again by our own reader."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.release.test_words import transcript

from memcon.release.vcon import CallFacts, Proof, Sound, content_hash, make_vcon

DATA = os.environ.get("MEMCON_TEST_DATA")
NS = 1_000_000_000
START = 1_795_509_247 * NS
SOUND = Sound(b"fLaC sound", "audio/flac", "call.flac", [[0], [1]])
PARTIES = [
    {"id": "a", "name": "A. Holt", "aor": "sip:holt@a.example"},
    {"id": "b", "name": "", "aor": "tel:+12025550100"},
]
CALL = CallFacts(
    "log.example call 7", "Call 2026-11-24/0007", START, 9 * NS, PARTIES, "recorder",
    [(0, START + 2 * NS, "hold"), (0, START + 4 * NS, "resume"), (1, START + 5 * NS, "oddity")],
    sound=SOUND, transcript=transcript(), proofs=[Proof(b"zip", "application/zip", "call.bundle", "proof")],
)  # fmt: skip


def made(call: CallFacts = CALL) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(make_vcon(call, START + 100 * NS))
    return read


def check(vcon: dict[str, Any]) -> None:
    import jsonschema

    schema = json.loads((Path(DATA or "") / "vcon" / "vcon_json_schema.json").read_text())
    validator = jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker())
    assert [error.message for error in validator.iter_errors(vcon)] == []


@pytest.mark.skipif(DATA is None, reason="MEMCON_TEST_DATA names no test data")
@pytest.mark.parametrize(
    "call",
    [CALL, replace(CALL, sound=None, proofs=()), replace(CALL, transcript=None),
     replace(CALL, recorded=False), replace(CALL, parties=[])],
)  # fmt: skip
def test_the_working_groups_schema_takes_it(call: CallFacts) -> None:
    check(made(call))


@pytest.mark.skipif(DATA is None, reason="MEMCON_TEST_DATA names no test data")
def test_the_schema_would_tell() -> None:
    with pytest.raises(AssertionError):
        check(made() | {"dialog": [{"type": "recording"}]})


def test_the_whole_call_is_a_set_with_its_history() -> None:
    vcon = made()
    whole, recording = vcon["dialog"]
    assert (whole["type"], whole["recordings"], recording["recording_set"]) == ("recording-set", [1], 0)
    assert whole["duration"] == 9.0
    assert [(one["party"], one["event"]) for one in whole["party_history"]] == [
        (0, "join"), (1, "join"), (0, "hold"), (0, "unhold"), (0, "drop"), (1, "drop"),
    ]  # fmt: skip
    assert whole["party_history"][2]["time"] == "2026-11-24T08:34:09.000Z"
    assert recording["parties"] == [[0], [1]]
    body = recording["body"]
    assert base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)) == SOUND.data
    assert recording["content_hash"] == content_hash(SOUND.data)


def test_parties_transcript_and_proof() -> None:
    vcon = made()
    assert vcon["parties"][:2] == [
        {"name": "A. Holt", "sip": "sip:holt@a.example"},
        {"name": "tel:+12025550100", "tel": "+12025550100"},
    ]
    (analysis,) = vcon["analysis"]
    assert (analysis["type"], analysis["dialog"], analysis["encoding"]) == ("transcript", 1, "json")
    assert analysis["body"]["format"] == "memcon/transcript/1"
    (proof,) = vcon["attachments"]
    assert (proof["party"], vcon["parties"][2]["name"]) == (2, "recorder")
    assert proof["purpose"] == "proof"


def test_of_a_call_taken_in_nobody_says_who_joined() -> None:
    assert "party_history" not in made(replace(CALL, recorded=False))["dialog"][0]


def test_the_same_call_and_transcript_have_one_name() -> None:
    assert made()["uuid"] == made()["uuid"]
    assert made()["uuid"][14] == "8"
    assert made()["uuid"] != made(replace(CALL, transcript=None))["uuid"]
