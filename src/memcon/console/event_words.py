"""A call's events and its end, in words. Facts come from the signalling: nothing in them is trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_TEXT = 300
CAUSES = {
    1: "BYE",
    2: "CANCEL",
    3: "the recorder stopped",
    4: "no ACK came",
    5: "time-out",
    6: "the recorder failed",
    7: "the media failed",
    8: "replaced by another call",
}
WHO = {1: "the sender", 2: "the recorder", 3: "the operator"}
SIGNALLING, RECORDER = "signalling", "the recorder"


def text_of(value: object) -> str:
    """A fact as short text: whatever it is, a page can show it."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"


def ended_by(cause: int | None, who: int | None) -> str:
    """`ended by the sender (BYE)`; empty while the call goes on."""
    if cause is None:
        return ""
    why = CAUSES.get(cause, f"cause {cause}")
    by = WHO.get(who or 0)
    return f"ended by {by} ({why})" if by else f"ended: {why}"


def event_words(facts: Mapping[str, Any], lane_of: Mapping[int, str]) -> tuple[str, str]:
    """(what happened, who says so) of one event; `lane_of` gives the lane's letter of a stream."""
    kind = text_of(facts.get("type"))
    where = _where(facts, lane_of)
    if kind == "sip":
        sent = facts.get("direction") == "out"
        way = f"sent to {text_of(facts.get('remote'))}" if sent else f"from {text_of(facts.get('remote'))}"
        return f"SIP message {way} over {text_of(facts.get('transport')).upper()}", SIGNALLING
    if kind in _HOLDS:
        return f"{_HOLDS[kind]}{where}", SIGNALLING
    if kind == "source":
        port = f":{text_of(facts['port'])}" if "port" in facts else ""
        return f"The sender's address{where} is {text_of(facts.get('address'))}{port}", RECORDER
    if kind == "loss":
        layer = "this machine" if facts.get("layer") == "kernel" else text_of(facts.get("layer"))
        return f"{text_of(facts.get('count'))} packets lost{where}, at {layer}", RECORDER
    if kind == "oddity":
        return text_of(facts.get("text")), RECORDER
    if kind == "end":
        return _first_up(ended_by(_number(facts.get("cause")), _number(facts.get("who")))), RECORDER
    if kind == "metadata":
        odd = facts.get("oddities")
        tail = f", {len(odd)} oddities" if isinstance(odd, list) and odd else ""
        return f"Metadata of the session{tail}", SIGNALLING
    return kind or "Not named", RECORDER


_HOLDS = {
    "hold": "Hold",
    "resume": "Resumed",
    "pause": "Recording paused by the sender",
    "unpause": "Unpaused",
}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _where(facts: Mapping[str, Any], lane_of: Mapping[int, str]) -> str:
    stream = facts.get("stream")
    if not isinstance(stream, int):
        return ""
    letter = lane_of.get(stream - stream % 2)
    return f" on lane {letter}" if letter else f" on stream {stream}"


def codec_words(codecs: Sequence[Mapping[str, Any]]) -> str:
    """`PCMA 8000 Hz`, the first that is no telephone-event; empty when none is known."""
    for codec in codecs:
        name = text_of(codec.get("name"))
        if name and name.lower() != "telephone-event":
            known = {"pcmu": "G.711 µ-law", "pcma": "G.711 A-law", "g722": "G.722"}.get(name.lower(), name)
            rate = codec.get("rate")
            return f"{known}, {rate} Hz" if isinstance(rate, int) else known
    return ""


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]
