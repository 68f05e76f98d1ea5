"""Does the recorder keep every packet of many calls at once, and what does that cost? Beside tcpdump.

    python bench/capture.py --calls 500 --seconds 60

Makes a recorder in a temporary home and serves it (`memcon init`, `memcon serve`), calls it with
`memcon load` over loopback, and hears the same traffic with `tcpdump -w`, the peer: it writes
the packets to a file and does nothing else (no sync, no hash, no encryption, no signalling, no vault).
When every call is in the vault, each is opened with the custodian's key:

- every packet that the sender's kernel took is in the record, or in a loss that the record declares;
  of `--open` calls each packet is also counted one by one in the decrypted blocks, against the RTP
  sequence;
- every beat was published within one period of its slot's end, and no slot is missing.

CPU is user and system time of the processes (/proc), from the first INVITE to the last call in the
vault; on loopback the sender's process pays for the network stack up to the socket, for both alike.
Exit code 1 when anything is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memcon.clock import SystemClock
from memcon.errors import UsageError
from memcon.record.call import decode as decode_leaf
from memcon.service.archive import Archive
from memcon.service.chaos import MAIN
from memcon.service.config import load as load_config
from memcon.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterable

NS = 1_000_000_000
TICK = os.sysconf("SC_CLK_TCK")
MEMCON = str(Path(sys.executable).with_name("memcon"))
RTP = 1
PORTS = "40000-59999"  # not the default: other traffic on loopback must not count for the peer
VAULT_S = 300.0


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


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


class Serving:
    """`memcon serve` of a home made for this run."""

    def __init__(self, directory: Path, period: int) -> None:
        self.port = free_port()
        self.environment = os.environ | {"MEMCON_RUN": str(directory / "run")}
        os.environ["MEMCON_RUN"] = str(directory / "run")  # for what this process reads of the home
        home = directory / "home"
        order = [MEMCON, "init", "--home", str(home), "--origin", "bench.example/capture"]
        order += ["--period", str(period), "--sip-port", str(self.port), "--console-port", str(free_port())]
        order += ["--media-ports", PORTS]
        subprocess.run(order, env=self.environment, check=True, stdout=subprocess.DEVNULL)
        self.home = Home(home)
        self.period = period
        self.said = directory / "serve.txt"
        with self.said.open("w") as output:
            self.process = subprocess.Popen(
                [MEMCON, "serve", "--home", str(home)],
                env=self.environment, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        end = time.monotonic() + 60
        while "Recording." not in self.said.read_text():
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"memcon serve did not start:\n{self.said.read_text()[-2000:]}")
            time.sleep(0.2)

    def pids(self) -> dict[str, int]:
        """The processes by what they do."""
        found = {"supervisor": self.process.pid}
        for role in ("capture", "seal", "office"):
            found[role] = int(json.loads(self.home.status(role).read_text())["pid"])
        return found

    def cpu(self) -> dict[str, float]:
        return {role: cpu_of(pid) for role, pid in self.pids().items()}

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Peer:
    """tcpdump, writing the same packets to a file; absent where it may not listen."""

    def __init__(self, target: Path) -> None:
        self.cpu = 0.0
        self.packets = self.dropped = 0
        self._process: subprocess.Popen[str] | None = None
        if shutil.which("tcpdump") is None:
            print("no tcpdump: no peer in this run")
            return
        self._process = subprocess.Popen(
            ["tcpdump", "-i", "lo", "-n", "-s", "0", "-B", "65536", "-Z", "root",
             "-w", str(target), f"udp dst portrange {PORTS}"],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stderr is not None
        line = self._process.stderr.readline()
        while line and "listening on" not in line:
            line = self._process.stderr.readline()
        if not line:
            print("tcpdump may not listen here: no peer in this run")
            self._process.wait()
            self._process = None

    def end(self) -> None:
        if self._process is None:
            return
        time.sleep(0.5)
        self.cpu = cpu_of(self._process.pid)
        self._process.send_signal(signal.SIGINT)
        _, said = self._process.communicate()
        counts = dict((name, int(n)) for n, name in re.findall(r"(\d+) packets (captured|dropped)", said))
        self.packets, self.dropped = counts.get("captured", 0), counts.get("dropped", 0)
        self._process = None


@dataclass
class Account:
    """What the record says beside what was sent, in packets."""

    calls: int = 0
    streams: int = 0
    sent: int = 0
    received: int = 0
    declared: int = 0  # losses that the record itself declares: dropped by the kernel
    missing: int = 0  # sent, and neither recorded nor declared
    reported: int = 0  # streams whose last RTCP report, as recorded, says what was sent
    counted: int = 0  # packets counted one by one in opened calls
    wrong: int = 0


def wait_for_vault(archive: Archive, calls: int, serving: Serving) -> float:
    """Wait until every call can be opened; how long that took, s."""
    began = time.monotonic()
    left = set(range(1, calls + 1))
    while left:
        for number in sorted(left):
            try:
                archive.files(number)
            except UsageError:
                break
            left.discard(number)
        if time.monotonic() - began > VAULT_S or serving.process.poll() is not None:
            print(f"{len(left)} calls did not get into the vault:\n{serving.said.read_text()[-2000:]}")
            break
        time.sleep(0.2)
    return time.monotonic() - began


def account(archive: Archive, load: dict[str, Any], opened: int) -> Account:
    """Set the vault beside the sender's own count, call by call and stream by stream."""
    sent = {call["call_id"]: call for call in load["calls"] if call["status"] == 200}
    result = Account()
    for number in range(1, len(sent) + 1):
        call = archive.open(number)
        facts = call.record()["source_ids"]
        assert isinstance(facts, dict)
        told = sent.pop(str(facts["call_id"]))
        last = list(call.leaves())[-1]
        counts = {count.stream: count for count in decode_leaf(last.leaf).streams}
        result.calls += 1
        for place, stream in enumerate(told["streams"]):
            count = counts[2 * place]
            result.streams += 1
            result.sent += stream["sent"]
            result.received += count.received
            result.declared += count.kernel_drops
            result.missing += max(0, stream["sent"] - count.received - count.kernel_drops)
            result.reported += count.sender_count == stream["sent"]
        if number <= opened:
            one_by_one(call.blocks(), told["streams"], result)
    result.missing += sum(s["sent"] for call in sent.values() for s in call["streams"])
    return result


def one_by_one(blocks: Iterable[Any], streams: list[dict[str, Any]], result: Account) -> None:
    """Count the packets in a call's decrypted blocks: each sequence number once, no source but the sender."""
    found: dict[int, set[int]] = {2 * place: set() for place in range(len(streams))}
    for block in blocks:
        if block.kind != RTP:
            continue
        ssrc = streams[block.stream // 2]["ssrc"]
        for packet in block.packets:
            result.counted += 1
            sequence = int.from_bytes(packet[2:4], "big")
            result.wrong += sequence in found[block.stream] or int.from_bytes(packet[8:12], "big") != ssrc
            found[block.stream].add(sequence)
    for place, stream in enumerate(streams):
        result.wrong += len(found[2 * place]) != stream["sent"]


def beats(serving: Serving, since: int, until: int) -> tuple[list[float], int]:
    """Of the slots between two wall times (ns): s from each one's end to its checkpoint; those missing."""
    period = serving.period * NS
    found = {}
    for line in serving.home.feed.read_text().splitlines():
        said = json.loads(line)
        if said["t"] == "beat":
            found[said["slot"]] = said["published"]
    slots = [slot for slot in range(since // period, until // period) if (slot + 1) * period <= until]
    late = [(found[slot] - (slot + 1) * period) / NS for slot in slots if slot in found]
    return late, sum(slot not in found for slot in slots)


def run_load(options: argparse.Namespace, port: int) -> dict[str, Any]:
    order = [sys.executable, "-c", MAIN, "load", "--json"]
    order += ["--to", f"{options.transport}://127.0.0.1:{port}", "--calls", str(options.calls)]
    order += ["--seconds", str(options.seconds), "--rate", str(options.ramp)]
    done = subprocess.run(order, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise SystemExit(done.stderr)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def say_load(load: dict[str, Any]) -> None:
    delay = load["answer_ms"]
    print(f"calls    {load['answered']} of {load['plan']['calls']} taken, answered in ", end="")
    print(f"{delay['median']:.1f} ms (median), {delay['p99']:.1f} (99 %), {delay['max']:.1f} (longest)")
    print(f"sender   {load['sent']} packets, {sum(load['refused'].values())} refused by its kernel, ", end="")
    print(f"{load['late_ticks']} batches late, {load['cpu'] / load['sent'] * 1e6:.1f} us CPU a packet")


def measure(options: argparse.Namespace, directory: Path) -> bool:
    serving = Serving(directory, options.period)
    try:
        archive = Archive(serving.home, load_config(serving.home.config), SystemClock())
        time.sleep(2 * options.period)  # the first beats, at rest
        peer = Peer(directory / "peer.pcap")
        before, since = serving.cpu(), time.time_ns()
        load = run_load(options, serving.port)
        until = time.time_ns()
        peer.end()
        vault = wait_for_vault(archive, load["answered"], serving)
        cpu = {role: seconds - before[role] for role, seconds in serving.cpu().items()}
        memory = {role: memory_of(pid) for role, pid in serving.pids().items()}
        late, absent = beats(serving, since, until)
    finally:
        serving.stop()
    kept = account(archive, load, options.open)
    say_load(load)
    print(
        f"record   {kept.received} packets of {kept.sent} in {kept.calls} calls, {kept.streams} streams; ",
        end="",
    )
    print(f"{kept.declared} declared lost, MISSING {kept.missing}")
    print(f"         {kept.counted} packets of opened calls counted one by one, {kept.wrong} wrong; ", end="")
    print(f"{kept.reported} streams end in an RTCP report that says the same")
    print(f"vault    the last call stood there {vault:.1f} s after the load ended")
    print(f"beats    {len(late)} slots of {options.period} s, {absent} missing, published ", end="")
    print(f"{statistics.median(late):.2f} s (median), {max(late):.2f} s (latest) after their end")
    print("         each in order: " + " ".join(f"{seconds:.1f}" for seconds in late))
    print("memory   " + ", ".join(f"{role} {size} MiB" for role, size in memory.items()))
    own = sum(cpu.values()) / kept.received * 1e6
    each = ", ".join(f"{role} {seconds / kept.received * 1e6:.2f}" for role, seconds in cpu.items())
    print(f"cost     memcon {own:.2f} us CPU a packet ({each})")
    if peer.packets:
        theirs = peer.cpu / peer.packets * 1e6
        print(
            f"         tcpdump -w {theirs:.2f} us a packet; it wrote {peer.packets}, dropped {peer.dropped}"
        )
        ratio = f"{own / theirs:.1f} times" if theirs else "more than 100 times"
        print(f"memcon costs {ratio} what tcpdump -w costs a packet")
    good = load["answered"] == options.calls == kept.calls
    return good and not kept.missing and not kept.wrong and not absent and max(late) < options.period


def main() -> int:
    parser = argparse.ArgumentParser(description="Every packet of many calls kept, and at what cost")
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each call")
    parser.add_argument("--ramp", type=float, default=50.0, help="calls begun a second")
    parser.add_argument("--transport", choices=["udp", "tcp"], default="udp")
    parser.add_argument("--period", type=int, default=10, help="s between beats")
    parser.add_argument("--open", type=int, default=20, help="calls whose packets are counted one by one")
    parser.add_argument("--keep", type=Path, help="a directory to work in and to leave as it is")
    options = parser.parse_args()
    if options.seconds + options.calls / options.ramp < 2 * options.period:
        parser.error("the load must last two beats at least")
    if options.keep is not None:
        options.keep.mkdir(parents=True)
        return 0 if measure(options, options.keep) else 1
    with tempfile.TemporaryDirectory(prefix="memcon-bench-") as directory:
        return 0 if measure(options, Path(directory)) else 1


if __name__ == "__main__":
    sys.exit(main())
