"""Memory that stays with the process."""

from __future__ import annotations

import subprocess
import sys

from memcon.store.memory import Scratch

AGAIN = """
import resource, sys
from memcon.store.memory import keep_memory
if sys.argv[1] == "keep":
    keep_memory()
def use():
    data = bytearray(3 << 20)
    data[::4096] = bytes(len(data[::4096]))
for _ in range(5):
    use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    use()
    other = bytearray(100_000)  # of another size, as in earnest
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(which: str) -> int:
    done = subprocess.run([sys.executable, "-c", AGAIN, which], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_a_process_that_keeps_its_memory_faults_it_in_once() -> None:
    assert faults("keep") < 50 * (3 << 20) // 4096 // 10


def test_scratch_is_the_same_memory_until_more_is_asked_for() -> None:
    scratch = Scratch(8)
    scratch.view(4)[:] = b"abcd"
    assert bytes(scratch.view(2)) == b"ab"
    assert len(scratch.view(100)) == 100
    assert scratch.view(100).obj is scratch.view(3).obj
