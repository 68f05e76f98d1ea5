"""A disk that takes seconds for a sync, for a while: frozen by the kernel, or each sync delayed by strace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DELAY_US = 1_500_000


class SlowDisk:
    """`path` is a file system of its own below `root` where this user may mount one, otherwise `root`."""

    def __init__(self, root: Path, room: int) -> None:
        self.path = root
        self._mounted = False
        image, place = root / "disk.img", root / "disk"
        if os.geteuid() or shutil.which("fsfreeze") is None:
            return
        place.mkdir(exist_ok=True)
        made = (
            ["truncate", "-s", str(max(room * 5 // 4, 512 << 20)), str(image)],
            ["mkfs.ext4", "-q", "-E", "lazy_itable_init=1", str(image)],
            ["mount", "-o", "loop", str(image), str(place)],
        )
        if all(subprocess.run(command, capture_output=True, check=False).returncode == 0 for command in made):
            self.path, self._mounted = place, True

    def slow(self, seconds: float, pids: Sequence[int]) -> str:
        """Let nothing be made safe for so long; returns by what means."""
        if self._mounted:
            subprocess.run(["fsfreeze", "-f", self.path], check=True)
            try:
                threading.Event().wait(seconds)
            finally:
                subprocess.run(["fsfreeze", "-u", self.path], check=True)
            return f"frozen for {seconds:g} s"
        if shutil.which("strace") is None:
            return "left out: needs root, or strace"
        inject = f"inject=fsync,fdatasync:delay_exit={DELAY_US}"
        command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=fsync,fdatasync", "-e", inject]
        process = subprocess.Popen([*command, *(word for pid in pids for word in ("-p", str(pid)))])
        threading.Event().wait(seconds)
        process.send_signal(signal.SIGINT)
        process.wait()
        return f"each sync took {DELAY_US / 1e6:g} s longer, for {seconds:g} s"

    def close(self) -> None:
        """Take the file system away again."""
        if self._mounted:
            subprocess.run(["umount", "-l", self.path], check=False)
