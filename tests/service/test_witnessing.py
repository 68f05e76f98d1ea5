"""The process that speaks to witnesses, time-stamping authorities and drand, for one log."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.running import copy
from tests.verify.test_rounds import QUICKNET
from tests.witness.kit import Reply
from tests.witness.site import Http, until
from tests.witness.test_rounds import latest
from tests.witness.tsa import Tsa

from memcon.clock import NS, SystemClock
from memcon.record import evidence
from memcon.record.hashing import sha256
from memcon.seal.freshness import NewestRound, read_newest, read_round
from memcon.seal.keys import load_keys
from memcon.service.witnessing import run_witnessing
from memcon.tlog.policy import Policy
from memcon.verify.findings import Report
from memcon.verify.sources import Directory
from memcon.verify.window import windows
from memcon.witness.core import Witness
from memcon.witness.keys import Cosigner

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_note_is_cosigned_stamped_and_dated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, config = copy(tmp_path / "home")
    monkeypatch.setenv("MEMCON_RUN", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    clock, stop, tsa = SystemClock(), threading.Event(), Tsa(tmp_path / "tsa")
    cosigner = Cosigner("w.example", b"witness".ljust(32))
    keys = load_keys(home.keys).vkeys(config.origin)
    witness, lock = Witness(cosigner, keys, clock), threading.Lock()

    def answer(method: str, path: str, body: bytes) -> Reply:
        with lock:
            found = witness.decide(body)
        return Reply(found.status, {}, found.body)

    http = Http(answer)
    policy = tmp_path / "policy"
    policy.write_text(f"witness w {cosigner.vkeys[0]} {http.url}/\nquorum w\n")
    (tmp_path / "latest.json").write_bytes(latest(QUICKNET))
    (tmp_path / "roots.pem").write_bytes(tsa.roots)
    config = replace(
        config, witness_policy=policy, stamp_authorities=(tsa.url,), stamp_roots=tmp_path / "roots.pem",
        drand_source=str(tmp_path / "latest.json"),
    )  # fmt: skip
    thread = threading.Thread(target=run_witnessing, args=(home, config, clock, stop))
    thread.start()
    try:
        until((home.log / evidence.STAMP_INDEX).exists)
        until(lambda: json.loads(home.status("witness").read_bytes())["timestamps"][0]["problem"] == "")
    finally:
        stop.set()
        thread.join()
        http.close()
        tsa.close()
    note = read_newest(home.newest_note)
    assert note is not None
    assert read_round(home.newest_round) == NewestRound(QUICKNET.number, sha256(QUICKNET.signature))
    assert (home.log / QUICKNET.path).read_bytes() == QUICKNET.encode()
    assert json.loads(home.status("witness").read_bytes())["drand"] == ""
    report = Report("log", "log")
    lines = "".join(f"log {key}\n" for key in keys) + policy.read_text()
    found = windows(
        Directory(home.log), Policy.parse(lines.encode()), 1, note.size - 1, report, roots=tsa.roots
    )
    assert {one.stamped is not None for one in found} == {True}
    assert found[0].stamped is not None
    assert abs(found[0].stamped - clock.wall_ns() // NS) < 600
    assert not report.counts
