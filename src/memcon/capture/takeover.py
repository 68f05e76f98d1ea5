"""Going on with the calls of a capturing process that died, as the same calls (ARCHITECTURE, "Instances").

what is held       the supervisor's descriptors of all sockets: nothing that they hold is lost
what was said      the journal of the former instance: dialogs, streams, parties
what is declared   a `carry` record and a `takeover` event in each call; a call that cannot be taken
                   up is not carried, and sealing ends it as *recorder failed*
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memcon.capture.again import Again
from memcon.capture.calls import Moment
from memcon.capture.facts import stamp
from memcon.capture.guard import Guard
from memcon.capture.left import boot_id, read_left
from memcon.errors import MemconError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from memcon.capture.again import Sockets
    from memcon.capture.calls import Recorder
    from memcon.capture.journal import JournalWriter
    from memcon.capture.left import Left, LeftCall
    from memcon.capture.log import Log
    from memcon.clock import Clock
    from memcon.store.paths import Home
    from memcon.wire.events import DialogId, Transport


@dataclass(slots=True)
class TakenOver:
    """What came of it. `again`: INVITEs that nobody has answered, to be served as if they came now."""

    calls: list[DialogId] = field(default_factory=list)
    deaf: list[DialogId] = field(default_factory=list)
    """Calls whose sockets had to be bound again: they may have ended unheard."""
    hung_up: list[DialogId] = field(default_factory=list)
    again: list[tuple[bytes, Transport]] = field(default_factory=list)
    failed: int = 0


def same_boot(left: Left, clock: Clock) -> bool:
    """Whether the clocks that the journal speaks of are still running."""
    return left.boot == boot_id() and left.mono <= clock.monotonic_ns()


def find_left(home: Home, clock: Clock, log: Log, alive: Callable[[], object] = bool) -> Left | None:
    """What there is to go on with; None where there is nothing, or where it cannot be read: then new calls
    must be recorded all the same, and sealing ends the old ones as failed."""
    left = None
    with Guard(log, "read the journal"):
        try:
            left = read_left(home, alive)
        except MemconError as error:
            log.error("journal not read", why=str(error))
    return left if left is not None and left.calls and same_boot(left, clock) else None


def take_over(
    left: Left,
    recorder: Recorder,
    sockets: Sockets,
    flows: Mapping[tuple[str, str], str],
    clock: Clock,
    log: Log,
    alive: Callable[[], object] = bool,
) -> TakenOver:
    """Take up every call that was open. What goes wrong with one is told and costs that one alone; `alive` is
    called between them."""
    done = TakenOver()
    at = Moment(clock.wall_ns(), clock.monotonic_ns())
    for handle, call in left.calls.items():
        alive()
        with Guard(log, "take-over") as guard:
            try:
                _take_up(done, recorder, call, Again(left, call, sockets, flows, at))
            except MemconError as error:
                done.failed += 1
                log.error("call not taken up", handle=handle, why=str(error))
        done.failed += guard.failed
    return done


def _take_up(done: TakenOver, recorder: Recorder, call: LeftCall, again: Again) -> None:
    if not call.answer:
        done.again.append((call.invite, again.transport(call.facts)))
        return
    dialog = recorder.take_up(call, again)
    done.calls.append(dialog)
    if again.sockets == "new":
        done.deaf.append(dialog)
    if call.hung_up:
        done.hung_up.append(dialog)


def carried(journal: JournalWriter, clock: Clock, file: int, calls: int) -> None:
    """Close a set of `carry` records that began in `file`: a successor need not read further back."""
    facts = {"type": "carried", "file": file, "calls": calls}
    journal.control(facts | stamp(clock.wall_ns(), clock.monotonic_ns()))
