"""A recorder and three witnesses as processes, two of three a quorum; the recorder is killed for a while.

A third party who has only a mirror's files finds the outage, and a certificate of it that checks offline.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.running import new_home, wait

from memcon.cli.main import main
from memcon.record import beat
from memcon.seal.keys import load_keys
from memcon.service.config import load
from memcon.service.demo import free_port
from memcon.store.paths import Home
from memcon.store.tiles import LogStore
from memcon.witness.archive import Archive
from memcon.witness.settings import init_home
from memcon.witness.settings import load as load_witness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memcon.record.beat import Beat

MEMCON = str(Path(sys.executable).with_name("memcon"))


class World:
    """The recorder's home, and three witnesses running; the third mirrors and watches."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "r")
        config = new_home(self.home.root)
        address = f"http://{config.console_host}:{config.console_port}/log/"
        lines = [f"log {load_keys(self.home.keys).vkeys(config.origin)[0]} {address}\n"]
        witnesses = [folder / f"w{n}" for n in range(3)]
        for n, root in enumerate(witnesses):
            listen = f"127.0.0.1:{free_port(socket.SOCK_STREAM)}"
            made = init_home(
                root, f"w{n}.example", kinds=("ed25519",), listen=listen, policy=None, mirror=n == 2
            )
            lines.append(f"witness w{n} {made.cosigner().vkeys[0]} http://{listen}/\n")
        lines.append("group two 2 w0 w1 w2\nquorum two\n")
        self.policy = folder / "policy"
        self.policy.write_text("".join(lines))
        for root in witnesses:
            (root / "logs.policy").write_text("".join(lines))
        with self.home.config.open("a") as file:
            file.write(f'\n[witness]\npolicy = "{self.policy}"\n')
        self.config = load(self.home.config)
        self.mirror = load_witness(witnesses[2]).mirror_of(config.origin)
        self.log = (folder / "all.log").open("wb")
        self.processes = [
            subprocess.Popen(
                [MEMCON, "witness", "serve", "--home", str(root)], stdout=self.log, stderr=self.log
            )
            for root in witnesses
        ]
        self.recorder: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [MEMCON, "serve", "--home", str(self.home.root), "--reason", "the test is over"]
        self.recorder = subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def kill(self) -> None:
        """SIGKILL for every process of the recorder, the supervisor first: nobody starts one again."""
        assert self.recorder is not None
        pid = self.recorder.pid
        workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        self.recorder.kill()
        self.recorder.wait()
        for worker in workers:
            os.kill(int(worker), signal.SIGKILL)

    def stop(self) -> int:
        assert self.recorder is not None
        self.recorder.send_signal(signal.SIGTERM)
        return self.recorder.wait(60)

    def leaves(self, root: Path) -> list[Beat]:
        store = LogStore(root)
        if store.fetch("checkpoint") is None:
            return []
        return [beat.decode(entry) for entry in store.entries(0, store.checkpoint().size)]

    def end(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(30)
        self.log.close()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("MEMCON_RUN", str(tmp_path / "run"))
    world = World(tmp_path)
    yield world
    if world.recorder is not None and world.recorder.poll() is None:
        world.stop()
    world.end()


def ask(world: World, first: int, last: int) -> dict[str, object]:
    words = [
        str(world.mirror),
        f"@{first}",
        f"@{last + 1}",
        "--policy",
        str(world.policy),
        "--no-cache",
        "--json",
    ]
    said = CliRunner().invoke(main, ["was-it-on", *words])
    found: dict[str, object] = json.loads(said.stdout)
    return found


def struck(world: World) -> None:
    """Kill it when the mirror has all its leaves: of one that nobody fetched no certificate is made."""
    for _ in range(5):
        wait(lambda: len(world.leaves(world.mirror)) == len(world.leaves(world.home.log)))
        world.kill()
        time.sleep(1)  # what was being fetched is there now
        if len(world.leaves(world.mirror)) == len(world.leaves(world.home.log)):
            return
        world.start()
        size = len(world.leaves(world.mirror))
        wait(lambda: len(world.leaves(world.mirror)) > size + 1)  # noqa: B023
    pytest.fail("each kill came between a beat and its fetching")


def test_a_recorder_that_was_killed_is_silent_for_exactly_that_while(world: World) -> None:
    world.start()
    wait(lambda: sum(leaf.state is beat.State.RECORDING for leaf in world.leaves(world.mirror)) >= 2)
    struck(world)
    wait(lambda: len(list(Archive(world.mirror).certificates())) >= 2)
    size = len(world.leaves(world.mirror))
    world.start()
    wait(lambda: len(world.leaves(world.mirror)) >= size + 4)
    # what the recorder had cosigned is what its beats name, and the mirror has it
    named = [leaf.note_hash.hex() for leaf in world.leaves(world.mirror) if any(leaf.note_hash)]
    assert len(named) >= 3
    wait(lambda: all((world.mirror / "note" / digest).exists() for digest in named))
    assert world.stop() == 0
    leaves = world.leaves(world.mirror)
    slots = [leaf.slot for leaf in leaves]
    # A leaf may have been made just before the kill, or of the journal after it: the gap lies between.
    end = max(range(size, len(slots)), key=lambda n: slots[n] - slots[n - 1])
    missing = list(range(slots[end - 1] + 1, slots[end]))
    assert len(missing) >= 2
    wait(lambda: ask(world, missing[0], missing[-1])["counts"] == {"silent": len(missing)})
    around = ask(world, missing[0] - 2, missing[-1] + 2)["not_attested"]
    assert isinstance(around, list)
    runs = [(run["first_slot"], run["last_slot"]) for run in around if run["answer"] == "silent"]
    silent = [slot for first, last in runs for slot in range(first, last + 1)]
    # on a busy machine one more may be missed after the start: it is silent too
    lacking = [slot for slot in range(missing[0] - 2, missing[-1] + 3) if slot not in slots]
    assert silent == lacking
    assert set(missing) <= set(silent)

    # the certificate, in the stand-alone verifier, without a network and without this home
    newest = max(Archive(world.mirror).certificates(), key=lambda entry: (entry.size == size, entry.time))
    path = world.mirror / f"silence/{newest.digest.hex()}"
    command = [
        sys.executable,
        "-m",
        "memcon.verify",
        "silence",
        str(path),
        "--policy",
        str(world.policy),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    first, last = json.loads(done.stdout)["facts"]["slots"]
    assert first <= missing[0] <= last
    counts = ask(world, first, last)["counts"]  # it may reach into slots whose beats came too late
    assert isinstance(counts, dict)
    assert counts["silent"] == sum(slot not in slots for slot in range(first, last + 1))
    assert "attested recording" not in counts


def test_a_policy_whose_quorums_can_be_disjoint_is_refused(tmp_path: Path) -> None:
    new_home(tmp_path / "r")
    made = init_home(
        tmp_path / "w",
        "w.example",
        kinds=("ed25519", "mldsa44"),
        listen="127.0.0.1:8090",
        policy=None,
        mirror=False,
    )
    keys = made.cosigner().vkeys
    lines = "".join(f"witness w{n} {key} http://127.0.0.1:1/\n" for n, key in enumerate(keys))
    (tmp_path / "r/policy").write_text(lines + "group g any w0 w1\nquorum g\n")
    with (tmp_path / "r/memcon.toml").open("a") as file:
        file.write('\n[witness]\npolicy = "policy"\n')
    done = CliRunner().invoke(main, ["serve", "--home", str(tmp_path / "r")])
    assert done.exit_code == 2
    assert "quorums can be disjoint: 'w0' and 'w1'" in done.output
    (tmp_path / "r/policy").unlink()
    done = CliRunner().invoke(main, ["serve", "--home", str(tmp_path / "r")])
    assert (done.exit_code, "there is no" in done.output) == (2, True)
