"""What our client protects: the same bytes as a sender written straight after the RFCs, and it opens."""

from __future__ import annotations

import pytest
from tests.wire.srtp_sender import Sender

from memcon.errors import LocalError
from memcon.wire import rtp, sdes
from memcon.wire.sdes import SUITES
from memcon.wire.srtp import Guard
from memcon.wire.srtp_client import Protector, crypto_line, key_bytes

REPORT = bytes.fromhex("80c80006") + bytes(range(24))


@pytest.mark.parametrize("mki", [b"", b"\0\7"])
@pytest.mark.parametrize("suite", SUITES)
def test_it_is_what_the_rfcs_say_and_opens_over_a_rollover(suite: str, mki: bytes) -> None:
    material = bytes(range(key_bytes(suite)))
    theirs = Sender(suite, material, mki)
    line = sdes.parse(theirs.line())
    ours, guard = Protector(line), Guard(line)
    rest = bytes([0, 0, 0, 9, 1, 2, 3, 4])
    packets = [
        b"\x80\x08" + (n & 0xFFFF).to_bytes(2, "big") + rest + bytes([n & 255]) * 160
        for n in range(65_530, 65_545)
    ]
    made = [ours.rtp(packet, n >> 16) for n, packet in zip(range(65_530, 65_545), packets, strict=True)]
    assert made == [theirs.rtp(packet) for packet in packets]
    assert {len(one) - len(packet) for one, packet in zip(made, packets, strict=True)} == {ours.trailer}
    assert guard.open(made) == packets
    reports = [ours.rtcp(REPORT) for _ in range(3)]
    assert reports == [theirs.rtcp(REPORT) for _ in range(3)]
    assert guard.open(reports) == [REPORT] * 3


def test_a_header_with_sources_and_an_extension_stays_readable() -> None:
    suite = "AES_CM_128_HMAC_SHA1_80"
    theirs = Sender(suite, bytes(30))
    packet = bytes([0x91, 0, 0, 1]) + bytes(8) + b"CSRC" + b"\0\1\0\1extd" + b"payload"
    made = Protector(sdes.parse(theirs.line())).rtp(packet, 0)
    assert made == theirs.rtp(packet)
    assert made.startswith(packet[:24])


def test_a_line_names_its_suite_and_key() -> None:
    line = sdes.parse(crypto_line("AEAD_AES_256_GCM", bytes(range(44)), tag=3))
    assert (line.tag, line.suite.name, line.keys[0].salt) == ("3", "AEAD_AES_256_GCM", bytes(range(32, 44)))
    with pytest.raises(LocalError, match="AES_CM_128_HMAC_SHA1_80"):
        key_bytes("ROT13")
    with pytest.raises(LocalError, match="no RTP"):
        Protector(line).rtp(b"short", 0)
    assert rtp.is_rtcp(REPORT)
