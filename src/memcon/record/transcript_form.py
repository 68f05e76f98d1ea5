"""What the canonical JSON of a transcript may hold, rule by rule (FORMATS §20).

Plain values only; `transcript` gives them their names. An error says in which lane, utterance and word.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from memcon.errors import FormatError
from memcon.record import canonical
from memcon.record.body import LONG, Check, like, maybe, number, one_of, text
from memcon.record.layout import brief

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "memcon/transcript/1"
NO_VERSION = "0" * 64
"""What the first version names as the one before."""
WHAT = "transcript"
MAX_BYTES = 64 << 20
"""A day of two people talking without a pause is 20 MiB."""
MARKS = ("inaudible", "uncertain", "crosstalk")
STRETCHES = ("lost", "hold", "tone", "noise", "music")
KINDS = ("machine", "corrected")
_HASH = re.compile(r"[0-9a-f]{64}")
_HANDLE = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_AT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_LANE = re.compile(r"[A-Z]{1,2}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_CONTROL = re.compile(r"[\x00-\x1f]")
_WORD = 500
_digest = like(_HASH, "SHA-256")
_name = text(200, empty=False)
_language = like(_LANGUAGE, "language tag")


def _list(value: object) -> str | None:
    return None if isinstance(value, list) else "is no list"


def _object(value: object) -> str | None:
    return None if isinstance(value, dict) else "is no object"


def _settings(value: object) -> str | None:
    """An object of texts, numbers, flags, nulls and lists of texts."""
    if not isinstance(value, dict):
        return "is no object"
    for one in value.values():
        texts = isinstance(one, list) and all(isinstance(item, str) for item in one)
        if not texts and not isinstance(one, str | int) and one is not None:
            return f"{brief(one)} is no text, number, flag or list of texts"
    return None


_HEAD: dict[str, Check] = {
    "format": one_of([VERSION]),
    "kind": one_of(KINDS),
    "of": _object,
    "by": _name,
    "machine": maybe(_object),
    "corrects": maybe(number),
    "note": text(LONG),
    "version": number,
    "previous": _digest,
    "at": like(_AT, "time in UTC"),
    "lanes": _list,
}
_SUBJECT: dict[str, Check] = {
    "kind": one_of(["call", "intake"]),
    "id": like(_ID, "id"),
    "digest": _digest,
    "duration": number,
    "handle": like(_HANDLE, "handle", empty=True),
}
_MACHINE: dict[str, Check] = {
    "engine": _name,
    "engine_version": text(200),
    "model": _name,
    "model_version": text(200),
    "model_digest": like(_HASH, "SHA-256", empty=True),
    "made": one_of(["live", "whole"]),
    "settings": _settings,
}
_LANE_FIELDS: dict[str, Check] = {
    "name": like(_LANE, "lane"),
    "participant": maybe(text(200)),
    "speaker": text(200),
    "streams": _list,
    "language": _language,
    "found": one_of(["set", "identified", "model", "person", "unknown"]),
    "utterances": _list,
    "stretches": _list,
}
_UTTERANCE: dict[str, Check] = {
    "start": number,
    "end": number,
    "words": _list,
    "speaker": text(200),
    "language": like(_LANGUAGE, "language tag", empty=True),
    "translations": _list,
}


def read_facts(data: bytes) -> dict[str, Any]:
    """The checked object of a version's bytes; raises FormatError."""
    check_size(len(data))
    facts = canonical.loads(data, WHAT)
    check_facts(facts)
    checked: dict[str, Any] = facts
    return checked


def check_size(size: int) -> None:
    """Raise FormatError for a version of so many bytes, where that is too many."""
    if size > MAX_BYTES:
        raise FormatError(WHAT, f"longer than {MAX_BYTES} bytes")


def check_facts(facts: object) -> None:
    """Raise FormatError where `facts` are no version."""
    head = _exactly(facts, "", _HEAD)
    subject = _exactly(head["of"], "of", _SUBJECT)
    if (subject["kind"] == "call") != bool(subject["handle"]):
        raise FormatError(WHAT, "a call has a handle, and nothing else has", where="of")
    if head["machine"] is not None:
        _exactly(head["machine"], "machine", _MACHINE)
    if (head["kind"] == "machine") != (head["machine"] is not None):
        raise FormatError(WHAT, "a machine's version names the machine, a person's does not", where="machine")
    _check_chain(head)
    names = [_check_lane(lane, n, subject["duration"]) for n, lane in enumerate(head["lanes"])]
    if len(set(names)) != len(names):
        raise FormatError(WHAT, "two lanes have one name", where="lanes")


def _check_chain(head: Mapping[str, Any]) -> None:
    version, corrects = head["version"], head["corrects"]
    if version < 1 or (version == 1) != (head["previous"] == NO_VERSION):
        raise FormatError(WHAT, "does not name the version before it", where="previous")
    if corrects is not None and (head["kind"] == "machine" or not 1 <= corrects < version):
        raise FormatError(WHAT, f"cannot be written over version {corrects}", where="corrects")


def _check_lane(value: object, n: int, duration: int) -> str:
    lane = _exactly(value, f"lane {n + 1}", _LANE_FIELDS)
    name: str = lane["name"]
    where = f"lane {name}"
    if any(number(stream) for stream in lane["streams"]):
        raise FormatError(WHAT, "a stream has a number", where=where)
    last = 0
    for i, one in enumerate(lane["utterances"], 1):
        place = f"{where}, utterance {i}"
        utterance = _exactly(one, place, _UTTERANCE)
        if not last <= utterance["start"] <= utterance["end"] <= duration:
            raise FormatError(WHAT, "out of order, or outside the call", where=place)
        last = utterance["start"]
        _check_words(utterance, place)
        for translation in utterance["translations"]:
            _check_row(translation, (_language, text(LONG, empty=False), _name), f"{place}, translation")
    for stretch in lane["stretches"]:
        _check_row(stretch, (number, number, one_of(STRETCHES)), f"{where}, stretch")
        if not stretch[0] < stretch[1] <= duration:
            raise FormatError(WHAT, "a stretch without length, or outside the call", where=where)
    return name


def _check_words(utterance: Mapping[str, Any], place: str) -> None:
    """Words in order, inside their utterance: one loop without helpers, since there are many."""
    last, end = utterance["start"], utterance["end"]
    for n, word in enumerate(utterance["words"], 1):
        problem = _word_problem(word)
        if problem is None and not last <= word[1] <= word[2] <= end:
            problem = "out of order, or outside its utterance"
        if problem is not None:
            raise FormatError(WHAT, problem, where=f"{place}, word {n}")
        last = word[1]


def _word_problem(word: object) -> str | None:
    if not isinstance(word, list) or len(word) != 5:
        return "is no list of text, start, end, confidence, marks"
    said, start, end, sure, marks = word
    if type(start) is not int or type(end) is not int:
        return "times are whole numbers"
    if sure is not None and (type(sure) is not int or not 0 <= sure <= 1000):
        return f"{brief(sure)} is no confidence of 0 to 1000"
    if (
        not isinstance(marks, list)
        or any(mark not in MARKS for mark in marks)
        or len(set(marks)) != len(marks)
    ):
        return f"{brief(marks)} are no marks: {', '.join(MARKS)}"
    if not isinstance(said, str) or len(said) > _WORD or _CONTROL.search(said) or said != said.strip():
        return f"{brief(said)} is no word"
    return None if said or "inaudible" in marks else "no text, and not marked inaudible"


def _check_row(value: object, checks: tuple[Check, ...], where: str) -> None:
    if not isinstance(value, list) or len(value) != len(checks):
        raise FormatError(WHAT, f"is no list of {len(checks)}", where=where)
    for check, one in zip(checks, value, strict=True):
        problem = check(one)
        if problem is not None:
            raise FormatError(WHAT, problem, where=where)


def _exactly(value: object, where: str, fields: Mapping[str, Check]) -> dict[str, Any]:
    """The object with exactly these fields, each as its check wants it."""
    if not isinstance(value, dict):
        raise FormatError(WHAT, "is no object", where=where or None)
    if set(value) != set(fields):
        raise FormatError(
            WHAT, f"has keys {brief(sorted(value))}, expected {sorted(fields)}", where=where or None
        )
    for key, check in fields.items():
        problem = check(value[key])
        if problem is not None:
            raise FormatError(WHAT, problem, where=f"{where} {key}".strip())
    return value
