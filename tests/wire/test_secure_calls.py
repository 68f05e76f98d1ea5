"""Calls whose media is SRTP keyed in the description (RFC 4568): offer, answer, refresh, re-keying."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

import pytest
from tests.wire.conftest import OFFER, UDP, Bench, invite, multipart, request

from memcon.wire import events as ev
from memcon.wire import sdes, sdp
from memcon.wire.srs import RecordingServer

KEYS = [base64.b64encode(bytes([n] * 30)).decode() for n in range(8)]
CRYPTO = "a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:{key}"


@dataclass
class SecureBench(Bench):
    """A bench whose server makes keys: each of its own byte."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.made = 0x40
        self.server = RecordingServer(
            self, self._new_id, config=self.config, receipt=self._receipt, new_key=self._new_key
        )

    def _new_key(self, size: int) -> bytes:
        self.made += 1
        return bytes([self.made] * size)


@pytest.fixture
def bench() -> SecureBench:
    return SecureBench()


def offer(*lines: list[str], profile: str = "RTP/SAVP") -> bytes:
    """The usual offer with these key lines for its two m-lines."""
    text = OFFER.decode().replace("RTP/AVP", profile)
    sections = re.split(r"(?m)^(?=m=)", text)
    for n, crypto in enumerate(lines, start=1):
        sections[n] += "".join(f"{line}\r\n" for line in crypto)
    return "".join(sections).encode()


def line(number: int, tag: int = 1) -> str:
    return CRYPTO.format(tag=tag, key=KEYS[number])


SDP = "application/sdp"


def answered(bench: Bench) -> sdp.Sdp:
    return sdp.parse(bench.sent()[-1].body)


def test_the_answer_repeats_tag_and_suite_with_a_key_of_ours(bench: SecureBench) -> None:
    call = bench.take_call(content=SDP, body=offer([line(0, 3)], [line(1, 7)]), ack=False)
    ours = answered(bench)
    assert [m.protocol for m in ours.media] == ["RTP/SAVP", "RTP/SAVP"]
    assert all(m.port for m in ours.media)
    read = [sdes.parse(m.crypto[0]) for m in ours.media]
    assert [r.tag for r in read] == ["3", "7"]
    assert len({r.keys[0].key for r in read}) == 2
    assert not {k for r in read for k in r.keys} & {sdes.parse(s.key_line).keys[0] for s in call.streams}
    assert [sdes.parse(s.key_line).keys[0].key for s in call.streams] == [bytes([n] * 16) for n in (0, 1)]


def test_keys_are_not_shown_where_values_are_printed(bench: SecureBench) -> None:
    call = bench.take_call(content=SDP, body=offer([line(1)], [line(2)]))
    assert KEYS[1] not in repr(call.streams)


def test_the_first_suite_we_know_is_taken(bench: SecureBench) -> None:
    strange = "a=crypto:1 F8_128_HMAC_SHA1_80 inline:" + KEYS[0]
    bench.take_call(content=SDP, body=offer([strange, line(1, 2), line(2, 3)], [strange]), ack=False)
    first, second = answered(bench).media
    assert [sdes.parse(text).tag for text in first.crypto] == ["2"]
    assert (second.port, second.crypto) == (0, ())  # nothing we can open: refused alone


@pytest.mark.parametrize("profile", ["RTP/SAVPF", "UDP/TLS/RTP/SAVPF"])
def test_profiles(bench: SecureBench, profile: str) -> None:
    bench.take_call(content=SDP, body=offer([line(0)], [line(1)], profile=profile), ack=False)
    assert all(m.port > 0 for m in answered(bench).media) == (profile == "RTP/SAVPF")


def test_keys_offered_beside_plain_rtp_are_left_unused(bench: SecureBench) -> None:
    """Optional encryption: a client that offers it in RTP/AVP sends plain RTP to whom answers without."""
    call = bench.take_call(content=SDP, body=offer([line(0)], [], profile="RTP/AVP"), ack=False)
    assert [m.crypto for m in answered(bench).media] == [(), ()]
    assert [s.key_line for s in call.streams] == ["", ""]


def test_a_server_that_makes_no_keys_refuses_srtp() -> None:
    bench = Bench()
    bench.take_call(content=SDP, body=offer([line(0)], [line(1)]), ack=False)
    assert [m.port for m in answered(bench).media] == [0, 0]


def change(bench: Bench, call: ev.Call, body: bytes, cseq: int) -> ev.Call:
    bench.feed(request("UPDATE", cseq=cseq, to_tag=call.dialog.local_tag, content=SDP, body=body))
    now = bench.server.call(call.dialog)
    assert now is not None
    return now


def test_a_refresh_says_the_same_and_a_new_key_gets_a_new_one(bench: SecureBench) -> None:
    call = bench.take_call(content=SDP, body=offer([line(0)], [line(1)]))
    same = change(bench, call, offer([line(0)], [line(1)]), 2)
    assert same.answer == call.answer
    now = change(bench, call, offer([line(5)], [line(1)]), 3)
    first, second = answered(bench).media
    before = sdp.parse(call.answer).media
    assert first.crypto != before[0].crypto
    assert second.crypto == before[1].crypto
    assert sdes.parse(now.streams[0].key_line).keys[0].key == bytes([5] * 16)
    assert [s.port for s in now.streams] == [s.port for s in call.streams]


def test_a_reinvite_without_sdp_offers_our_keys_again(bench: SecureBench) -> None:
    call = bench.take_call(content=SDP, body=offer([line(0)], [line(1)]))
    tag = call.dialog.local_tag
    bench.feed(request("INVITE", cseq=2, to_tag=tag))
    again = answered(bench)
    assert [m.crypto for m in again.media] == [m.crypto for m in sdp.parse(call.answer).media]
    body = offer([line(6)], [line(1)])
    bench.feed(request("ACK", cseq=2, to_tag=tag, branch="z9hG4bKack2", content=SDP, body=body))
    now = bench.server.call(call.dialog)
    assert now is not None
    assert sdes.parse(now.streams[0].key_line).keys[0].key == bytes([6] * 16)


def test_a_restart_keeps_our_keys(bench: SecureBench) -> None:
    body = offer([line(0)], [line(1)])
    call = bench.take_call(content=SDP, body=body, ack=False)
    ok = bench.sent()[-1].raw
    again = SecureBench()
    again.made = 0x70
    restored = again.server.restore(call.invite, ok, UDP, again.now)
    assert [s.key_line for s in restored.streams] == [s.key_line for s in call.streams]
    again.feed(request("ACK", to_tag=call.dialog.local_tag, branch="z9hG4bKack"))
    assert change(again, call, body, 2).answer == call.answer


def test_keys_hidden_in_an_encoded_body_are_not_taken(bench: SecureBench) -> None:
    """They could not be blanked in the messages that are kept."""
    content, body = multipart((SDP, base64.encodebytes(offer([line(0)], [line(1)]))))
    body = body.replace(b"Content-Type: ", b"Content-Transfer-Encoding: base64\r\nContent-Type: ")
    bench.feed(invite(content=content, body=body))
    (started,) = bench.events(ev.CallStarted)
    assert [s.port for s in started.call.streams] == [0, 0]
    assert "keys in an encoded body are not taken" in started.call.oddities
