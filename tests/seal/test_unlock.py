"""SRTP sealed: opened where a key opens it, kept as it came where none does, keys apart from messages."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from tests.seal.reading import check_slots, read_call
from tests.seal.synthetic import MONO, Capture, World, rtp
from tests.wire.srtp_sender import Sender

from memcon.clock import NS
from memcon.record import hashing, segment
from memcon.record.journal import Media
from memcon.record.segment import KIND_RTCP, KIND_RTP, KIND_WIRE, opening_commitment
from memcon.seal import custody
from memcon.seal.sealer import Sealer
from memcon.seal.unlock import WIRE_STREAM, Locks
from memcon.wire import sdes
from memcon.wire.sdes import conceal
from memcon.wire.srtp import Guard

if TYPE_CHECKING:
    from pathlib import Path

    from tests.seal.reading import Read

REPORT = b"\x80\xc8\x00\x06" + bytes(range(24))
SUITE = "AES_CM_128_HMAC_SHA1_80"


def sender(seed: int = 1, suite: str = SUITE) -> Sender:
    size = sdes.SUITES[suite].key + sdes.SUITES[suite].salt
    return Sender(suite, bytes((seed * 31 + n) & 255 for n in range(size)))


def invite(*by: Sender) -> bytes:
    lines = "".join(f"m=audio 1 RTP/SAVP 0\r\na=crypto:{one.line()}\r\n" for one in by)
    return f"INVITE sip:desk@x SIP/2.0\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n{lines}".encode()


def stream(number: int, handle: int, by: Sender | None, port: int = 20_000) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "stream": number, "handle": handle, "rtcp_handle": handle + 1, "mline": number // 2,
        "label": str(number), "port": port + number, "codecs": [], "direction": "sendonly",
        "participant": None,
    }  # fmt: skip
    return facts | ({"key_line": by.line()} if by else {})


def begin(capture: Capture, *streams: dict[str, Any], raw: bytes) -> None:
    capture.start()
    capture.call("a", (), streams=list(streams))
    capture.control("sip", raw, key="a", direction="in", transport="udp", local="l", remote="r")


def send(capture: Capture, sent: dict[int, list[bytes]]) -> None:
    """One sweep of 100 ms with these packets by handle, and its tick."""
    capture.advance(NS // 10)
    rows = [
        (handle, capture.wall - 50_000_000 + n, packet)
        for handle, packets in sent.items()
        for n, packet in enumerate(packets)
    ]
    capture.sweep(rows)
    capture.tick()


def plain(first: int, count: int, ssrc: int = 5) -> list[bytes]:
    return [rtp(first + n, ssrc=ssrc) for n in range(count)]


def payloads(read: Read, number: int) -> list[bytes]:
    return [packet for _, packet in read.packets(number)]


def losses(read: Read) -> dict[int, int]:
    found: dict[int, int] = {}
    for event in read.events:
        if event.facts["type"] == "loss":
            assert event.facts["layer"] == "srtp"
            number = int(str(event.facts["stream"]))
            found[number] = found.get(number, 0) + int(str(event.facts["count"]))
    return found


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_32", "AES_256_CM_HMAC_SHA1_80", "AEAD_AES_256_GCM"])
def test_opened_and_as_it_came(world: World, suite: str) -> None:
    by, capture = sender(suite=suite), world.capture()
    begin(capture, stream(0, 10, by), stream(2, 20, None), raw=invite(by))
    voice, other = plain(65_500, 60), plain(7, 60, ssrc=9)
    secret = [by.rtp(packet) for packet in voice]
    report = by.rtcp(REPORT)
    junk = [b"\x80\x00" + bytes(40), b"STUN?", rtp(65_510, ssrc=5)]
    for at in range(0, 60, 5):
        send(capture, {10: secret[at : at + 5], 20: other[at : at + 5]})
    send(capture, {10: [secret[3], *junk, by.rtcp(REPORT)], 11: [report], 20: [REPORT]})
    capture.end("a")
    capture.talk((), 2)
    assert world.run(capture.frames).findings == []
    read = read_call(world, 1)
    assert payloads(read, 0) == [*voice, voice[3], REPORT]  # the duplicate is opened too
    assert payloads(read, 1) == [REPORT]
    assert payloads(read, 2) == [*other, REPORT]
    entries = [segment.read_wire_entry(entry) for entry in payloads(read, WIRE_STREAM)]
    assert [kept for _, kept in entries if kept is not None] == junk
    assert len([digest for digest, _ in entries if digest]) == 62
    assert entries[0][0] == segment.read_wire_entry(segment.wire_entry(secret[0], opened=True))[0]
    assert len(payloads(read, WIRE_STREAM + 1)) == 1
    counts = {s.stream: (s.kind, s.received, s.duplicates) for s in read.leaves[-1].streams}
    assert counts == {
        0: (KIND_RTP, 62, 1), 1: (KIND_RTCP, 1, 0), 2: (KIND_RTP, 61, 0), 3: (KIND_RTCP, 0, 0),
        WIRE_STREAM: (KIND_WIRE, 65, 0), WIRE_STREAM + 1: (KIND_WIRE, 1, 0),
    }  # fmt: skip
    assert losses(read) == {0: 3}
    crypto = {e["stream"]: e.get("crypto") for e in read.record["streams"]}
    assert crypto == {0: suite, 1: suite, WIRE_STREAM: suite, WIRE_STREAM + 1: suite, 2: None, 3: None}
    check_slots(world)


def test_arrivals_are_those_of_the_wire(world: World) -> None:
    by, capture = sender(), world.capture()
    begin(capture, stream(0, 10, by), raw=invite(by))
    for turn in range(30):
        send(capture, {10: [by.rtp(packet) for packet in plain(5 * turn, 5)]})
    capture.end("a")
    capture.talk((), 2)
    world.run(capture.frames)
    read = read_call(world, 1)
    expected = [at - MONO for at, _ in capture.sent[10]]
    assert [at for at, _ in read.packets(0)] == expected
    assert [at for at, _ in read.packets(WIRE_STREAM)] == expected


def test_keys_stand_apart_from_messages(world: World, tmp_path: Path) -> None:
    by, capture = sender(), world.capture()
    message = invite(by)
    capture.start()
    handle = capture.call("a", (), streams=[stream(0, 10, by)])
    # as capture writes it: the INVITE is the attachment of `call`, and a message
    capture.frames.pop()
    capture.number -= 1
    facts: dict[str, Any] = {"key": "a", "handle": handle.hex(), "streams": [stream(0, 10, by)]}
    capture.control("call", message, **facts)
    capture.control("sip", message, key="a", direction="in", transport="udp", local="l", remote="r")
    send(capture, {10: [by.rtp(packet) for packet in plain(0, 5)]})
    capture.control("end", message, key="a", cause=1, who=1, drops={})
    capture.talk((), 2)
    world.run(capture.frames)
    read = read_call(world, 1)
    blanked, lines = conceal(message)
    sip, keys = read.events[:2]
    assert (sip.facts["type"], sip.raw) == ("sip", blanked)
    assert (keys.facts, keys.raw) == ({"type": "keys", "lines": 1}, lines[0])
    assert sdes.reveal(sip.raw, keys.raw.split(b"\n")) == message
    first, last = read.leaves[0].first, read.leaves[-1].last
    assert first is not None
    assert last is not None
    wraps = (world.home.work_done / "1" / "wraps.json").read_bytes()
    key = custody.unwrap(wraps, first.handle, "local", world.seed)

    def opening(which: int, data: bytes) -> bytes:
        return opening_commitment(which, hashing.opening_salt(key, which), data)

    assert first.invite == opening(3, blanked)
    assert first.key_lines == opening(4, lines[0])
    assert last.bye == opening(5, blanked)
    secret = by.line().split("inline:")[1].encode()
    assert secret not in (world.home.run / "feed.jsonl").read_bytes()
    assert secret.decode() not in str(read.record)


def test_a_new_key_in_the_middle_and_plain_again(world: World) -> None:
    old, new, capture = sender(1), sender(2), world.capture()
    begin(capture, stream(0, 10, old), raw=invite(old))
    send(capture, {10: [old.rtp(packet) for packet in plain(0, 5)]})
    capture.control("streams", key="a", streams=[stream(0, 10, new)])
    late = old.rtp(plain(5, 1)[0])
    send(capture, {10: [*(new.rtp(packet) for packet in plain(6, 3)), late]})
    capture.control("streams", key="a", streams=[stream(0, 10, new, port=0) | {"port": 0, "key_line": ""}])
    send(capture, {10: [new.rtp(packet) for packet in plain(9, 2)]})  # late, after the line was switched off
    capture.control("streams", key="a", streams=[stream(0, 10, None)])
    send(capture, {10: plain(11, 2)})
    capture.control("streams", key="a", streams=[stream(0, 10, new)])
    send(capture, {10: [new.rtp(packet) for packet in plain(13, 2)]})
    capture.end("a")
    capture.talk((), 2)
    assert world.run(capture.frames).findings == []
    read = read_call(world, 1)
    assert payloads(read, 0) == [*plain(0, 5), *plain(6, 3), *plain(5, 1), *plain(9, 6)]
    assert losses(read) == {}


def test_what_no_key_opens_is_declared_every_ten_seconds(world: World) -> None:
    by, wrong, capture = sender(1), sender(7), world.capture()
    begin(capture, stream(0, 10, by), raw=invite(by))
    for turn in range(250):
        send(capture, {10: [wrong.rtp(packet) for packet in plain(2 * turn, 2)]})
    capture.end("a")
    capture.talk((), 2)
    world.run(capture.frames)
    read = read_call(world, 1)
    told = [event for event in read.events if event.facts["type"] == "loss"]
    assert len(told) == 3
    assert losses(read) == {0: 500}
    assert payloads(read, 0) == []
    kept = [segment.read_wire_entry(entry)[1] for entry in payloads(read, WIRE_STREAM)]
    assert kept == [data for _, data in capture.sent[10]]  # a key that is found later still opens them


def test_read_again_after_a_crash_it_seals_the_same(world: World) -> None:
    """The counters are learned anew from the journal: nothing else keeps them."""
    by, capture = sender(), world.capture()
    begin(capture, stream(0, 10, by), raw=invite(by))
    for turn in range(80):
        send(capture, {10: [*(by.rtp(packet) for packet in plain(65_300 + 5 * turn, 5)), b"\x80junk"]})
    capture.end("a")
    capture.talk((), 2)
    chance = random.Random(5)
    cuts = sorted(chance.sample(range(5, len(capture.frames)), 4))
    for start, stop in zip([0, *cuts], [*cuts, len(capture.frames)], strict=True):
        sealer = world.run(capture.frames[start:stop], Sealer(world.home, world.clock))
        assert sealer.findings == []
        sealer.close()
    read = read_call(world, 1)
    assert payloads(read, 0) == [packet for turn in range(80) for packet in plain(65_300 + 5 * turn, 5)]
    assert losses(read) == {0: 80}
    check_slots(world)


def test_a_key_line_that_is_none_costs_one_record(world: World) -> None:
    capture = world.capture()
    capture.start()
    capture.call("a", (), streams=[stream(0, 10, None) | {"key_line": "1 X inline:abc"}])
    capture.talk((), 1)
    sealer = world.run(capture.frames)
    assert any("suite" in finding.text for finding in sealer.findings)


def test_a_sweep_without_srtp_is_left_alone() -> None:
    locks = Locks()
    empty = memoryview(b"")
    nothing = Media(0, 0, 0, empty, empty, empty, empty)
    one = Media(
        0, 0, 1, memoryview(b"\0\0\0\1"), memoryview(bytes(8)), memoryview(b"\0\3"), memoryview(b"abc")
    )
    locks.set(2, Guard(sdes.parse(sender().line())))
    assert locks.open(nothing) is nothing
    assert locks.open(one) is one


def test_opened_together_or_one_by_one_it_is_the_same_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of SRTP between runs of plain RTP and RTCP: the same bytes in the same order."""
    senders = {handle: sender(handle) for handle in range(1, 40, 3)}
    ways = (Locks(), Locks())
    for locks in ways:
        for handle, by in senders.items():
            locks.set(handle, Guard(sdes.parse(by.line())))
    for sweep in range(3):
        came = []
        for handle in range(40):
            run, secret = plain(5 * sweep, 5, handle), senders.get(handle)
            came += [(handle, packet if secret is None else secret.rtp(packet)) for packet in run]
            came += [(handle, secret.rtcp(REPORT))] if secret is not None and handle % 2 else []
        parts = (
            b"".join(handle.to_bytes(4, "big") for handle, _ in came),
            b"".join(n.to_bytes(8, "big") for n in range(len(came))),
            b"".join(len(packet).to_bytes(2, "big") for _, packet in came),
            b"".join(packet for _, packet in came),
        )
        media = Media(0, 0, len(came), *(memoryview(part) for part in parts))
        together = ways[0].open(media)
        with monkeypatch.context() as patch:
            patch.setattr("memcon.seal.unlock.open_runs", lambda *_: {})
            apart = ways[1].open(media)
        assert together == apart
        assert together.count == len(came) + len(senders) * 5 + sum(n % 2 for n in senders)
