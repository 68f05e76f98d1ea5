"""`memcon show` says between which times a call was sealed, once witnesses have dated it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from click.testing import CliRunner
from tests.running import copy
from tests.verify.witnesses import cosigned, policy_text

from memcon.cli.main import main
from memcon.clock import NS
from memcon.record import beat as beats
from memcon.seal.keys import load_keys
from memcon.store.tiles import LogStore
from memcon.verify.words import utc
from memcon.witness.archive import Archive

if TYPE_CHECKING:
    from pathlib import Path


def show(home: Path, *words: str) -> str:
    done = CliRunner().invoke(main, ["show", "1", "--home", str(home), *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_by_the_operators_clock_only_and_then_by_witnesses(tmp_path: Path) -> None:
    home, config = copy(tmp_path / "home")
    assert "by the operator's clock only" in show(home.root)
    assert json.loads(show(home.root, "--json"))["windows"] == []
    store = LogStore(home.log)
    vkeys = [str(key) for key in load_keys(home.keys).vkeys(config.origin)]
    (home.log / "policy").write_bytes(policy_text(vkeys))
    assert "by the operator's clock only" in show(home.root)
    size = store.checkpoint().size
    last = beats.decode(next(store.entries(size - 1, size)))
    time = last.slot_end_ns() // 1_000_000_000
    note = cosigned(store.fetch("checkpoint") or b"", {"w1": time, "w2": time + 1})
    Archive(home.log).add_note(note, size, time + 1)
    told = json.loads(show(home.root, "--json"))["windows"]
    assert all(one["not_after"] and one["not_before"] is None for one in told)
    assert {one["answer"] for one in told} <= {"early", "late"}
    bundle = tmp_path / "call.zip"
    wanted = ["export", "1", "--format", "bundle", "--to", str(bundle), "--home", str(home.root)]
    assert CliRunner().invoke(main, wanted).exit_code == 0
    shutil.rmtree(home.root)  # from here on a stranger with the file and a policy alone
    policy = tmp_path / "mine.policy"
    policy.write_bytes(policy_text(vkeys))
    wanted = ["verify", str(bundle), "--policy", str(policy)]
    seconds = json.loads(CliRunner().invoke(main, [*wanted, "--json"]).output)["seconds"]
    assert {(span["not_before"], span["not_after"]) for span in seconds} == {(None, utc((time + 1) * NS))}
    assert "had seen it by" in CliRunner().invoke(main, wanted).output
