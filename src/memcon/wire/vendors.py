"""What recording clients say outside SIPREC: in headers, in From parameters, in extensions of the metadata.

Cisco's CUBE in its network-based mode sends no metadata, only a header a party; Cisco's CUCM, whose
telephones fork their own voice (built-in bridge), calls twice for one call and says which side it sends
in From. Both become a `Recording` as metadata would have made it. `links` are the names by which two
recordings are known to be of one call: kept twice, never merged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.wire.address import parse_address
from memcon.wire.recording import NameId, Participant, Recording, Stream, StreamLink

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memcon.wire.address import Address
    from memcon.wire.sip import Message

CUBE_PARTY = "x-cisco-recording-participant"
DUMMY = ("asbce@asbce.com",)
"""Stands in the place of a party that is not known yet (Avaya SBCE)."""
MIN_ID = 6
"""Characters of an id that can name a call: "1" and "s1" would join strangers."""
MAX_LINKS = 64
_GROUP_FACTS = ("xferredgroupid",)
_CALL_FACTS = ("ucid", "xferredsessionid", "exttrackingid", "externaltrackingid")
_NIL = "0" * 32


def recording_of(message: Message) -> Recording | None:
    """The parties and who sends which media line, by headers alone; None where they say nothing."""
    return _network_based(message) or _built_in_bridge(message.from_)


def _network_based(message: Message) -> Recording | None:
    # X-Cisco-Recording-Participant: sip:708090@9.42.30.10;media-index="0 2"
    people: dict[str, Participant] = {}
    lines: dict[str, tuple[int, ...]] = {}
    for member in message.headers.members(CUBE_PARTY):
        try:
            said = parse_address(member)
        except FormatError:
            continue
        people[said.uri_text] = Participant(said.uri_text, (NameId(said.uri_text, said.display),))
        lines[said.uri_text] = lines.get(said.uri_text, ()) + _media_indexes(said)
    return _made(tuple(people.values()), lines) if people else None


def _media_indexes(said: Address) -> tuple[int, ...]:
    text = dict(said.params).get("media-index") or ""
    words = text.replace(",", " ").split()
    return tuple(int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 4)


def _parameters(address: Address) -> dict[str, str]:
    """Parameters of a header and of its URI: CUCM's releases differ in where they put theirs."""
    inside = address.uri.params if address.uri else ()
    return {name: value or "" for name, value in (*inside, *address.params)}


def _built_in_bridge(from_: Address) -> Recording | None:
    # From: <sip:2001@10.1.1.1;x-nearend;x-refci=24474914;x-nearendclusterid=c1;x-nearendaddr=2001;
    #       x-farendaddr=2002;...>;tag=...
    said = _parameters(from_)
    side = next((side for side in ("nearend", "farend") if f"x-{side}" in said), None)
    if side is None:
        return None
    ends = [(end, said.get(f"x-{end}addr", "")) for end in ("nearend", "farend")]
    people = tuple(Participant(end, (NameId(aor),) if aor else ()) for end, aor in ends)
    return _made(people, {side: (0,)})


def _made(people: tuple[Participant, ...], lines: dict[str, tuple[int, ...]]) -> Recording:
    indexes = sorted({index for mine in lines.values() for index in mine})
    return Recording(
        "complete",
        participants=people,
        streams=tuple(Stream(f"media-index {index}", mline=index) for index in indexes),
        stream_links=tuple(
            StreamLink(who, tuple(f"media-index {index}" for index in mine)) for who, mine in lines.items()
        ),
    )


def is_dummy(aor: str) -> bool:
    """Whether an address stands for a party that is not known yet."""
    return aor.lower().partition(":")[2] in DUMMY or aor.lower() in DUMMY


def links(message_links: Iterable[str], recording: Recording | None) -> tuple[str, ...]:
    """Every name of the call that is recorded, each with its kind before it, in order of appearance."""
    found = list(message_links)
    if recording is not None:
        found += [_link("session", session.id) for session in recording.sessions]
        found += [_link("group", group.id) for group in recording.groups]
        for session in recording.sessions:
            found.append(_link("group", session.group))
            # sipSessionID = sess-uuid ";remote=" sess-uuid (RFC 7989 §5): either end may come first
            for text in session.sip_session_ids:
                found += [_link("sip-session", end) for end in text.replace(";remote=", ";").split(";")]
        for fact in recording.facts:
            name = fact.path.rpartition("/")[2].lower()
            found += [_link("group", fact.value)] if name in _GROUP_FACTS else []
            found += [_link("call", fact.value)] if name in _CALL_FACTS else []
    return tuple(dict.fromkeys(link for link in found if link))[:MAX_LINKS]


def links_of(message: Message) -> tuple[str, ...]:
    """The names of the call in an INVITE's headers."""
    said = _parameters(message.from_)
    cluster = said.get("x-nearendclusterid", "")
    found = [_link("refci", said["x-refci"], cluster)] if said.get("x-refci") else []
    found += [_link("guid", value) for value in message.headers.all("cisco-guid")]
    return tuple(link for link in found if link)


def _link(kind: str, value: str, where: str = "") -> str:
    value = value.strip()
    known = len(value) >= MIN_ID and value != _NIL and value.isprintable()
    return f"{kind}:{value[:200]}{f'@{where[:100]}' if where else ''}" if known else ""
