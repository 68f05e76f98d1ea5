"""A call of the catalogue as lanes of the score: one a party, in the order of the audio's channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from memcon.catalogue.structure import HEARD as CAT_HEARD
from memcon.catalogue.structure import HELD as CAT_HELD
from memcon.catalogue.structure import LEAD_IN, held, mark_held
from memcon.console.deps import EDGE, HEARD, HELD, NOTHING, Lane
from memcon.console.event_words import codec_words, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memcon.catalogue.rows import CallRow, EventRow, StreamRow

_CODES = {CAT_HEARD: HEARD, CAT_HELD: HELD}
_TRANSLATED = bytes(_CODES.get(code, NOTHING) for code in range(256))


class Streams(Protocol):
    """What lanes are made of: a call's `CallDetail` or `CallStreams`."""

    @property
    def row(self) -> CallRow: ...

    @property
    def parties(self) -> tuple[Mapping[str, Any], ...]: ...

    @property
    def streams(self) -> tuple[StreamRow, ...]: ...


@dataclass(frozen=True, slots=True)
class Speaker:
    """Whose lane it is, and its streams."""

    name: str
    about: str
    streams: tuple[StreamRow, ...]


def letter(place: int) -> str:
    """A, B, …, Z, AA, AB."""
    low = chr(ord("A") + place % 26)
    return low if place < 26 else letter(place // 26 - 1) + low


def speakers(detail: Streams) -> list[Speaker]:
    """Parties in order of appearance that send a stream, then streams that belong to nobody named.

    The same order as the channels of the call's audio: the letter of a lane names both.
    """
    by_label: dict[str, list[str]] = {}
    for party in detail.parties:
        if party.get("label"):
            by_label.setdefault(party["label"], []).append(party["id"])
    # a stream that several parties are mixed into is nobody's own
    sole = {label: ids[0] for label, ids in by_label.items() if len(ids) == 1}
    owner = {s.stream: s.participant or sole.get(s.label or "") for s in detail.streams}
    told: list[Speaker] = []
    for party in detail.parties:
        mine = tuple(s for s in detail.streams if owner[s.stream] == party["id"])
        if mine:
            name = text_of(party.get("name") or party.get("aor") or party.get("id"))
            told.append(Speaker(name, _about(party, mine), mine))
    known = {p["id"] for p in detail.parties}
    told += [
        Speaker(_mixed(detail, stream), _about({}, (stream,)), (stream,))
        for stream in detail.streams
        if owner[stream.stream] not in known
    ]
    return told


def _mixed(detail: Streams, stream: StreamRow) -> str:
    """The name of a stream that is nobody's own: of all who are in it, or its label."""
    mine = [p for p in detail.parties if stream.label and p.get("label") == stream.label]
    names = [text_of(p.get("name") or p.get("aor") or p.get("id")) for p in mine]
    return " + ".join(names) or f"stream {stream.label or stream.stream}"


def _about(party: Mapping[str, Any], streams: Sequence[StreamRow]) -> str:
    parts = [text_of(party.get("role")), text_of(party.get("aor")), codec_words(streams[0].codecs)]
    if all(stream.direction == "inactive" for stream in streams):
        parts.append("inactive: nothing was to be sent")
    return " · ".join(part for part in parts if part)


def lanes_of(detail: Streams, seconds: Mapping[int, bytes]) -> tuple[Lane, ...]:
    """The lanes of a call; `seconds` by stream is what the seals say of each, in the catalogue's codes."""
    ended = detail.row.state != "live"
    lanes = []
    for place, speaker in enumerate(speakers(detail)):
        mine = [seconds.get(stream.stream, stream.seconds) for stream in speaker.streams]
        quiet = all(stream.direction == "inactive" for stream in speaker.streams)
        lanes.append(
            Lane(
                letter=letter(place),
                name=speaker.name,
                about=speaker.about,
                seconds=_edges(_together(mine), ended=ended, quiet=quiet),
                received=sum(stream.received for stream in speaker.streams),
                expected=sum(stream.expected for stream in speaker.streams),
                dropped=sum(stream.kernel_drops for stream in speaker.streams),
                duplicates=sum(stream.duplicates for stream in speaker.streams),
            )
        )
    return tuple(lanes)


def _together(streams: Sequence[bytes]) -> bytearray:
    """The streams of one party as one lane: heard where any is, held where none is heard and one is held."""
    if len(streams) == 1:
        return bytearray(streams[0].translate(_TRANSLATED))
    out = bytearray(max(map(len, streams), default=0))
    for stream in streams:
        for n, code in enumerate(stream):
            new = _CODES.get(code, NOTHING)
            if new == HEARD or (new == HELD and out[n] == NOTHING):
                out[n] = new
    return out


def _edges(seconds: bytearray, *, ended: bool, quiet: bool) -> bytes:
    """Empty seconds where a call is set up, and the last one, which is cut short, are no loss."""
    if quiet:
        return bytes(code if code == HEARD else HELD for code in seconds)
    if HEARD in seconds:
        places = [*range(min(LEAD_IN, len(seconds))), *([len(seconds) - 1] if ended else [])]
        for n in places:
            if seconds[n] == NOTHING:
                seconds[n] = EDGE
    return bytes(seconds)


def live_seconds(
    streams: Mapping[int, bytes], events: Sequence[EventRow], now_since: int
) -> dict[int, bytes]:
    """What the leaves of a call that is going on say, with the holds declared so far."""
    spans = held([(event.since, event.facts) for event in events], now_since)
    return {
        stream: mark_held(seconds, [*spans.get(None, []), *spans.get(stream, [])])
        for stream, seconds in streams.items()
    }


def lane_letters(detail: Streams) -> dict[int, str]:
    """The lane's letter of each stream."""
    return {
        stream.stream: letter(place)
        for place, speaker in enumerate(speakers(detail))
        for stream in speaker.streams
    }
