"""The batch receiver on loopback: every byte, its time, its source, and what was lost."""

from __future__ import annotations

import errno
import socket
import struct
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from memcon.capture.receiver import SETTLE_NS, Receiver, Sweep
from memcon.clock import NS, ManualClock, SystemClock
from memcon.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Open = Callable[..., tuple[socket.socket, tuple[str, int]]]

MS = 1_000_000


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens bound sockets; those that nobody closed are closed at the end."""
    every: list[socket.socket] = []

    def open_one(
        address: str = "127.0.0.1", *, buffer: int | None = None
    ) -> tuple[socket.socket, tuple[str, int]]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        every.append(sock)
        if buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.bind((address, 0))
        return sock, (address, sock.getsockname()[1])

    yield open_one
    for sock in every:
        sock.close()


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver(SystemClock())
    yield made
    made.close()


def packets(sweep: Sweep) -> dict[int, list[bytes]]:
    """The packets by stream, in order, after a check that the arrays agree with each other."""
    n = len(sweep.stream)
    assert (len(sweep.arrival), len(sweep.length)) == (n, n)
    assert len(sweep.data) == int(sweep.length.sum())
    runs = 1 + int(np.count_nonzero(np.diff(sweep.stream.astype(np.int64)))) if n else 0
    assert runs == len(set(sweep.stream.tolist())), "packets of one stream are not contiguous"
    result: dict[int, list[bytes]] = {}
    at = 0
    for stream, length in zip(sweep.stream.tolist(), sweep.length.tolist(), strict=True):
        result.setdefault(stream, []).append(sweep.data[at : at + length].tobytes())
        at += length
    return result


def test_nothing_yet(receiver: Receiver, opened: Open) -> None:
    assert packets(receiver.sweep()) == {}
    receiver.add(1, opened()[0])
    sweep = receiver.sweep()
    assert packets(sweep) == {}
    assert sweep.sources == []


def test_every_byte_in_order_by_stream(receiver: Receiver, opened: Open, sender: socket.socket) -> None:
    rng = np.random.default_rng(1)
    sent: dict[int, list[bytes]] = {}
    targets = {}
    for stream in (7, 0xFFFF_FFFF, 3, 9):
        sock, targets[stream] = opened()
        receiver.add(stream, sock)
    assert len(receiver) == 4
    for number in range(600):
        stream = (7, 0xFFFF_FFFF, 3)[number % 3]
        packet = rng.bytes(int(rng.integers(0, 1400)))
        sent.setdefault(stream, []).append(packet)
        sender.sendto(packet, targets[stream])
        if number == 250:
            first = packets(receiver.sweep())
    second = packets(receiver.sweep())
    assert {stream: first[stream] + second[stream] for stream in sent} == sent
    assert packets(receiver.sweep()) == {}
    assert (receiver.unstamped, receiver.truncated, receiver.socket_errors) == (0, 0, 0)


def test_one_length_is_the_quick_way(receiver: Receiver, opened: Open, sender: socket.socket) -> None:
    sent = {}
    for stream in range(20):
        sock, target = opened()
        receiver.add(stream, sock)
        sent[stream] = [bytes([stream, n]) * 86 for n in range(5)]
        for packet in sent[stream]:
            sender.sendto(packet, target)
    assert packets(receiver.sweep()) == sent


def test_large_and_empty_datagrams(receiver: Receiver, opened: Open, sender: socket.socket) -> None:
    sock, target = opened(buffer=1 << 20)
    receiver.add(1, sock)
    rng = np.random.default_rng(2)
    sent = [rng.bytes(size) for size in (0, 2047, 2048, 2049, 9000, 0, 60_000, 172, 65_507, 0)]
    for packet in sent:
        sender.sendto(packet, target)
    assert packets(receiver.sweep()) == {1: sent}
    assert receiver.truncated == 0


def test_only_large_and_only_empty(receiver: Receiver, opened: Open, sender: socket.socket) -> None:
    sock, target = opened(buffer=1 << 20)
    receiver.add(1, sock)
    for packet in (b"a" * 9000, b"b" * 9000):
        sender.sendto(packet, target)
    assert packets(receiver.sweep()) == {1: [b"a" * 9000, b"b" * 9000]}
    sender.sendto(b"", target)
    sweep = receiver.sweep()
    assert sweep.length.tolist() == [0]
    assert sweep.arrival[0] > 0


def test_kernel_timestamps_lie_between_sending_and_sweeping(
    receiver: Receiver, opened: Open, sender: socket.socket
) -> None:
    sock, target = opened()
    receiver.add(1, sock)
    before = time.time_ns()
    for _ in range(5):
        sender.sendto(b"x" * 172, target)
        time.sleep(0.02)
    after = time.time_ns()
    time.sleep(0.05)
    sweep = receiver.sweep()
    assert (np.diff(sweep.arrival) > 15 * MS).all()  # the sender's pace, not that of the sweep
    assert before <= sweep.arrival[0]
    assert sweep.arrival[-1] <= after
    assert after < sweep.wall_ns
    assert receiver.unstamped == 0


def test_the_very_first_packet_of_a_stream_is_stamped_on_arrival(opened: Open, sender: socket.socket) -> None:
    receiver = Receiver(SystemClock())
    time.sleep(0.05)  # the kernel switches timestamps on with a delay, once, when the receiver is made
    sock, target = opened()
    receiver.add(1, sock)
    sender.sendto(b"x", target)
    sent = time.time_ns()
    time.sleep(0.1)
    assert receiver.sweep().arrival[0] < sent + 50 * MS
    receiver.close()


def test_drops_are_counted_exactly(receiver: Receiver, opened: Open, sender: socket.socket) -> None:
    sock, target = opened(buffer=4096)
    quiet, _ = opened()
    receiver.add(1, sock)
    receiver.add(2, quiet)
    taken = sent = 0
    for burst in (100, 50, 3):
        for _ in range(burst):
            sender.sendto(b"x" * 172, target)
        sent += burst
        taken += len(receiver.sweep().stream)
        assert receiver.drops() == {1: sent - taken, 2: 0}
    assert sent - taken > 50
    for _ in range(100):
        sender.sendto(b"x" * 172, target)
    rest = receiver.remove(1)
    lost = sent + 100 - taken - len(rest.stream)
    assert receiver.drops([2]) == {2: 0}
    assert receiver.drops([1, 99]) == {1: lost}
    assert receiver.drops() == {2: 0}


def test_removal_drains_and_closes(receiver: Receiver, opened: Open, sender: socket.socket) -> None:
    kept, other = opened()
    sock, target = opened()
    receiver.add(1, kept)
    receiver.add(2, sock)
    sender.sendto(b"one", other)
    swept = receiver.sweep()
    sent = [struct.pack(">I", n) * (1 + n % 7) for n in range(200)]
    for packet in sent:
        sender.sendto(packet, target)
    last = receiver.remove(2)
    assert packets(last) == {2: sent}
    assert last.watermark_ns == swept.watermark_ns
    assert [row for row, _, _ in last.sources] == [0]
    assert sock.fileno() == -1
    assert packets(swept) == {1: [b"one"]}, "a removal may not touch the sweep at hand"
    sender.sendto(b"two", other)
    assert packets(receiver.sweep()) == {1: [b"two"]}
    assert packets(last) == {2: sent}, "nor a sweep what a removal returned"
    with pytest.raises(LocalError, match="no socket"):
        receiver.remove(2)


def test_a_stream_id_may_come_back(receiver: Receiver, opened: Open, sender: socket.socket) -> None:
    first, _ = opened()
    receiver.add(5, first)
    with pytest.raises(LocalError, match="already"):
        receiver.add(5, first)
    receiver.remove(5)
    second, target = opened()
    receiver.add(5, second)
    sender.sendto(b"again", target)
    sweep = receiver.sweep()
    assert packets(sweep) == {5: [b"again"]}
    assert len(sweep.sources) == 1, "a new stream's source is new"
    assert receiver.drops() == {5: 0}


@pytest.mark.parametrize("stream", [-1, 2**32])
def test_streams_that_cannot_be(receiver: Receiver, opened: Open, stream: int) -> None:
    with pytest.raises(LocalError):
        receiver.add(stream, opened()[0])


def test_settings_that_cannot_be() -> None:
    with pytest.raises(LocalError):
        Receiver(SystemClock(), batch=2000, rows=1000)


def test_ipv6_and_ipv4_side_by_side(receiver: Receiver, opened: Open, sender: socket.socket) -> None:
    six, target_six = opened("::1")
    four, target_four = opened()
    receiver.add(6, six)
    receiver.add(4, four)
    for round_ in range(2):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender_six:
            sender_six.bind(("::1", 0))
            sender_six.sendto(b"six", target_six)
            sender.sendto(b"four", target_four)
            sweep = receiver.sweep()
            assert packets(sweep) == {6: [b"six"], 4: [b"four"]}
            six_name = struct.pack("=H", socket.AF_INET6) + struct.pack(">HI", sender_six.getsockname()[1], 0)
            sources = {stream: name for _, stream, name in sweep.sources}
            assert sources[6] == six_name + socket.inet_pton(socket.AF_INET6, "::1") + bytes(4)
        if round_ == 0:
            four_name = struct.pack("=H", socket.AF_INET) + struct.pack(">H", sender.getsockname()[1])
            assert sources[4] == four_name + bytes([127, 0, 0, 1]) + bytes(8)


def test_a_new_or_changed_source_is_reported_with_its_row(
    receiver: Receiver, opened: Open, sender: socket.socket
) -> None:
    sock, target = opened()
    other, target_two = opened()
    receiver.add(1, sock)
    receiver.add(2, other)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as intruder:
        intruder.bind(("127.0.0.1", 0))
        for source in (sender, sender, intruder, sender, sender):
            source.sendto(b"x", target)
        sender.sendto(b"y", target_two)
        sweep = receiver.sweep()
        ports = [(row, stream, int.from_bytes(name[2:4], "big")) for row, stream, name in sweep.sources]
        mine, theirs = sender.getsockname()[1], intruder.getsockname()[1]
        assert ports == [(0, 1, mine), (2, 1, theirs), (3, 1, mine), (5, 2, mine)]
        sender.sendto(b"x", target)
        assert receiver.sweep().sources == []
        intruder.sendto(b"x", target)
        assert [(row, stream) for row, stream, _ in receiver.sweep().sources] == [(0, 1)]


def test_sources_across_many_small_batches(opened: Open, sender: socket.socket) -> None:
    """A stream's packets may be moved out in several steps; its source is still reported once."""
    receiver = Receiver(SystemClock(), batch=3, rows=4)
    sock, target = opened()
    receiver.add(1, sock)
    sent = [bytes([n]) * (n % 5) for n in range(50)]
    for packet in sent:
        sender.sendto(packet, target)
    sweep = receiver.sweep()
    assert packets(sweep) == {1: sent}
    assert [row for row, _, _ in sweep.sources] == [0]
    receiver.close()


def test_a_flooded_stream_is_bounded_and_holds_the_watermark(opened: Open, sender: socket.socket) -> None:
    receiver = Receiver(SystemClock(), batch=16, burst=100)
    flooded, target = opened(buffer=1 << 20)
    calm, calm_target = opened()
    receiver.add(1, flooded)
    receiver.add(2, calm)
    for number in range(250):
        sender.sendto(number.to_bytes(2, "big"), target)
    sender.sendto(b"calm", calm_target)
    time.sleep(0.03)
    taken: list[bytes] = []
    stamps: list[int] = []
    for expected in (100, 100, 50):
        sweep = receiver.sweep()
        found = packets(sweep)
        assert len(found[1]) == expected
        assert found.get(2, [b"calm"]) == [b"calm"]
        own = sweep.arrival[sweep.stream == 1]
        if expected == 100:
            # A kernel only just asked for stamps gives the first packets the time of their reading.
            assert sweep.watermark_ns == min(own[-1], sweep.wall_ns) - SETTLE_NS
        else:
            assert sweep.watermark_ns == sweep.wall_ns - SETTLE_NS
        taken += found[1]
        stamps += own.tolist()
    assert taken == [number.to_bytes(2, "big") for number in range(250)]
    assert stamps == sorted(stamps)
    receiver.close()


def test_the_watermark_never_lies(opened: Open, sender: socket.socket) -> None:
    """Whatever is bounded or visited seldom: what is stamped before a watermark is in no later sweep."""
    receiver = Receiver(SystemClock(), batch=4, rows=16, burst=8, sweep_bytes=2000)
    targets = []
    for stream in range(12):
        sock, target = opened()
        receiver.add(stream, sock, quiet=stream % 3 == 1)
        targets.append(target)
    rng = np.random.default_rng(4)
    watermark = 0
    taken = sent = 0
    for round_ in range(400):
        if round_ < 60:
            for _ in range(int(rng.integers(0, 40))):
                sender.sendto(rng.bytes(int(rng.integers(0, 300))), targets[int(rng.integers(0, 12))])
                sent += 1
        sweep = receiver.sweep()
        assert (sweep.arrival >= watermark).all()
        assert sweep.watermark_ns <= sweep.wall_ns - SETTLE_NS
        watermark = sweep.watermark_ns
        taken += len(packets(sweep)) and len(sweep.stream)
    assert taken == sent
    assert receiver.sweep().watermark_ns > time.time_ns() - NS
    receiver.close()


def test_a_sweep_bounded_in_bytes_goes_on_where_it_stopped(opened: Open, sender: socket.socket) -> None:
    receiver = Receiver(SystemClock(), batch=4, rows=8, sweep_bytes=10_000)
    targets = []
    for stream in range(30):
        sock, target = opened()
        receiver.add(stream, sock)
        targets.append(target)
    held = receiver.sweep().watermark_ns
    for target in targets:
        sender.sendto(b"x" * 1000, target)
    first = receiver.sweep()
    assert 10 <= len(first.stream) < 15
    assert first.watermark_ns == held, "streams not yet visited hold the watermark"
    seen = first.stream.tolist()
    for target in targets[:5]:
        sender.sendto(b"y" * 1000, target)
    second = receiver.sweep().stream.tolist()
    assert second[0] == seen[-1] + 1, "the streams left out come first"
    seen += second
    for _ in range(3):
        seen += receiver.sweep().stream.tolist()
    assert sorted(seen) == sorted([*range(30), *range(5)])
    last = receiver.sweep()
    assert last.watermark_ns == last.wall_ns - SETTLE_NS
    receiver.close()


def test_a_quiet_socket_is_visited_when_it_has_something(opened: Open, sender: socket.socket) -> None:
    receiver = Receiver(SystemClock(), batch=4, burst=8)
    receiver.sweep()
    rtp, rtp_target = opened()
    rtcp, rtcp_target = opened()
    receiver.add(1, rtp)
    receiver.add(2, rtcp, quiet=True)
    for reports in (1, 0, 0, 3, 0):
        sender.sendto(b"media", rtp_target)
        for _ in range(reports):
            sender.sendto(b"report", rtcp_target)
        sweep = receiver.sweep()
        assert len(packets(sweep).get(2, [])) == reports
        assert sweep.watermark_ns == sweep.wall_ns - SETTLE_NS, "it holds the watermark of none"
    for _ in range(20):  # more than is taken at once: what is left is found again
        sender.sendto(b"flood", rtcp_target)
    assert [len(packets(receiver.sweep()).get(2, [])) for _ in range(4)] == [8, 8, 4, 0]
    receiver.close()


def test_a_quiet_socket_that_another_process_holds_is_heard_no_more_once_removed(
    opened: Open, sender: socket.socket
) -> None:
    receiver = Receiver(SystemClock())
    sock, target = opened()
    held = sock.dup()  # as the supervisor does
    receiver.add(2, sock, quiet=True)
    receiver.sweep()
    receiver.remove(2)
    sender.sendto(b"late", target)
    assert len(receiver.sweep().stream) == 0
    again = receiver.sweep()
    assert again.watermark_ns == again.wall_ns - SETTLE_NS
    held.close()
    receiver.close()


def test_a_quiet_socket_closed_by_someone_else_is_given_up(opened: Open, sender: socket.socket) -> None:
    receiver = Receiver(SystemClock())
    sock, target = opened()
    held = sock.dup()
    receiver.add(2, sock, quiet=True)
    receiver.sweep()
    sender.sendto(b"unheard", target)
    sock.close()
    assert len(receiver.sweep().stream) == 0
    assert receiver.broken == {2}
    held.close()
    receiver.sweep()
    receiver.close()


def test_the_watermark_stays_while_a_new_stream_is_not_yet_swept(opened: Open) -> None:
    clock = ManualClock()
    receiver = Receiver(clock)
    receiver.add(1, opened()[0])
    before = receiver.sweep().watermark_ns
    assert before == clock.wall_ns() - SETTLE_NS
    clock.advance(100 * MS)
    receiver.add(2, opened()[0])
    assert receiver.remove(2).watermark_ns == before
    assert receiver.sweep().watermark_ns == clock.wall_ns() - SETTLE_NS
    clock.step_wall(-NS)
    assert receiver.sweep().watermark_ns == clock.wall_ns() - SETTLE_NS
    receiver.close()


def test_icmp_errors_do_not_break_the_sweep(receiver: Receiver, opened: Open, sender: socket.socket) -> None:
    """A connected socket gets "connection refused" when its peer's port is closed."""
    sock, target = opened()
    gone, gone_target = opened()
    sock.connect(sender.getsockname())
    fine, fine_target = opened()
    receiver.add(1, sock)
    receiver.add(2, fine)
    for _ in range(3):
        sender.sendto(b"before", target)
    gone.close()
    refused, _ = opened()
    refused.connect(gone_target)
    receiver.add(3, refused)
    refused.send(b"report")
    sender.sendto(b"fine", fine_target)
    time.sleep(0.02)
    sweep = receiver.sweep()
    assert packets(sweep) == {1: [b"before"] * 3, 2: [b"fine"]}
    assert receiver.socket_errors == 1
    assert sweep.watermark_ns == sweep.wall_ns - SETTLE_NS


def test_errors_without_end_leave_the_other_streams_alone(
    receiver: Receiver, opened: Open, sender: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket that reports nothing but errors is left after a few, and holds the watermark."""
    bad, _ = opened()
    good, target = opened()
    receiver.add(1, bad)
    receiver.add(2, good)
    held = receiver.sweep().watermark_ns
    real = receiver._recvmmsg
    bad_fd = bad.fileno()

    def failing(fd: int, *arguments: object) -> int:
        if fd == bad_fd:
            import ctypes

            ctypes.set_errno(errno.ENOMEM)
            return -1
        return real(fd, *arguments)

    monkeypatch.setattr(receiver, "_recvmmsg", failing)
    sender.sendto(b"fine", target)
    sweep = receiver.sweep()
    assert packets(sweep) == {2: [b"fine"]}
    assert sweep.watermark_ns == held
    assert receiver.socket_errors == 17
    monkeypatch.undo()
    assert receiver.sweep().watermark_ns > held


def test_a_socket_closed_behind_our_back_is_given_up_alone(
    receiver: Receiver, opened: Open, sender: socket.socket
) -> None:
    stolen, _ = opened()
    good, target = opened()
    receiver.add(1, stolen)
    receiver.add(2, good)
    receiver.sweep()
    stolen.close()
    sender.sendto(b"fine", target)
    sweep = receiver.sweep()
    assert packets(sweep) == {2: [b"fine"]}
    assert sweep.watermark_ns == sweep.wall_ns - SETTLE_NS
    assert receiver.broken == {1}
    assert receiver.drops() == {1: 0, 2: 0}
    assert packets(receiver.remove(1)) == {}
    assert receiver.broken == frozenset()


def test_a_removed_socket_that_someone_closed(receiver: Receiver, opened: Open) -> None:
    stolen, _ = opened()
    receiver.add(1, stolen)
    stolen.close()
    assert packets(receiver.remove(1)) == {}
    assert receiver.drops() == {1: 0}


def test_hundreds_of_streams_come_and_go(receiver: Receiver, opened: Open, sender: socket.socket) -> None:
    """More than the tables begin with; ids and packets stay together through growth and reuse."""
    targets: dict[int, tuple[str, int]] = {}
    for stream in range(700):
        sock, targets[stream] = opened()
        receiver.add(stream, sock)
    for stream in range(0, 700, 3):
        receiver.remove(stream)
        sock, targets[stream + 1000] = opened()
        receiver.add(stream + 1000, sock)
        del targets[stream]
    for stream, target in targets.items():
        for number in range(3):
            sender.sendto(struct.pack(">IB", stream, number), target)
    found = packets(receiver.sweep())
    assert found == {
        stream: [struct.pack(">IB", stream, number) for number in range(3)] for stream in targets
    }
    assert len(receiver) == 700
    assert sum(receiver.drops().values()) == 0


def test_two_thousand_empty_sockets_are_swept_in_little_time(receiver: Receiver, opened: Open) -> None:
    for stream in range(2000):
        receiver.add(stream, opened()[0])
    receiver.sweep()
    before = time.process_time()
    for _ in range(10):
        receiver.sweep()
    # About 2 us a socket; ten times that is still bounded by one system call each.
    assert time.process_time() - before < 10 * 2000 * 20e-6
