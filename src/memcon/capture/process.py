"""The capture process: SIP on asyncio, media in its thread, the journal between them and the disk."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import secrets
import signal
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from memcon.capture.again import Sockets
from memcon.capture.calls import ReceiptKey, Recorder, Settings
from memcon.capture.early import EarlyReading
from memcon.capture.endpoints import bind
from memcon.capture.facts import stamp
from memcon.capture.handover import Handover
from memcon.capture.journal import JournalWriter
from memcon.capture.left import boot_id
from memcon.capture.log import Log
from memcon.capture.media_loop import MediaLoop
from memcon.capture.probation import Probation
from memcon.capture.receiver import Receiver
from memcon.capture.server import Endpoint, SipServer
from memcon.capture.sockets import PortPool, raise_file_limit
from memcon.capture.takeover import TakenOver, carried, find_left, take_over
from memcon.capture.tls import Tls, TlsFiles
from memcon.clock import NS
from memcon.errors import FormatError, LocalError, MachineError
from memcon.record import canonical
from memcon.store import switch
from memcon.store.durable import read_if_there, write_file
from memcon.store.memory import keep_memory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memcon.capture.handover import Held
    from memcon.clock import Clock
    from memcon.store.paths import Home

STATUS_SECONDS = 1.0
LIVING_NS = NS
BYE_SECONDS = 2.0  # for the answers to our BYEs: said again after 0.5 and 1.5 s
BYE_STEPS = 40
CARRIED_AT_ONCE = 50  # calls, then SIP has its turn
SWITCH_SECONDS = 0.0005
"""When the interpreter lets another thread in. A sweep of thousands of sockets keeps it for as long as it
may, and each system call of an answer to an INVITE gives it away: at the usual 5 ms, ten are 50 ms."""
COLLECT = (20_000, 50, 20)
"""Of the collector's three generations. What belongs to a call is free when the call is forgotten, without
any cycle; a look at all that a thousand calls have held up answers for a third of a second."""
SWEEP_BYTES = 16 << 20  # of media taken in one turn: a journal frame of that size is no trouble to anyone


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """Everything capture needs: what the recorder is, where it listens, its configuration parts."""

    recorder: Settings
    listen: Sequence[Endpoint]
    media_ports: str
    config_parts: dict[str, str]
    receipt_key: ReceiptKey
    tls: TlsFiles | None = None


def tls_of(settings: CaptureSettings) -> Tls | None:
    """The certificate of SIP over TLS, None where nothing needs one."""
    secured = [end for end in settings.listen if end.protocol == "tls"]
    if not secured:
        return None
    if settings.tls is None:
        raise LocalError(f"{secured[0]} without a certificate")
    return Tls(settings.tls)


class Capture:
    """One instance of the capturing process. Raises MachineError for a port or disk that is not to be had.

    It goes on with the calls of an instance before it that went without a word, on the sockets that
    the supervisor has held, or on new ones.
    """

    def __init__(
        self,
        home: Home,
        settings: CaptureSettings,
        clock: Clock,
        log: Log,
        handover: Handover | None = None,
    ) -> None:
        self._home = home
        self._settings = settings
        self._clock = clock
        self._log = log
        self.instance = secrets.token_bytes(16)
        raise_file_limit()
        self._handover = handover or Handover()
        self._held: Mapping[str, Held] = self._handover.take()
        silent = self._handover.silent_since
        self._early = None if silent is None else EarlyReading(self._held, silent, clock, log)
        if self._early is not None:
            self._early.start()
        self._living_at = 0
        self._left = find_left(home, clock, log, self._living)
        media_address = settings.recorder.media_address
        self._tls = tls_of(settings)
        ports = settings.media_ports
        self._pool = PortPool(clock, address=media_address, ports=ports, handover=self._handover)
        # The ports before the journal: an instance that cannot listen leaves nothing behind.
        self._bound = bind(settings.listen, self._handover, self._held)
        self._journal = JournalWriter(home, clock, self.instance, secrets.token_bytes(32), log)
        self._receiver = Receiver(clock, sweep_bytes=SWEEP_BYTES)
        self._media = MediaLoop(self._receiver, self._journal, clock, log)
        wildcard = any(end.wildcard for end in settings.listen)
        self._recorder = Recorder(
            settings.recorder,
            settings.receipt_key,
            self._pool,
            self._media,
            self._journal,
            clock,
            log,
            host=media_address if wildcard else None,
        )
        self._sip = SipServer(self._recorder, clock, log, self._handover)
        self._carried_file = 0
        self._orphaned = False
        self._started = clock.wall_ns()
        self._mute = False

    @property
    def listening(self) -> list[Endpoint]:
        """Where SIP is heard, with real ports."""
        return [each.endpoint for each in self._bound]

    async def run(self, stop: asyncio.Event) -> None:
        """Record until `stop` is set; then end all calls and the journal. Raises MachineError.

        Where the supervisor is gone, stop too, but end no call: whoever is started next goes on with them.
        """
        start = {
            "type": "start",
            "instance": self.instance.hex(),
            "pid": os.getpid(),
            "boot": boot_id(),
            "follows": "" if self._left is None else self._left.instance.hex(),
            "listen": [str(end) for end in self.listening],
            "config": self._settings.config_parts,
            "by": switch.system_user(),
            "how": "system user",
        }
        self._journal.control(start | stamp(self._clock.wall_ns(), self._clock.monotonic_ns()))
        self._follow_switch()
        taken = self._take_over()
        self._media.start()
        self._watch_supervisor(stop)
        await self._sip.serve(self._bound, self._settings.recorder.media_address, self._tls)
        self._log.info("listening", instance=self.instance.hex(), on=start["listen"])
        self._settle_calls(taken)
        probation = Probation(taken.deaf, self._recorder.heard, self._sip, self._clock.monotonic_ns())
        try:
            while not stop.is_set() and not self._media.ended.is_set():
                self._say()
                self._handover.alive()
                self._follow_switch()
                self._recorder.settle()
                probation.look(self._clock.monotonic_ns())
                self._sip.tidy(full=self._journal.exhausted)
                await self._carry()
                try:
                    await asyncio.wait_for(stop.wait(), STATUS_SECONDS)
                except TimeoutError:
                    continue
        finally:
            await self._end()

    def _take_over(self) -> TakenOver:
        """Go on with what a former instance has left; give back the sockets that nobody needs."""
        flows = self._sip.adopt(self._held)
        sockets = Sockets(self._pool, self._held)
        taken = TakenOver()
        if self._left is not None:
            taken = take_over(
                self._left, self._recorder, sockets, flows, self._clock, self._log, self._living
            )
            carried(self._journal, self._clock, 0, len(taken.calls))
            self._log.info(
                "taken over",
                of=self._left.instance.hex(),
                calls=len(taken.calls),
                deaf=len(taken.deaf),
                failed=taken.failed,
            )
        if self._early is not None and (sweeps := self._early.stop()):
            self._media.read_early(sweeps)
        sockets.close_rest()
        for name, held in self._held.items():
            if name not in map(str, self._settings.listen) and name.startswith(("udp:", "tcp:", "tls:")):
                held.close()
                self._handover.forget(name)
        return taken

    def _living(self) -> None:
        """A sign of life in the middle of what may take long, now and then."""
        now = self._clock.monotonic_ns()
        if now >= self._living_at:
            self._living_at = now + LIVING_NS
            self._handover.alive()

    def _settle_calls(self, taken: TakenOver) -> None:
        """What can only be done with the sockets of SIP at work."""
        for invite, transport in taken.again:
            self._sip.receive(invite, transport)
        for dialog in taken.hung_up:
            self._sip.end_call(dialog, "recorder hung up")

    def _watch_supervisor(self, stop: asyncio.Event) -> None:
        sock = self._handover.sock
        if sock is None:
            return
        loop = asyncio.get_running_loop()

        def look() -> None:
            if self._handover.gone():
                loop.remove_reader(sock)
                self._log.error("the supervisor is gone")
                self._orphaned = True
                stop.set()

        loop.add_reader(sock, look)

    async def _carry(self) -> None:
        """Soon after a file of the journal begins, put into it what a successor needs of each call."""
        file = self._journal.file_number
        if file == self._carried_file or self._journal.full:
            return
        dialogs = self._recorder.dialogs
        for at in range(0, len(dialogs), CARRIED_AT_ONCE):
            self._recorder.carry(dialogs[at : at + CARRIED_AT_ONCE])
            await asyncio.sleep(0)
        carried(self._journal, self._clock, file, len(dialogs))
        self._carried_file = file

    async def _end(self) -> None:
        """End the calls, then the journal: with a stop record if all went as it should."""
        if not self._orphaned:
            await self._hang_up()
        await self._sip.close()
        broken = self._media.ended.is_set()
        self._media.stop()
        await asyncio.to_thread(self._media.join)
        self._receiver.close()
        if broken:
            # No `end` of a call could be journalled: to sealing this instance has failed, not stopped.
            await asyncio.to_thread(self._journal.close)
            raise MachineError("the media thread ended", cure="The lines above say why")
        if self._orphaned:
            await asyncio.to_thread(self._journal.close)
            return
        who = self._who_stopped()
        await asyncio.to_thread(self._journal.stop, canonical.dumps(who))
        self._log.info("stopped", by=who["by"], reason=who["reason"], calls=self._recorder.started)

    async def _hang_up(self) -> None:
        self._recorder.stopping = True
        server = self._recorder.server
        dialogs = [call.dialog for call in server.calls()]
        for dialog in dialogs:
            self._sip.end_call(dialog, "recorder stopped")
        self._recorder.end_left_over()
        for _ in range(BYE_STEPS):
            if not any(map(server.call, dialogs)):
                return
            await asyncio.sleep(BYE_SECONDS / BYE_STEPS)

    def _who_stopped(self) -> dict[str, Any]:
        """What the supervisor left: by whom, how, why. Without it: nobody said."""
        said = {"by": "unknown", "how": "signal", "reason": "the capturing process was told to stop"}
        try:
            left = json.loads(read_if_there(self._home.run / "stop.json") or b"{}")
            said |= {key: str(left[key]) for key in said if key in left}
        except (ValueError, TypeError, MachineError) as error:
            self._log.warning("stop.json cannot be read", why=str(error))
        return said | stamp(self._clock.wall_ns(), self._clock.monotonic_ns())

    def status(self) -> dict[str, Any]:
        """What capture.json says; times in ns, `journal_lag_s` and `last_sweep_s` in seconds."""
        trouble = self._journal.trouble
        return {
            "pid": os.getpid(),
            "instance": self.instance.hex(),
            "started": self._started,
            "wall": self._clock.wall_ns(),
            "listen": [str(end) for end in self.listening],
            "tcp_connections": len(self._sip.tcp),
            "calls": self._recorder.open_calls,
            "off": {
                "whole": self._recorder.switched.whole,
                "lines": list(self._recorder.switched.lines),
            },
            "calls_started": self._recorder.started,
            "calls_refused": self._recorder.refused,
            "messages_unread": self._recorder.odd,
            "defects": self._sip.defects,
            "streams": len(self._receiver),
            "packets": self._media.packets,
            "octets": self._media.octets,
            "last_sweep_s": self._media.sweep_ns / NS,
            "losses": {
                "kernel_drops": self._media.drops,
                "journal": self._media.lost,
                "socket_errors": self._receiver.socket_errors,
                "sockets_broken": len(self._receiver.broken),
                "truncated": self._receiver.truncated,
            },
            "journal_waiting": self._journal.waiting,
            "journal_full": self._journal.full,
            "journal_lag_s": self._journal.lag_ns / NS,
            "journal_syncs": self._journal.syncs.to_json(),
            "trouble": None if trouble is None else str(trouble),
        }

    def _follow_switch(self) -> None:
        """Do what `switch.json` says; while something is off, say so in the journal again and again.

        What cannot be read switches nothing: on stays on, and off stays off.
        """
        try:
            switched = switch.read(self._home)
        except (FormatError, MachineError) as error:
            self._log.error("the off switch cannot be read", why=str(error))
            return
        switched = replace(switched, announced=None)
        if switched != self._recorder.switched or switched.anything:
            if switched != self._recorder.switched:
                self._log.info("switch", whole=switched.whole, lines=list(switched.lines), by=switched.by)
            self._recorder.switch(switched)

    def _say(self) -> None:
        try:
            write_file(self._home.status("capture"), json.dumps(self.status()).encode(), durable=False)
        except MachineError as error:  # a notice that cannot be left is no reason to stop recording
            if not self._mute:
                self._log.error("status cannot be written", why=str(error))
            self._mute = True
        else:
            self._mute = False


def run_capture(
    home: Home, settings: CaptureSettings, clock: Clock, handover: Handover | None = None
) -> None:
    """Run capture in this process until SIGTERM or SIGINT. Raises MachineError."""
    log = Log(clock)
    keep_memory()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()  # what was loaded stays: the collector need not look at it again and again
    gc.set_threshold(*COLLECT)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)  # a second one finds it set
        log.info("start", pid=os.getpid(), home=str(home.root))
        await Capture(home, settings, clock, log, handover).run(stop)

    asyncio.run(main())
