"""The capture process: SIP on asyncio, media in its thread, the journal between them and the disk."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memcon.capture.calls import ReceiptKey, Recorder, Settings
from memcon.capture.facts import stamp
from memcon.capture.journal import JournalWriter
from memcon.capture.media_loop import MediaLoop
from memcon.capture.receiver import Receiver
from memcon.capture.server import Endpoint, SipServer
from memcon.capture.sockets import PortPool, raise_file_limit
from memcon.errors import MachineError
from memcon.record import canonical
from memcon.store.durable import read_if_there, write_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.clock import Clock
    from memcon.store.paths import Home

STATUS_SECONDS = 1.0
BYE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """Everything capture needs: what the recorder is, where it listens, its configuration parts."""

    recorder: Settings
    listen: Sequence[Endpoint]
    media_ports: str
    config_parts: dict[str, str]
    receipt_key: ReceiptKey


class Capture:
    """One instance of the capturing process."""

    def __init__(self, home: Home, settings: CaptureSettings, clock: Clock) -> None:
        self._home = home
        self._settings = settings
        self._clock = clock
        self.instance = secrets.token_bytes(16)
        raise_file_limit()
        self._journal = JournalWriter(home, clock, self.instance, secrets.token_bytes(32))
        self._receiver = Receiver(clock)
        pool = PortPool(clock, address=settings.recorder.media_address, ports=settings.media_ports)
        self._media = MediaLoop(self._receiver, self._journal, clock)
        self._recorder = Recorder(
            settings.recorder, settings.receipt_key, pool, self._media, self._journal, clock
        )
        self._sip = SipServer(self._recorder, clock)
        self._listening: list[Endpoint] = []
        self._started = clock.wall_ns()

    async def run(self, stop: asyncio.Event) -> None:
        """Record until `stop` is set; then end all calls and the journal. Raises MachineError."""
        self._listening = await self._sip.listen(self._settings.listen)
        start = {
            "type": "start",
            "instance": self.instance.hex(),
            "pid": os.getpid(),
            "listen": [str(end) for end in self._listening],
            "config": self._settings.config_parts,
        }
        self._journal.control(start | stamp(self._clock.wall_ns(), self._clock.monotonic_ns()))
        self._media.start()
        try:
            while not stop.is_set():
                self._say()
                if self._media.ended.is_set():
                    raise MachineError("the media thread ended", cure="The lines above say why")
                self._recorder.settle()
                try:
                    await asyncio.wait_for(stop.wait(), STATUS_SECONDS)
                except TimeoutError:
                    continue
        finally:
            await self._end()

    async def _end(self) -> None:
        self._recorder.stopping = True
        server = self._recorder.server
        for call in server.calls():
            self._sip.perform(server.end_call(call.dialog, "recorder stopped", self._clock.monotonic_ns()))
        if server.calls():
            await asyncio.sleep(BYE_SECONDS)
        self._recorder.end_left_over()
        await asyncio.sleep(0.05)  # the last BYEs leave
        await self._sip.close()
        self._media.stop()
        await asyncio.to_thread(self._media.join)
        self._journal.stop(canonical.dumps(self._who_stopped()))
        self._receiver.close()

    def _who_stopped(self) -> dict[str, Any]:
        """What the supervisor left: by whom, how, why. Without it: nobody said."""
        said = {"by": "unknown", "how": "signal", "reason": "the capturing process was told to stop"}
        left = read_if_there(self._home.run / "stop.json")
        if left is not None:
            said |= {k: str(v) for k, v in json.loads(left).items() if k in said}
        return said | stamp(self._clock.wall_ns(), self._clock.monotonic_ns())

    def _say(self) -> None:
        trouble = self._journal.trouble
        status = {
            "pid": os.getpid(),
            "instance": self.instance.hex(),
            "started": self._started,
            "wall": self._clock.wall_ns(),
            "listen": [str(end) for end in self._listening],
            "calls": self._recorder.open_calls,
            "calls_started": self._recorder.started,
            "calls_refused": self._recorder.refused,
            "streams": len(self._receiver),
            "packets": self._media.packets,
            "journal_waiting": self._journal.waiting,
            "trouble": None if trouble is None else str(trouble),
        }
        write_file(self._home.status("capture"), json.dumps(status).encode(), durable=False)


def run_capture(home: Home, settings: CaptureSettings, clock: Clock) -> None:
    """Run capture in this process until SIGTERM or SIGINT. Raises MachineError."""

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await Capture(home, settings, clock).run(stop)

    asyncio.run(main())
