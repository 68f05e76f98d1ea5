"""The sweep over all file system calls: a sample in the suite, every one of them with scripts/faults."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.faults.rig import LONG
from tests.faults.sweep import CALLS, Bench, Fault

from memcon.store.paths import RUN_VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = 12
"""Faults that the suite tries; others each time a system call is added or goes."""


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.timeout(3600 if LONG else 300)
def test_no_file_system_call_that_fails_or_dies_costs_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path / "run"))  # and is restored, whatever the bench sets
    bench = Bench(tmp_path)
    counts = bench.counted()
    assert {"write", "writev", "fsync", "fdatasync", "rename", "mkdir"} <= counts.keys()
    faults = list(bench.all(counts))
    chosen = faults if LONG else faults[:: len(faults) // SAMPLE]
    wrong = [found for fault in chosen if (found := bench.check(fault))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_sweep_notices_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vault that was altered behind its back, and a call that is not there."""
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path / "run"))
    bench = Bench(tmp_path)
    harmless = Fault("unlink", 10_000, "EIO")
    assert harmless.call in CALLS
    assert bench.check(harmless) is None
    assert bench._wrong(tmp_path / "work", 80) == "75 packets sealed of 80 acknowledged"
    media = next((tmp_path / "work/home/vault").rglob("media.mcs"))
    media.write_bytes(media.read_bytes()[:-1])
    assert "ocfl-digest" in bench._wrong(tmp_path / "work", 75)
    shutil.rmtree(tmp_path / "work/home/vault")
    assert "not in the vault" in bench._wrong(tmp_path / "work", 75)
