"""One instance goes on where another went without a word: the same calls, on the same sockets or new ones."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec

import pytest
from tests.capture.kit import (
    HOST,
    Lines,
    Record,
    controls,
    events,
    late_packets,
    packets,
    peer,
    read_journal,
    settings,
    sip,
    until,
)

from memcon.capture import early, journal, left, process, takeover
from memcon.capture.handover import Handover
from memcon.capture.left import KEPT_MESSAGES, LeftCall, Said, read_left
from memcon.capture.log import Log
from memcon.capture.process import Capture
from memcon.capture.server import Endpoint
from memcon.clock import SystemClock
from memcon.errors import MachineError
from memcon.record import journal as frames
from memcon.service.demo import free_port
from memcon.service.holder import Channel, Holder
from memcon.store import durable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
    from pathlib import Path

    from tests.capture.kit import Peer

    from memcon.capture.process import CaptureSettings
    from memcon.capture.receiver import Sweep
    from memcon.store.paths import Home


P = ParamSpec("P")


def in_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test on a loop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **fields: P.kwargs) -> None:
        asyncio.run(test(*args, **fields))

    return run


@dataclass
class Instance:
    """One instance in this process."""

    capture: Capture
    lines: Lines
    stop: asyncio.Event
    task: asyncio.Task[None]
    sock: socket.socket | None

    async def end(self, *, dies: bool) -> None:
        """It dies as where its supervisor is gone, all calls left open; or is stopped."""
        if not self.task.done():
            self.capture._orphaned = dies
            if dies:
                self.capture._handover.sock = None  # the dead say nothing any more
            self.stop.set()
            await self.task
        if self.sock is not None:
            # a reader that outlives its descriptor makes the loop deaf to the next socket of that number
            asyncio.get_running_loop().remove_reader(self.sock)
            self.sock.close()
            self.sock = None

    def port(self, protocol: str) -> int:
        return next(end.port for end in self.capture.listening if end.protocol == protocol)


@dataclass
class Instances:
    """The instances of one home, one after the other, beside a supervisor that holds their sockets."""

    home: Home
    chosen: CaptureSettings
    holder: Holder
    channel: Channel | None = None

    @contextlib.asynccontextmanager
    async def one(self, *, held: bool = True) -> AsyncIterator[Instance]:
        """Run an instance; it is stopped at the end of the block, if it has not ended."""
        clock, lines = SystemClock(), Lines()
        handover = Handover()
        if held:
            channel = Channel(clock, "capture", self.holder)
            channel.before, self.channel = self.channel, channel
            channel.start()
            handover = Handover(channel.theirs.dup())
            channel.theirs.close()
        capture = await asyncio.to_thread(Capture, self.home, self.chosen, clock, Log(clock, lines), handover)
        stop = asyncio.Event()
        instance = Instance(capture, lines, stop, asyncio.create_task(capture.run(stop)), handover.sock)
        try:
            await until(lambda: bool(lines.events("listening")) or instance.task.done())
            yield instance
        finally:
            await instance.end(dies=False)

    def journal(self, instance: Instance) -> list[Record]:
        return read_journal(self.home, instance.capture.instance)


@pytest.fixture
def instances(home: Home) -> Instances:
    return Instances(home, settings(Endpoint("udp", HOST, 0), Endpoint("tcp", HOST, 0)), Holder())


def speak(ports: Sequence[int], numbers: range) -> None:
    """An RTP packet of each number to each port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((HOST, 0))
        for n in numbers:
            for port in ports:
                sender.sendto(b"\x80\x00" + n.to_bytes(2, "big") + bytes(8) + b"voice", (HOST, port))


def numbers(records: list[Record]) -> list[int]:
    return sorted(int.from_bytes(p.data[2:4], "big") for p in packets(records))


async def said(p: Peer, status: int) -> None:
    """Wait for a response of that status."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(60):
        while f"SIP/2.0 {status}".encode() not in (data := await loop.sock_recv(p.sock, 65_535)):
            assert data, "the connection was closed"


@in_loop
async def test_nothing_that_the_sockets_hold_is_lost(instances: Instances) -> None:
    loop = asyncio.get_running_loop()
    async with instances.one() as first:
        udp_port, tcp_port = first.port("udp"), first.port("tcp")
        async with peer("udp", udp_port) as one, peer("tcp", tcp_port) as two:
            ports = [port for _, port, _ in (await one.call()).streams]
            more = [port for _, port, _ in (await two.call()).streams]
            speak(ports, range(10))
            options = sip("OPTIONS", to="<sip:desk@example.org>", call_id="half").replace(b"/UDP", b"/TCP")
            await loop.sock_sendall(two.sock, options[:60])
            await until(
                lambda: any(h.note for name, h in instances.holder.items() if name.startswith("flow:"))
            )
            await until(lambda: len(packets(instances.journal(first))) == 20)
            await until(lambda: len(instances.holder) == 2 + 1 + 4)
            await first.end(dies=True)
            # nobody is there; the kernel takes what comes
            speak(ports, range(10, 200))
            speak(more, range(5))
            await loop.sock_sendall(two.sock, options[60:])
            await one.put(one.client.bye(SystemClock().monotonic_ns()))
            async with instances.one() as second:
                assert second.lines.events("taken over")[0]["calls"] == 2
                await said(one, 200)
                await said(two, 200)
                await until(lambda: second.capture._media.packets == 2 * 190 + 2 * 5)
                assert second.port("udp") == udp_port
    before, after = instances.journal(first), instances.journal(second)
    assert not [r for r in before if isinstance(r, frames.Stop)]
    start = controls(after, "start")[0].facts
    assert start["follows"] == first.capture.instance.hex()
    old, new = controls(before, "call"), controls(after, "carry")
    assert [c.facts["handle"] for c in new] == [c.facts["handle"] for c in old]
    assert [c.facts["wall"] for c in new] == [c.facts["wall"] for c in old]
    assert [e["sockets"] for e in events(after) if e["type"] == "takeover"] == ["kept", "kept"]
    assert numbers(before) == sorted([*range(10)] * 2)
    assert numbers(after) == sorted([*range(10, 200)] * 2 + [*range(5)] * 2)
    assert sorted(c.facts["cause"] for c in controls(after, "end")) == [1, 3]  # a BYE; the stop at the end
    assert late_packets(after) == []


@in_loop
async def test_a_take_over_that_takes_longer_than_the_sockets_hold_loses_nothing(
    instances: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket holds some 250 packets; while the journal is read many more come."""
    read, go_on, counted = read_left, threading.Event(), [0]
    copied = early._copied

    def slow(home: Home, alive: Callable[[], object]) -> left.Left | None:
        assert go_on.wait(60)
        return read(home, alive)

    def count(sweep: Sweep) -> Sweep:
        counted[0] += len(sweep.stream)
        return copied(sweep)

    monkeypatch.setattr(takeover, "read_left", slow)
    monkeypatch.setattr(early, "_copied", count)
    monkeypatch.setattr(early, "WAITS_NS", 0)
    go_on.set()
    async with instances.one() as first, peer("udp", first.port("udp")) as one:
        ports = [port for _, port, _ in (await one.call()).streams]
        await until(lambda: len(instances.holder) == 2 + 2)
        await first.end(dies=True)
        go_on.clear()

        async def talk() -> None:
            for n in range(4):
                speak(ports, range(200 * n, 200 * n + 200))
                await until(lambda n=n: counted[0] == 400 * (n + 1))  # type: ignore[misc]
            go_on.set()

        talking = asyncio.create_task(talk())
        async with instances.one() as second:
            await talking
            speak(ports, range(800, 900))
            await until(lambda: second.capture._media.packets == 2 * 900)
            assert second.lines.events("read early")[0]["packets"] == 1600
            await one.bye()
            await until(lambda: not second.capture.status()["calls"])
    after = instances.journal(second)
    assert numbers(after) == sorted([*range(900)] * 2)
    for handle in {packet.handle for packet in packets(after)}:
        mine = [p.data[2:4] for p in packets(after) if p.handle == handle]
        assert mine == sorted(mine), "in their order"
    assert late_packets(after) == []


@in_loop
async def test_after_a_kill_of_everything_the_same_ports_are_bound_again(instances: Instances) -> None:
    port = free_port(socket.SOCK_DGRAM)
    instances.chosen = settings(Endpoint("udp", HOST, port))
    async with instances.one(held=False) as first, peer("udp", port) as one:
        ports = [port for _, port, _ in (await one.call()).streams]
        await first.end(dies=True)
        speak(ports, range(5))  # lost: nobody has the ports
        async with instances.one(held=False) as second:
            assert second.lines.events("taken over")[0]["deaf"] == 1
            speak(ports, range(5, 9))
            await until(lambda: second.capture._media.packets == 8)
            await second.end(dies=True)
        async with instances.one(held=False) as third:  # and once more, from what the second carried
            speak(ports, range(9, 12))
            await until(lambda: third.capture._media.packets == 6)
            await one.bye()
            await until(lambda: not third.capture.status()["calls"])
    after, last = instances.journal(second), instances.journal(third)
    assert [e["sockets"] for e in events(after) if e["type"] == "takeover"] == ["new"]
    assert controls(last, "start")[0].facts["follows"] == second.capture.instance.hex()
    assert [c.facts["cause"] for c in controls(last, "end")] == [1]
    assert numbers(last) == sorted([*range(9, 12)] * 2)


@in_loop
async def test_a_port_that_another_has_taken_is_said_and_costs_that_stream(instances: Instances) -> None:
    port = free_port(socket.SOCK_DGRAM)
    instances.chosen = settings(Endpoint("udp", HOST, port))
    async with instances.one(held=False) as first, peer("udp", port) as one:
        ports = [port for _, port, _ in (await one.call()).streams]
        await first.end(dies=True)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
            thief.bind((HOST, ports[0]))
            async with instances.one(held=False) as second:
                speak(ports[1:], range(3))
                await until(lambda: second.capture._media.packets == 3)
                await one.bye()
                await until(lambda: not second.capture.status()["calls"])
    odd = [e["text"] for e in events(instances.journal(second)) if e["type"] == "oddity"]
    assert any(f"media port {ports[0]} is not received any more" in text for text in odd)


@in_loop
async def test_a_bye_that_was_read_and_not_served_to_its_end_ends_the_call(instances: Instances) -> None:
    async with instances.one() as first, peer("udp", first.port("udp")) as one:
        ports = [port for _, port, _ in (await one.call()).streams]
        first.capture._recorder._close = lambda *_: None  # type: ignore[method-assign]  # it dies before
        await one.bye()
        await first.end(dies=True)
        speak(ports, range(2))
        async with instances.one() as second:
            await until(lambda: bool(controls(instances.journal(second), "end")))
            assert second.capture.status()["calls"] == 0
    after = instances.journal(second)
    (end,) = controls(after, "end")
    assert (end.facts["cause"], end.attachments[0][:4]) == (1, b"BYE ")
    assert numbers(after) == [0, 0, 1, 1]


@in_loop
async def test_an_invite_that_nobody_answered_is_answered_now(instances: Instances) -> None:
    async with instances.one() as first, peer("udp", first.port("udp")) as one:
        first.capture._sip._send = lambda send: None  # type: ignore[method-assign]
        first.capture._recorder._message = lambda *_: None  # type: ignore[method-assign]
        await one.put(one.client.invite(SystemClock().monotonic_ns()))
        await until(lambda: bool(controls(instances.journal(first), "call")))
        await first.end(dies=True)
        async with instances.one() as second:
            await one.result()
            assert second.capture.status()["calls"] == 1
            # the ports of the first attempt are given back
            await until(lambda: len(instances.holder) == 2 + 2)
    assert not controls(instances.journal(second), "carry")
    assert len(controls(instances.journal(second), "call")) == 1


@in_loop
async def test_where_we_had_hung_up_we_hang_up_again(instances: Instances) -> None:
    async with instances.one() as first, peer("udp", first.port("udp")) as one:
        await one.call()
        (call,) = first.capture._recorder.server.calls()
        first.capture._recorder._close = lambda *_: None  # type: ignore[method-assign]
        first.capture._sip.end_call(call.dialog, "a test")
        await first.end(dies=True)
        async with instances.one() as second:
            await until(lambda: bool(controls(instances.journal(second), "end")))
    assert (
        len([c for c in controls(instances.journal(second), "sip") if c.attachments[0][:4] == b"BYE "]) == 1
    )


@in_loop
async def test_what_cannot_be_taken_up_is_told_and_costs_no_other(
    instances: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with instances.one() as first:
        port = first.port("udp")
        async with peer("udp", port) as one, peer("udp", port) as two, peer("udp", port) as three:
            for each in (one, two, three):
                await each.call()
            await first.end(dies=True)
            found = read_left(instances.home)
            assert found is not None
            bad, worse, _ = found.calls.values()
            bad.answer = b"SIP/2.0 200 OK\r\n\r\n"
            worse.facts["streams"] = 7
            monkeypatch.setattr(takeover, "read_left", lambda *_: found)
            async with instances.one() as second:
                told = second.lines.events("taken over")[0]
                assert (told["calls"], told["failed"]) == (1, 2)
                assert second.lines.events("call not taken up")
                assert second.lines.events("defect")
                await three.bye()
                await until(lambda: len(instances.holder) == 2)


@in_loop
async def test_after_a_boot_nothing_goes_on(instances: Instances, monkeypatch: pytest.MonkeyPatch) -> None:
    async with instances.one() as first, peer("udp", first.port("udp")) as one:
        await one.call()
        await first.end(dies=True)
        monkeypatch.setattr(takeover, "boot_id", lambda: "another")
        async with instances.one() as second:
            await until(lambda: len(instances.holder) == 2)
    assert controls(instances.journal(second), "start")[0].facts["follows"] == ""


@pytest.mark.parametrize("error", [MachineError("no disk"), KeyError("a defect")])
def test_a_journal_that_cannot_be_read_keeps_nobody_from_recording(
    home: Home, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(takeover, "read_left", fail)
    lines = Lines()
    assert takeover.find_left(home, SystemClock(), Log(SystemClock(), lines)) is None
    assert lines.events()[0]["level"] == "error"


@in_loop
async def test_sockets_of_a_configuration_that_is_gone_are_closed(instances: Instances) -> None:
    async with instances.one() as first:
        old = first.port("tcp")
        await first.end(dies=True)
        instances.chosen = settings(Endpoint("udp", HOST, 0))
        async with instances.one():
            await until(lambda: [name for name, _ in instances.holder.items()] == [f"udp://{HOST}:0"])
            with pytest.raises(ConnectionRefusedError), socket.socket() as sock:
                sock.connect((HOST, old))


@in_loop
async def test_the_supervisor_that_ends_takes_capture_with_it(instances: Instances) -> None:
    async with instances.one() as first, peer("udp", first.port("udp")) as one:
        await one.call()
        assert instances.channel is not None
        instances.channel.close()
        await asyncio.wait_for(first.task, 20)
        assert first.lines.events("the supervisor is gone")
    records = instances.journal(first)
    assert not controls(records, "end")
    assert not [r for r in records if isinstance(r, frames.Stop)]


async def settled(instance: Instance, packets: int) -> None:
    """All is received, and the newest file has its set of calls."""
    await until(lambda: instance.capture._media.packets == packets)
    file = instance.capture._journal.file_number
    await until(lambda: instance.capture._carried_file >= file)


@in_loop
async def test_no_more_than_two_files_are_read(instances: Instances, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "FILE_BYTES", 10_000)
    monkeypatch.setattr(journal, "FILE_NS", 0)
    async with instances.one() as first, peer("udp", first.port("udp")) as one:
        ports = [port for _, port, _ in (await one.call()).streams]
        files = f"{first.capture.instance.hex()}-*.mcj"
        for n in itertools.count():  # how much of it goes into one frame, and file, is the machine's affair
            speak(ports, range(200 * n, 200 * n + 200))
            await settled(first, 400 * (n + 1))
            if len(list(instances.home.journal.glob(files))) > 3:
                break
        await first.end(dies=True)
        names = sorted(instances.home.journal.glob(files))
        for name in names[:-2]:
            durable.remove_file(name)
        found = read_left(instances.home)
        assert found is not None
        (call,) = found.calls.values()
        assert call.answer.startswith(b"SIP/2.0 200 ")
        assert [said.raw.split()[0] for said in call.later()] == [b"ACK"]


@in_loop
async def test_a_take_over_gives_signs_of_life(instances: Instances, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes long is not one that hangs: the supervisor would end it, and the next, and the next."""
    monkeypatch.setattr(process, "LIVING_NS", 0)
    async with (
        instances.one() as first,
        peer("udp", first.port("udp")) as one,
        peer("tcp", first.port("tcp")) as two,
    ):
        await one.call()
        await two.call()
        await first.end(dies=True)
        signs, found = [], list[int]()
        take = Handover.alive

        def alive(handover: Handover) -> None:
            signs.append(handover)
            take(handover)

        monkeypatch.setattr(Handover, "alive", alive)
        read = read_left

        def counted(home: Home, alive: Callable[[], object]) -> left.Left | None:
            read_now = read(home, alive)
            found.append(len(signs))
            return read_now

        monkeypatch.setattr(takeover, "read_left", counted)
        async with instances.one() as second:
            assert second.lines.events("taken over")[0]["calls"] == 2
    assert found[0] > 5, "while the journal is read"
    assert len(signs) >= found[0] + 2, "and for each call"


def test_a_long_call_keeps_few_messages() -> None:
    call = LeftCall({}, b"INVITE")
    ok = b"SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n"
    call.say(Said({"direction": "out"}, ok))
    for n in range(2 * KEPT_MESSAGES):
        call.say(Said({"direction": "in"}, b"UPDATE %d" % n))
        call.say(Said({"direction": "out"}, b"SIP/2.0 200 OK\r\nCSeq: 2 UPDATE\r\n\r\n"))
    assert len(call.said) == KEPT_MESSAGES
    assert call.later()[-1].raw == b"UPDATE %d" % (2 * KEPT_MESSAGES - 1)
    assert LeftCall({}, b"", [Said({"direction": "in"}, b"ACK")]).later() == []


def test_a_machine_that_does_not_tell_its_boot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert left.boot_id()
    monkeypatch.setattr(left, "BOOT_ID", tmp_path / "none")
    assert left.boot_id() == ""


def test_a_journal_without_anything(home: Home) -> None:
    assert read_left(home) is None
