"""vCons: recordings in and beside them, older syntaxes, and everything that can be wrong with them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import wave
from pathlib import Path
from typing import Any

import pytest
from tests.intake.media import InProcess, write_wav

from memcon.intake.content_hash import parse_content_hash
from memcon.intake.refusals import RefusedError

DATA = os.environ.get("MEMCON_TEST_DATA")


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def sha512(data: bytes) -> str:
    return f"sha512-{b64(hashlib.sha512(data).digest())}"


@pytest.fixture
def sound(tmp_path: Path) -> bytes:
    return write_wav(tmp_path / "s.wav", 1.0, 8000, 2).read_bytes()


def a_vcon(sound: bytes, **change: Any) -> dict[str, Any]:
    dialog = {"type": "recording", "start": "2017-01-28T17:00:00+00:00", "parties": [[0], [1]],
              "mediatype": "audio/x-wav", "encoding": "base64url", "body": b64(sound)}  # fmt: skip
    return {
        "uuid": "019f15a6-a752-826f-b9a2-279e0d16bc46",
        "created_at": "2017-01-29T00:00:00Z",
        "subject": "A call",
        "parties": [{"name": "A. Holt", "tel": "+12025550100"}, {"sip": "sip:rahn@b.example"}],
        "dialog": [dialog | change],
    }


def probe(
    tmp_path: Path, vcon: Any, media: dict[str, str] | None = None, *, damaged: bool = False
) -> dict[str, Any]:
    path = tmp_path / "a.vcon"
    path.write_text(vcon if isinstance(vcon, str) else json.dumps(vcon))
    question = {"task": "probe vcon", "path": str(path), "media": media or {}, "damaged": damaged}
    return InProcess().ask(question, 60)


def refusal(tmp_path: Path, vcon: Any, media: dict[str, str] | None = None) -> str:
    with pytest.raises(RefusedError) as caught:
        probe(tmp_path, vcon, media)
    return caught.value.code


def test_two_parties_on_two_channels(tmp_path: Path, sound: bytes) -> None:
    told = probe(tmp_path, a_vcon(sound))
    assert [lane["party"] for lane in told["facts"]["lanes"]] == ["party-0", "party-1"]
    assert told["facts"]["lanes"][1]["source"] == {"dialog": 0, "stream": 0, "channel": 1}
    assert told["start"] == "2017-01-28T17:00:00Z"
    assert [one["name"] for one in told["parties"]] == ["A. Holt", "sip:rahn@b.example"]
    assert told["parties"][0]["aor"] == "tel:+12025550100"
    assert told["ids"] == ["019f15a6-a752-826f-b9a2-279e0d16bc46"]
    assert told["facts"]["says"] == {"subject": "A call", "syntax": "0.4.0"}


def test_recordings_stand_where_they_began(tmp_path: Path, sound: bytes) -> None:
    vcon = a_vcon(sound)
    vcon["dialog"].append(vcon["dialog"][0] | {"start": "2017-01-28T12:00:02.500-05:00", "parties": [0, 1]})
    vcon["dialog"] += [{}, {"type": "text", "body": "hello", "encoding": "none"}]
    told = probe(tmp_path, vcon)
    lanes = told["facts"]["lanes"]
    assert [lane["begins_ms"] for lane in lanes] == [0, 0, 2500, 2500]
    assert told["facts"]["duration_ms"] == 3500
    assert [one["text"] for one in told["facts"]["remarks"]] == ["1 dialogs are no recordings (text)"]
    to = tmp_path / "out.wav"
    question = {"task": "render vcon", "path": str(tmp_path / "a.vcon"), "lanes": lanes, "which": None,
                "as": "wav", "to": str(to)}  # fmt: skip
    InProcess().ask(question, 60)
    with wave.open(str(to)) as file:
        assert (file.getnchannels(), file.getnframes()) == (1, 3.5 * 8000)
    InProcess().ask(question | {"which": 3}, 60)
    with wave.open(str(to)) as file:
        assert file.getnframes() == 3.5 * 8000


def test_a_mixed_recording_is_nobodys_own(tmp_path: Path) -> None:
    mono = write_wav(tmp_path / "m.wav").read_bytes()
    told = probe(tmp_path, a_vcon(mono, parties=[0, 1]))
    assert [lane["party"] for lane in told["facts"]["lanes"]] == [""]
    assert probe(tmp_path, a_vcon(mono, parties=0))["facts"]["lanes"][0]["party"] == "party-0"


def test_older_syntaxes(tmp_path: Path, sound: bytes) -> None:
    vcon = a_vcon(sound, mimetype="audio/wav", encoding="base64", body=base64.b64encode(sound).decode())
    vcon |= {"vcon": "0.0.1"}
    del vcon["dialog"][0]["mediatype"]
    vcon["dialog"][0] |= {"alg": "SHA-512", "signature": b64(hashlib.sha512(sound).digest())}
    assert probe(tmp_path, vcon)["facts"]["says"]["syntax"] == "0.0.1"
    vcon["dialog"][0]["signature"] = b64(bytes(64))
    assert refusal(tmp_path, vcon) == "ingest-vcon-hash"


def test_signed_is_read_and_said_encrypted_is_refused(tmp_path: Path, sound: bytes) -> None:
    signed = {"payload": b64(json.dumps(a_vcon(sound)).encode()), "signatures": []}
    again = {"payload": b64(json.dumps(signed).encode()), "signatures": []}
    for vcon in (signed, again):
        remarks = probe(tmp_path, vcon)["facts"]["remarks"]
        assert [one["code"] for one in remarks] == ["ingest-unsigned"]
    assert refusal(tmp_path, {"ciphertext": "x"}) == "ingest-vcon-sealed"


def test_a_recording_beside_it(tmp_path: Path, sound: bytes) -> None:
    vcon = a_vcon(
        sound, body=None, encoding=None, url="https://x.example/s.wav", content_hash=[sha512(sound)]
    )
    path = tmp_path / "a.vcon"
    path.write_text(json.dumps(vcon))
    asked = InProcess().ask({"task": "references", "path": str(path)}, 60)["references"]
    assert asked == [
        {"url": "https://x.example/s.wav", "content_hash": sha512(sound), "media_type": "audio/x-wav"}
    ]
    beside = tmp_path / ("ab" * 32)
    beside.write_bytes(sound)
    told = probe(tmp_path, vcon, {"https://x.example/s.wav": str(beside)})
    assert told["facts"]["referenced"] == {"https://x.example/s.wav": "ab" * 32}
    beside.write_bytes(sound + b"x")
    assert refusal(tmp_path, vcon, {"https://x.example/s.wav": str(beside)}) == "ingest-vcon-hash"
    assert refusal(tmp_path, vcon) == "ingest-no-audio"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"parties": [0, 2]}, "ingest-vcon-dangling"),
        ({"parties": [[0, [5]]]}, "ingest-vcon-dangling"),
        ({"parties": -1}, "ingest-vcon-dangling"),
        ({"originator": 9}, "ingest-vcon-dangling"),
        ({"parties": ["0"]}, "ingest-vcon"),
        ({"start": "yesterday"}, "ingest-vcon"),
        ({"body": 7}, "ingest-vcon"),
        ({"body": "???"}, "ingest-vcon"),
        ({"body": "abcde"}, "ingest-vcon"),
        ({"encoding": "rot13"}, "ingest-vcon"),
        ({"encoding": "none"}, "ingest-unknown"),
        ({"content_hash": "sha512-xyz"}, "ingest-vcon"),
        ({"content_hash": sha512(b"other")}, "ingest-vcon-hash"),
        ({"body": b64(b"fLaC and nothing")}, "ingest-corrupt"),
        ({"body": b64(json.dumps({"vcon": "0"}).encode())}, "ingest-vcon"),
        ({"type": "incomplete"}, "ingest-no-audio"),
    ],
)
def test_what_is_wrong_with_a_dialog(tmp_path: Path, sound: bytes, change: dict[str, Any], code: str) -> None:
    assert refusal(tmp_path, a_vcon(sound, **change)) == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"analysis": [{"type": "transcript", "dialog": [3]}]}, "ingest-vcon-dangling"),
        ({"attachments": [{"party": 4, "dialog": 0}]}, "ingest-vcon-dangling"),
        ({"dialog": "x"}, "ingest-vcon"),
        ({"parties": [7]}, "ingest-vcon"),
        ({"dialog": [{}] * 10_001}, "ingest-limit"),
    ],
)
def test_what_is_wrong_with_the_whole(
    tmp_path: Path, sound: bytes, change: dict[str, Any], code: str
) -> None:
    assert refusal(tmp_path, a_vcon(sound) | change) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "ingest-vcon"),
        ("[]", "ingest-vcon"),
        ('{"a": 1}', "ingest-unknown"),
        ('{"payload": 7}', "ingest-vcon"),
    ],
)
def test_what_is_no_vcon(tmp_path: Path, text: str, code: str) -> None:
    assert refusal(tmp_path, text) == code


def test_content_hashes() -> None:
    assert parse_content_hash(sha512(b"x")) == ("sha512", hashlib.sha512(b"x").digest())
    for text in (
        "",
        "md5-abcd",
        "sha512-",
        "sha512-a",
        "sha256-" + b64(bytes(31)),
        "sha512:" + b64(bytes(64)),
    ):
        assert parse_content_hash(text) is None


@pytest.mark.skipif(DATA is None, reason="MEMCON_TEST_DATA names no test data")
def test_the_working_groups_examples_are_taken_in_or_refused_for_a_reason() -> None:
    found = {}
    for path in sorted((Path(DATA or "") / "vcon").glob("ab_call*.vcon.json")):
        try:
            asked = InProcess().ask({"task": "references", "path": str(path)}, 60)["references"]
            told = InProcess().ask({"task": "probe vcon", "path": str(path)}, 60)
            found[path.name] = f"{len(told['facts']['lanes'])} lanes"
        except RefusedError as error:
            found[path.name] = f"{error.code}, {len(asked)} beside"
    assert found.pop("ab_call_int_rec.vcon.json") == "1 lanes"
    assert found.pop("ab_call_ext_rec_encrypted.vcon.json").startswith("ingest-vcon-sealed")
    assert found.pop("ab_call_ext_rec_redacted.vcon.json") == "ingest-no-audio, 0 beside"
    assert set(found.values()) == {"ingest-no-audio, 1 beside"}
