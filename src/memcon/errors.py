"""The errors memcon raises, by who is to blame.

Whatever a peer, a file or a person gives us raises `RemoteError` or one of its kinds and nothing
else; what our own caller did wrong raises `LocalError`; what the machine refuses (a full disk, a
port in use) raises `MachineError`. Each names what happened and where, and may name the cure.
"""

from __future__ import annotations


class MemconError(Exception):
    """The base of every error memcon raises on purpose. `cure` says what to do, when we know."""

    def __init__(self, message: str, *, cure: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        return self.message if self.cure is None else f"{self.message}. {self.cure}"


class LocalError(MemconError):
    """Our own caller used an interface wrongly: a defect of memcon."""


class MachineError(MemconError):
    """The machine could not do what it was asked: disk, port, memory, permission."""


class UsageError(MemconError):
    """A person asked for something that is not there or cannot be: a call, a user, a setting."""


class RemoteError(MemconError):
    """Input from outside is not what its format allows."""


class FormatError(RemoteError):
    """Bytes that do not follow their format.

    `what` is the thing being read ("RTP packet", "tile", "memcon.toml"), `where` the place in it:
    a byte offset, a line, a field. `code` is the finding's code where docs/CODES.md lists one.
    """

    def __init__(
        self,
        what: str,
        problem: str,
        *,
        where: int | str | None = None,
        code: str | None = None,
        cure: str | None = None,
    ) -> None:
        at = "" if where is None else f" at byte {where}" if isinstance(where, int) else f" at {where}"
        super().__init__(f"{what}{at}: {problem}", cure=cure)
        self.what = what
        self.problem = problem
        self.where = where
        self.code = code
