"""Does the recorder keep every packet of many calls at once, and at what cost? Beside four peers.

    python bench/capture.py --calls 500 --seconds 60

Makes a recorder in a temporary home and serves it (`memcon init`, `memcon serve`) and calls it with
`memcon load` over loopback. When every call is in the vault, each is opened with the custodian's key:

- every packet that the sender's kernel took is in the record, or in a loss that the record declares;
  of `--open` calls each packet is also counted one by one in the decrypted blocks, against the RTP
  sequence;
- every beat was published within one period of its slot's end, and no slot is missing.

Then, on the same machine and in the same run, the peers (`bench/peers.py`) are given as many calls as
`--peer-calls` says for `--peer-seconds`, one after another: rtpengine with pcap recording, its media
blocked and forwarded, tcpdump and dumpcap.

With `--speaking N`, so many calls with two voices go on beside them and are transcribed live, two parties
each (it needs the speech extra); without, nothing is transcribed. What transcription costs recording is the
difference of two runs.

CPU is user and system time of the processes (/proc): of the pipeline (supervisor, capture, seal) from the
first INVITE to the last call handed over, of the office to the last call in the vault. On loopback the
sender's process pays for the network stack up to the socket, for all alike. Exit code 1 when anything of
memcon's is missing or late.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memcon.client.caller import place_call
from memcon.client.voice import demo_voices
from memcon.clock import SystemClock
from memcon.errors import UsageError
from memcon.record.call import decode as decode_leaf
from memcon.record.transcript import decode
from memcon.service.archive import Archive
from memcon.service.chaos import MAIN
from memcon.service.config import load as load_config
from memcon.store.paths import Home

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where bench/ is
from bench import peers
from bench.peers import Seen, cpu_of, memory_of, same_share
from bench.watch import Watch
from bench.watch import say as say_watch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NS = 1_000_000_000
MEMCON = str(Path(sys.executable).with_name("memcon"))
RTP = 1
PORTS = "40000-59999"  # not the default: other traffic on loopback must not count for the peer
VAULT_S = 1200.0


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Serving:
    """`memcon serve` of a home made for this run."""

    def __init__(self, directory: Path, period: int, *, speech: bool = False) -> None:
        self.port = free_port()
        self.environment = os.environ | {"MEMCON_RUN": str(directory / "run")}
        os.environ["MEMCON_RUN"] = str(directory / "run")  # for what this process reads of the home
        home = directory / "home"
        order = [MEMCON, "init", "--home", str(home), "--origin", "bench.example/capture"]
        order += ["--period", str(period), "--sip-port", str(self.port), "--console-port", str(free_port())]
        order += ["--media-ports", PORTS]
        subprocess.run(order, env=self.environment, check=True, stdout=subprocess.DEVNULL)
        self.home = Home(home)
        with self.home.config.open("a") as file:
            file.write(f"\n[speech]\nlive = {str(speech).lower()}\n")
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
        for role, pid in self.pids().items():
            if role != "office":  # which yields to them
                same_share(pid)

    def pids(self) -> dict[str, int]:
        """The processes by what they do."""
        found = {"supervisor": self.process.pid}
        for role in ("capture", "seal", "office"):
            found[role] = int(json.loads(self.home.status(role).read_text())["pid"])
        return found

    def listens(self) -> None:
        """Wait until the listening process has its model."""
        end = time.monotonic() + 60
        while not self.home.status("speech").exists():
            if time.monotonic() > end:
                raise SystemExit("nothing is transcribed here: scripts/setup --speech")
            time.sleep(0.2)

    def listening_cpu(self) -> float:
        """CPU s of the listening process."""
        return cpu_of(int(json.loads(self.home.status("speech").read_text())["pid"]))

    def cpu(self) -> dict[str, float]:
        return {role: cpu_of(pid) for role, pid in self.pids().items()}

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


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


def account(archive: Archive, load: dict[str, Any], opened: int, calls: int) -> Account:
    """Set the vault beside the sender's own count, call by call and stream by stream."""
    sent = {call["call_id"]: call for call in load["calls"] if call["status"] == 200}
    result = Account()
    for number in range(1, calls + 1):
        call = archive.open(number)
        facts = call.record()["source_ids"]
        assert isinstance(facts, dict)
        told = sent.pop(str(facts["call_id"]), None)
        if told is None:  # a call that speaks
            continue
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
        if result.calls <= opened:
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


@contextmanager
def speaking(options: argparse.Namespace, port: int) -> Iterator[None]:
    """Calls that speak, begun before the load and ended after it."""
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def talk() -> None:
        over = asyncio.Event()
        stop.append((asyncio.get_running_loop(), over))
        await place_call(f"udp://127.0.0.1:{port}", voices=demo_voices(), seconds=3600.0, stop=over)

    with ThreadPoolExecutor(options.speaking or 1) as pool:
        calls = [pool.submit(lambda: asyncio.run(talk())) for _ in range(options.speaking)]
        yield
        for loop, over in stop:
            loop.call_soon_threadsafe(over.set)
        for call in calls:
            call.result()


def written(home: Home) -> int:
    """Words written live, over all calls."""
    return sum(decode(path.read_bytes()).count() for path in home.live_transcripts.glob("*.json"))


def say_load(load: dict[str, Any]) -> None:
    delay = load["answer_ms"]
    print(f"calls    {load['answered']} of {load['plan']['calls']} taken, answered in ", end="")
    print(f"{delay['median']:.1f} ms (median), {delay['p99']:.1f} (99 %), {delay['max']:.1f} (longest)")
    print(f"sender   {load['sent']} packets, {sum(load['refused'].values())} refused by its kernel, ", end="")
    print(f"{load['late_ticks']} batches late, {load['cpu'] / load['sent'] * 1e6:.1f} us CPU a packet")


@dataclass(frozen=True, slots=True)
class Run:
    """What one load of memcon left to be told: CPU s by process, MiB, s."""

    load: dict[str, Any]
    kept: Account
    cpu: dict[str, float]
    memory: dict[str, int]
    vault: float
    late: list[float]
    absent: int
    watch: Watch
    words: int
    listened: float

    @property
    def pipeline(self) -> float:
        """us of CPU a packet from the socket to the sealed call."""
        return sum(s for role, s in self.cpu.items() if role != "office") / max(1, self.kept.received) * 1e6

    def good(self, options: argparse.Namespace) -> bool:
        """Whether nothing is missing, and no beat was late."""
        answered = self.load["answered"] == options.calls == self.kept.calls
        whole = answered and not self.kept.missing and not self.kept.declared and not self.kept.wrong
        return whole and not self.absent and max(self.late) < options.period


def run_memcon(options: argparse.Namespace, directory: Path) -> Run:
    serving = Serving(directory, options.period, speech=bool(options.speaking))
    words, listened = 0, 0.0
    try:
        archive = Archive(serving.home, load_config(serving.home.config), SystemClock())
        time.sleep(2 * options.period)  # the first beats, at rest
        if options.speaking:
            serving.listens()
        with speaking(options, serving.port):
            time.sleep(options.period if options.speaking else 0)
            before, since = serving.cpu(), time.time_ns()
            listened -= serving.listening_cpu() if options.speaking else 0
            watch = Watch(serving.pids, serving.home.status("capture"))
            watch.start()
            load = run_load(options, serving.port)
            until = time.time_ns()
            watch.end()
            listened += serving.listening_cpu() if options.speaking else 0
            words = written(serving.home)
        wait_for_handover(serving)
        cpu = {role: seconds - before[role] for role, seconds in serving.cpu().items()}
        calls = load["answered"] + options.speaking
        vault = wait_for_vault(archive, calls, serving)
        cpu["office"] = serving.cpu()["office"] - before["office"]
        memory = {role: memory_of(pid) for role, pid in serving.pids().items()}
        late, absent = beats(serving, since, until)
    finally:
        serving.stop()
    kept = account(archive, load, options.open, calls)
    return Run(load, kept, cpu, memory, vault, late, absent, watch, words, listened)


def wait_for_handover(serving: Serving) -> None:
    """Until sealing has nothing more to do for any call."""
    end = time.monotonic() + VAULT_S
    while time.monotonic() < end:
        open_calls = serving.home.work_open
        if not any(path.name.isdecimal() for path in open_calls.iterdir()):
            return
        time.sleep(0.2)


def say_run(options: argparse.Namespace, run: Run) -> None:
    kept, late = run.kept, run.late
    say_load(run.load)
    print(
        f"record   {kept.received} packets of {kept.sent} in {kept.calls} calls, {kept.streams} streams; ",
        end="",
    )
    print(f"{kept.declared} declared lost, MISSING {kept.missing}")
    print(f"         {kept.counted} packets of opened calls counted one by one, {kept.wrong} wrong; ", end="")
    print(f"{kept.reported} streams end in an RTCP report that says the same")
    print(f"vault    the last call stood there {run.vault:.1f} s after all were sealed")
    print(f"beats    {len(late)} slots of {options.period} s, {run.absent} missing, published ", end="")
    print(f"{statistics.median(late):.2f} s (median), {max(late):.2f} s (latest) after their end")
    print("         each in order: " + " ".join(f"{seconds:.1f}" for seconds in late))
    each = sum(size for role, size in run.memory.items() if role != "office") / max(1, kept.calls)
    print("memory   " + ", ".join(f"{role} {size} MiB" for role, size in run.memory.items()), end="")
    print(f"; {each:.2f} MiB a call without the office")
    if options.speaking:
        print(f"speech   {options.speaking} calls transcribed live meanwhile: {run.words} words, ", end="")
        print(f"{run.listened:.1f} s of CPU")
    each_role = ", ".join(f"{role} {s / max(1, kept.received) * 1e6:.2f}" for role, s in run.cpu.items())
    print(f"cost     memcon {run.pipeline:.2f} us CPU a packet from socket to seal ({each_role})")
    say_watch(run.watch, kept.calls)
    sys.stdout.flush()


def say_peer(seen: Seen, own: float) -> None:
    print(f"peer     {seen.name}: {seen.calls} calls, {seen.sent} packets sent, ", end="")
    print(f"LOST {max(0, seen.sent - seen.kept)}; {seen.each:.2f} us CPU a packet, {seen.memory} MiB", end="")
    if seen.name.startswith("rtpengine"):
        delays = sorted(seen.setup)
        print(f", set up in {statistics.median(delays):.1f} ms (median), ", end="")
        print(f"{delays[len(delays) * 99 // 100]:.1f} (99 %)", end="")
    ratio = f"{own / seen.each:.2f}" if seen.cpu else "more than 100"
    print(f"\n         memcon costs {ratio} times that", flush=True)


def measure(options: argparse.Namespace, directory: Path) -> bool:
    run = run_memcon(options, directory)
    say_run(options, run)
    if options.keep is None:  # room on the disk for the peers
        shutil.rmtree(directory / "home", ignore_errors=True)
    for name in options.peers:
        if peers.missing(name):
            print(f"peer     {name} is not on this machine")
            continue
        seen = peers.measure(
            name, directory / name, calls=options.peer_calls, seconds=options.peer_seconds, ramp=options.ramp
        )
        say_peer(seen, run.pipeline)
    return run.good(options)


def main() -> int:
    parser = argparse.ArgumentParser(description="Every packet of many calls kept, and at what cost")
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each call")
    parser.add_argument("--ramp", type=float, default=50.0, help="calls begun a second")
    parser.add_argument("--transport", choices=["udp", "tcp"], default="udp")
    parser.add_argument("--period", type=int, default=10, help="s between beats")
    parser.add_argument("--open", type=int, default=20, help="calls whose packets are counted one by one")
    parser.add_argument("--speaking", type=int, default=0, help="calls with voices, transcribed live")
    parser.add_argument("--keep", type=Path, help="a directory to work in and to leave as it is")
    parser.add_argument("--peers", nargs="*", choices=peers.NAMES, default=peers.NAMES)
    parser.add_argument("--peer-calls", type=int, default=300, help="calls that each peer is given")
    parser.add_argument("--peer-seconds", type=float, default=15.0)
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
