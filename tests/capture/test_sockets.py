"""Port pairs: even and odd, resting after use, refused in words that help."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys

import pytest

from memcon.capture import sockets
from memcon.capture.media_rows import SO_TIMESTAMPNS
from memcon.capture.sockets import PortPool, raise_file_limit
from memcon.clock import NS, ManualClock
from memcon.errors import LocalError, MachineError, UsageError


def free_range(pairs: int) -> tuple[int, str]:
    """An even port that begins so many free pairs, and the range as text."""
    for first in range(12_000, 19_000, 2 * pairs):
        held = []
        try:
            for port in range(first, first + 2 * pairs):
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                held.append(sock)
                sock.bind(("127.0.0.1", port))
        except OSError:
            continue
        else:
            return first, f"{first}-{first + 2 * pairs - 1}"
        finally:
            for sock in held:
                sock.close()
    raise AssertionError("no free ports")


def test_rtp_is_even_rtcp_the_next_and_both_are_bound_with_timestamps() -> None:
    first, text = free_range(2)
    pool = PortPool(ManualClock(), address="127.0.0.1", ports=text)
    pair = pool.take()
    assert pair.port == first
    assert pair.rtp.getsockname() == ("127.0.0.1", first)
    assert pair.rtcp.getsockname() == ("127.0.0.1", first + 1)
    for sock in (pair.rtp, pair.rtcp):
        assert sock.getsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS) == 1
        assert not sock.getblocking()
    pool.close()
    assert pair.rtp.fileno() == -1


def test_a_port_rests_before_it_is_used_again() -> None:
    clock = ManualClock()
    first, text = free_range(1)
    pool = PortPool(clock, address="127.0.0.1", ports=text)
    pool.give_back(pool.take())
    clock.advance(5 * NS - 1)
    assert pool.free == 0
    with pytest.raises(MachineError, match=r"0 pairs in use, 1 resting.*Widen the range"):
        pool.take()
    clock.advance(1)
    assert pool.take().port == first
    pool.close()


def test_a_wall_clock_step_does_not_shorten_the_rest() -> None:
    clock = ManualClock()
    pool = PortPool(clock, address="127.0.0.1", ports=free_range(1)[1])
    pool.give_back(pool.take())
    clock.step_wall(3600 * NS)
    assert pool.free == 0


def test_ports_are_used_in_turn_and_exhaustion_says_so() -> None:
    first, text = free_range(3)
    pool = PortPool(ManualClock(), address="127.0.0.1", ports=text, quarantine_ns=0)
    pairs = [pool.take() for _ in range(3)]
    assert [pair.port for pair in pairs] == [first, first + 2, first + 4]
    assert pool.taken == 3
    with pytest.raises(MachineError, match="3 pairs in use, 0 resting after a call, 0 held"):
        pool.take()
    pool.give_back(pairs[2])
    pool.give_back(pairs[0])
    assert pool.take().port == first + 4
    pool.close()


@pytest.mark.parametrize("offset", [0, 1])
def test_a_port_that_another_program_holds_is_passed_over(offset: int) -> None:
    first, text = free_range(2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", first + offset))
        pool = PortPool(ManualClock(), address="127.0.0.1", ports=text)
        assert pool.take().port == first + 2
        with pytest.raises(MachineError, match="1 held by other programs"):
            pool.take()
    assert pool.take().port == first  # the other program has ended, and nothing of ours was left bound
    pool.close()


def test_a_pair_goes_back_once_and_to_its_own_pool() -> None:
    pool = PortPool(ManualClock(), address="127.0.0.1", ports=free_range(1)[1])
    pair = pool.take()
    pool.give_back(pair)
    with pytest.raises(LocalError, match="not taken from this pool"):
        pool.give_back(pair)


def test_the_receive_buffer_is_left_alone_unless_asked_for() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        default = plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    text = free_range(1)[1]
    pool = PortPool(ManualClock(), address="127.0.0.1", ports=text)
    assert pool.take().rtp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == default
    pool.close()
    pool = PortPool(ManualClock(), address="127.0.0.1", ports=text, receive_buffer=16_384)
    assert pool.take().rtp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 32_768
    pool.close()


def test_any_ipv6_address_takes_ipv4_senders_too() -> None:
    pool = PortPool(ManualClock(), address="::", ports=free_range(1)[1])
    pair = pool.take()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"four", ("127.0.0.1", pair.port))
    assert pair.rtp.recvfrom(10)[1][0] == "::ffff:127.0.0.1"
    pool.close()


@pytest.mark.parametrize(
    "text", ["", "20000", "20000-", "30000-20000", "20001-20002", "0-10", "65000-65536", "a-b"]
)
def test_a_range_without_a_pair_is_a_persons_mistake(text: str) -> None:
    with pytest.raises(UsageError, match="media ports"):
        PortPool(ManualClock(), address="127.0.0.1", ports=text)


def test_an_odd_beginning_is_rounded_up() -> None:
    assert list(sockets._even_ports("20001-20006")) == [20_002, 20_004]
    assert list(sockets._even_ports("65534-65535")) == [65_534]


def test_an_address_that_is_none() -> None:
    with pytest.raises(UsageError, match="not an IP address"):
        PortPool(ManualClock(), address="localhost", ports="20000-20001")


def test_an_address_this_machine_does_not_have() -> None:
    pool = PortPool(ManualClock(), address="192.0.2.1", ports="20000-20001")
    with pytest.raises(MachineError, match=r"20000 on 192\.0\.2\.1.*Set the media address"):
        pool.take()
    assert pool.free == 1


def test_too_many_open_files_names_the_limit_and_the_cure() -> None:
    """In a process of its own, since the limit holds for the whole process."""
    script = f"""
import resource
from memcon.capture.media_rows import SO_TIMESTAMPNS
from memcon.capture.sockets import PortPool
from memcon.clock import SystemClock
from memcon.errors import MachineError
pool = PortPool(SystemClock(), address="127.0.0.1", ports="{free_range(30)[1]}")
resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
try:
    for _ in range(30):
        pool.take()
except MachineError as error:
    print(error)
print(pool.taken, pool.taken + pool.free)
pool.close()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    message, counts = done.stdout.splitlines()
    assert "may open 24 files (hard limit 24)" in message
    assert "LimitNOFILE" in message
    taken, all_pairs = (int(word) for word in counts.split())
    assert 1 <= taken < 12
    assert all_pairs == 30


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1] - 1, before[1]))
    try:
        assert raise_file_limit() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == before[1]
        assert raise_file_limit() == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
