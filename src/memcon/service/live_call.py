"""One call that goes on, heard as it arrives: its lanes, what is due in them, and the text so far.

Its sound comes from the journal where that has been read from the call's start (`ahead`), a fifth of a second
at a time; else from its sealed seconds. Both are the same packets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memcon.record.transcript import NO_VERSION, Lane, Stretch, Subject, Transcript, lane_name
from memcon.release.audio import codecs_of, speakers
from memcon.release.following import Following
from memcon.store import durable
from memcon.transcribe.live import LiveLane
from memcon.transcribe.sound import at_rate, concealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from memcon.catalogue.rows import CallDetail
    from memcon.record.canonical import Json
    from memcon.record.transcript import Machine
    from memcon.release.audio import Speaker
    from memcon.release.following import Gathered
    from memcon.service.ahead import Arriving
    from memcon.store.paths import Home
    from memcon.transcribe.live import Due

MS_NS = 1_000_000
TEN_MS_NS = 10 * MS_NS
HOLD_BACK_MS = 80
"""The newest sound waits for packets that are a little late."""
STEP_MS = 200
"""Sound that arrives is taken in by so much at the least: each time costs a look at what came before it."""
AROUND_MS = 40
"""Sound on either side that is resampled with a piece, so that pieces join without a click."""
BEHIND_MS = 60_000
"""Sound that waits to be decoded is left in its file beyond this: nothing is dropped, nothing fills up."""


@dataclass(slots=True)
class _Heard:
    """A lane and whose it is."""

    speaker: Speaker
    lane: LiveLane
    lost: list[Stretch]

    def lose(self, spans: Iterable[tuple[int, int]]) -> None:
        """Keep what is missing; a gap over two pieces is one."""
        for start, end in spans:
            if end <= start:
                continue
            if self.lost and self.lost[-1].end == start:
                start = self.lost.pop().start
            self.lost.append(Stretch(start, end, "lost"))


class LiveCall:
    """A call by its number. `language` says what is set for a name, an address or a line."""

    def __init__(
        self,
        home: Home,
        number: int,
        call_key: bytes,
        language: Callable[..., str | None],
        ahead: Callable[[str], Arriving | None] = lambda _: None,
    ) -> None:
        self.number = number
        self.detail: CallDetail | None = None
        self._home = home
        self._language = language
        self._lanes: dict[tuple[int, ...], _Heard] = {}
        self._open = home.work_open / str(number) / "media.mcs"
        self._done = home.work_done / str(number) / "media.mcs"
        self._following = Following(self._open, call_key)
        self._ahead = ahead
        self._arriving: Arriving | None = None
        self._sounded = 0  # ms of the call that the lanes have been given

    @property
    def over(self) -> bool:
        """Whether the call has ended and its files have moved on."""
        return not self._open.parent.is_dir()

    @property
    def behind(self) -> int:
        """How long ago (ms of the call) the oldest speech ended that is not written yet; 0 without any."""
        return max((h.lane.length - h.lane.done for h in self._lanes.values()), default=0)

    def advance(self, detail: CallDetail | None) -> None:
        """Take in what has come since; `detail` is what the catalogue knows by now."""
        self.detail = detail or self.detail
        if self.detail is None or self.behind > BEHIND_MS:
            return
        over = self.over
        gathered, end = self._come(self.detail.handle, over=over)
        if end - self._sounded >= (1 if over else STEP_MS):
            self._sound(gathered, self._sounded, end, over=over)
            self._sounded = end
        if over:
            for heard in self._lanes.values():
                heard.lane.close()

    @property
    def unsealed(self) -> bool:
        """Whether it is heard before it is sealed."""
        return self._arriving is not None

    def _come(self, handle: str, *, over: bool) -> tuple[Gathered, int]:
        """The packets that have come, and up to where (ms) all of them have."""
        if not self._sounded:  # what has been begun from sealed seconds goes on so
            self._arriving = self._ahead(handle)
        early = self._arriving
        if early is not None and not early.lost and (early.ended or not over):
            if early.ended:
                return early.gathered, -(-early.until // TEN_MS_NS) * 10
            return early.gathered, max(0, early.until // MS_NS - HOLD_BACK_MS) // 10 * 10
        self._arriving = None
        if over:
            self._following.moved(self._done)
        self._following.read()
        return self._following.gathered, self._following.seconds * 1000 - (0 if over else HOLD_BACK_MS)

    def _sound(self, gathered: Gathered, start: int, end: int, *, over: bool) -> None:
        record = record_of(self.detail)
        who = speakers(record)
        codecs = {stream: codecs_of(record, stream) for speaker in who for stream in speaker.streams}
        low, high = max(0, start - AROUND_MS), end + (0 if over else AROUND_MS)
        channels, rate = gathered.sound(who, codecs, low * MS_NS, high * MS_NS)
        for speaker, channel in zip(who, channels, strict=True):
            heard = self._lanes.get(speaker.streams)
            if heard is None:
                heard = _Heard(speaker, LiveLane(self._language_of(speaker), start), [])
                self._lanes[speaker.streams] = heard
            lost = tuple((a // MS_NS, b // MS_NS) for a, b in channel.lost)
            heard.lose((max(start, low + a), min(end, low + b)) for a, b in lost)
            sound = at_rate(concealed(channel.samples, rate, lost), rate)[(start - low) * 16 :]
            wanted = (end - start) * 16
            heard.lane.append(np.pad(sound[:wanted], (0, max(0, wanted - len(sound)))))

    def _language_of(self, speaker: Speaker) -> str | None:
        if self.detail is None:
            return None
        address = next(
            (str(p.get("aor") or "") for p in self.detail.parties if p["id"] == speaker.participant), ""
        )
        return self._language(speaker.name, address, self.detail.row.line or "")

    def due(self) -> list[tuple[LiveLane, Due]]:
        """What is to be decoded in its lanes."""
        return [(h.lane, due) for h in self._lanes.values() if (due := h.lane.due()) is not None]

    def transcript(self, machine: Machine, by: str, at: str) -> Transcript:
        """The text so far, in the form of a version; its subject has no call root while the call goes on."""
        lanes = tuple(
            Lane(
                lane_name(n),
                heard.speaker.participant,
                heard.speaker.name if heard.speaker.participant else "",
                heard.speaker.streams,
                heard.lane.language or "und",
                "identified" if heard.lane.language else "unknown",
                tuple(u for u in heard.lane.utterances if u.end <= self._sounded),
                tuple(s for s in heard.lost if s.end <= self._sounded),
            )
            for n, heard in enumerate(self._lanes.values())
        )
        handle = self.detail.handle if self.detail else "0" * 64
        of = Subject("call", str(self.number), NO_VERSION, self._sounded, handle)
        return Transcript(of, by, lanes, machine, at=at)

    def show(self, text: Transcript) -> None:
        """Leave the text so far where pages find it."""
        durable.make_dirs(self._home.live_transcripts, durable=False)
        path = self._home.live_transcripts / f"{self.number}.json"
        durable.write_file(path, text.encode(), durable=False)

    def forget(self) -> None:
        """The text is kept elsewhere now, or not wanted any more."""
        durable.remove_file(self._home.live_transcripts / f"{self.number}.json")


def record_of(detail: CallDetail | None) -> dict[str, Json]:
    """What `speakers` and `codecs_of` read of a call's record, from the catalogue."""
    if detail is None:
        return {"streams": [], "parties": []}
    streams = [
        {
            "stream": s.stream,
            "label": s.label,
            "codecs": [dict(c) for c in s.codecs],
            "participant": s.participant,
        }
        for s in detail.streams
    ]
    return {"streams": streams, "parties": [dict(party) for party in detail.parties]}
