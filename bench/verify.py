"""How fast does the verifier check a bundle, beside SHA-256 itself?

    python bench/verify.py --megabytes 200

Makes the bundle of one long call (two streams of G.711, 50 packets of 172 bytes a second each), checks
it whole on one core as `memcon-verify call` does, and in the same run hashes as many bytes with
hashlib's SHA-256 (OpenSSL) in pieces of 1 MiB. Every byte of a bundle is hashed twice (once by the
manifest, once by its block's commitment) and once by CRC-32, so the ratio could not pass 0.5.
"""

from __future__ import annotations

import argparse
import hashlib
import mmap
import sys
import tempfile
import time
import types
from pathlib import Path

from memcon.verify import trust, verify_bundle

tests = types.ModuleType("tests")  # some library installs a package of this name; the one beside is meant
tests.__path__ = [str(Path(__file__).parent.parent / "tests")]
sys.modules["tests"] = tests

from tests.verify import builder  # noqa: E402  # found by what stands above

PERIOD_MS = 60_000
BYTES_A_SECOND = 20_050


def make(path: Path, size: int) -> list[str]:
    """Write a bundle of about `size` bytes; the log's keys."""
    seconds = max(60, size // BYTES_A_SECOND)
    world = builder.World(period_ms=PERIOD_MS, mldsa=False)
    world.genesis()
    call = builder.Call(
        world,
        duration=seconds * builder.NS,
        packets=[p for s in (0, 2) for p in builder.speech(seconds, s, every_ms=20, size=160)],
    )
    while not call.done:
        world.beat([call])
    path.write_bytes(builder.bundle(world, call).pack())
    return world.vkeys()


def sha256_rate(data: memoryview) -> float:
    """Bytes a second of SHA-256 over the same bytes, in pieces of 1 MiB."""
    digest, started = hashlib.sha256(), time.perf_counter()
    for at in range(0, len(data), 1 << 20):
        digest.update(data[at : at + (1 << 20)])
    return len(data) / (time.perf_counter() - started)


def main() -> None:
    """Build, check, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.zip"
        keys = make(path, args.megabytes * 1_000_000)
        with path.open("rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        for run in range(args.runs):
            started, cpu = time.perf_counter(), time.process_time()
            report = verify_bundle(data, trust(keys))
            wall, cpu = time.perf_counter() - started, time.process_time() - cpu
            assert report.exit_code == 0, report.findings[:3]
            rate, peer = len(data) / wall, sha256_rate(data)
            print(
                f"run {run + 1}: {len(data) / 1e6:.1f} MB, {report.facts['packets in them']:,} packets: "
                f"{wall:.2f} s ({cpu:.2f} s CPU) = {rate / 1e9:.3f} GB/s; "
                f"SHA-256 alone {peer / 1e9:.3f} GB/s; ratio {rate / peer:.3f}"
            )


if __name__ == "__main__":
    main()
