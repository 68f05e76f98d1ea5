"""A call's events and its end, in words. Facts come from the signalling: nothing in them is trusted."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from memcon.console.deps import CallEvent
from memcon.console.words import count, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memcon.catalogue.rows import EventRow

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


def _span(facts: Mapping[str, Any]) -> str:
    """` for 1.2 s`, where both its ends are numbers as texts."""
    ends = text_of(facts.get("from")), text_of(facts.get("until"))
    if not all(end.isascii() and end.isdecimal() for end in ends):
        return ""
    return f" and read nothing for {max(0, int(ends[1]) - int(ends[0])) / 1e9:.1f} s"


def ended_by(cause: int | None, who: int | None) -> str:
    """`ended by the sender (BYE)`; empty while the call goes on."""
    if cause is None:
        return ""
    why = CAUSES.get(cause, f"cause {cause}")
    by = WHO.get(who or 0)
    return f"ended by {by} ({why})" if by else f"ended: {why}"


def _message(line: str) -> str:
    """`SIP INVITE`, `SIP 200 OK`, or `SIP message` where no first line is kept."""
    what = line.removeprefix("SIP/2.0 ") if line.startswith("SIP/2.0 ") else line.partition(" ")[0]
    return f"SIP {what or 'message'}"


def event_words(facts: Mapping[str, Any], lane_of: Mapping[int, str]) -> tuple[str, str]:
    """(what happened, who says so) of one event; `lane_of` gives the lane's letter of a stream."""
    kind = text_of(facts.get("type"))
    where = _where(facts, lane_of)
    if kind == "sip":
        sent = facts.get("direction") == "out"
        way = "sent to" if sent else "received from"
        over = text_of(facts.get("transport")).upper()
        return (
            f"{_message(text_of(facts.get('line')))} {way} {text_of(facts.get('remote'))} over {over}",
            SIGNALLING,
        )
    if kind in _HOLDS:
        lane = _lane(facts, lane_of)
        return f"{_HOLDS[kind]}, lane {lane}" if lane else _HOLDS[kind], SIGNALLING
    if kind == "source":
        port = f":{text_of(facts['port'])}" if "port" in facts else ""
        what = "Control reports (RTCP)" if _is_rtcp(facts) else "Audio"
        return f"{what}{where} came from {text_of(facts.get('address'))}{port}", RECORDER
    if kind in ("off", "on"):
        return _switched(kind, facts, lane_of), RECORDER
    if kind == "loss" and facts.get("layer") == "srtp":
        packets = text_of(facts.get("count"))
        return f"{packets} packets{where} that no key opened: kept as they came", RECORDER
    if kind == "keys":
        lines = facts.get("lines")
        what = count(lines, "key line") if isinstance(lines, int) else "Key lines"
        return f"{what} of SRTP, kept apart from the message", SIGNALLING
    if kind == "loss":
        layer = "this machine" if facts.get("layer") == "kernel" else text_of(facts.get("layer"))
        return f"{text_of(facts.get('count'))} packets lost{where} by {layer}", RECORDER
    if kind == "takeover":
        kept = facts.get("sockets") == "kept"
        tail = "what came meanwhile was read later" if kept else "what came meanwhile is lost"
        return f"The recording process was replaced{_span(facts)}: {tail}", RECORDER
    if kind == "oddity":
        return text_of(facts.get("text")), RECORDER
    if kind == "end":
        return _first_up(ended_by(_number(facts.get("cause")), _number(facts.get("who")))), RECORDER
    if kind == "metadata":
        odd = facts.get("oddities")
        tail = f", {count(len(odd), 'oddity', 'oddities')}" if isinstance(odd, list) and odd else ""
        return f"Metadata: who takes part{tail}", SIGNALLING
    return kind or "Not named", RECORDER


def _switched(kind: str, facts: Mapping[str, Any], lane_of: Mapping[int, str]) -> str:
    """The off switch, as it touched this call."""
    kept = f": {text_of(facts['count'])} packets were not kept" if "count" in facts else ""
    lane = _lane(facts, lane_of)
    where = f", lane {lane}" if lane else ""
    if kind == "on":
        return f"Recording switched on again{where}{kept}"
    return f"The line was off to its end{kept}" if kept else f"Recording switched off, on the record{where}"


_HOLDS = {
    "hold": "Hold begins",
    "resume": "Hold ends",
    "pause": "Hold begins: the sender paused the recording",
    "unpause": "Hold ends: the sender took the recording up again",
}
MESSAGES = frozenset({"sip", "metadata", "source", "keys"})
"""Kinds that are the traffic of a call, not what happened in it: shown apart from the others."""


def told(events: Sequence[EventRow], lane_of: Mapping[int, str]) -> list[CallEvent]:
    """Events in words, in their order; a hold that comes to several lanes at once is said once."""
    found = []
    for _, group in groupby(events, _moment):
        first, *more = group
        text, source = event_words(first.facts, lane_of)
        if more:
            lanes = {_lane(event.facts, lane_of) for event in (first, *more)}
            every = lanes >= set(lane_of.values())
            what = _HOLDS[text_of(first.facts.get("type"))]
            all_lanes = "both lanes" if len(lane_of) == 2 else "every lane"
            text = f"{what}, {all_lanes if every else 'lanes ' + listed(sorted(lanes))}"
        found.append(CallEvent(first.n, first.since, text_of(first.facts.get("type")), text, source))
    return found


def _moment(event: EventRow) -> tuple[object, ...]:
    """Holds of one kind and moment share it; any other event has one of its own."""
    kind = text_of(event.facts.get("type"))
    return (kind, event.since) if kind in _HOLDS else (event.n, "")


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _lane(facts: Mapping[str, Any], lane_of: Mapping[int, str]) -> str:
    """The lane's letter of an event's stream, the stream's number where it has none; empty without one."""
    stream = facts.get("stream")
    return lane_of.get(stream - stream % 2) or text_of(stream) if isinstance(stream, int) else ""


def _where(facts: Mapping[str, Any], lane_of: Mapping[int, str]) -> str:
    stream = facts.get("stream")
    if not isinstance(stream, int):
        return ""
    letter = lane_of.get(stream - stream % 2)
    return f" on lane {letter}" if letter else f" on stream {stream}"


def _is_rtcp(facts: Mapping[str, Any]) -> bool:
    """Streams of even number are RTP, the odd one above it is its RTCP."""
    stream = facts.get("stream")
    return isinstance(stream, int) and stream % 2 == 1


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
