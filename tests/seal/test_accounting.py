from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from tests.seal.synthetic import sender_report

from memcon.seal.accounting import MAX_SOURCES, StreamAccount


def counted(sequence: list[int], ssrc: int = 1) -> StreamAccount:
    account = StreamAccount()
    for n in sequence:
        account.packet(ssrc, n & 0xFFFF)
    return account


def figures(account: StreamAccount) -> tuple[int, int, int]:
    return account.expected, account.duplicates, account.reordered


def test_a_perfect_stream_over_the_wrap() -> None:
    assert figures(counted(list(range(65000, 67000)))) == (2000, 0, 0)


def test_losses_duplicates_and_disorder() -> None:
    assert figures(counted([1, 2, 5, 4, 4, 6, 6])) == (6, 2, 1)
    assert figures(counted([65534, 0, 65535, 65533, 65533])) == (4, 1, 2)


def test_a_restart_counts_from_its_confirmation() -> None:
    assert figures(counted([10, 11, 40000, 40001, 40002])) == (5, 0, 0)
    assert figures(counted([10, 11, 40000, 12])) == (3, 0, 0)


def test_each_source_counts_by_itself() -> None:
    account = StreamAccount()
    account.run(1, 5, 10)
    account.run(2, 60000, 10)
    account.run(1, 15, 5)
    assert account.expected == 25
    assert account.ssrcs == (1, 2)


def test_invented_sources_cost_no_memory() -> None:
    account = StreamAccount()
    for ssrc in range(1000):
        account.packet(ssrc, 7)
    assert account.expected == 1000
    assert len(account.ssrcs) == MAX_SOURCES


runs = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 65535), st.integers(1, 700)), max_size=8)


@given(runs)
def test_a_run_counts_as_its_packets_do(parts: list[tuple[int, int, int]]) -> None:
    quick, plain = StreamAccount(), StreamAccount()
    for ssrc, first, count in parts:
        quick.run(ssrc, first, count)
        for n in range(count):
            plain.packet(ssrc, (first + n) & 0xFFFF)
    assert figures(quick) == figures(plain)


@given(st.permutations(range(65500, 65560)))
def test_any_order_within_the_window_is_the_same_stream(order: list[int]) -> None:
    expected, duplicates, _ = figures(counted(order))
    assert (expected, duplicates) == (60, 0)


def test_sender_reports() -> None:
    account = StreamAccount()
    account.rtcp(sender_report(7) + sender_report(9))
    assert account.sender_count == 9
    receiver = struct.pack(">BBHI", 0x80, 201, 1, 5)
    account.rtcp(receiver + sender_report(11))
    assert account.sender_count == 11
    account.rtcp(sender_report(12)[:20])
    account.rtcp(b"\x40" + sender_report(12)[1:])
    assert account.sender_count == 11


@given(st.binary(max_size=80))
def test_no_bytes_break_the_report_reader(data: bytes) -> None:
    StreamAccount().rtcp(data)
