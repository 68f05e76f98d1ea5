"""Every file system call of journal, seal, log and vault, failed or killed at once, one in each run.

A child process records, seals and keeps one short call by the real writer, sealer and keeper, on clocks
that the run moves itself, so that each run makes the same system calls. strace attaches to it before the
work begins and makes the n-th call of one kind fail (EIO, ENOSPC) or kills the process there. Then it is
looked whether everything came to the same end, after a restart where there was a kill: all packets that
the journal had acknowledged are in the vault, and log, slots and object verify.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import traceback
from collections import Counter
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.capture.kit import sweep_of
from tests.seal.synthetic import BYE, INVITE, ORIGIN, T0, World, rtp

from memcon.capture import journal as writing
from memcon.capture.journal import JournalWriter
from memcon.capture.log import Log
from memcon.clock import NS, ManualClock
from memcon.errors import MachineError
from memcon.record.call import decode, read_leaves
from memcon.seal import finisher
from memcon.seal.sealer import Sealer
from memcon.store.durable import machine_errors
from memcon.store.paths import RUN_VARIABLE, Home
from memcon.vault import keeper
from memcon.vault.keeper import Keeper, call_id
from memcon.vault.ocfl import StorageRoot, object_path
from memcon.verify.findings import CODES, NOTE
from memcon.verify.slots import verify_slots
from memcon.verify.vault import verify_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CALLS = (
    "openat", "read", "pread64", "getdents64", "write", "writev", "fsync", "fdatasync", "ftruncate",
    "rename", "mkdir", "unlink", "rmdir", "unlinkat",
)  # fmt: skip
WRITING = frozenset({"openat", "write", "writev", "fsync", "fdatasync", "mkdir", "rename"})
SECONDS = 3
TRIES = 8
HANDLE = 10


@dataclass(frozen=True)
class Fault:
    """The `number`-th system call `call` ends in `how`: EIO, ENOSPC or KILL."""

    call: str
    number: int
    how: str

    @property
    def injection(self) -> str:
        what = "signal=KILL" if self.how == "KILL" else f"error={self.how}"
        return f"inject={self.call}:{what}:when={self.number}"

    def __str__(self) -> str:
        return f"{self.call} {self.number} {self.how}"


class Worker:
    """Capture's journal, sealing and keeping of one home, in one process."""

    def __init__(self, home: Home, clock: ManualClock, instance: int) -> None:
        self.home, self.clock, self.instance = home, clock, bytes([instance]) * 16
        self.sealer: Sealer | None = None
        self.writer = self._begin()

    def _begin(self) -> JournalWriter:
        """A process whose run directory refuses its key ends, and is started again."""
        for _ in range(TRIES):
            try:
                writer = JournalWriter(
                    self.home, self.clock, self.instance, self.instance * 2, Log(self.clock, io.StringIO())
                )
            except MachineError:
                continue
            writer._stop.set()  # its thread is turned by hand
            writer._thread.join()
            return writer
        raise AssertionError("the journal cannot be begun")

    def control(self, kind: str, *attachments: bytes, **facts: Any) -> None:
        now = {"wall": str(self.clock.wall_ns()), "mono": str(self.clock.monotonic_ns())}
        self.writer.control({"type": kind, **now, **facts}, attachments)

    def start(self) -> None:
        self.control("start", instance=self.instance.hex(), pid=1, listen=[], config={})

    def call(self) -> None:
        stream = {
            "stream": 0, "handle": HANDLE, "rtcp_handle": HANDLE + 1, "mline": 0, "label": "1", "port": 20000,
            "codecs": [], "direction": "recvonly", "participant": None,
        }  # fmt: skip
        self.control(
            "call", INVITE, key="a", handle="ab" * 32, mode="siprec", line="all", transport="udp",
            local="127.0.0.1:5060", remote="127.0.0.1:5070", source_ids={}, parties=[], streams=[stream],
            oddities=[],
        )  # fmt: skip

    def tick(self, packets: int, first: int = 0) -> None:
        """200 ms: so many packets come, the journal's thread has its turn, sealing catches up."""
        self.clock.advance(NS // 5)
        wall, mono = self.clock.wall_ns(), self.clock.monotonic_ns()
        if packets:
            sent = [rtp(first + n) for n in range(packets)]
            self.writer.media(sweep_of({HANDLE: sent}, wall=wall - NS // 10, mono=mono - NS // 10))
        self.writer.tick(wall, mono, wall)
        self.writer._attend()

    def seal(self) -> None:
        """As the sealing process does: a new sealer when the disk has refused."""
        for _ in range(TRIES):
            try:
                with machine_errors(self.home.root, "sealing"):
                    self.sealer = self.sealer or Sealer(self.home, self.clock)
                    while self.sealer.step():
                        pass
            except MachineError:
                if self.sealer is not None:
                    self.sealer.close()
                self.sealer = None
            else:
                return
        raise AssertionError("sealing does not recover")

    def stop(self) -> None:
        now = f'"mono":"{self.clock.monotonic_ns()}","wall":"{self.clock.wall_ns()}"'
        self.writer.stop(f'{{"by":"op","how":"stop",{now},"reason":"over"}}'.encode())
        self.seal()

    def keep(self) -> None:
        own = Keeper(self.home, ORIGIN, self.clock)
        for _ in range(TRIES):
            try:
                with machine_errors(self.home.root, "keeping"):
                    problems = own.keep_done().problems + own.keep_slots(stopping=True).problems
            except MachineError as error:
                problems = [str(error)]
            if not problems:
                return
        raise AssertionError(f"keeping does not recover: {problems}")


class InOneThread(Executor):
    """Does at once what it is given: strace counts the calls of each thread for itself, and a fault that is
    to come once would come in every new thread."""

    def __init__(self, *_: object) -> None: ...

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - it is raised to whoever asks for the result
            future.set_exception(error)
        return future


def work(home: Home, progress: int) -> None:
    """Record, seal and keep one call; a byte into `progress` says that five more packets are journalled."""
    worker = Worker(home, ManualClock(T0, 5_000 * NS), 1)
    worker.start()
    worker.call()
    for n in range(SECONDS * 5):
        worker.tick(5, 5 * n)
        os.pwrite(progress, n.to_bytes(1, "big"), n)
        if n % 5 == 4:
            worker.seal()
    worker.control("end", BYE, key="a", cause=1, who=1, drops={})
    for _ in range(10):
        worker.tick(0)
    worker.stop()
    worker.keep()


def restart(home: Home) -> None:
    """What the next start does after a kill: another instance, what is left sealed and kept."""
    worker = Worker(home, ManualClock(T0 + 20 * NS, 5_020 * NS), 2)
    worker.start()
    for _ in range(12):
        worker.tick(0)
    worker.seal()
    worker.stop()
    worker.keep()


class Bench:
    """Runs faults on copies of one fresh home."""

    def __init__(self, root: Path) -> None:
        self.root = root
        os.environ[RUN_VARIABLE] = str(root / "fresh-run")
        self.world = World(root / "fresh")
        shutil.copytree(root / "fresh", root / "origin")

    def counted(self) -> Counter[str]:
        """How often the work makes each call."""
        where, trace = self._copy("count"), self.root / "trace"
        assert self._run(where, [f"trace={','.join(CALLS)}"], trace) == 0
        names = re.findall(r"^(?:\d+ +)?(\w+)\(", trace.read_text(), re.MULTILINE)
        return Counter(name for name in names if name in CALLS)

    def all(self, counts: Counter[str]) -> Iterator[Fault]:
        """Every fault there is."""
        for call in CALLS:
            for number in range(1, counts[call] + 1):
                for how in ("EIO", "ENOSPC", "KILL"):
                    if how != "ENOSPC" or call in WRITING:
                        yield Fault(call, number, how)

    def check(self, fault: Fault) -> str | None:
        """Make the work with one fault; None where all is as it should be, else what is not."""
        where = self._copy("work")
        status = self._run(where, [f"trace={fault.call}", fault.injection], self.root / "trace")
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if fault.how == "KILL" and killed:
            status = self._run(where, [], None, again=True)
        if status:
            return f"{fault}: ended with {status}: {(where / 'error').read_text()[-1500:]}"
        acknowledged = 5 * len((where / "progress").read_bytes().rstrip(b"\xff"))
        wrong = self._wrong(where, acknowledged)
        return f"{fault}: {wrong}" if wrong else None

    def _copy(self, name: str) -> Path:
        where = self.root / name
        shutil.rmtree(where, ignore_errors=True)
        shutil.copytree(self.root / "origin", where / "home")
        (where / "progress").touch()
        (where / "error").touch()
        return where

    def _run(self, where: Path, options: list[str], trace: Path | None, *, again: bool = False) -> int:
        """Fork, attach strace if asked to, work; the wait status."""
        ready, go = os.pipe(), os.pipe()
        pid = os.fork()
        if not pid:
            self._child(where, ready[1], go[0], again=again)
        os.close(ready[1])
        os.close(go[0])
        os.read(ready[0], 1)
        tracer = None
        if trace is not None:
            wanted = [part for option in options for part in ("-e", option)]
            tracer = subprocess.Popen(
                ["strace", "-f", "-p", str(pid), "-o", str(trace), *wanted],
                stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert tracer.stderr is not None
            while "attached" not in (line := tracer.stderr.readline()):
                assert line, "strace does not attach: is ptrace allowed?"
        os.write(go[1], b"x")
        _, status = os.waitpid(pid, 0)
        for fd in (ready[0], go[1]):
            os.close(fd)
        if tracer is not None:
            assert tracer.stderr is not None
            tracer.wait(10)
            tracer.stderr.close()
        return status

    def _child(self, where: Path, ready: int, go: int, *, again: bool) -> None:
        code = 1
        try:
            os.environ[RUN_VARIABLE] = str(where / "run")
            writing.SYNC_SECONDS = 0.01
            for module in (finisher, keeper):
                vars(module)["ThreadPoolExecutor"] = InOneThread
            progress = os.open(where / "progress", os.O_RDWR)
            error = os.open(where / "error", os.O_WRONLY)
            os.write(ready, b"x")
            os.read(go, 1)
            home = Home(where / "home")
            if again:
                restart(home)
            else:
                work(home, progress)
            code = 0
        except BaseException:  # noqa: BLE001 - told to the parent, whose assertion shows it
            os.pwrite(error, traceback.format_exc().encode(), 0)
        finally:
            os._exit(code)

    def _wrong(self, where: Path, acknowledged: int) -> str:
        home = Home(where / "home")
        slots = verify_slots([home.slots], home.log, structure_key=self.world.keys.structure)
        root = StorageRoot(home.vault)
        if not root.has(call_id(ORIGIN, 1)):
            return f"the call is not in the vault, {acknowledged} packets were" if acknowledged else ""
        kept = verify_object(home.vault / object_path(call_id(ORIGIN, 1)))
        wrong = [f for report in (slots, kept) for f in report.findings if CODES[f.code].severity != NOTE]
        if wrong:
            return "; ".join(f"{f.code} {f.where} {f.text}" for f in wrong)
        leaves = list(read_leaves(root.files(call_id(ORIGIN, 1))["leaves.mcl"].read_bytes(), 1))
        received = received_in(leaves[-1].leaf)
        if received < acknowledged:
            return f"{received} packets sealed of {acknowledged} acknowledged"
        return ""


def received_in(leaf: bytes) -> int:
    """Packets of stream 0 by a call leaf."""
    return next((s.received for s in decode(leaf).streams if s.stream == 0), 0)
