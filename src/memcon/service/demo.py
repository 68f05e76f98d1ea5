"""The demonstration: a real call, recorded, sealed, checked, damaged, found, and heard on a page.

Nothing here is pretended: the recorder is the one `memcon serve` starts, the call is SIP and RTP over
loopback from the project's own recording client, and the verifier is the stand-alone one.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from memcon.client import receipt as receipts
from memcon.client.caller import place_call
from memcon.client.voice import demo_voices
from memcon.clock import NS, utc
from memcon.errors import MachineError
from memcon.record.bundle import read_zip
from memcon.record.opened import read_media
from memcon.seal.keys import load_keys
from memcon.service.archive import Archive
from memcon.service.demo_words import Words
from memcon.service.office import find_verifier
from memcon.service.supervisor import Supervisor
from memcon.store.durable import read_if_there

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from memcon.client.caller import CallReport
    from memcon.clock import Clock
    from memcon.service.config import Config
    from memcon.store.paths import Home

    Say = Callable[[str], None]

HOLD = (12.0, 3.0)  # seconds into the call, seconds long
DAMAGED_SECOND = 7
READY_SECONDS = 60
KEPT_SECONDS = 30
WRITTEN_SECONDS = 120


def free_port(kind: socket.SocketKind, wanted: int = 0) -> int:
    """A free port of loopback: `wanted` if it is."""
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET, kind) as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(sock.getsockname()[1])
    raise MachineError("no port is free on 127.0.0.1")


def free_sip_port(wanted: int = 0) -> int:
    """A port free for both UDP and TCP: `wanted` if it is."""
    for candidate in (wanted, *(0 for _ in range(20))):
        port = free_port(socket.SOCK_DGRAM, candidate)
        if free_port(socket.SOCK_STREAM, port) == port:
            return port
    raise MachineError("no port is free on 127.0.0.1 for SIP over UDP and TCP")


@dataclass
class Beats:
    """Follows the feed and says each beat in a line."""

    home: Home
    say: Say
    words: Words
    offset: int = 0
    published: list[float] = field(default_factory=list)
    kept: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        """Say what came since the last look."""
        data = (read_if_there(self.home.feed) or b"")[self.offset :]
        end = data.rfind(b"\n") + 1
        self.offset += end
        for line in data[:end].splitlines():
            self._tell(json.loads(line))
        self.words.look()

    def _tell(self, said: dict[str, Any]) -> None:
        if said["t"] == "beat":
            calls = "no call"
            for number, (segments, streams, *_) in said["open"].items():
                packets = " + ".join(f"{s[1]}" for s in streams if s[0] % 2 == 0)
                calls = f"call {number}: {segments} s sealed, {packets} packets"
            late = (said["published"] - said["wall"]) / 1e6
            self.published.append(late)
            when = utc(said["slot"] * NS)[11:19]
            self.say(f"  beat {said['index']:<3} second {when}  checkpoint after {late:4.1f} ms  {calls}")
        elif said["t"] == "event" and said["facts"]["type"] in ("pause", "unpause", "hold", "resume"):
            word = "on hold" if said["facts"]["type"] in ("pause", "hold") else "goes on"
            self.say(f"       stream {said['facts'].get('label', '?')} {word}: sealed as an event")
        elif said["t"] == "call":
            self.words.began = said["wall"] // 1_000_000
        elif said["t"] == "done":
            self.kept.set()

    def run(self, stop: threading.Event) -> None:
        """Look ten times a second until told to stop, then once more."""
        while not stop.wait(0.1):
            self.look()
        self.look()


def wait_for(done: Callable[[], bool], seconds: float, what: str, clock: Clock) -> None:
    """Poll until `done`; MachineError naming `what` after so many seconds."""
    until = clock.monotonic_ns() + int(seconds * NS)
    pause = threading.Event()
    while not done():
        if clock.monotonic_ns() > until:
            raise MachineError(f"{what} within {seconds:.0f} s", cure="serve.log in the home says more")
        pause.wait(0.1)


def place(config: Config, home: Home, say: Say) -> CallReport:
    """Place the call and check the receipt that came in the answer."""
    end = config.sip_listen[0]
    target = f"{end.transport}://{end.host}:{end.port}"
    report = asyncio.run(place_call(target, voices=demo_voices(), hold=HOLD))
    if report.receipt is None:
        raise MachineError("the answer carried no receipt")
    public = load_keys(home.keys).receipt_public()
    receipt = receipts.verify(report.receipt, public_key=public, origin=config.origin, invite=report.invite)
    say(f"The call is over: {report.answer_ms:.1f} ms from INVITE to answer, BYE confirmed.")
    sent = ", ".join(f"{s.name} {s.sent} packets" for s in report.streams)
    say(f"Sent: {sent}. The receipt in the answer holds: slot {receipt.slot}, signed by the recorder.")
    return report


def verifier_command() -> list[str]:
    """The stand-alone verifier as a command; without the built file, the same code as a module."""
    built = find_verifier()
    return [sys.executable, "-I", str(built)] if built else [sys.executable, "-m", "memcon.verify"]


def run_verifier(bundle: Path, vkeys: tuple[str, ...], audio: Path | None = None) -> dict[str, Any]:
    """The verifier's report of a bundle, from a process of its own."""
    command = [*verifier_command(), "call", str(bundle), "--json"]
    for key in vkeys:
        command += ["--key", key]
    if audio is not None:
        command += ["--audio", str(audio)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    if done.returncode not in (0, 1, 3):
        raise MachineError(f"the verifier ended with {done.returncode}: {done.stderr.strip()}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def damage(bundle: bytes, second: int) -> bytes:
    """The bundle with one bit of one audio byte of `second` flipped."""
    for segment in read_media(read_zip(bundle)["media.mcb"])[1]:
        for block in segment.blocks:
            if segment.number == second and block.item.data is not None:
                at = bundle.index(bytes(block.item.data)) + len(block.item.data) - 1
                return bundle[:at] + bytes([bundle[at] ^ 1]) + bundle[at + 1 :]
    raise MachineError(f"the call has no audio in second {second}")


def say_report(report: dict[str, Any], say: Say) -> None:
    """A report in lines: headline, checked, found, not checked."""
    say(f"  {report['headline']}")
    for line in report["checked"]:
        say(f"    checked: {line}")
    for finding in report["findings"]:
        second = "" if finding.get("second") is None else f" second {finding['second']}:"
        say(f"    found:{second} {finding['code']}: {finding['text']}")
    for line in report["not_checked"]:
        say(f"    not checked: {line}")


class Company(Protocol):
    """Whoever watches the demonstration from outside, and has something to show at its end."""

    def show(self, supervisor: Supervisor) -> None: ...


def run_demo(
    home: Home,
    config: Config,
    clock: Clock,
    say: Say,
    link: Callable[[], str],
    company: Company | None = None,
) -> Iterator[str]:
    """The whole demonstration; yields the login address once, with the recorder still running.

    After the consumer goes on, the recorder is stopped. Raises MachineError for what did not work.
    """
    with (home.root / "serve.log").open("wb") as log:
        supervisor = Supervisor(home, clock, say=say, log=log)
        supervisor.start()
        stop = threading.Event()
        beats = Beats(home, say, Words(home, clock, say))
        follower = threading.Thread(target=beats.run, args=(stop,), daemon=True)
        try:
            wait_for(supervisor.ready, READY_SECONDS, "the recorder was not up", clock)
            say("The recorder is up. Each line is a beat: one leaf in its public log, one signed checkpoint.")
            follower.start()
            beats.words.expect()
            say("Placing a call: SIP and RTP over loopback, two voices, 3 s on hold in the middle.")
            place(config, home, say)
            wait_for(beats.kept.is_set, KEPT_SECONDS, "the call was not sealed", clock)
            archive = Archive(home, config, clock)
            wait_for(lambda: bool(archive.offers(1)), KEPT_SECONDS, "the call was not in the vault", clock)
            beats.words.wait(WRITTEN_SECONDS)
            stop.set()
            follower.join()
            beats.words.conclude()
            check(home, archive, say)
            if company is not None:
                company.show(supervisor)
            yield link()
        finally:
            stop.set()
            supervisor.stop("end of the demonstration")
    said = read_if_there(home.checkpoint) or b""
    say(f"Stopped. The last of {said.splitlines()[1].decode()} leaves says off, and by whom.")


def check(home: Home, archive: Archive, say: Say) -> None:
    """Verify the bundle as a stranger would, then a copy with one bit changed."""
    data = archive.bundle(1)
    bundle, changed = home.root / "call-1.zip", home.root / "call-1-changed.zip"
    bundle.write_bytes(data)
    command = "memcon-verify.pyz" if find_verifier() else "python -m memcon.verify"
    say(f"A stranger checks the bundle of the call ({len(data):,} bytes) with {command} and the public key:")
    report = run_verifier(bundle, archive.vkeys, home.root / "verified-audio")
    say_report(report, say)
    if report["findings"]:
        raise MachineError("the call does not hold what its seals say")
    changed.write_bytes(damage(data, DAMAGED_SECOND))
    say(f"One bit of a copy is changed, in second {DAMAGED_SECOND} of the call, and the copy is checked:")
    report = run_verifier(changed, archive.vkeys)
    report["checked"] = report["not_checked"] = []
    say_report(report, say)
    if DAMAGED_SECOND not in [finding.get("second") for finding in report["findings"]]:
        raise MachineError("the changed second was not found")
