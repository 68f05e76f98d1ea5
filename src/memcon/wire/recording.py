"""What recording metadata says, as values, and how updates add up (RFC 7865 §6, RFC 7866 §8.1)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, TypeVar

NAMESPACE = "urn:ietf:params:xml:ns:recording:1"
MAX_FACTS = 1_000

T = TypeVar("T")

DataMode = Literal["complete", "partial"]


@dataclass(frozen=True, slots=True)
class NameId:
    """One address of record as written, with or without scheme, and the display name that came with it."""

    aor: str
    name: str = ""
    language: str = ""

    @property
    def scheme(self) -> str:
        """sip, sips, tel, or "" if the address has none (Sonus, Metaswitch, SEMS)."""
        scheme, colon, _ = self.aor.partition(":")
        return scheme.lower() if colon and scheme.isalpha() else ""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something a vendor said in its own words: under which id, in which element (path of local names)."""

    owner: str
    path: str
    value: str


@dataclass(frozen=True, slots=True)
class Group:
    """A communication session group: calls that belong together."""

    id: str
    associate_time: str = ""
    disassociate_time: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A communication session: the call that is recorded. Times as written, never corrected."""

    id: str
    group: str = ""
    sip_session_ids: tuple[str, ...] = ()
    start_time: str = ""
    stop_time: str = ""
    stop_reason: str = ""


@dataclass(frozen=True, slots=True)
class Participant:
    """A party. `names` grows with each update that says something new; the last one is the current one."""

    id: str
    names: tuple[NameId, ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """A media stream by its SDP label, or by its place in the description."""

    id: str
    label: str = ""
    session: str = ""
    mode: str = ""
    associate_time: str = ""
    mline: int | None = None
    """Where a client counts media lines instead of labelling them: the m-line, from 0."""


@dataclass(frozen=True, slots=True)
class SessionLink:
    """A participant's part in a session, with the times it joined and left."""

    participant: str
    session: str
    associate_time: str = ""
    disassociate_time: str = ""


@dataclass(frozen=True, slots=True)
class StreamLink:
    """Which streams carry a participant's voice (`send`) and which it hears (`recv`), by stream id."""

    participant: str
    send: tuple[str, ...] = ()
    recv: tuple[str, ...] = ()
    associate_time: str = ""
    disassociate_time: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """One metadata document, or what several say together (`merge`)."""

    datamode: DataMode
    groups: tuple[Group, ...] = ()
    sessions: tuple[Session, ...] = ()
    participants: tuple[Participant, ...] = ()
    streams: tuple[Stream, ...] = ()
    session_links: tuple[SessionLink, ...] = ()
    stream_links: tuple[StreamLink, ...] = ()
    facts: tuple[Fact, ...] = ()
    oddities: tuple[str, ...] = ()

    def streams_by_label(self) -> dict[str, Stream]:
        """Streams by SDP label; of two with one label the later counts."""
        return {stream.label: stream for stream in self.streams if stream.label}

    def participants_of(self, label: str, mline: int | None = None) -> tuple[Participant, ...]:
        """Who is said to speak in the stream of that label now; several if mixed, none if not said.

        `mline` finds it where the client counts media lines.
        """
        ids = {s.id for s in self.streams if s.id and label and s.label == label}
        ids |= {s.id for s in self.streams if s.id and s.mline is not None and s.mline == mline}
        senders = {
            link.participant
            for link in self.stream_links
            if ids & set(link.send) and not link.disassociate_time
        }
        return tuple(p for p in self.participants if p.id in senders)

    def labels_with_sender(self) -> frozenset[str]:
        """Labels of the streams that somebody is said to send now; a stream that leaves this set is held."""
        sent = {
            stream_id for link in self.stream_links for stream_id in link.send if not link.disassociate_time
        }
        return frozenset(s.label for s in self.streams if s.label and s.id in sent)

    def participant(self, participant_id: str) -> Participant | None:
        """The participant of that id."""
        return next((p for p in self.participants if p.id == participant_id), None)


def merge(previous: Recording | None, update: Recording) -> Recording:
    """What is known after an update: nobody is forgotten and nothing is renumbered.

    Participants, streams, sessions and groups keep their place; new ones are appended. Of a
    participant's stream links the update's count, so that `send` left out means held; a complete
    document also ends the links of those it does not name (RFC 7866 §8.1, RFC 8068).
    """
    if previous is None:
        return update
    links = (
        {} if update.datamode == "complete" else {link.participant: link for link in previous.stream_links}
    )
    links.update({link.participant: link for link in update.stream_links})
    return Recording(
        "complete",
        _groups(previous.groups, update.groups),
        _sessions(previous.sessions, update.sessions),
        _participants(previous.participants, update.participants),
        _streams(previous.streams, update.streams),
        _session_links(previous.session_links, update.session_links),
        tuple(links.values()),
        union(previous.facts, update.facts)[-MAX_FACTS:],
        union(previous.oddities, update.oddities)[-MAX_FACTS:],
    )


def union(before: tuple[T, ...], more: tuple[T, ...]) -> tuple[T, ...]:
    """`before`, then what of `more` is new, in order."""
    seen = set(before)
    return before + tuple(dict.fromkeys(item for item in more if item not in seen))


def _groups(before: tuple[Group, ...], more: tuple[Group, ...]) -> tuple[Group, ...]:
    known = {group.id: group for group in before}
    for group in more:
        known[group.id] = _fill(group, known.get(group.id, group))
    return tuple(known.values())


def _sessions(before: tuple[Session, ...], more: tuple[Session, ...]) -> tuple[Session, ...]:
    known = {session.id: session for session in before}
    for session in more:
        old = known.get(session.id, session)
        ids = union(old.sip_session_ids, session.sip_session_ids)
        known[session.id] = dataclasses.replace(_fill(session, old), sip_session_ids=ids)
    return tuple(known.values())


def _participants(before: tuple[Participant, ...], more: tuple[Participant, ...]) -> tuple[Participant, ...]:
    known = {participant.id: participant for participant in before}
    for participant in more:
        old = known.get(participant.id, participant)
        # the last name is the current one, so a name said again moves to the end
        kept = tuple(name for name in old.names if name not in participant.names)
        known[participant.id] = Participant(participant.id, kept + union((), participant.names))
    return tuple(known.values())


def _streams(before: tuple[Stream, ...], more: tuple[Stream, ...]) -> tuple[Stream, ...]:
    known = {_stream_key(stream): stream for stream in before}
    for stream in more:
        known[_stream_key(stream)] = _fill(stream, known.get(_stream_key(stream), stream))
    return tuple(known.values())


def _stream_key(stream: Stream) -> tuple[str, str]:
    return (stream.id, "") if stream.id else ("", stream.label)


def _session_links(before: tuple[SessionLink, ...], more: tuple[SessionLink, ...]) -> tuple[SessionLink, ...]:
    known = {(link.participant, link.session): link for link in before}
    for link in more:
        key = (link.participant, link.session)
        known[key] = _fill(link, known.get(key, link))
    return tuple(known.values())


V = TypeVar("V", Group, Session, Stream, SessionLink)


def _fill(new: V, old: V) -> V:
    """The new value, with what it leaves empty taken from the old one."""
    gaps = {
        f.name: getattr(old, f.name)
        for f in dataclasses.fields(new)
        if getattr(new, f.name) in ("", None, ())
    }
    return dataclasses.replace(new, **gaps)
