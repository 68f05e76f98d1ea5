"""A call as a vCon (draft-ietf-vcon-vcon-core-04, syntax 0.4.0).

A recording-set is the envelope of the whole call with its party history; the sound stands in a recording
that belongs to it; the transcript is an analysis; our proof, the bundle that a stranger can check, is an
attachment. What a vCon says is not sealed by being said there: the attachment is what can be checked.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memcon import __version__
from memcon.clock import NS, utc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memcon.record.transcript import Transcript

SYNTAX = "0.4.0"
EVENTS = {"hold": "hold", "resume": "unhold", "pause": "mute", "unpause": "unmute"}


@dataclass(frozen=True, slots=True)
class Sound:
    """A file of sound: `channels` has for each channel the places of its parties."""

    data: bytes
    media_type: str
    filename: str
    channels: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Proof:
    """What can be checked: a file, and what it is for."""

    data: bytes
    media_type: str
    filename: str
    purpose: str


@dataclass(frozen=True, slots=True)
class CallFacts:
    """A call as a vCon needs it. Times in ns. `history`: (party's place, wall, event of EVENTS); `recorded`
    is False for a call that was taken in: then nobody is known to have joined or left."""

    identity: str
    subject: str
    start: int
    duration: int
    parties: Sequence[Mapping[str, Any]]
    recorder: str
    history: Sequence[tuple[int, int, str]] = ()
    recorded: bool = True
    sound: Sound | None = None
    transcript: Transcript | None = None
    proofs: Sequence[Proof] = field(default_factory=tuple)


def make_vcon(call: CallFacts, now: int) -> str:
    """The vCon as JSON text."""
    parties = [_party(one) for one in call.parties]
    office = len(parties)  # who constructs a vCon should be a party of it
    parties.append({"name": call.recorder, "org": call.recorder, "type": "recorder"})
    start = utc(call.start, digits=3)
    dialog: list[dict[str, Any]] = [
        {
            "type": "recording-set",
            "start": start,
            "duration": round(call.duration / NS, 3),
            "parties": list(range(office)),
            "recordings": [1] if call.sound is not None else [],
        }
    ]
    history = _history(call, office)
    if history:
        dialog[0]["party_history"] = history
    if call.sound is not None:
        dialog.append(_recording(call, call.sound, start))
    vcon = {
        "vcon": SYNTAX,
        "uuid": _uuid(call),
        "created_at": utc(now),
        "subject": call.subject,
        "parties": parties,
        "dialog": dialog,
        "analysis": []
        if call.transcript is None
        else [_analysis(call.transcript, has_sound=call.sound is not None)],
        "attachments": [_attachment(proof, start, office) for proof in call.proofs],
    }
    return json.dumps(vcon, ensure_ascii=False, indent=1) + "\n"


def _analyses(call: CallFacts) -> list[dict[str, Any]]:
    if call.transcript is None:
        return []
    return [_analysis(call.transcript, has_sound=call.sound is not None)]


def _party(one: Mapping[str, Any]) -> dict[str, Any]:
    aor = str(one.get("aor") or "")
    scheme, _, rest = aor.partition(":")
    made: dict[str, Any] = {"name": str(one.get("name") or aor or one.get("id") or "not named")}
    if scheme in ("sip", "sips"):
        made["sip"] = aor
    elif scheme == "tel":
        made["tel"] = rest
    return made


def _uuid(call: CallFacts) -> str:
    """A version 8 UUID (RFC 9562 §5.8) of what is in it: the same call and transcript, the same name."""
    said = call.transcript.encode() if call.transcript is not None else b""
    digest = bytearray(hashlib.sha256(call.identity.encode() + b"\0" + said).digest()[:16])
    digest[6] = (digest[6] & 0x0F) | 0x80
    digest[8] = (digest[8] & 0x3F) | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _history(call: CallFacts, count: int) -> list[dict[str, Any]]:
    if not call.recorded:
        return []
    rows = [(call.start, place, "join") for place in range(count)]
    rows += [(wall, place, EVENTS[what]) for place, wall, what in call.history if what in EVENTS]
    rows += [(call.start + call.duration, place, "drop") for place in range(count)]
    rows.sort(key=lambda row: row[0])
    return [{"party": place, "time": utc(wall, digits=3), "event": event} for wall, place, event in rows]


def _recording(call: CallFacts, sound: Sound, start: str) -> dict[str, Any]:
    return {
        "type": "recording",
        "recording_set": 0,
        "start": start,
        "duration": round(call.duration / NS, 3),
        "parties": [list(channel) for channel in sound.channels],
        "mediatype": sound.media_type,
        "filename": sound.filename,
        **_inline(sound.data),
    }


def _inline(data: bytes) -> dict[str, Any]:
    return {
        "encoding": "base64url",
        "body": base64.urlsafe_b64encode(data).decode().rstrip("="),
        "content_hash": content_hash(data),
    }


def content_hash(data: bytes) -> str:
    """`sha512-…` of bytes."""
    return f"sha512-{base64.urlsafe_b64encode(hashlib.sha512(data).digest()).decode().rstrip('=')}"


def _analysis(transcript: Transcript, *, has_sound: bool) -> dict[str, Any]:
    machine = transcript.machine
    by = transcript.by if machine is None else f"{machine.engine} {machine.engine_version}, {machine.model}"
    return {
        "type": "transcript",
        "dialog": 1 if has_sound else 0,
        "vendor": "memcon",
        "product": f"memcon {__version__}; {by}",
        "schema": "memcon/transcript/1",
        "mediatype": "application/json",
        "encoding": "json",
        "body": json.loads(transcript.encode()),
    }


def _attachment(proof: Proof, start: str, party: int) -> dict[str, Any]:
    return {
        "purpose": proof.purpose,
        "start": start,
        "party": party,
        "dialog": 0,
        "mediatype": proof.media_type,
        "filename": proof.filename,
        **_inline(proof.data),
    }
