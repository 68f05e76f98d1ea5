"""What does it cost to receive a packet? memcon's sweep beside an asyncio receiver, in one run.

    python bench/receive.py --streams 1000 --seconds 15

A sender process sends G.711-sized RTP (172 bytes, 50 a second a stream) over loopback to one port per
stream. Each receiver runs alone in a process of its own, pinned to one core, the sender to another;
first memcon's, then asyncio's DatagramProtocol at a number of streams that it can sustain. Cost is the
receiving process's own CPU time (getrusage, user and system) while receiving, over the packets it
received. On loopback the sender's core pays for the network stack up to the socket, for both alike, and
memcon's receiver takes a kernel timestamp per packet, as it does in earnest, while asyncio's has only
the time at which it got round to it.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import resource
import socket
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memcon.capture.receiver import Receiver
from memcon.capture.sockets import PortPool, raise_file_limit
from memcon.client.media import MediaSender
from memcon.clock import SystemClock

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

ADDRESS = "127.0.0.1"
REST = 1.0  # s of receiving on after the sender has ended; counted in the cost


@dataclass(frozen=True, slots=True)
class Received:
    packets: int
    cpu: float  # s
    elapsed: float  # s
    drops: int
    worst: float  # s, the longest sweep
    rtcp: int


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def pin(core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})


def sweep_receiver(pipe: Connection, streams: int, period: float, rtcp: bool) -> None:
    """memcon's: one socket a stream, a sweep each `period`; with `rtcp` the odd ports' sockets too."""
    pin(0)
    raise_file_limit()
    clock = SystemClock()
    pool = PortPool(clock, address=ADDRESS, ports="10000-32767")
    receiver = Receiver(clock)
    pairs = [pool.take() for _ in range(streams)]
    for number, pair in enumerate(pairs):
        receiver.add(2 * number, pair.rtp)
        if rtcp:
            receiver.add(2 * number + 1, pair.rtcp, quiet=True)
    counts = np.zeros(2 * streams, np.int64)
    receiver.sweep()
    pipe.send([pair.port for pair in pairs])
    pipe.recv()
    before = cpu_seconds()
    worst, due = 0.0, time.monotonic()
    start, end = due, float("inf")
    while due < end:
        if end == float("inf") and pipe.poll():
            end = due + REST
        due += period
        time.sleep(max(0.0, due - time.monotonic()))
        began = time.monotonic()
        sweep = receiver.sweep()
        counts += np.bincount(sweep.stream, minlength=2 * streams)
        worst = max(worst, time.monotonic() - began)
    cpu, elapsed = cpu_seconds() - before, time.monotonic() - start
    drops = sum(receiver.drops().values())
    pipe.send(Received(int(counts.sum()), cpu, elapsed, drops, worst, streams if rtcp else 0))
    receiver.close()
    pool.close()


class Counting(asyncio.DatagramProtocol):
    """The least that a receiver must do: keep the packet and the time."""

    packets = 0

    def __init__(self) -> None:
        self.kept: list[tuple[float, bytes]] = []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        Counting.packets += 1
        self.kept.append((time.monotonic(), data))
        if len(self.kept) > 50:
            self.kept.clear()


def asyncio_receiver(pipe: Connection, streams: int) -> None:
    """The peer: asyncio's datagram end points, one a stream."""
    pin(0)
    raise_file_limit()

    async def receive() -> None:
        loop = asyncio.get_running_loop()
        ends = [
            await loop.create_datagram_endpoint(Counting, local_addr=(ADDRESS, 0)) for _ in range(streams)
        ]
        pipe.send([end[0].get_extra_info("sockname")[1] for end in ends])
        await loop.run_in_executor(None, pipe.recv)
        before, start = cpu_seconds(), time.monotonic()
        await loop.run_in_executor(None, pipe.recv)
        await asyncio.sleep(REST)
        cpu, elapsed = cpu_seconds() - before, time.monotonic() - start
        pipe.send(Received(Counting.packets, cpu, elapsed, 0, 0.0, 0))
        for transport, _ in ends:
            transport.close()

    asyncio.run(receive())


def send(ports: list[int], seconds: float) -> tuple[int, int, float, int]:
    """Packets sent, packets refused, CPU seconds, late slices."""
    pin(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sender = MediaSender(SystemClock(), sock)
        audio = np.random.default_rng(1).bytes(160 * 50)
        for number, port in enumerate(ports):
            sender.add(ADDRESS, port, ssrc=number, audio=audio)
        before = cpu_seconds()
        sender.run(seconds)
        cpu = cpu_seconds() - before
    return sender.totals.sent, sum(sender.refused.values()), cpu, sender.totals.late_ticks


def backlog_drops() -> int:
    """Packets dropped before any socket, on all cores (second column of softnet_stat)."""
    with open("/proc/net/softnet_stat") as lines:  # noqa: PTH123  a kernel file, read whole
        return sum(int(line.split()[1], 16) for line in lines)


def measure(name: str, streams: int, seconds: float, period: float | None, rtcp: bool) -> tuple[float, int]:
    """Run one receiver against the sender, print what happened, return us of CPU a packet and the loss."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    if period is None:
        process = context.Process(target=asyncio_receiver, args=(there, streams))
    else:
        process = context.Process(target=sweep_receiver, args=(there, streams, period, rtcp))
    process.start()
    ports: list[int] = here.recv()
    softnet = backlog_drops()
    here.send(None)
    sent, refused, sender_cpu, late = send(ports, seconds)
    here.send(None)
    got: Received = here.recv()
    process.join()
    each = got.cpu / got.packets * 1e6
    lost = sent - got.packets
    idle = f" and {got.rtcp} idle RTCP sockets" if got.rtcp else ""
    sweeps = f", longest sweep {got.worst * 1e3:.0f} ms" if period is not None else ""
    print(f"{name}: {streams} streams{idle}, {seconds:g} s")
    print(f"  sent {sent}, refused by the kernel {refused}, received {got.packets}, LOST {lost}", end="")
    print(f" (at the sockets {got.drops}, before them {backlog_drops() - softnet})")
    print(f"  receiver {each:.2f} us CPU a packet, {100 * got.cpu / got.elapsed:.0f} % of a core{sweeps}")
    print(f"  sender {sender_cpu / sent * 1e6:.2f} us CPU a packet, ", end="")
    print(f"{100 * sender_cpu / seconds:.0f} % of a core, {late} slices late", flush=True)
    return each, lost


def main() -> int:
    parser = argparse.ArgumentParser(description="CPU per received packet, beside asyncio, in one run")
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--peer-streams", type=int, default=300, help="what asyncio can sustain on a core")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--period", type=float, default=0.1, help="s between sweeps")
    parser.add_argument("--rtcp", action="store_true", help="open and sweep the RTCP sockets too")
    options = parser.parse_args()
    if options.streams > 11_000:
        parser.error("at most 11,000 streams fit in the ports used here")
    raise_file_limit()
    own, lost = measure("memcon", options.streams, options.seconds, options.period, options.rtcp)
    peer, _ = measure("asyncio", options.peer_streams, options.seconds, None, False)
    print(f"asyncio costs {peer / own:.1f} times as much a packet")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
