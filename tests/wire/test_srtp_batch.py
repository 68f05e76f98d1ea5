"""SRTP opened together is SRTP opened packet by packet: the same bytes, the same counters afterwards."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.wire.srtp_sender import Sender
from tests.wire.test_srtp import REPORT, guard, packets, sender, sent

from memcon.wire import rtp, sdes
from memcon.wire.sdes import SUITES
from memcon.wire.srtp import Guard
from memcon.wire.srtp_batch import FEWEST, LARGEST, Opened, Run, open_runs

if TYPE_CHECKING:
    from collections.abc import Sequence


def together(runs: Sequence[tuple[Guard, Sequence[bytes]]]) -> dict[int, Opened]:
    whole = [packet for _, run in runs for packet in run]
    bounds = np.zeros(len(whole) + 1, np.int64)
    np.cumsum([len(packet) for packet in whole], out=bounds[1:])
    given, at = [], 0
    for who, run in runs:
        given.append(Run(at, at + len(run), who))
        at += len(run)
    return open_runs(memoryview(b"".join(whole)), bounds, given)


def apart(found: Opened) -> list[bytes]:
    lengths = struct.unpack(f">{len(found.lengths) // 2}H", found.lengths)
    ends = np.cumsum(lengths).tolist()
    assert ends[-1] == len(found.packets)
    return [found.packets[b - n : b] for b, n in zip(ends, lengths, strict=True)]


def state(who: Guard) -> tuple[object, ...]:
    lines = [
        ({ssrc: (s.highest, s.refused) for ssrc, s in it.sources.items()}, it.searches) for it in who._lines
    ]
    return who.opened, who.refused, lines


def extended(packet: bytes, words: int, sources: int) -> bytes:
    """The packet with contributing sources and a header extension before its payload."""
    head = bytes([packet[0] | 0x10 | sources]) + packet[1:12] + bytes(4 * sources)
    return head + struct.pack(">HH", 0xBEDE, words) + bytes(4 * words) + packet[12:]


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("mki", [b"", b"\0\7"])
def test_many_calls_at_once(suite: str, mki: bytes) -> None:
    senders = [sender(suite, seed, mki) for seed in range(12)]
    one, many = [guard(it) for it in senders], [guard(it) for it in senders]
    for sweep in range(4):
        plain = [packets(5, 65_530 + 5 * sweep & 0xFFFF, seed, 160) for seed in range(12)]
        came = [sent(it, run) for it, run in zip(senders, plain, strict=True)]
        found = together(list(zip(many, came, strict=True)))
        # the first sweep has sources that nobody has heard: they are left for one by one
        assert sorted(found) == ([] if sweep == 0 else list(range(12)))
        for n, run in enumerate(came):
            if n not in found:
                assert many[n].open(run) == plain[n]
            else:
                assert apart(found[n]) == plain[n]
            assert one[n].open(run) == plain[n]
            assert state(one[n]) == state(many[n])


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_32", "AES_256_CM_HMAC_SHA1_80", "AEAD_AES_128_GCM"])
def test_lengths_heads_loss_order_and_forgeries(suite: str) -> None:
    """Whatever comes: both ways say the same of it, and of what comes after it."""
    chance = random.Random(suite)
    senders = [sender(suite, seed, b"\1") for seed in range(60)]
    one, many = [guard(it) for it in senders], [guard(it) for it in senders]
    numbers = [chance.choice((0, 60_000, 65_500)) for _ in senders]
    opened = 0
    for _ in range(10):
        came = []
        for n, it in enumerate(senders):
            run = []
            for _ in range(chance.randrange(1, 7)):
                numbers[n] += chance.choice((1, 1, 1, 1, 1, 2, 40))
                size = chance.choice((0, 1, 15, 16, 17, 80, 160, 1300))
                packet = rtp.build(chance.randbytes(size), 96, numbers[n] & 0xFFFF, 0, 1000 + n)
                if chance.random() < 0.3:
                    packet = extended(packet, chance.randrange(5), chance.randrange(4))
                run.append(it.rtp(packet))
            how = chance.randrange(12)
            if how == 0:
                chance.shuffle(run)
            elif how == 1:
                run.append(run[0])
            elif how == 2:
                place = chance.randrange(len(run))
                damaged = bytearray(run[place])
                damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
                run[place] = bytes(damaged)
            elif how == 3:
                run.insert(chance.randrange(len(run)), chance.randbytes(chance.choice((0, 3, 11, 20, 200))))
            elif how == 4:
                run.append(it.rtcp(REPORT))
            elif how == 5:
                numbers[n] += chance.choice((20_000, 40_000))
            came.append(run)
        found = together(list(zip(many, came, strict=True)))
        opened += len(found)
        for n, run in enumerate(came):
            again = apart(found[n]) if n in found else many[n].open(run)
            assert again == one[n].open(run)
            assert state(one[n]) == state(many[n])
    assert opened > 200


def test_after_a_rekey_the_newest_opens() -> None:
    first, second = sender(seed=1), sender(seed=2)
    who = guard(first)
    assert None not in who.open(sent(first, packets(5)))
    who.rekey(sdes.parse(second.line()))
    assert together([(who, sent(second, packets(FEWEST, 5)))]) == {}, "a source is new under a new key"
    assert None not in who.open(sent(second, packets(5, 5)))
    found = together([(who, sent(second, packets(FEWEST, 10)))])
    assert apart(found[0]) == packets(FEWEST, 10)
    assert together([(who, sent(first, packets(FEWEST, 100)))]) == {}, "an old key's packets are left"


def test_what_is_left_for_one_by_one() -> None:
    by = sender()
    who = guard(by)
    assert None not in who.open(sent(by, packets(1)))
    before = state(who)
    few, large = packets(FEWEST - 1, 1), packets(FEWEST, 1, size=LARGEST)
    other = [*packets(FEWEST, 1), *packets(1, 50, ssrc=9)]
    twice = sent(sender(), packets(FEWEST, 1))
    for runs in (
        [(who, sent(sender(), few))],
        [(who, sent(sender(), large))],
        [(who, sent(sender(), other))],
        [(who, twice[:10]), (who, twice[10:])],
    ):
        assert together(runs) == {}
        assert state(who) == before


def test_keys_by_name_each_run_its_own() -> None:
    one, two = sender(mki=b"\1"), sender(seed=5, mki=b"\2")
    line = f"{one.line()};{two.line().split(' ', 2)[2]}"
    who, other = Guard(sdes.parse(line)), Guard(sdes.parse(line))
    assert None not in who.open(sent(one, packets(1)))
    assert None not in other.open(sent(two, packets(1)))
    found = together([(who, sent(one, packets(20, 1))), (other, sent(two, packets(20, 1)))])
    assert [apart(found[n]) for n in (0, 1)] == [packets(20, 1)] * 2
    mixed = sent(one, packets(20, 21)) + sent(two, packets(20, 41))
    assert together([(who, mixed)]) == {}
    unknown = sent(Sender(one.suite.name, one.material, b"\3"), packets(FEWEST, 21))
    assert together([(who, unknown)]) == {}
