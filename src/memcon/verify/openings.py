"""Events, stream table, openings and configuration of a bundle against their seals (FORMATS §4, §8, §9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from memcon.errors import FormatError
from memcon.record import canonical, opened
from memcon.record.call import (
    OPENING_BYE,
    OPENING_INVITE,
    OPENING_KEY_LINES,
    OPENING_PARTIES,
    OPENING_SOURCE_IDS,
)
from memcon.record.config import PARTS, config_commitment, config_root, hash_root
from memcon.record.segment import (
    decode_event,
    event_commitment,
    event_hash,
    opening_commitment,
    stream_hash,
)
from memcon.tlog.merkle import leaf_hash
from memcon.verify.seen import prefix_roots
from memcon.verify.words import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.record.opened import Opened
    from memcon.verify.calls import Call, Sealed
    from memcon.verify.findings import Report

_TITLES = {
    OPENING_PARTIES: "the parties",
    OPENING_SOURCE_IDS: "the source ids",
    OPENING_INVITE: "the INVITE",
    OPENING_KEY_LINES: "the key lines",
    OPENING_BYE: "the BYE",
}


@dataclass(slots=True)
class Shown:
    """What was opened: stream table entries, the first message, and counts of what is withheld."""

    streams: list[dict[str, Any]] = field(default_factory=list)
    first_message: bytes | None = None
    withheld: list[str] = field(default_factory=list)


def _check_number(report: Report, where: str, stated: int, call: Call) -> None:
    if stated != call.number:
        report.add("manifest-facts", where, f"is of call {stated}, the leaves of call {call.number}")


def check_events(report: Report, data: bytes, call: Call, shown: Shown) -> None:
    """`events.mcb`: every event against the event roots of the leaves."""
    where = "events.mcb"
    try:
        number, events = opened.read_events(data)
    except FormatError as error:
        report.add("events-form", where, str(error))
        return
    _check_number(report, where, number, call)
    hashes: list[bytes] = []
    withheld = 0
    for n, event in enumerate(events):
        if event.number != n:
            report.add("events-form", f"event {n}", f"is numbered {event.number}")
        commitment = event.item.commitment
        if event.item.data is None:
            withheld += 1
        else:
            commitment = event_commitment(event.item.salt, event.item.data)
            _read_event(report, n, bytes(event.item.data), shown)
        hashes.append(event_hash(n, event.ct_length, commitment, event.ct_hash))
    good = check_event_roots(report, call, hashes)
    report.checked.append(f"{good:,} of {count(len(hashes), 'event')} match their seals")
    if withheld:
        shown.withheld.append(count(withheld, "event"))


def check_event_roots(report: Report, call: Call, hashes: Sequence[bytes]) -> int:
    """Compare event hashes with the leaves' roots; how many of them match an anchored leaf."""
    good = due = 0
    for n, sealed in enumerate(call.leaves):
        leaf = sealed.leaf
        # Only what goes on where the leaf before ended is worked out: leaves that all claim the same
        # events would make this quadratic.
        follows = leaf.first_event == due
        due = max(due, leaf.first_event + leaf.events)
        part = hashes[leaf.first_event : leaf.first_event + leaf.events] if follows else ()
        if not follows or len(part) != leaf.events or hash_root(list(part)) != leaf.event_root:
            last = leaf.first_event + leaf.events - 1
            text = f"events {leaf.first_event} to {last} do not match call leaf {n}"
            report.add("events-root", "events", text)
        elif sealed.anchored:
            good += leaf.events
    if len(hashes) > due:
        report.add("events-root", "events", f"{len(hashes)} events, {due} are sealed")
    return good


def _read_event(report: Report, n: int, data: bytes, shown: Shown) -> None:
    try:
        event = decode_event(data)
    except FormatError as error:
        report.add("events-form", f"event {n}", str(error))
        return
    if event.number != n:
        report.add("events-form", f"event {n}", f"says inside that it is event {event.number}")
    if event.facts["type"] == "sip" and shown.first_message is None and not shown.withheld:
        shown.first_message = event.raw


def check_streams(report: Report, data: bytes, call: Call, shown: Shown) -> None:
    """`streams.mcb`: the stream table against the table roots of the leaves."""
    where = "streams.mcb"
    try:
        number, entries = opened.read_streams(data)
    except FormatError as error:
        report.add("streams-form", where, str(error))
        return
    _check_number(report, where, number, call)
    hashes = []
    for n, item in entries:
        if item.data is None:
            hashes.append(item.commitment)
            continue
        hashes.append(stream_hash(n, item.salt, bytes(item.data)))
        _read_entry(report, n, bytes(item.data), shown)
    good = 0
    roots = prefix_roots(
        [leaf_hash(h) for h in hashes], {sealed.leaf.table_entries for sealed in call.leaves}
    )
    for n, sealed in enumerate(call.leaves):
        entries_so_far = sealed.leaf.table_entries
        if roots.get(entries_so_far) != sealed.leaf.table_root:
            report.add(
                "streams-root", where, f"its first {entries_so_far} entries do not match call leaf {n}"
            )
        elif sealed.anchored:
            good = max(good, entries_so_far)
    sealed_entries = max((sealed.leaf.table_entries for sealed in call.leaves), default=0)
    if len(hashes) > sealed_entries:
        report.add("streams-root", where, f"{len(hashes)} entries, {sealed_entries} are sealed")
    report.checked.append(f"{good} of {len(hashes)} entries of the stream table match their seals")
    if hidden := sum(item.data is None for _, item in entries):
        shown.withheld.append(count(hidden, "entry of the stream table", "entries of the stream table"))


def _read_entry(report: Report, n: int, data: bytes, shown: Shown) -> None:
    try:
        value = canonical.loads(data, f"stream entry {n}")
    except FormatError as error:
        report.add("streams-form", f"stream entry {n}", str(error))
        return
    if not isinstance(value, dict) or value.get("entry") != n:
        report.add("streams-form", f"stream entry {n}", "is no object that names its own number")
        return
    shown.streams.append(value)


def check_openings(report: Report, data: bytes, call: Call, shown: Shown) -> None:
    """`openings.mcb`: parties, source ids, INVITE, key lines and BYE against their commitments."""
    where = "openings.mcb"
    try:
        number, openings = opened.read_openings(data)
    except FormatError as error:
        report.add("openings-form", where, str(error))
        return
    _check_number(report, where, number, call)
    sealed = _commitments(call)
    if [which for which, _ in openings] != sorted(sealed):
        names = ", ".join(str(which) for which, _ in openings) or "none"
        due = ", ".join(map(str, sorted(sealed)))
        report.add("openings-form", where, f"has openings {names}; {due} are due")
    good = 0
    for which, item in openings:
        title = _TITLES.get(which, f"opening {which}")
        commitment = item.commitment
        if item.data is not None:
            commitment = opening_commitment(which, item.salt, bytes(item.data))
        if sealed.get(which) != commitment:
            report.add("openings-seal", where, f"{title}: does not match the commitment in the call's leaf")
            continue
        good += 1
        if item.data is None:
            shown.withheld.append(title)
        else:
            _check_content(report, where, which, bytes(item.data), shown)
    report.checked.append(f"{good} of {len(sealed)} openings (parties, messages) match their commitments")


def _commitments(call: Call) -> dict[int, bytes]:
    sealed: dict[int, bytes] = {}
    if call.first is not None:
        sealed = {
            OPENING_PARTIES: call.first.parties,
            OPENING_SOURCE_IDS: call.first.source_ids,
            OPENING_INVITE: call.first.invite,
            OPENING_KEY_LINES: call.first.key_lines,
        }
    if call.last is not None:
        sealed[OPENING_BYE] = call.last.bye
    return sealed


def _check_content(report: Report, where: str, which: int, data: bytes, shown: Shown) -> None:
    if which in (OPENING_PARTIES, OPENING_SOURCE_IDS):
        try:
            value = canonical.loads(data, _TITLES[which])
        except FormatError as error:
            report.add("openings-form", where, str(error))
            return
        if which == OPENING_PARTIES and isinstance(value, list):
            report.facts["parties, as the sender named them"] = [_party(one) for one in value]
    elif which == OPENING_INVITE and shown.first_message not in (None, data):
        report.add("invite-differs", where, "the opened INVITE is not the first message among the events")


def _party(value: object) -> str:
    if not isinstance(value, dict):
        return str(value)
    shapes = (("name", '"{}"'), ("aor", "<{}>"), ("id", "id {}"))
    texts = {key: str(value[key]) for key, _ in shapes if value.get(key)}
    if "name" in texts:  # a quotation mark in a name must not end it: what follows would pass for an address
        texts["name"] = texts["name"].replace("\\", "\\\\").replace('"', '\\"')
    return " ".join(shape.format(texts[key]) for key, shape in shapes if key in texts)


def check_config(
    report: Report, data: bytes, call: Call, stated_keys: Sequence[str] | None, shown: Shown
) -> None:
    """`config.mcb`: the parts against the configuration root in the call's beats."""
    where = "config.mcb"
    try:
        parts = opened.read_config(data)
    except FormatError as error:
        report.add("config-form", where, str(error))
        return
    names = [name.decode("ascii", "backslashreplace") for name, _ in parts]
    if names != list(PARTS):
        report.add("config-form", where, f"has parts {', '.join(names)}; {', '.join(PARTS)} are due")
        return
    commitments = {}
    for name, (_, item) in zip(names, parts, strict=True):
        commitments[name] = item.commitment
        if item.data is None:
            shown.withheld.append(f"part {name} of the configuration")
        else:
            commitments[name] = config_commitment(name, item.salt, bytes(item.data))
            _check_part(report, name, item, call, stated_keys)
    root = config_root(commitments)
    fits = [sealed for sealed in call.leaves if sealed.beat is not None and sealed.beat.config_root == root]
    if not fits:
        report.add("config-root", where, "does not lead to the configuration root of any beat of the call")
        return
    beats = count(len(call.leaves), "beat")
    report.checked.append(
        f"The configuration ({len(PARTS)} parts) matches {len(fits)} of {beats} of the call"
    )
    if len(fits) < len(call.leaves):
        report.add("config-changed", where, f"beats {_others(call, fits)} have another configuration root")


def _others(call: Call, fits: Sequence[Sealed]) -> str:
    same = {sealed.leaf.index for sealed in fits}
    return ", ".join(str(sealed.leaf.index) for sealed in call.leaves if sealed.leaf.index not in same)


def _check_part(
    report: Report, name: str, item: Opened, call: Call, stated_keys: Sequence[str] | None
) -> None:
    data = bytes(item.data or b"")
    try:
        value = canonical.loads(data, f"configuration part {name}")
    except FormatError as error:
        report.add("config-form", f"config.mcb, {name}", str(error))
        return
    if name == "custodians" and call.first is not None and sha256(data).digest() != call.first.custodians:
        report.add(
            "custodians-differ", "config.mcb", "the call's first leaf names another list of custodians"
        )
    if name == "keys" and stated_keys is not None:
        log = value.get("log") if isinstance(value, dict) else None
        if not isinstance(log, list) or sorted(map(str, log)) != sorted(stated_keys):
            report.add("config-keys", "config.mcb", "states other log keys than the genesis statement")
