"""Events, streams, openings, configuration: sealed wrongly, withheld, left out or of another time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.verify import builder as b
from tests.verify.found import codes

from memcon.record import canonical, hashing, segment
from memcon.record.config import commit_parts
from memcon.record.hashing import sha256
from memcon.record.opened import Opened, OpenedEvent
from memcon.verify import trust, verify_bundle


def test_events_that_cannot_be_read_or_are_misnumbered() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    made.events[1] = replace(made.events[1], number=7)
    assert codes(made) == {"events-form"}
    made = b.bundle(world, call)
    made.events.append(made.events[1])
    assert "events-root" in codes(made)


@pytest.mark.parametrize("data", [b"no event", segment.Event(5, 0, 0, {"type": "hold"}).encode()])
def test_an_event_sealed_wrongly(data: bytes) -> None:
    class Odd(b.Call):
        def event(self, since: int, facts: dict[str, Any], raw: bytes = b"") -> None:
            super().event(since, facts, raw)
            if facts["type"] == "end":
                n = len(self.events) - 1
                commitment = segment.event_commitment(hashing.event_salt(self.key, n), data)
                ciphertext = self.event_ciphertexts[n]
                self.events[n] = data
                self.event_hashes[n] = segment.event_hash(n, len(ciphertext), commitment, sha256(ciphertext))

    world = b.begun()
    call = Odd(world, packets=b.speech(5, 0))
    while not call.done:
        world.beat([call])
    assert codes(b.bundle(world, call)) == {"events-form"}


def test_withheld_events_entries_openings_and_parts_are_named() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    made.events[0] = OpenedEvent(
        0,
        made.events[0].ct_length,
        made.events[0].ct_hash,
        Opened(None, commitment=call.event_commitments[0]),
    )
    made.streams[1] = Opened(None, commitment=call.stream_hashes()[1])
    made.openings[2] = (3, Opened(None, commitment=call.opening(3)))
    name, item = made.config[3]
    assert item.data is not None
    commitment = commit_parts(b.STRUCTURE, world.config)[name]
    made.config[3] = (name, Opened(None, commitment=commitment))
    report = verify_bundle(made.pack(), trust(world.vkeys()))
    assert set(report.counts) == {"withheld"}
    text = report.findings[0].text
    assert text == "1 event, 1 entry of the stream table, the INVITE, part lines of the configuration"


def test_the_stream_table_has_an_entry_that_nobody_sealed() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    made.streams.append(made.streams[0])
    assert codes(made) == {"streams-form", "streams-root"}


@pytest.mark.parametrize("entry", [b"no JSON", b"[]", b'{"entry":5}'])
def test_a_stream_entry_sealed_wrongly(entry: bytes) -> None:
    world = b.begun()
    call = b.Call(world, packets=b.speech(5, 0))
    call.table[1] = entry
    while not call.done:
        world.beat([call])
    assert codes(b.bundle(world, call)) == {"streams-form"}


def test_openings_missing_or_no_json() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    del made.openings[0]
    assert codes(made) == {"openings-form"}
    made.openings.clear()
    assert codes(made) == {"openings-form"}
    call = b.Call(world, number=2, packets=b.speech(5, 0))
    call.openings[1] = b"{"
    call.openings[2] = b"[]"
    while not call.done:
        world.beat([call])
    assert codes(b.bundle(world, call)) == {"openings-form"}


def test_parties_may_have_any_shape() -> None:
    world = b.begun()
    call = b.Call(world, packets=b.speech(5, 0))
    spoof = {"name": 'A" <sip:a@example>', "aor": "sip:c@example"}
    call.openings[1] = canonical.dumps(["somebody", {"aor": "sip:b@example"}, spoof])
    while not call.done:
        world.beat([call])
    report = verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys()))
    assert report.facts["parties, as the sender named them"] == [
        "somebody",
        "<sip:b@example>",
        '"A\\" <sip:a@example>" <sip:c@example>',
    ]
    call = b.Call(world, number=2, packets=b.speech(5, 0))
    call.openings[1] = canonical.dumps({"a": 1})
    while not call.done:
        world.beat([call])
    assert codes(b.bundle(world, call)) == set()


def test_the_opened_invite_is_not_the_message_that_came() -> None:
    world = b.begun()
    call = b.Call(world, packets=b.speech(5, 0))
    call.openings[3] = b"INVITE sip:another@example SIP/2.0\r\n\r\n"
    while not call.done:
        world.beat([call])
    assert codes(b.bundle(world, call)) == {"invite-differs"}


def test_configuration_of_another_time_missing_parts_and_no_json() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    name, item = made.config[2]
    made.config[2] = (name, Opened(b'{"another":1}', item.salt))
    assert codes(made) == {"config-root", "config-keys"} or codes(made) == {"config-root"}
    made = b.bundle(world, call)
    del made.config[0]
    assert codes(made) == {"config-form"}
    world = b.World(mldsa=False)
    world.config["lines"] = b"{ }"
    world.genesis()
    world.beat()
    assert codes(b.bundle(*b.simple(world=world))) == {"config-form"}


@pytest.mark.parametrize("part", [b"[]", canonical.dumps({"log": ["x"], "receipt": ""})])
def test_the_configuration_states_other_keys(part: bytes) -> None:
    world = b.World(mldsa=False)
    world.config["keys"] = part
    world.genesis()
    world.beat()
    assert codes(b.bundle(*b.simple(world=world))) == {"config-keys"}


def test_the_configuration_changes_during_the_call() -> None:
    world = b.begun()
    call = b.Call(world, packets=b.speech(5, 0))
    world.beat([call])
    world.beat([call])
    made_before = dict(world.config)
    world.config["lines"] = canonical.dumps({"changed": True})
    world.beat([call])
    assert codes(b.bundle(world, call)) == {"config-changed"}
    world.config = made_before
    assert codes(b.bundle(world, call)) == {"config-changed"}


def test_the_policy_in_the_bundle_informs_only() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    made.policy = b"nonsense\n"
    assert codes(made) == {"policy-form"}
    other = b.World(mldsa=False, key_name="other")
    made.policy = f"log {other.vkeys()[0]}\nquorum none\n".encode()
    assert codes(made) == {"policy-keys"}


def test_statements_missing_extra_or_damaged() -> None:
    world, call = b.simple()
    made = b.bundle(world, call)
    name, data = made.statements.popitem()
    assert codes(made) == {"statement-missing"}
    made.statements = {name: data, "0" * 64: b"{}"}
    assert codes(made) == {"container-entry"}
    made.statements = {name: data.replace(b"2027", b"2028")}
    assert codes(made) == {"statement-hash"}
