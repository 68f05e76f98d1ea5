"""A recorder as an office runs it, on a disk that the test can fill, freeze and take away.

`memcon serve` in a process of its own, real calls over loopback, and at the end one question: is every
packet that was sent in a recording or in a declared loss, and does everything verify?
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.running import new_home, wait

from memcon.client.caller import place_call
from memcon.client.voice import demo_voices
from memcon.clock import SystemClock
from memcon.errors import UsageError
from memcon.service.archive import Archive
from memcon.service.checks import verify_home
from memcon.store.paths import RUN_VARIABLE, Home
from memcon.vault.ocfl import StorageRoot
from memcon.verify.findings import CODES, NOTE
from memcon.verify.keys import Trust

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from memcon.client.caller import CallReport
    from memcon.service.config import Config

MEMCON = str(Path(sys.executable).with_name("memcon"))
UP = b"Recording. Ctrl-C"
EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2  # linux/fs/ext4/ext4.h
LONG = os.environ.get("MEMCON_FAULTS") == "long"
"""Whether the long forms run too (scripts/faults)."""
long_form = pytest.mark.skipif(not LONG, reason="runs with scripts/faults")


def mounts() -> bool:
    """Whether this process may mount; tests that need it are skipped where it may not."""
    if os.geteuid():
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


needs_mounts = pytest.mark.skipif(not mounts(), reason="needs root, to mount a small disk")


@dataclass
class Disk:
    """A file system in memory, of a few MiB."""

    path: Path
    size_mib: int

    def mount(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self._run("mount", "-t", "tmpfs", "-o", f"size={self.size_mib}m,mode=700", "memcon-test", self.path)

    def unmount(self) -> None:
        self._run("umount", "-l", self.path)

    def fill(self) -> None:
        """Write until not a byte is free."""
        with (self.path / "ballast").open("ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free(self) -> None:
        (self.path / "ballast").unlink(missing_ok=True)

    @staticmethod
    def _run(*command: object) -> None:
        subprocess.run([str(part) for part in command], check=True, capture_output=True)


@dataclass
class Breakable(Disk):
    """An ext4 on a file: `breaks` is what the kernel does when the device under it is lost."""

    @property
    def image(self) -> Path:
        return self.path.with_suffix(".img")

    def mount(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        if not self.image.exists():
            self._run("truncate", "-s", f"{self.size_mib}M", self.image)
            self._run("mkfs.ext4", "-q", self.image)
        self._run("mount", "-o", "loop", self.image, self.path)

    def breaks(self) -> None:
        """Nothing can be written any more; what was not synced is gone."""
        self._run("mount", "-o", "remount,abort", self.path)

    def power_cut(self) -> None:
        """What the device has not been made to keep is gone, as when the power goes (ext4's own switch)."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("=I", NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def mend(self) -> None:
        """Unmount, check, mount again."""
        self._run("umount", self.path)
        subprocess.run(["fsck.ext4", "-p", "-f", str(self.image)], check=False, capture_output=True)
        self.mount()


@dataclass
class Rig:
    """One recorder and its calls."""

    root: Path
    config: Config
    process: subprocess.Popen[bytes] | None = None
    reports: list[Future[CallReport]] = field(default_factory=list)
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(64))
    prefix: list[str] = field(default_factory=list)

    @property
    def home(self) -> Home:
        return Home(self.root / "home", journal_fallback=self.config.journal_fallback)

    @property
    def target(self) -> str:
        end = next(e for e in self.config.sip_listen if e.transport == "udp")
        return f"udp://{end.host}:{end.port}"

    # --- the recorder ---

    def serve(self) -> None:
        """Start it and wait until it is up."""
        said = self.root / "serve.log"
        with said.open("ab") as log:
            before = said.read_bytes().count(UP)
            process = self.process = subprocess.Popen(
                [*self.prefix, MEMCON, "serve", "--home", str(self.home.root)],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait(lambda: said.read_bytes().count(UP) > before or process.poll() is not None)
        assert process.poll() is None, said.read_text()[-3000:]

    def stop(self) -> None:
        """A clean stop."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(90)

    def kill_all(self) -> None:
        """kill -9 of the supervisor and everything it started."""
        assert self.process is not None
        for pid in [self.process.pid, *self.pids().values()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def status(self, role: str) -> dict[str, Any]:
        """What a process last said of itself."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            found: dict[str, Any] = json.loads(self.home.status(role).read_bytes())
            return found
        return {}

    def pids(self) -> dict[str, int]:
        found = {role: self.status(role).get("pid") for role in ("capture", "seal", "office")}
        return {role: int(pid) for role, pid in found.items() if pid}

    def kill(self, role: str) -> None:
        """kill -9 of one process; returns when another has taken its place."""
        before = self.pids()[role]
        os.kill(before, signal.SIGKILL)
        wait(lambda: self.pids().get(role, before) != before)

    def memcon(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`memcon ARGUMENTS` for this home."""
        return subprocess.run(
            [MEMCON, *arguments, "--home", str(self.home.root)], capture_output=True, text=True, check=False
        )

    def said(self, event: str) -> int:
        """How often the log has this event."""
        lines = (self.root / "serve.log").read_bytes().splitlines()
        return sum(line.startswith(b"{") and json.loads(line).get("event") == event for line in lines)

    # --- calls ---

    def call(self, seconds: float, count: int = 1) -> None:
        """Place calls that go on beside the test."""

        def place() -> CallReport:
            async def one() -> CallReport:
                return await place_call(
                    self.target, voices=demo_voices(), seconds=seconds, answer_seconds=30.0
                )

            return asyncio.run(one())

        self.reports += [self.pool.submit(place) for _ in range(count)]

    def calls_over(self, refused: int | None = None) -> list[CallReport]:
        """What the callers did, when all are over, without those that were `refused` with this status."""
        found = []
        for report in self.reports:
            try:
                found.append(report.result(120))
            except UsageError as error:
                if refused is None or str(refused) not in str(error):
                    raise
        return found

    def placed(self, reports: list[CallReport]) -> list[Future[CallReport]]:
        """The calls that these reports are of."""
        done = [future for future in self.reports if future.done() and not future.exception()]
        return [future for future in done if future.result() in reports]

    # --- afterwards ---

    def archive(self) -> Archive:
        return Archive(self.home, self.config, SystemClock())

    def kept(self, count: int) -> None:
        """Wait until so many calls are in the vault."""
        wait(lambda: len(self._in_vault()) >= count)

    def _in_vault(self) -> list[int]:
        if not self.home.vault.exists():
            return []
        ids = StorageRoot(self.home.vault).object_ids()
        return sorted(int(id_.rpartition(":")[2]) for id_ in ids if ":call:" in id_)

    def numbers(self) -> list[int]:
        """The calls that the rig placed, by their numbers; others may have come too."""
        ours = {report.call_id for report in self.calls_over()}
        archive = self.archive()
        return [n for n in self._in_vault() if archive.record(n)["source_ids"]["call_id"] in ours]

    def findings(self) -> list[str]:
        """What `memcon verify` finds wrong in log, slots and vault."""
        reports = verify_home(self.home, self.config, Trust())
        wrong = [f for report in reports for f in report.findings if CODES[f.code].severity != NOTE]
        return [f"{f.code} {f.where} {f.text}" for f in wrong]

    def accounts(self) -> tuple[int, int, int]:
        """Over the rig's calls: (packets received, dropped by the kernel, declared otherwise)."""
        received = dropped = declared = 0
        archive = self.archive()
        for number in self.numbers():
            record: Any = archive.record(number)
            for stream in record["totals"]:
                if stream["kind"] == 1:
                    received += stream["received"]
                    dropped += stream["kernel_drops"]
            losses = [e["facts"] for e in record["events"] if e["facts"]["type"] == "loss"]
            declared += sum(f["count"] for f in losses if f["layer"] != "kernel" and not f["stream"] % 2)
            report = archive.verify_call(number)
            assert report.ok, report.findings
        return received, dropped, declared

    def check(self, strange: int = 0) -> tuple[int, int, int]:
        """Stop, verify, and account for every packet: those sent, and `strange` ones of others.

        Returns (received, dropped, declared).
        """
        reports = self.calls_over()
        self.kept(len(reports))
        self.stop()
        wrong = self.findings()
        assert not wrong, "\n".join(wrong)
        assert len(self.numbers()) == len(reports)
        accounts = self.accounts()
        assert sum(stream.sent for report in reports for stream in report.streams) + strange == sum(accounts)
        return accounts

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill_all()
        self.pool.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def rig(root: Path, monkeypatch: pytest.MonkeyPatch, extra: str = "") -> Iterator[Rig]:
    """A recorder in `root/home`, its run directory beside it; `extra` is added to its memcon.toml."""
    monkeypatch.setenv(RUN_VARIABLE, str(root / "run"))
    config = new_home(root / "home", extra)
    made = Rig(root, config)
    try:
        yield made
    finally:
        made.close()
