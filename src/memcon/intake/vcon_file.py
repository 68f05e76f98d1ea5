"""A vCon as a call: its recordings side by side on one time line, its parties, and what is wrong with it.

draft-ietf-vcon-vcon-core-04 (syntax 0.4.0) and what came before it: `mimetype` for `mediatype`, `alg` and
`signature` for `content_hash`, base64 for base64url. A signed vCon (JWS) is read, its signature is not
checked, and that is said; an encrypted one (JWE) is refused. Nothing is fetched here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memcon import __version__
from memcon.intake.content_hash import parse_content_hash
from memcon.intake.found import Found
from memcon.intake.media import probe
from memcon.intake.refusals import RefusedError
from memcon.intake.sniff import HEAD, Kind, sniff
from memcon.intake.sound import render_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from memcon.intake.limits import Limits

MOST_JSON = 1 << 30
MOST_DIALOGS = 10_000
READER = f"memcon {__version__}"
WHAT = ("recording", "recording-set", "text", "transfer", "incomplete")


@dataclass(frozen=True, slots=True)
class Recording:
    """A dialog of type recording. `start` is None where it says none; `parties` one list a channel."""

    place: int
    start: datetime | None
    parties: list[list[int]]
    media_type: str
    body: str
    encoding: str
    url: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class Vcon:
    """A vCon that was read."""

    uuid: str
    subject: str
    parties: list[dict[str, str]]
    recordings: list[Recording]
    signed: bool
    left_out: list[str]
    syntax: str


def read(path: Path) -> Vcon:
    """Read a vCon and check that what it refers to is in it. Raises RefusedError."""
    if path.stat().st_size > MOST_JSON:
        raise RefusedError("ingest-limit", f"a vCon of more than {MOST_JSON:,} bytes is not read")
    value = _json(path.read_bytes())
    signed = False
    for _ in range(3):  # a vCon may be signed, and signed again before the first signature is out of date
        if "ciphertext" in value:
            raise RefusedError("ingest-vcon-sealed", "it is encrypted (JWE)")
        if "payload" not in value:
            break
        signed = True
        value = _json(_decoded(str(value["payload"]), "base64url", "its signed payload"))
    if not {"parties", "dialog", "vcon", "uuid"} & set(value):
        raise RefusedError("ingest-unknown", "it is JSON and no vCon")
    return _read(value, signed=signed)


def _json(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RefusedError("ingest-vcon", f"it is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise RefusedError("ingest-vcon", "it is no JSON object")
    return value


def _list(value: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = value.get(key) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise RefusedError("ingest-vcon", f"{key} is no list of objects")
    if len(found) > MOST_DIALOGS:
        raise RefusedError("ingest-limit", f"it has {len(found):,} of {key}")
    return found


def _read(value: dict[str, Any], *, signed: bool) -> Vcon:
    parties, dialogs = _list(value, "parties"), _list(value, "dialog")
    recordings, left_out = [], []
    for place, dialog in enumerate(dialogs):
        kind = str(dialog.get("type") or "")
        _check_parties(dialog.get("parties"), len(parties), f"dialog {place}")
        _check_index(dialog.get("originator"), len(parties), f"dialog {place}: originator")
        if kind == "recording":
            recordings.append(_recording(place, dialog))
        elif dialog:  # an empty one holds the place of what was redacted
            left_out.append(kind or "of no type")
    for part in ("analysis", "attachments"):
        for place, one in enumerate(_list(value, part)):
            for index in _flat(one.get("dialog")):
                _check_index(index, len(dialogs), f"{part} {place}")
            _check_index(one.get("party"), len(parties), f"{part} {place}: party")
    return Vcon(
        str(value.get("uuid") or "")[:100],
        str(value.get("subject") or "")[:300],
        [_party(place, one) for place, one in enumerate(parties)],
        recordings,
        signed,
        left_out,
        str(value.get("vcon") or "0.4.0"),
    )


def _flat(value: Any) -> list[Any]:  # noqa: ANN401 - whatever the JSON held
    if isinstance(value, list):
        return [one for inner in value for one in _flat(inner)]
    return [] if value is None else [value]


def _check_parties(value: Any, count: int, where: str) -> None:  # noqa: ANN401
    for index in _flat(value):
        _check_index(index, count, where)


def _check_index(value: Any, count: int, where: str) -> None:  # noqa: ANN401
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise RefusedError("ingest-vcon", f"{where}: {str(value)[:40]!r} is no index")
    if not -1 <= value < count or (value == -1 and "originator" not in where):
        raise RefusedError("ingest-vcon-dangling", f"{where} refers to {value}, and there are {count}")


def _party(place: int, one: Mapping[str, Any]) -> dict[str, str]:
    aor = next((str(one[key]) for key in ("tel", "sip", "mailto", "did") if one.get(key)), "")
    scheme = next((key for key in ("tel", "sip", "mailto") if one.get(key)), "")
    shown = aor if not scheme or aor.startswith(f"{scheme}:") else f"{scheme}:{aor}"
    return {
        "id": f"party-{place}",
        "name": str(one.get("name") or aor or f"party {place}")[:200],
        "aor": shown[:300],
        "label": "",
        "role": str(one.get("role") or "")[:60],
    }


def _recording(place: int, dialog: Mapping[str, Any]) -> Recording:
    where = f"dialog {place}"
    said = dialog.get("parties")
    elements = said if isinstance(said, list) else [] if said is None else [said]
    url, body = dialog.get("url"), dialog.get("body")
    for key, value in (("url", url), ("body", body)):
        if value is not None and not isinstance(value, str):
            raise RefusedError("ingest-vcon", f"{where}: {key} is no text")
    return Recording(
        place,
        _time(dialog.get("start"), where),
        [list(map(int, _flat(one))) for one in elements],
        str(dialog.get("mediatype") or dialog.get("mimetype") or "")[:100],
        body or "",
        str(dialog.get("encoding") or ("base64url" if body else "")),
        url or "",
        _content_hash(dialog, where),
    )


def _time(value: Any, where: str) -> datetime | None:  # noqa: ANN401
    if value is None:
        return None
    try:
        made = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError as error:
        raise RefusedError("ingest-vcon", f"{where}: start {str(value)[:40]!r} is no time") from error
    return made if made.tzinfo is not None else made.replace(tzinfo=UTC)


def _content_hash(dialog: Mapping[str, Any], where: str) -> str:
    """`sha512-…`; of the older syntax `alg` and `signature`. Of several the first that can be read."""
    said = dialog.get("content_hash")
    for one in said if isinstance(said, list) else [said] if said else []:
        if parse_content_hash(str(one)) is not None:
            return str(one)
    if said:
        raise RefusedError("ingest-vcon", f"{where}: content_hash {str(said)[:60]!r} cannot be read")
    if str(dialog.get("alg") or "").upper() == "SHA-512" and dialog.get("signature"):
        return f"sha512-{str(dialog['signature']).rstrip('=')}"
    return ""


def _decoded(text: str, encoding: str, what: str) -> bytes:
    if encoding == "none":
        return text.encode("utf-8", "surrogatepass")
    if encoding not in ("base64url", "base64"):
        raise RefusedError("ingest-vcon", f"{what} has the encoding {encoding[:20]!r}")
    plain = text.strip().rstrip("=").replace("+", "-").replace("/", "_")
    try:
        data = plain.encode("ascii")
        if len(data) % 4 == 1:
            raise ValueError("a length that base64 does not have")
        return base64.b64decode(data + b"=" * (-len(data) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusedError("ingest-vcon", f"{what} is no base64: {error}") from error


def references(asked: Mapping[str, Any], _limits: Limits) -> dict[str, Any]:
    """`path`: the addresses of recordings that are not in the vCon itself."""
    found = read(Path(asked["path"]))
    return {
        "references": [
            {"url": one.url, "content_hash": one.content_hash, "media_type": one.media_type}
            for one in found.recordings
            if one.url and not one.body
        ]
    }


@contextmanager
def _media(found: Vcon, referenced: Mapping[str, str]) -> Iterator[dict[int, tuple[Path, Kind]]]:
    """The recordings as files, by the place of their dialog; RefusedError where one is not as said."""
    with tempfile.TemporaryDirectory(prefix="memcon-vcon-") as folder:
        files: dict[int, tuple[Path, Kind]] = {}
        for one in found.recordings:
            if one.body:
                path = Path(folder) / str(one.place)
                path.write_bytes(_decoded(one.body, one.encoding, f"dialog {one.place}"))
            elif one.url in referenced:
                path = Path(referenced[one.url])
            else:
                continue
            _check_hash(path, one)
            with path.open("rb") as file:
                kind = sniff(file.read(HEAD), path.stat().st_size)
            if kind.form != "media":
                raise RefusedError("ingest-vcon", f"dialog {one.place} is {kind.container}, not a recording")
            files[one.place] = path, kind
        yield files


def _check_hash(path: Path, one: Recording) -> None:
    due = parse_content_hash(one.content_hash)
    if due is None:
        return
    with path.open("rb") as file:
        if hashlib.file_digest(file, due[0]).digest() != due[1]:
            raise RefusedError("ingest-vcon-hash", f"dialog {one.place} is not what its content_hash says")


def probe_vcon(asked: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """`path`, `damaged`, `media` {address: file}: what is in a vCon."""
    path = Path(asked["path"])
    vcon = read(path)
    referenced: dict[str, str] = dict(asked.get("media") or {})
    found = Found("vcon", "vcon", "application/vcon+json", READER)
    starts = [one.start for one in vcon.recordings if one.start is not None]
    begin = min(starts, default=None)
    with _media(vcon, referenced) as files:
        for one in vcon.recordings:
            if one.place not in files:
                found.remark("ingest-left-out", f"dialog {one.place} has no recording in it (redacted)")
                continue
            _add(found, one, *files[one.place], begin, limits, damaged=bool(asked.get("damaged")))
    if not found.lanes:
        raise RefusedError("ingest-no-audio", "no dialog of it has a recording")
    found.duration = max(lane.begins + lane.duration for lane in found.lanes)
    found.start = begin.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if begin is not None else ""
    found.parties, found.ids = vcon.parties, [vcon.uuid] if vcon.uuid else []
    found.says = {"subject": vcon.subject, "syntax": vcon.syntax} if vcon.subject else {"syntax": vcon.syntax}
    if vcon.signed:
        found.remark("ingest-unsigned", "it is signed (JWS); the signature was not checked")
    if vcon.left_out:
        kinds = ", ".join(sorted(set(vcon.left_out)))
        found.remark("ingest-left-out", f"{len(vcon.left_out)} dialogs are no recordings ({kinds[:100]})")
    told = found.to_json()
    told["facts"]["referenced"] = {url: Path(file).name for url, file in sorted(referenced.items())}
    return told


def _add(
    found: Found,
    one: Recording,
    path: Path,
    kind: Kind,
    begin: datetime | None,
    limits: Limits,
    *,
    damaged: bool,
) -> None:
    inside = probe(path, kind, limits, damaged=damaged)
    late = 0
    if one.start is not None and begin is not None:
        late = round((one.start - begin).total_seconds() * 1000)
    if late > limits.hours * 3_600_000:
        raise RefusedError("ingest-limit", f"its recordings are more than {limits.hours} hours apart")
    named = any(len(who) > 1 for who in one.parties) or len(one.parties) == len(inside.lanes)
    for place, lane in enumerate(inside.lanes):
        who = one.parties[place] if named and place < len(one.parties) and len(inside.lanes) > 1 else []
        if len(inside.lanes) == 1 and len(one.parties) == 1:
            who = one.parties[0]
        lane.party = f"party-{who[0]}" if len(who) == 1 else ""
        lane.source = {"dialog": one.place, **lane.source}
        lane.begins += late
        found.lanes.append(lane)
        found.peaks.append(bytes(-(-late // 1000)) + inside.peaks[place])
    for remark in inside.remarks:
        found.remark(remark["code"], f"dialog {one.place}: {remark['text']}")


def render_vcon(asked: Mapping[str, Any], _limits: Limits) -> dict[str, Any]:
    """`path`, `media`, `lanes`, `which`, `as`, `to`: a file to hear."""
    vcon = read(Path(asked["path"]))
    with _media(vcon, dict(asked.get("media") or {})) as files:
        render_files(files, asked["lanes"], asked["which"], asked["as"], Path(asked["to"]))
    return {}
