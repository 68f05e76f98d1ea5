"""SRTP opened: RFC vectors, libsrtp as the sender, every suite, counters that roll over, hostile packets."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire.srtp_sender import Sender

from memcon.wire import rtp, sdes
from memcon.wire.sdes import SUITES, MasterKey
from memcon.wire.srtp import LOST, MAX_LINES, MAX_SOURCES, SEARCHES, Guard, derive, payload_start

if TYPE_CHECKING:
    from collections.abc import Iterable

REPORT = b"\x80\xc8\x00\x06" + bytes(range(24))


LONG = "F0F04914B513F2763A1B1FA130F10E2998F6F6E43E4309D1E622A0E332B9F1B6"


def sender(suite: str = "AES_CM_128_HMAC_SHA1_80", seed: int = 1, mki: bytes = b"") -> Sender:
    size = SUITES[suite].key + SUITES[suite].salt
    return Sender(suite, bytes((seed * 7 + n * 3) & 255 for n in range(size)), mki)


def guard(*senders: Sender) -> Guard:
    made = Guard(sdes.parse(senders[0].line()))
    for later in senders[1:]:
        made.rekey(sdes.parse(later.line()))
    return made


def packets(count: int, first: int = 0, ssrc: int = 0xABCD, size: int = 160) -> list[bytes]:
    return [
        rtp.build(bytes((n + i) & 255 for i in range(size)), 0, first + n, 160 * n, ssrc)
        for n in range(count)
    ]


def sent(by: Sender, plain: Iterable[bytes]) -> list[bytes]:
    return [by.rtp(packet) for packet in plain]


@pytest.mark.parametrize(
    ("key", "salt", "label", "derived"),
    [  # RFC 3711 B.3 and RFC 6188 §7.4
        ("E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6", 0,
         "C61E7A93744F39EE10734AFE3FF7A087"),
        ("E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6", 2,
         "30CBBC08863D8C85D49DB34A9AE1"),
        ("E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6", 1,
         "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"),
        (LONG, "3B04803DE51EE7C96423AB5B78D2", 0,
         "5BA1064E30EC51613CAD926C5A28EF731EC7FB397F70A960653CAF06554CD8C4"),
        (LONG, "3B04803DE51EE7C96423AB5B78D2", 2,
         "FA31791685CA444A9E07C6C64E93"),
    ],
)  # fmt: skip
def test_key_derivation_vectors(key: str, salt: str, label: int, derived: str) -> None:
    expected = bytes.fromhex(derived)
    assert derive(MasterKey(bytes.fromhex(key), bytes.fromhex(salt)), label, len(expected)) == expected


PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": "SRTP_PROFILE_AES128_CM_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32": "SRTP_PROFILE_AES128_CM_SHA1_32",
    "AEAD_AES_128_GCM": "SRTP_PROFILE_AEAD_AES_128_GCM",
    "AEAD_AES_256_GCM": "SRTP_PROFILE_AEAD_AES_256_GCM",
}


@pytest.mark.parametrize("suite", PROFILES)
def test_what_libsrtp_protects_is_opened(suite: str) -> None:
    srtp = pytest.importorskip("pylibsrtp")
    ours = sender(suite)
    policy = srtp.Policy(
        key=ours.material,
        ssrc_type=srtp.Policy.SSRC_ANY_OUTBOUND,
        srtp_profile=getattr(srtp.Policy, PROFILES[suite]),
    )
    session = srtp.Session(policy)
    plain = packets(40, first=65_520)  # over the end of the sequence numbers
    secret = [session.protect(packet) for packet in plain]
    assert secret == sent(ours, plain)  # so that the tests' own sender may be believed
    reports = [session.protect_rtcp(REPORT) for _ in range(3)]
    opened = guard(ours)
    assert opened.open(secret) == plain
    assert opened.open(reports) == [REPORT] * 3
    assert (opened.opened, opened.refused) == (43, 0)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("mki", [b"", b"\0\0\0\1"])
def test_every_suite_with_and_without_mki(suite: str, mki: bytes) -> None:
    by = sender(suite, mki=mki)
    plain = [*packets(5), *packets(3, 5, size=0), *packets(3, 8, size=7), *packets(2, 11, size=1200)]
    plain.append(b"\x92" + plain[-1][1:12] + bytes(8) + b"\xbe\xde\0\1abcd" + b"voice")  # sources, extension
    plain[-1] = plain[-1][:2] + (13).to_bytes(2, "big") + plain[-1][4:]
    reader = guard(by)
    assert reader.open(sent(by, plain)) == plain
    assert reader.open([by.rtcp(REPORT), by.rtcp(REPORT, encrypt=False)]) == [REPORT, REPORT]


@pytest.mark.parametrize("suite", SUITES)
def test_a_changed_bit_anywhere_is_refused(suite: str) -> None:
    by = sender(suite, mki=b"\5")
    secret = [by.rtp(packets(1, size=20)[0]), by.rtcp(REPORT)]
    for whole in secret:
        for bit in range(0, 8 * len(whole), 5):
            changed = bytearray(whole)
            changed[bit // 8] ^= 1 << bit % 8
            assert guard(by).open([bytes(changed)]) == [None]
        for length in range(len(whole)):
            assert guard(by).open([whole[:length]]) == [None]


def test_the_counter_rolls_over_with_loss_reordering_and_duplicates() -> None:
    by = sender()
    plain = packets(200_000 // 50, first=0)[:1]
    plain = [rtp.build(b"x" * 20, 0, n, n, 7) for n in range(0, 200_000, 37)]  # three times around, with gaps
    secret = sent(by, plain)
    for at in range(10, len(plain) - 2, 50):
        secret[at], secret[at + 1] = secret[at + 1], secret[at]
        plain[at], plain[at + 1] = plain[at + 1], plain[at]
    secret.insert(500, secret[490])
    plain.insert(500, plain[490])
    reader = guard(by)
    for at in range(0, len(secret), 11):
        assert reader.open(secret[at : at + 11]) == plain[at : at + 11]


def test_a_sender_that_begins_in_the_middle_is_found() -> None:
    by = sender()
    by.roc = 9
    plain = packets(3)
    assert guard(by).open(sent(by, plain)) == plain


def test_a_source_lost_from_sight_is_found_again() -> None:
    """Longer away than half a turn of the sequence numbers: the guess is wrong, the search finds it."""
    by = sender()
    reader = guard(by)
    assert None not in reader.open(sent(by, packets(5)))
    by.roc = 3
    plain = packets(LOST + 5, first=100)
    opened = reader.open(sent(by, plain))
    assert opened[:LOST] == [None] * LOST
    assert opened[LOST:] == plain[LOST:]


def test_a_late_source_and_a_changed_one() -> None:
    by, other = sender(), sender()
    reader = guard(by)
    assert None not in reader.open(sent(by, packets(5, ssrc=1)))
    assert None not in reader.open(sent(other, packets(5, first=40_000, ssrc=2)))
    assert None not in reader.open(sent(by, packets(5, first=5, ssrc=1)))


def test_keys_by_name_change_in_the_middle_of_a_stream() -> None:
    one, two = sender(mki=b"\1"), sender(seed=9, mki=b"\2")
    line = f"{one.line()};{two.line().split()[2]}"
    reader = Guard(sdes.parse(line))
    plain = packets(10)
    secret = sent(one, plain[:5])
    two.last = 4
    assert reader.open([*secret, *sent(two, plain[5:])]) == plain


def test_after_a_rekey_both_keys_open_for_a_while() -> None:
    old, new = sender(), sender(seed=5)
    reader = guard(old, new)
    plain = packets(6)
    mixed = [old.rtp(plain[0]), new.rtp(plain[1]), old.rtp(plain[2]), new.rtp(plain[3])]
    assert reader.open(mixed) == plain[:4]
    for seed in range(MAX_LINES):
        reader.rekey(sdes.parse(sender(seed=20 + seed).line()))
    assert reader.open([old.rtp(plain[4]), new.rtp(plain[5])]) == [None, None]


def test_invented_sources_cost_little_and_hide_nobody() -> None:
    by = sender()
    reader = guard(by)
    junk = [rtp.build(bytes(20), 0, 1, 1, ssrc) for ssrc in range(SEARCHES + 50)]
    assert reader.open(junk) == [None] * len(junk)
    assert reader.refused == len(junk)
    plain = packets(3)
    assert reader.open(sent(by, plain)) == plain


def test_only_so_many_sources_are_kept() -> None:
    by = sender()
    reader = guard(by)
    for ssrc in range(MAX_SOURCES + 3):
        fresh = Sender(by.suite.name, by.material)
        assert None not in reader.open(sent(fresh, packets(1, ssrc=ssrc)))
    assert len(reader._lines[0].sources) == MAX_SOURCES


def test_reading_again_gives_the_same() -> None:
    """What the sealing process relies on after a restart: no state but what the packets leave."""
    by = sender("AES_256_CM_HMAC_SHA1_32")
    secret = sent(by, packets(500, first=65_300))
    secret[100:110] = [b"\x80" + bytes(40)] * 10
    one, two = guard(by), guard(by)
    assert one.open(secret) == [packet for piece in secret for packet in two.open([piece])]


@given(st.lists(st.binary(max_size=60), max_size=6), st.sampled_from(sorted(SUITES)))
@settings(max_examples=60)
def test_any_bytes_are_refused_and_nothing_else(data: list[bytes], suite: str) -> None:
    assert guard(sender(suite, mki=b"\1")).open(data) == [None] * len(data)


def test_where_a_payload_begins() -> None:
    assert payload_start(b"\x80" + bytes(11), 12) == 12
    assert payload_start(b"\x80" + bytes(11), 11) is None
    assert payload_start(b"\x40" + bytes(11), 12) is None
    assert payload_start(b"\x81" + bytes(11), 12) is None
    assert payload_start(b"\x90" + bytes(15), 15) is None
    assert payload_start(b"\x90" + bytes(15), 16) == 16


def test_the_line_of_a_sender_is_one_we_read() -> None:
    line = sender(mki=b"\0\7").line(tag=3, lifetime="2^31")
    assert sdes.parse(line).keys[0].mki == b"\0\7"
    assert base64.b64encode(sender().material).decode() in line
