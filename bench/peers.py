"""The programs beside which memcon's capture is measured: each keeps the same load, and is counted alike.

`rtpengine` (Debian's rtpengine-daemon, in user space) records each call into a pcap file of its own, with
its media forwarded to the other leg or blocked; `tcpdump` and `dumpcap` write everything into one file,
without signalling. None of them syncs, hashes, encrypts or orders anything. What is forwarded goes to one
socket that nobody reads, which is cheaper for the forwarder than a real telephone. CPU is user and system
time of the process; on loopback the sender's process pays for the network stack up to the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bench.ng import NgClient, Refused, media_port, offer_sdp

from memcon.capture.sockets import raise_file_limit
from memcon.client.media_thread import MediaThread, Play
from memcon.client.voice import demo_voices
from memcon.clock import NS, SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.ng import Value

TICK = os.sysconf("SC_CLK_TCK")
PORTS = (10_000, 19_999)  # none that a recorder on this machine has by default
SMALL_BUFFER = 4096
PCAP_HEAD, PACKET_HEAD = 24, 16
RTCP = range(192, 224)
NAMES = ("rtpengine-blocked", "rtpengine", "tcpdump", "dumpcap")
WORDS = {
    "rtpengine-blocked": "rtpengine, media blocked",
    "rtpengine": "rtpengine, forwarding",
    "tcpdump": "tcpdump -w",
    "dumpcap": "dumpcap -w",
}


def cpu_of(pid: int) -> float:
    """User and system time of one process so far, s; 0 for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_of(pid: int) -> int:
    """The most memory a process ever had resident, MiB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) // 1024 if found else 0


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def same_share(pid: int) -> None:
    """Give a process of another session this one's share of the processors: where the kernel groups processes
    by session (sched_autogroup_enabled) `nice` says nothing between sessions."""
    with contextlib.suppress(OSError):
        nice = Path("/proc/self/autogroup").read_text().rpartition(" ")[2]
        Path(f"/proc/{pid}/autogroup").write_text(nice)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one program did with its load: packets, s of CPU, MiB, ms of each call's set-up."""

    name: str
    calls: int
    sent: int
    kept: int
    cpu: float
    memory: int
    setup: tuple[float, ...] = ()

    @property
    def each(self) -> float:
        """us of CPU a packet."""
        return self.cpu / max(1, self.kept) * 1e6


class Peer(Protocol):
    """A program that keeps packets, started and ready."""

    pid: int

    def call(self, number: int, answers_to: int) -> tuple[int, ...]:
        """Set a call up whose media come from the port `answers_to`: where to send each of its streams."""

    def hang_up(self) -> None:
        """End all calls."""

    def stop(self) -> int:
        """End the program; the RTP packets that it has kept."""


def _pcap_lengths(path: Path) -> Iterator[tuple[bytes, int]]:
    """The bytes of a pcap file, and where each of its packets begins."""
    data = path.read_bytes()
    at = PCAP_HEAD
    while at + PACKET_HEAD <= len(data):
        yield data, at + PACKET_HEAD
        at += PACKET_HEAD + struct.unpack_from("=I", data, at + 8)[0]


class Rtpengine:
    """One daemon; `blocked`: it keeps the media and passes nothing on."""

    def __init__(self, directory: Path, *, blocked: bool) -> None:
        self._directory = directory
        self._blocked = blocked
        self._calls: list[str] = []
        control = free_udp_port()
        order = ["rtpengine", "--foreground", "--log-stderr", "--log-level=3", "--table=-1"]
        order += ["--interface=127.0.0.1", f"--listen-ng=127.0.0.1:{control}"]
        order += [f"--port-min={PORTS[0]}", f"--port-max={PORTS[1]}"]
        order += [f"--recording-dir={directory}", "--recording-method=pcap", "--recording-format=raw"]
        self._said = directory / "said.txt"
        with self._said.open("w") as output:
            self._process = subprocess.Popen(order, stdout=output, stderr=subprocess.STDOUT, cwd=directory)
        self.pid = self._process.pid
        self._ng = NgClient(control)
        end = time.monotonic() + 10
        while True:
            try:
                self._ng.ask("ping")
                break
            except Refused:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"rtpengine does not start:\n{self._said.read_text()}") from None

    def call(self, number: int, answers_to: int) -> tuple[int, ...]:
        name, sdp = f"bench-{number}", offer_sdp(answers_to)
        self._calls.append(name)
        facts: dict[str, Value] = {"call_id": name, "from_tag": "a", "sdp": sdp, "record_call": "yes"}
        offered = self._ng.ask("offer", **facts, ICE="remove")
        answered = self._ng.ask("answer", **facts, to_tag="b", ICE="remove")
        if self._blocked:
            self._ng.ask("block media", call_id=name)
        return media_port(answered["sdp"]), media_port(offered["sdp"])

    def hang_up(self) -> None:
        for name in self._calls:
            self._ng.ask("delete", call_id=name, from_tag="a", delete_delay=0)

    def stop(self) -> int:
        self._ng.close()
        self._process.terminate()
        self._process.wait(60)
        kept = 0
        for path in (self._directory / "pcaps").glob("*.pcap"):
            # format raw: an IPv4 header of 20 bytes, UDP of 8, then the packet
            kept += sum(data[at + 29] not in RTCP for data, at in _pcap_lengths(path))
        return kept


class Listener:
    """tcpdump or dumpcap on loopback; the load goes to sockets that nobody reads."""

    def __init__(self, directory: Path, name: str) -> None:
        target = str(directory / "kept.pcap")
        ports = f"udp dst portrange {PORTS[0]}-{PORTS[1]}"
        if name == "tcpdump":
            order = ["tcpdump", "-i", "lo", "-n", "-s", "0", "-B", "65536", "-Z", "root", "-w", target, ports]
            ready = "listening on"
        else:
            order = ["dumpcap", "-i", "lo", "-q", "-P", "-s", "0", "-B", "64", "-w", target, "-f", ports]
            ready = "File:"
        self._process = subprocess.Popen(order, stderr=subprocess.PIPE, text=True)
        self.pid = self._process.pid
        self._sinks: list[socket.socket] = []
        assert self._process.stderr is not None
        said = ""
        while ready not in said:
            line = self._process.stderr.readline()
            if not line:
                raise SystemExit(f"{name} may not listen here:\n{said}")
            said += line

    def call(self, number: int, answers_to: int) -> tuple[int, ...]:
        ports = []
        for way in (0, 1):
            sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            sink.bind(("127.0.0.1", PORTS[0] + 4 * number + 2 * way))
            self._sinks.append(sink)
            ports.append(sink.getsockname()[1])
        return tuple(ports)

    def hang_up(self) -> None:
        for sink in self._sinks:
            sink.close()

    def stop(self) -> int:
        self._process.send_signal(signal.SIGINT)
        _, said = self._process.communicate()
        found = re.search(r"(\d+) packets captured", said) or re.search(r"captured: (\d+)", said)
        return int(found[1]) if found else 0


def start(name: str, directory: Path) -> Peer:
    """A program of `NAMES`, writing into `directory`."""
    if name.startswith("rtpengine"):
        return Rtpengine(directory, blocked=name.endswith("blocked"))
    return Listener(directory, name)


def missing(name: str) -> bool:
    """Whether the program is not on this machine."""
    return shutil.which(name.partition("-")[0]) is None


def measure(name: str, directory: Path, *, calls: int, seconds: float, ramp: float) -> Seen:
    """Let one program keep so many calls of two streams for so long."""
    directory.mkdir()
    raise_file_limit()
    peer = start(name, directory)
    try:
        return asyncio.run(_load(WORDS[name], peer, calls, seconds, ramp))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(peer.pid, signal.SIGKILL)
        shutil.rmtree(directory)


async def _load(words: str, peer: Peer, calls: int, seconds: float, ramp: float) -> Seen:
    clock, voices = SystemClock(), demo_voices()
    media = MediaThread(clock, "127.0.0.1")
    media.start()
    setup, playing = [], []
    before, began = cpu_of(peer.pid), time.monotonic_ns()
    try:
        for number in range(calls):
            due = began + round(number / ramp * NS)
            await asyncio.sleep(max(0, due - time.monotonic_ns()) / NS)
            asked = time.monotonic_ns()
            ports = peer.call(number, media.ports[0])
            setup.append((time.monotonic_ns() - asked) / 1e6)
            plays = [
                Play("127.0.0.1", port, voices[way].audio, voices[way].payload_type)
                for way, port in enumerate(ports)
            ]
            playing.append((time.monotonic_ns() + round(seconds * NS), await media.add(plays, 0)))
        for end, streams in playing:
            await asyncio.sleep(max(0, end - time.monotonic_ns()) / NS)
            await media.remove(streams)
        await asyncio.sleep(0.5)
    finally:
        media.close()
    peer.hang_up()
    cpu, memory = cpu_of(peer.pid) - before, memory_of(peer.pid)
    return Seen(words, calls, media.totals().sent, peer.stop(), cpu, memory, tuple(setup))
