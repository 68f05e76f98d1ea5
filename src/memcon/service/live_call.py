"""One call that goes on, heard second by second: its lanes, what is due in them, and the text so far."""

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
    from collections.abc import Callable

    from memcon.catalogue.rows import CallDetail
    from memcon.record.canonical import Json
    from memcon.release.audio import Speaker
    from memcon.store.paths import Home
    from memcon.transcribe.engine import Engine
    from memcon.transcribe.lane import Wishes
    from memcon.transcribe.live import Due

MS_NS = 1_000_000
HOLD_BACK_MS = 60
"""The newest sound waits for packets that are a little late."""
BEHIND_MS = 60_000
"""Sound that waits to be decoded is left in its file beyond this: nothing is dropped, nothing fills up."""


@dataclass(slots=True)
class _Heard:
    """A lane and whose it is."""

    speaker: Speaker
    lane: LiveLane
    lost: list[Stretch]


class LiveCall:
    """A call by its number. `language` says what is set for a name, an address or a line."""

    def __init__(self, home: Home, number: int, call_key: bytes, language: Callable[..., str | None]) -> None:
        self.number = number
        self.detail: CallDetail | None = None
        self._home = home
        self._language = language
        self._lanes: dict[tuple[int, ...], _Heard] = {}
        self._open = home.work_open / str(number) / "media.mcs"
        self._done = home.work_done / str(number) / "media.mcs"
        self._following = Following(self._open, call_key)
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
        """Take in the seconds that have been sealed since; `detail` is what the catalogue knows by now."""
        self.detail = detail or self.detail
        if self.detail is None or self.behind > BEHIND_MS:
            return
        over = self.over
        if over:
            self._following.moved(self._done)
        self._following.read()
        end = self._following.seconds * 1000 - (0 if over else HOLD_BACK_MS)
        if end > self._sounded:
            self._sound(self._sounded, end)
            self._sounded = end
        if over:
            for heard in self._lanes.values():
                heard.lane.close()

    def _sound(self, start: int, end: int) -> None:
        record = record_of(self.detail)
        who = speakers(record)
        codecs = {stream: codecs_of(record, stream) for speaker in who for stream in speaker.streams}
        channels, rate = self._following.sound(who, codecs, start * MS_NS, end * MS_NS)
        for speaker, channel in zip(who, channels, strict=True):
            heard = self._lanes.get(speaker.streams)
            if heard is None:
                heard = _Heard(speaker, LiveLane(self._language_of(speaker), start), [])
                self._lanes[speaker.streams] = heard
            lost = tuple((a // MS_NS, b // MS_NS) for a, b in channel.lost)
            heard.lost += [Stretch(start + a, start + b, "lost") for a, b in lost if b > a]
            sound = at_rate(concealed(channel.samples, rate, lost), rate)
            wanted = (end - start) * 16
            heard.lane.append(np.pad(sound[:wanted], (0, max(0, wanted - len(sound)))))

    def _language_of(self, speaker: Speaker) -> str | None:
        if self.detail is None:
            return None
        address = next(
            (str(p.get("aor") or "") for p in self.detail.parties if p["id"] == speaker.participant), ""
        )
        return self._language(speaker.name, address, self.detail.row.line or "")

    def due(self) -> tuple[LiveLane, Due] | None:
        """What is to be decoded first."""
        found = [(h.lane, due) for h in self._lanes.values() if (due := h.lane.due()) is not None]
        return min(found, key=lambda pair: pair[1].turn, default=None)

    def transcript(self, engine: Engine, wishes: Wishes, by: str, at: str) -> Transcript:
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
        return Transcript(of, by, lanes, engine.machine("live", wishes.hot_words), at=at)

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
