"""What a reader found in a file, as the statement of an intake holds it (FORMATS §21)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_GAPS = 1000
MOST_TEXT = 300


@dataclass(slots=True)
class Lane:
    """One voice: a channel of a file, a stream of a capture. Times in ms from the call's start.

    `source` says where in the file it stands, so that a reader decodes it again: for media the stream's
    and the channel's number, for packets the SSRC in hex, address and ports. `gaps` are [from, to) of
    packets that are missing; `received` and `expected` count packets and are 0 for media.
    """

    name: str
    codec: str
    rate: int
    source: dict[str, Any]
    begins: int = 0
    duration: int = 0
    party: str = ""
    received: int = 0
    expected: int = 0
    gaps: list[list[int]] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "codec": self.codec,
            "rate": self.rate,
            "source": self.source,
            "begins_ms": self.begins,
            "duration_ms": self.duration,
            "party": self.party,
            "received": self.received,
            "expected": self.expected,
            "gaps_ms": self.gaps[:MOST_GAPS],
        }


@dataclass(slots=True)
class Found:
    """What a file holds. `start` is EDTF and by the file's own word; `says` other words of the file.

    `peaks`: for each lane a value of 0 to 100 a second; shown, and not part of the statement.
    """

    form: str
    container: str
    media_type: str
    reader: str
    duration: int = 0
    lanes: list[Lane] = field(default_factory=list)
    start: str = ""
    parties: list[dict[str, str]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    says: dict[str, str] = field(default_factory=dict)
    remarks: list[dict[str, str]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    peaks: list[bytes] = field(default_factory=list)

    def remark(self, code: str, text: str) -> None:
        """Something that whoever reads of the call has to know."""
        self.remarks.append({"code": code, "text": text[:MOST_TEXT]})

    def facts(self) -> dict[str, Any]:
        """As JSON, without the peaks and what goes into `stated`."""
        return {
            "form": self.form,
            "container": self.container,
            "reader": self.reader,
            "duration_ms": self.duration,
            "lanes": [lane.facts() for lane in self.lanes],
            "says": {key[:60]: value[:MOST_TEXT] for key, value in sorted(self.says.items())[:40]},
            "remarks": self.remarks,
            "events": self.events,
        }

    def to_json(self) -> dict[str, Any]:
        """Everything, as the reading process hands it over."""
        return {
            "facts": self.facts(),
            "media_type": self.media_type,
            "start": self.start,
            "parties": self.parties,
            "ids": self.ids,
            "peaks": [one.hex() for one in self.peaks],
        }


@dataclass(frozen=True, slots=True)
class Read:
    """A `Found` on the other side of the pipe."""

    facts: dict[str, Any]
    media_type: str
    start: str
    parties: list[dict[str, str]]
    ids: list[str]
    peaks: list[bytes]

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Read:
        """KeyError, TypeError or ValueError for what no reader writes."""
        return cls(
            dict(value["facts"]),
            str(value["media_type"]),
            str(value["start"]),
            list(value["parties"]),
            list(value["ids"]),
            [bytes.fromhex(one) for one in value["peaks"]],
        )
