"""The watch over a mirrored log: when its beats stop, certificates are made, published and told.

    due(s) = end of slot s + G, for the first slot s without a leaf

    quiet  -> silent    the clock is past due(s), this witness has cosigned nothing more since, and the
                        last leaf is not in state off: a certificate is made and told, once; where the
                        last leaf was fetched by nobody there can be none, and that is told
                        a leaf numbered ahead of its time, or that is none, is no sign of life: the last
                        leaf is the last beat whose slot has begun; there is no certificate then, but
                        fresh cosignatures, which say the same to whoever has the mirror
    silent -> silent    another certificate from time to time, so that the newest covers nearly all
    silent -> quiet     a leaf has come: the end is told, once

The slots just before the end need no certificate: the recorder has its last checkpoint cosigned anew
before it goes on, and that note says the same.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.clock import NS, utc
from memcon.errors import FormatError
from memcon.record import beat, statement
from memcon.record.statement import Genesis
from memcon.store.tiles import LogStore
from memcon.verify.sources import Directory
from memcon.witness.prove import prove

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from memcon.clock import Clock
    from memcon.record.beat import Beat
    from memcon.tlog.policy import Policy
    from memcon.witness.mirror import Mirror
    from memcon.witness.prove import Proved

    Tell = Callable[[str, Mapping[str, object]], object]

MOST_APART_NS = 3600 * NS
UNPROVED_TRIES = 3
"""Attempts without a certificate after which people are told all the same."""


@dataclass(slots=True)
class Incident:
    """A silence: its first slot's start, the slot before it, when the next certificate is due (wall ns).

    `size`: leaves of the log then.
    """

    since: int
    last: int
    next: int
    size: int = 0
    tries: int = 0
    told: bool = False
    certificates: int = 0


class Watch:
    """Watches one mirror. `seen` gives the size this witness has cosigned last, and when (POSIX seconds)."""

    def __init__(
        self,
        mirror: Mirror,
        policy: Policy,
        clock: Clock,
        *,
        seen: Callable[[], tuple[int, int]],
        tell: Tell,
        name: str,
    ) -> None:
        self._mirror = mirror
        self._policy = policy
        self._clock = clock
        self._seen = seen
        self._tell = tell
        self._name = name
        self._genesis: Genesis | None = None
        self._at: tuple[int, Beat] | None = None
        self._idle = 0
        """Leaves behind the last beat that are none: numbered ahead of their time, or not even leaves."""
        self.incident: Incident | None = None

    def step(self) -> None:
        """Look once. Raises MemconError where a certificate could not be tried; it is tried again."""
        last = self._last()
        if last is None or self._genesis is None:
            return
        period = self._genesis.period_ms * 1_000_000
        now = self._clock.wall_ns()
        if self.incident is not None and last.slot > self.incident.last:
            self._end(period)
        due = (last.slot + 2 + self._genesis.g) * period + NS  # cosignatures are dated in whole seconds
        size, time = self._seen()
        if size > self._mirror.size:  # the site went away before its last leaf was fetched
            due = max(due, time * NS + (2 + self._genesis.g) * period + NS)
        if last.state is beat.State.OFF or now < due:
            return
        if self.incident is None:
            self.incident = Incident((last.slot + 1) * period, last.slot, now, self._mirror.size - self._idle)
        if now >= self.incident.next:
            self._certify(self.incident, now, period)

    def _last(self) -> Beat | None:
        """The last beat whose slot has begun; None for an empty mirror and for logs that are not memcon's."""
        size = self._mirror.size
        if not size:
            return None
        if self._at is None or self._at[0] != size or self._idle:
            store = LogStore(self._mirror.root)
            try:
                if self._genesis is None:
                    self._genesis = self._begun(store)
                at = self._newest(store, size, self._genesis.period_ms * 1_000_000)
                self._at, self._idle = (size, _leaf(store, at)), size - 1 - at
            except FormatError:
                return None
        return self._at[1]

    def _newest(self, store: LogStore, size: int, period: int) -> int:
        """The index of that leaf. Clocks may differ: of this one, a slot may begin a period ahead."""
        newest = self._clock.wall_ns() // period + 1

        def is_none(index: int) -> bool:
            try:
                return _leaf(store, index).slot > newest
            except FormatError:
                return True

        if not is_none(size - 1):
            return size - 1
        return max(0, bisect_left(range(size), True, key=is_none) - 1)

    def _begun(self, store: LogStore) -> Genesis:
        first = _leaf(store, 0)
        said = statement.decode(store.fetch(f"statement/{first.statement.hex()}") or b"")
        if not isinstance(said, Genesis):
            raise FormatError("log", "does not begin with a genesis statement")
        return said

    def _certify(self, incident: Incident, now: int, period: int) -> None:
        incident.next = now + max(period, min((now - incident.since) // 10, MOST_APART_NS))
        incident.tries += 1
        if self._idle and not incident.told:
            incident.told = True
            self._say("silent", incident, self._idly(incident), certificate=None)
        proved = prove(Directory(self._mirror.root), self._policy)
        archive = self._mirror.archive
        for conflict in proved.conflicts:
            if conflict.kind == "fork" or self._mirror.reachable:  # a site that is away withholds nothing
                archive.add_conflict(conflict)
                self._say("conflict", incident, f"The log {proved.origin} shows witnesses different things.")
        path = None
        if proved.certificate is not None and proved.time is not None:
            path = f"silence/{archive.add_certificate(proved.certificate, proved.size, proved.time).hex()}"
            incident.certificates += 1
        if not incident.told and (path or incident.tries >= UNPROVED_TRIES):
            incident.told = True
            self._begin(incident, proved, path)

    def _begin(self, incident: Incident, proved: Proved, path: str | None) -> None:
        since = utc(incident.since)
        text = (
            f"The log {proved.origin} has been silent since {since}: no beat beyond leaf {proved.size - 1}."
        )
        if path is None:
            why = "; ".join(f"{url}: {problem}" for url, problem in proved.problems.items())
            text += f" No certificate yet: too few witnesses could be asked. {why}"
        self._say("silent", incident, text, certificate=path)

    def _idly(self, incident: Incident) -> str:
        return (
            f"The log {self._mirror.origin} has been silent since {utc(incident.since)}: beyond leaf "
            f"{incident.size - 1} it shows only leaves ahead of their time or unreadable ({self._idle})."
        )

    def _end(self, period: int) -> None:
        incident, self.incident = self.incident, None
        if incident is not None and incident.told:
            store = LogStore(self._mirror.root)
            first = _leaf(store, incident.size)
            text = (
                f"The log {self._mirror.origin} beats again since {utc(first.slot * period)}; "
                f"it was silent since {utc(incident.since)}."
            )
            self._say("ended", incident, text, certificates=incident.certificates)

    def _say(self, kind: str, incident: Incident, text: str, **more: object) -> None:
        event = {
            "event": kind,
            "origin": self._mirror.origin,
            "witness": self._name,
            "since": utc(incident.since),
            "text": text,
            **more,
        }
        self._tell(f"memcon: {self._mirror.origin}: {kind}", event)


def _leaf(store: LogStore, index: int) -> Beat:
    return beat.decode(next(store.entries(index, index + 1)))
