"""The supervisor's end of what lies between it and its workers: signs of life, and held sockets.

Each worker has one socket pair (`capture.handover` says what is spoken). Its end tells the worker
that the supervisor is gone; silence tells the supervisor that the worker hangs. One thread a worker
does nothing but read, so that descriptors never wait in the kernel for want of a reader.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from memcon.capture.handover import Held, Kind, decode, encode, receive, send
from memcon.errors import FormatError

if TYPE_CHECKING:
    from memcon.clock import Clock

LAST_WORDS_SECONDS = 5.0  # to read what a worker that has died had still sent


class Holder:
    """What capture has given us to hold, by name."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def items(self) -> list[tuple[str, Held]]:
        """All that is held."""
        with self._lock:
            return list(self._held.items())

    def apply(self, kind: Kind, name: str, note: bytes, fds: tuple[int, ...]) -> None:
        """Do what a message asks."""
        with self._lock:
            if kind is Kind.KEEP:
                self._held.pop(name, Held()).close()
                self._held[name] = Held(fds, note)
                return
            Held(fds).close()
            if kind is Kind.FORGET:
                self._held.pop(name, Held()).close()
            elif kind is Kind.NOTE and name in self._held:
                self._held[name].note = note

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            for held in self._held.values():
                held.close()
            self._held.clear()


class Channel(threading.Thread):
    """Our end of one worker's socket pair; `theirs` is for the worker and is closed once it has it.

    With a `holder`, the worker is first given all that is held, after `before` (the channel of the
    one it replaces) has been read to its end. Until this is started the worker hears nothing.
    """

    def __init__(self, clock: Clock, role: str, holder: Holder | None = None) -> None:
        super().__init__(name=f"channel-{role}", daemon=True)
        self._clock = clock
        self._holder = holder
        self.before: Channel | None = None
        self._ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.heard = clock.monotonic_ns()
        """When the worker last gave a sign of life (monotonic, ns)."""

    def run(self) -> None:
        try:
            if self._holder is not None:
                silent = b""
                if self.before is not None:
                    self.before.join(LAST_WORDS_SECONDS)
                    silent = str(self.before.heard).encode()
                    self.before = None
                for name, held in self._holder.items():
                    send(self._ours, encode(Kind.KEEP, name, held.note), held.fds, wait=True)
                send(self._ours, encode(Kind.END, note=silent), wait=True)
            while self._take():
                pass
        except OSError:
            pass  # the worker has died: whoever replaces it gets a channel of his own
        finally:
            self._ours.close()

    def _take(self) -> bool:
        data, fds = receive(self._ours)
        if not data:
            return False
        self.heard = self._clock.monotonic_ns()
        with contextlib.suppress(FormatError):  # a defect of the worker must not cost what is held
            kind, name, note = decode(data)
            if self._holder is not None:
                self._holder.apply(kind, name, note, fds)
                return True
        Held(fds).close()
        return True

    def close(self) -> None:
        """End the connection: the worker, if it still lives, learns that we are gone."""
        with contextlib.suppress(OSError):
            self._ours.shutdown(socket.SHUT_RDWR)
        self.theirs.close()
        if not self.is_alive():
            self._ours.close()
