"""What keeps a defect of ours from ending the calls beside it."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from memcon.capture.log import Log


class Guard:
    """Takes one step; `failed` tells afterwards that a defect ended it, and the log says which.

    The one place that catches everything. What is caught here is by definition unforeseen, and comes
    while other calls are being recorded: letting it out would end them all, or, in an asyncio callback,
    drop the rest of a message's outputs without a word. What is foreseen is a MemconError, and caught
    where it is raised.
    """

    def __init__(self, log: Log, doing: str) -> None:
        self._log = log
        self._doing = doing
        self.failed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):  # nothing at all, or an order to stop
            return False
        self.failed = True
        where = traceback.format_tb(trace)[-3:]
        self._log.error("defect", doing=self._doing, error=repr(error), where=where)
        return True
