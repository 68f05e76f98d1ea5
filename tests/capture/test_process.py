"""The capture process from its start to its end, however it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.capture.kit import (
    HOST,
    PORTS,
    Lines,
    controls,
    late_packets,
    packets,
    peer,
    read_journal,
    running,
    sdp,
    settings,
    sip,
    until,
)

from memcon.capture import process
from memcon.capture.log import Log
from memcon.capture.media_loop import MediaLoop
from memcon.capture.process import Capture
from memcon.capture.server import Endpoint
from memcon.clock import SystemClock
from memcon.errors import MachineError
from memcon.record import journal as frames
from memcon.store import durable

if TYPE_CHECKING:
    from pathlib import Path

    from memcon.store.paths import Home

_CHILD = """
import sys
from pathlib import Path
from memcon.capture.calls import ReceiptKey, Settings
from memcon.capture.process import CaptureSettings, run_capture
from memcon.capture.server import Endpoint
from memcon.clock import SystemClock
from memcon.errors import MemconError
from memcon.store.paths import Home
settings = CaptureSettings(
    Settings("example.org", 1000, "127.0.0.1", (("all", "*"),)),
    (Endpoint("udp", "127.0.0.1", int(sys.argv[2])),),
    sys.argv[3],
    {"recorder": "{}"},
    ReceiptKey(bytes(32), lambda message: bytes(64)),
)
try:
    run_capture(Home(Path(sys.argv[1])), settings, SystemClock())
except MemconError as error:
    sys.stderr.write(str(error))
    sys.exit(2)
"""


def child(home: Home, port: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _CHILD, str(home.root), str(port), PORTS]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def listening(process: subprocess.Popen[str]) -> int:
    """The UDP port, once it listens."""
    assert process.stderr is not None
    for line in process.stderr:
        found = json.loads(line)
        if found["event"] == "listening":
            return int(found["on"][0].rpartition(":")[2])
    raise AssertionError("it never listened")


def begin_call(port: int) -> tuple[socket.socket, bytes]:
    """Place a call and acknowledge it; the socket and the answer."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    sock.settimeout(60)
    sock.connect((HOST, port))
    contact = f"127.0.0.1:{sock.getsockname()[1]}"
    sock.send(sip(body=sdp("x")).replace(b"127.0.0.1:5555", contact.encode()))
    while not (answer := sock.recv(65_535)).startswith(b"SIP/2.0 200"):
        pass
    to = next(line for line in answer.decode().split("\r\n") if line.startswith("To: "))[4:]
    sock.send(sip("ACK", to=to, branch="z9hG4bKa").replace(b"127.0.0.1:5555", contact.encode()))
    return sock, answer


def send_media(answer: bytes, count: int) -> None:
    port = int(answer.split(b"m=audio ")[1].split()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for n in range(count):
            sender.sendto(n.to_bytes(2, "big"), (HOST, port))


def test_told_to_stop_it_hangs_up_and_says_who_and_why(home: Home) -> None:
    with child(home) as running_, running_.stderr or pytest.fail("no pipe"):
        sock, answer = begin_call(listening(running_))
        with sock:
            send_media(answer, 50)
            said = {"by": "ada", "how": "system user", "reason": "a test", "more": "is ignored"}
            durable.write_file(home.run / "stop.json", json.dumps(said).encode())
            running_.send_signal(signal.SIGTERM)
            bye = sock.recv(65_535)
            assert bye.startswith(b"BYE ")
            running_.send_signal(signal.SIGTERM)  # once more does no harm
            ok = b"SIP/2.0 200 OK\r\n" + bye.partition(b"\r\n")[2].replace(b"Max-Forwards: 70\r\n", b"")
            sock.send(ok)
            assert running_.wait(60) == 0
    records = read_journal(home)
    stop = records[-1]
    assert isinstance(stop, frames.Stop)
    assert {k: stop.facts[k] for k in ("by", "how", "reason")} == {
        k: said[k] for k in ("by", "how", "reason")
    }
    assert set(stop.facts) == {"by", "how", "reason", "wall", "mono"}
    (end,) = controls(records, "end")
    assert (end.facts["cause"], end.facts["who"], end.attachments[0]) == (3, 3, bye)
    assert len(packets(records)) == 50
    start = controls(records)[0].facts
    assert start["type"] == "start"
    assert start["config"] == {"recorder": "{}"}
    assert start["listen"][0].startswith("udp://127.0.0.1:")
    assert late_packets(records) == []


def test_killed_it_leaves_a_journal_that_can_be_read(home: Home) -> None:
    with child(home) as running_, running_.stderr or pytest.fail("no pipe"):
        sock, answer = begin_call(listening(running_))
        with sock:
            send_media(answer, 50)
            while json.loads(home.status("capture").read_bytes())["packets"] < 50:
                pass
            running_.kill()
            assert running_.wait(60) == -signal.SIGKILL
    records = read_journal(home)
    assert [int.from_bytes(p.data, "big") for p in packets(records)] == list(range(50))
    assert len(controls(records, "call")) == 1
    assert not any(isinstance(r, frames.Stop) for r in records)
    # and the next instance starts beside it
    with child(home) as again, again.stderr or pytest.fail("no pipe"):
        listening(again)
        again.send_signal(signal.SIGINT)
        assert again.wait(60) == 0
    assert len({path.name[:32] for path in home.journal.iterdir()}) == 2


def test_a_port_in_use_ends_it_with_the_named_error_and_leaves_no_journal(home: Home) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, 0))
        port = other.getsockname()[1]
        with child(home, port) as refused:
            _, text = refused.communicate(timeout=60)
            assert refused.returncode == 2
    assert f"SIP cannot listen on udp://{HOST}:{port}: Address already in use" in text
    assert "Change [sip] listen in memcon.toml" in text
    assert not home.journal.exists()


def test_the_status_says_how_it_is(home: Home) -> None:
    async def scenario() -> None:
        async with running(home) as server, peer("tcp", server.port("tcp")) as client:
            await client.call()
            await until(lambda: _status(home).get("calls") == 1)
            status = _status(home)
            assert status["instance"] == server.capture.instance.hex()
            assert status["listen"] == [str(end) for end in server.capture.listening]
            assert (status["calls_started"], status["calls_refused"], status["defects"]) == (1, 0, 0)
            assert (status["tcp_connections"], status["streams"], status["packets"]) == (1, 4, 0)
            assert status["losses"] == {
                "kernel_drops": 0, "journal": 0, "socket_errors": 0, "sockets_broken": 0, "truncated": 0,
            }  # fmt: skip
            assert 0 < status["last_sweep_s"] < 5
            assert 0 <= status["journal_lag_s"] < 5
            assert status["trouble"] is None
            assert not status["journal_full"]
            await client.bye()

    asyncio.run(scenario())


def _status(home: Home) -> dict[str, Any]:
    data = durable.read_if_there(home.status("capture"))
    found: dict[str, Any] = json.loads(data or b"{}")
    return found


def test_a_status_that_cannot_be_written_is_said_once_and_stops_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STATUS_SECONDS", 0.02)
    refuse = [True]
    write = durable.write_file

    def broken(path: Path, data: bytes, *, durable: bool = True) -> None:
        if refuse:
            raise MachineError("no space left")
        write(path, data, durable=durable)

    monkeypatch.setattr(process, "write_file", broken)

    async def scenario() -> None:
        async with running(home) as server, peer("udp", server.port("udp")) as client:
            await client.call()
            await asyncio.sleep(0.1)
            assert len(server.lines.events("status cannot be written")) == 1
            refuse.clear()
            await until(lambda: _status(home).get("calls") == 1)
            await client.bye()

    asyncio.run(scenario())


@pytest.mark.parametrize("left", [b"{not JSON", b"[1]", b'"text"', b"7"])
def test_what_the_supervisor_left_may_be_damaged(home: Home, left: bytes) -> None:
    async def scenario() -> None:
        async with running(home) as server:
            durable.write_file(home.run / "stop.json", left)
        stop = (await server.journal())[-1]
        assert isinstance(stop, frames.Stop)
        assert stop.facts["by"] == "unknown"

    asyncio.run(scenario())


def test_calls_that_wait_for_their_ack_are_ended_too(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "BYE_SECONDS", 0.2)

    async def scenario() -> None:
        async with running(home) as server, peer("udp", server.port("udp")) as client:
            loop = asyncio.get_running_loop()
            await loop.sock_sendto(client.sock, sip(body=sdp("x")), client.server)
            await until(lambda: server.capture.status()["calls"] == 1)
        records = await server.journal()
        (end,) = controls(records, "end")
        assert (end.facts["cause"], end.facts["who"], end.attachments) == (3, 3, (b"",))
        assert isinstance(records[-1], frames.Stop)

    asyncio.run(scenario())


def test_while_it_stops_new_calls_are_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "BYE_SECONDS", 1.0)

    async def scenario() -> None:
        async with running(home) as server, peer("udp", server.port("udp")) as client:
            await client.call()
            server.stop.set()  # its BYE is not answered, so that the stop takes its time
            await until(lambda: server.capture.status()["calls"] == 0)
            loop = asyncio.get_running_loop()
            invite = sip(body=sdp("x")).replace(b";rport", b";rport=").replace(b":5555;", b";")
            await loop.sock_sendto(client.sock, invite, client.server)
            await until(lambda: server.capture.status()["calls_refused"] == 1)
            assert server.lines.events("call refused")[0]["why"] == "stopping"

    asyncio.run(scenario())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_when_the_media_thread_dies_so_does_the_process_and_not_as_if_stopped(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STATUS_SECONDS", 0.02)

    def broken(loop: MediaLoop) -> None:
        raise RuntimeError("a defect")

    async def scenario() -> None:
        clock = SystemClock()
        capture = Capture(home, settings(Endpoint("udp", HOST, 0)), clock, Log(clock, Lines()))
        monkeypatch.setattr(MediaLoop, "turn", broken)
        with pytest.raises(MachineError, match="the media thread ended"):
            await capture.run(asyncio.Event())

    asyncio.run(scenario())
    assert not any(isinstance(r, frames.Stop) for r in read_journal(home))


def test_run_directories_and_keys_are_for_the_owner_alone(home: Home) -> None:
    async def scenario() -> None:
        async with running(home) as server:
            key = home.journal_key(server.capture.instance)
            assert key.stat().st_mode & 0o777 == 0o600
            assert home.run.stat().st_mode & 0o777 == 0o700

    asyncio.run(scenario())
