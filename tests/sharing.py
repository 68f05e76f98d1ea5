"""What is expensive to make is made once in a run of the tests, whichever of its processes asks first."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SHARED = "MEMCON_TEST_SHARED"
"""Environment variable: the directory of the run, made by tests/conftest.py."""


def copy_of(name: str, make: Callable[[Path], None]) -> Path:
    """A copy, for this process alone, of the directory that `make` fills; others wait while it is made."""
    shared = Path(os.environ[SHARED])
    master, done = shared / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(master, ignore_errors=True)  # of one that failed
            master.mkdir()
            make(master)
            done.touch()
    return shutil.copytree(master, Path(tempfile.mkdtemp(prefix=f"{name}-", dir=shared)) / name)
