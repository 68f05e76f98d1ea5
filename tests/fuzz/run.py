"""Fuzz the readers: `scripts/fuzz [--minutes N | --each N] [--target NAME ...] [--seed N] [--atheris]`.

Without a coverage-guided engine the inputs are mutated seeds, the same for the same `--seed`; with
`--atheris` (pip install atheris) one target is driven by coverage. `--minutes` is shared among the
targets, `--each` is given to every one of them, one after another. Time is the process's own processor
time: a run that is stopped, or has a busy machine, feeds no less. A finding is written beside its
traceback; the exit code is 1 if there is one.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import random
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]

if "--atheris" in sys.argv:
    import atheris  # optional

    with atheris.instrument_imports(include=["memcon"]):
        importlib.import_module("tests.fuzz.targets")

from tests.fuzz.mutate import mutate  # noqa: E402
from tests.fuzz.targets import Target, targets  # noqa: E402

from memcon.errors import FormatError  # noqa: E402
from memcon.intake.refusals import RefusedError  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

SLICE_S = 2.0
SLOW_S = 5.0


class SlowError(Exception):
    """An input that took longer than any input should."""


def attempt(target: Target, data: bytes) -> Exception | None:
    """Run one input: None where it was read or refused, otherwise what was wrong."""
    began = time.process_time()
    try:
        target.run(data)
    except (FormatError, RefusedError):
        pass
    except Exception as error:  # noqa: BLE001 - any other error is what is looked for
        return error
    took = time.process_time() - began
    return SlowError(f"{took:.1f} s for {len(data)} bytes") if took > SLOW_S else None


def keep(out: Path, target: Target, data: bytes, error: Exception) -> Path:
    """Write a finding down: the input, and what it did."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{target.name}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.with_suffix(".bin").write_bytes(data)
    path.with_suffix(".txt").write_text("".join(traceback.format_exception(error)))
    return path


def fuzz(chosen: Sequence[Target], seconds: float, seed: int, out: Path) -> int:
    """Take turns among the targets for so many seconds of processor time; how many findings there were."""
    chances = {target.name: random.Random(f"{seed}/{target.name}") for target in chosen}
    runs = dict.fromkeys(chances, 0)
    findings: dict[str, Path] = {}
    end = time.process_time() + seconds
    share = min(SLICE_S, seconds / len(chosen))
    while time.process_time() < end:
        for target in chosen:
            until = min(end, time.process_time() + share)
            while time.process_time() < until:
                data = mutate(chances[target.name], target.seeds)
                runs[target.name] += 1
                error = attempt(target, data)
                if error is not None:
                    place = traceback.extract_tb(error.__traceback__)[-1:]
                    key = f"{target.name}: {type(error).__name__}: {place}"
                    if key not in findings:
                        findings[key] = keep(out, target, data, error)
                        print(f"fuzz: {target.name}: {error!r}: {findings[key]}.bin", flush=True)
    for name, count in runs.items():
        print(f"fuzz: {name}: {count:,} inputs", flush=True)
    print(f"fuzz: {sum(runs.values()):,} inputs, {len(findings)} findings, seed {seed}", flush=True)
    return len(findings)


def guided(target: Target, seconds: float, out: Path) -> None:
    """Let atheris drive one target by coverage; it ends the process."""

    def one(data: bytes) -> None:
        error = attempt(target, data)
        if error is not None:
            keep(out, target, data, error)
            raise error

    corpus = out / f"corpus-{target.name}"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup(["fuzz", f"-max_total_time={max(1, int(seconds))}", "-max_len=70000", str(corpus)], one)
    atheris.Fuzz()


def main(argv: list[str] | None = None) -> int:
    every = targets(ROOT)
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description="Fuzz every reader of others' bytes.")
    names = [target.name for target in every]
    parser.add_argument("--minutes", type=float, default=10.0, help="in all, of processor time")
    parser.add_argument("--each", type=float, help="minutes for each reader instead, one after another")
    parser.add_argument("--target", choices=names, action="append", help="this one alone; again for more")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--atheris", action="store_true", help="coverage-guided, of one --target")
    parser.add_argument("--again", type=Path, help="run this input on --target and show what it does")
    asked = parser.parse_args(argv)
    chosen = [every[names.index(name)] for name in asked.target or names]
    if (asked.atheris or asked.again) and len(chosen) != 1:
        parser.error("name one --target")
    if asked.again:
        error = attempt(chosen[0], asked.again.read_bytes())
        print("read or refused" if error is None else "".join(traceback.format_exception(error)))
        return int(error is not None)
    if asked.atheris:
        guided(chosen[0], asked.minutes * 60, asked.out)
    if asked.each:
        return int(sum(fuzz([one], asked.each * 60, asked.seed, asked.out) for one in chosen) > 0)
    return int(fuzz(chosen, asked.minutes * 60, asked.seed, asked.out) > 0)


if __name__ == "__main__":
    sys.exit(main())
