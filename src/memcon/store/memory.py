"""Memory that is used again instead of being given back: fresh pages cost a hot path more than its work.

The C library gives a large block back to the kernel when it is freed, and the next one of the same size is
faulted in and zeroed page by page. A process that handles megabytes ten times a second pays that each time.
"""

from __future__ import annotations

import ctypes
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
LARGEST_KEPT: Final = 32 << 20
"""Bytes. Larger blocks still come from the kernel and go back to it; glibc takes no larger threshold."""
KEPT: Final = 64 << 20
"""Bytes free at the top of the heap beyond which it is given back."""


def keep_memory() -> None:
    """Let this process keep what it frees, within bounds; to be called once, before its threads start.

    Nothing happens where the C library knows no such setting.
    """
    _set(_M_MMAP_THRESHOLD, LARGEST_KEPT)
    _set(_M_TRIM_THRESHOLD, KEPT)
    one_arena()


def one_arena() -> None:
    """Let all threads of this process share one heap: each of its own keeps what its busiest moment took.

    To be called once, before they start. They allocate under the interpreter's lock anyway.
    """
    _set(_M_ARENA_MAX, 1)


def _set(what: int, value: int) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(what, value)


class Scratch:
    """One growing piece of memory, used again and again: `view` gives its first bytes.

    A view is good until the next one is asked for.
    """

    def __init__(self, size: int = 1 << 16) -> None:
        self._data = bytearray(size)

    def view(self, size: int) -> memoryview:
        """So many bytes, whatever they hold."""
        if size > len(self._data):
            self._data = bytearray(size + size // 4)
        return memoryview(self._data)[:size]
