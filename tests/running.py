"""A home that recorded one short call with real workers, made once in a run of the tests and copied."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import os
import secrets
import shutil
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.sharing import copy_of

from memcon.client.caller import place_call
from memcon.client.voice import demo_voices
from memcon.clock import SystemClock
from memcon.service.archive import Archive
from memcon.service.config import Config, load, template
from memcon.service.setup import init_home
from memcon.service.supervisor import Supervisor
from memcon.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ORIGIN = "tests.memcon.example/running"
LOWEST_MEDIA, SHARE, SHARES = 20_000, 400, 31


def _shares_of_this_worker() -> Iterator[int]:
    """Without end: the shares of the media ports that are this worker's, in turn."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return itertools.cycle(range(worker, SHARES, workers))


_shares = _shares_of_this_worker()


def wait(done: Callable[[], object], seconds: float = 120) -> None:
    """Poll until `done` gives something true."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "not within two minutes"
        time.sleep(0.1)


def quiet_port() -> int:
    """A port that TCP and UDP of loopback have free, below those that the kernel gives to clients."""
    while True:
        port = 10_000 + secrets.randbelow(10_000)
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def media_ports() -> tuple[int, int]:
    """First and last of 400 ports for a recorder's media that no other recorder of this run is given.

    The workers of a run take their shares in turn, below the ports that the kernel gives to clients:
    who listens to all traffic of his ports, as tcpdump does, must not hear another test's calls.
    """
    for share in _shares:
        first = LOWEST_MEDIA + SHARE * share
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                udp.bind(("127.0.0.1", first))
            except OSError:  # another run on this machine has it
                continue
        return first, first + SHARE - 1
    raise AssertionError("unreachable: the shares go round")


def closed_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def new_home(root: Path, extra: str = "") -> Config:
    """A recorder on free ports of loopback, one beat a second; `extra` ends its memcon.toml."""
    first, last = media_ports()
    text = template(
        ORIGIN,
        period=1,
        sip_port=quiet_port(),
        console_port=quiet_port(),
        ports=f"{first}-{last}",
    )
    return init_home(Home(root), text + extra, SystemClock())


def call(config: Config, seconds: float = 3.0) -> None:
    """Place one call with a hold in it."""
    end = next(e for e in config.sip_listen if e.transport == "udp")
    asyncio.run(
        place_call(f"udp://{end.host}:{end.port}", voices=demo_voices(), seconds=seconds, hold=(1.0, 1.0))
    )


@dataclass(frozen=True)
class Recorded:
    """A stopped home with call 1 in its vault, and what its workers said."""

    home: Home
    config: Config
    said: list[str]


@functools.cache
def recorded() -> Recorded:
    """This process's copy of it."""
    root = copy_of("recorded", _record)
    home = Home(root / "home")
    return Recorded(home, load(home.config), json.loads((root / "said.json").read_bytes()))


def _record(root: Path) -> None:
    """Record one call with real workers in `root/home`; what they said goes beside it."""
    config = new_home(root / "home")
    home, clock, said = Home(root / "home"), SystemClock(), list[str]()
    with (root / "serve.log").open("wb") as log:
        supervisor = Supervisor(home, clock, say=said.append, log=log)
        supervisor.start()
        try:
            wait(supervisor.ready)
            call(config)
            wait(lambda: Archive(home, config, clock).offers(1))
        finally:
            assert supervisor.stop("the test is over", by="tester")
    (root / "said.json").write_text(json.dumps(said))


def copy(target: Path) -> tuple[Home, Config]:
    """The recorded home at another place."""
    shutil.copytree(recorded().home.root, target)
    return Home(target), load(target / "memcon.toml")
