"""Recording metadata: who takes part, and whose voice is in which stream (RFC 7865, RFC 7866 §8).

Senders differ in namespace, prefix and attribute names; what they say is read by local name, and
each deviation is said in `oddities`. Participants are matched to streams only by what the document
says, never by position: a guess here puts words into the wrong mouth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from memcon.errors import FormatError
from memcon.wire.recording import (
    MAX_FACTS,
    NAMESPACE,
    DataMode,
    Fact,
    Group,
    NameId,
    Participant,
    Recording,
    Session,
    SessionLink,
    Stream,
    StreamLink,
    merge,
    union,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NAMESPACE", "Recording", "merge", "parse"]

KNOWN_NAMESPACES = (NAMESPACE, "urn:ietf:params:xml:ns:recording", "urn:ietf:params:xml:ns:siprec")
MAX_ELEMENTS = 10_000


def parse(data: bytes) -> Recording:
    """Read one document. Raises FormatError when it is no XML, has a DTD, or is not recording metadata.

    No entity is expanded, no DTD loaded, nothing fetched.
    """
    oddities: list[str] = []
    root = _root(data, oddities)
    if _local(root) not in ("recording", "recording_metadata"):
        raise FormatError("recording metadata", f"the root element is {_local(root)[:40]!r}", where="root")
    namespace = _split(root.tag)[0]
    if namespace != NAMESPACE:
        oddities.append(f"namespace {namespace[:80]!r} instead of {NAMESPACE}")
    reader = _Reader(namespace, oddities)
    reader.take_text(root)
    for element in _elements(root):
        reader.take(element)
    return reader.result()


def _root(data: bytes, oddities: list[str]) -> etree._Element:
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))  # UTF-16: its bytes are not ours to strip
    text = data if wide else data.strip(b" \t\r\n\0").removeprefix(b"\xef\xbb\xbf")
    if not text:
        raise FormatError("recording metadata", "the document is empty", where=0)
    encoding = None
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        if not wide:
            encoding = "iso-8859-1"
            oddities.append(f"byte {error.start} is not UTF-8; read as ISO 8859-1")
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        encoding=encoding,
    )
    try:
        root = etree.fromstring(text, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        line = getattr(error, "lineno", None)
        raise FormatError("recording metadata", f"no XML: {error}", where=f"line {line}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise FormatError(
            "recording metadata", "a document type declaration is not accepted", where="DOCTYPE"
        )
    if sum(1 for _, _ in zip(root.iter(), range(MAX_ELEMENTS + 1), strict=False)) > MAX_ELEMENTS:
        raise FormatError("recording metadata", f"more than {MAX_ELEMENTS} elements", where="root")
    return root


def _elements(parent: etree._Element) -> Iterator[etree._Element]:
    # entity references and the like are nodes whose tag is no string
    return parent.iterchildren(tag=etree.Element)


def _split(name: object) -> tuple[str, str]:
    """(namespace, local name) of a tag or attribute. By its text: what was read in recovery may have a name
    that the library itself refuses to take apart, like `group_:id` without such a namespace."""
    space, _, local = str(name).rpartition("}")
    return space.removeprefix("{"), local


def _local(element: etree._Element) -> str:
    return _split(element.tag)[1]


def _text(element: etree._Element) -> str:
    return (element.text or "").strip()


def _attribute(element: etree._Element, *names: str) -> str:
    """The first of these attributes, by local name: `participant_id` in the RFC, `id` with Oracle."""
    values = {_split(key)[1]: str(value).strip() for key, value in element.attrib.items()}
    return next((values[name] for name in names if values.get(name)), "")


class _Reader:
    """Collects what the children of the root say."""

    def __init__(self, namespace: str, oddities: list[str]) -> None:
        self._namespace = namespace
        self._oddities = oddities
        self._mode: DataMode | None = None
        self._groups: list[Group] = []
        self._sessions: list[Session] = []
        self._participants: dict[str, Participant] = {}
        self._streams: list[Stream] = []
        self._session_links: list[SessionLink] = []
        self._stream_links: dict[str, StreamLink] = {}
        self._facts: list[Fact] = []

    def take_text(self, root: etree._Element) -> None:
        """Text that stands in the root itself: what is left of metadata whose tags were lost on the way."""
        if _text(root):
            self._oddities.append("text outside all elements")
            self._facts.append(Fact("", _local(root), _text(root)))

    def take(self, element: etree._Element) -> None:
        name = _local(element).lower()
        own = _split(element.tag)[0] in (self._namespace, *KNOWN_NAMESPACES)
        read = getattr(self, f"_read_{name}", None) if own else None
        if read is None:
            self._foreign(element, "", _local(element))
            return
        read(element)
        owner = _attribute(element, "id", f"{name}_id", "participant_id", "session_id")
        for child in _elements(element):
            child_own = _split(child.tag)[0] in (self._namespace, *KNOWN_NAMESPACES)
            if not child_own or _local(child).lower() == "extensiondata":
                self._foreign(child, owner, f"{_local(element)}/{_local(child)}")

    def _foreign(self, element: etree._Element, owner: str, path: str) -> None:
        """Keep every text and attribute under a vendor's element."""
        stack = [(element, path)]
        while stack and len(self._facts) < MAX_FACTS:
            node, at = stack.pop()
            for key, value in node.attrib.items():
                self._facts.append(Fact(owner, f"{at}/@{_split(key)[1]}", str(value)))
            if _text(node):
                self._facts.append(Fact(owner, at, _text(node)))
            stack += [(child, f"{at}/{_local(child)}") for child in reversed(list(_elements(node)))]

    def _child(self, element: etree._Element, *names: str) -> str:
        return next(iter(self._children(element, *names)), "")

    def _children(self, element: etree._Element, *names: str) -> list[str]:
        return [_text(c) for c in _elements(element) if _local(c).lower() in names and _text(c)]

    def _id(self, element: etree._Element, kind: str) -> str:
        found = _attribute(element, f"{kind}_id", "id")
        if not found:
            self._oddities.append(f"a {kind} without id")
        return found

    def _read_datamode(self, element: etree._Element) -> None:
        if _local(element) != "datamode":
            self._oddities.append(f"element {_local(element)} instead of datamode")
        text = _text(element).lower()
        if text == "partial":
            self._mode = "partial"
        elif text == "complete":
            self._mode = "complete"
        else:
            self._oddities.append(f"unknown datamode {text[:40]!r}")

    def _read_group(self, element: etree._Element) -> None:
        joined, left = self._times(element)
        self._groups.append(Group(self._id(element, "group"), joined, left))

    def _times(self, element: etree._Element) -> tuple[str, str]:
        return self._child(element, "associate-time"), self._child(element, "disassociate-time")

    def _read_session(self, element: etree._Element) -> None:
        self._sessions.append(
            Session(
                self._id(element, "session"),
                self._child(element, "group-ref"),
                tuple(self._children(element, "sipsessionid")),
                self._child(element, "start-time", "associate-time"),
                self._child(element, "stop-time"),
                self._child(element, "reason"),
            )
        )

    def _read_participant(self, element: etree._Element) -> None:
        found = self._id(element, "participant")
        names = [self._name_id(c) for c in _elements(element) if _local(c).lower() == "nameid"]
        names += [NameId(aor) for aor in self._children(element, "aor")]  # BroadWorks
        before = self._participants.get(found, Participant(found))
        self._participants[found] = Participant(found, union(before.names, tuple(names)))
        session = _attribute(element, "session", "session_id")
        if session:  # Oracle: the links stand inside the participant
            self._session_links.append(SessionLink(found, session, *self._times(element)))
        if self._children(element, "send", "recv"):
            self._oddities.append("send or recv inside participant")
            self._link_streams(element, found)

    def _name_id(self, element: etree._Element) -> NameId:
        for child in _elements(element):
            if _local(child) == "name":
                return NameId(_attribute(element, "aor"), _text(child), _attribute(child, "lang"))
        return NameId(_attribute(element, "aor"))

    def _read_stream(self, element: etree._Element) -> None:
        self._streams.append(
            Stream(
                self._id(element, "stream"),
                self._child(element, "label"),
                _attribute(element, "session_id", "session"),
                self._child(element, "mode"),
                self._child(element, "associate-time"),
            )
        )

    def _read_sessionrecordingassoc(self, element: etree._Element) -> None:
        """The recording of this session began or ended: a time for a session, nothing else."""
        ended = self._child(element, "disassociate-time")
        if ended:
            self._facts.append(
                Fact(_attribute(element, "session_id"), "sessionrecordingassoc/disassociate-time", ended)
            )

    def _read_participantsessionassoc(self, element: etree._Element) -> None:
        link = SessionLink(
            _attribute(element, "participant_id"), _attribute(element, "session_id"), *self._times(element)
        )
        self._session_links.append(link)

    def _read_participantstreamassoc(self, element: etree._Element) -> None:
        self._link_streams(element, _attribute(element, "participant_id"))

    def _link_streams(self, element: etree._Element, participant: str) -> None:
        before = self._stream_links.get(participant, StreamLink(participant))
        joined, left = self._times(element)
        self._stream_links[participant] = StreamLink(
            participant,
            union(before.send, tuple(self._children(element, "send"))),
            union(before.recv, tuple(self._children(element, "recv"))),
            joined or before.associate_time,
            left or before.disassociate_time,
        )

    def result(self) -> Recording:
        if self._mode is None:
            self._oddities.append("no datamode; taken as complete")
        known = {stream.id for stream in self._streams}
        for link in self._stream_links.values():
            if self._mode != "partial" and (set(link.send) | set(link.recv)) - known:
                self._oddities.append(
                    f"participant {link.participant[:40]!r} names a stream that is not described"
                )
        return Recording(
            self._mode or "complete",
            tuple(self._groups),
            tuple(self._sessions),
            tuple(self._participants.values()),
            tuple(self._streams),
            tuple(self._session_links),
            tuple(self._stream_links.values()),
            tuple(self._facts),
            tuple(self._oddities),
        )
